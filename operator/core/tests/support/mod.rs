//! Fixtures: a site, and manifests run through the real validation.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use vedette_contract::{ModelVersion, Name};
use vedette_core::desired::{GeneratorChild, Live, PipelineChildren, build_pipeline, build_training_job};
use vedette_core::manifest::{self, ValidatedManifest};
use vedette_core::site::SiteFile;
use vedette_core::validate::{ValidatedPipeline, ValidatedTraining};

pub(crate) fn site() -> SiteFile {
    SiteFile::parse(
        "
site:
  name: east
kafka:
  bootstrapServers: kafka-0:9092,kafka-1:9092
  properties:
    security.protocol: SASL_SSL
    sasl.mechanisms: SCRAM-SHA-512
  credentialsSecret: vedette-kafka
bucket:
  endpoint: http://seaweedfs:8333
  name: vedette
  credentialsSecret: vedette-bucket
images:
  topics: registry.example.org/vedette-topics:0.1.0
  generator: registry.example.org/vedette-generator:0.1.0
  detector: registry.example.org/vedette-detector:0.1.0
  archiver: registry.example.org/vedette-archiver:0.1.0
  notifier: registry.example.org/vedette-notifier:0.1.0
  trainer: registry.example.org/vedette-trainer:0.1.0
imagePullSecrets:
  - registry
",
    )
    .unwrap()
}

pub(crate) fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests")
}

pub(crate) fn text(file: &str) -> String {
    std::fs::read_to_string(manifests().join(file)).unwrap()
}

pub(crate) fn default_namespace() -> Name {
    "default".parse().unwrap()
}

pub(crate) fn load(text: &str) -> Vec<ValidatedManifest> {
    manifest::load(text, &default_namespace(), &site()).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

pub(crate) fn pipeline(text: &str) -> ValidatedPipeline {
    let found = load(text).into_iter().find_map(|manifest| match manifest {
        ValidatedManifest::Pipeline(pipeline) => Some(*pipeline),
        ValidatedManifest::Training(_) => None,
    });
    found.unwrap()
}

pub(crate) fn trainings(text: &str) -> Vec<ValidatedTraining> {
    let found = load(text).into_iter().filter_map(|manifest| match manifest {
        ValidatedManifest::Pipeline(_) => None,
        ValidatedManifest::Training(training) => Some(*training),
    });
    found.collect()
}

/// What is built of a pipeline with this spec.
pub(crate) fn build(spec: &str) -> PipelineChildren {
    build_pipeline(&pipeline_with(spec), &site(), None, &Live::default())
}

/// A pipeline with this spec, in YAML's flow style.
pub(crate) fn pipeline_with(spec: &str) -> ValidatedPipeline {
    pipeline(&format!(
        "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}"
    ))
}

/// Everything that is wrong with a pipeline of this spec.
pub(crate) fn refusals(spec: &str) -> Vec<String> {
    let text =
        format!("{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}");
    let errors = manifest::load(&text, &default_namespace(), &site()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

pub(crate) fn version() -> ModelVersion {
    "20261123T084210Z-1a2b3c4d".parse().unwrap()
}

pub(crate) fn generator_deployment(children: &PipelineChildren) -> &Deployment {
    match &children.generator {
        Some(GeneratorChild::Deployment(deployment)) => deployment,
        other => panic!("no Deployment: {other:?}"),
    }
}

pub(crate) fn generator_job(children: &PipelineChildren) -> &Job {
    match &children.generator {
        Some(GeneratorChild::Job(job)) => job,
        other => panic!("no Job: {other:?}"),
    }
}

/// Every pod template that the manifests and some variants of them lead to, with its component.
pub(crate) fn every_template() -> Vec<(String, PodTemplateSpec)> {
    let sequential = "{generator: {recordsPerSecond: 10, mode: Sequential, dataset: {object: {key: a/b.csv}}}}";
    let pipelines = vec![
        pipeline(&text("minimal.yaml")),
        pipeline(&text("demo.yaml")),
        pipeline(&text("full.yaml")),
        pipeline_with(sequential),
    ];
    let mut templates = Vec::new();
    for pipeline in &pipelines {
        for version in [None, Some(version())] {
            let PipelineChildren { topics_job, generator, detector, archiver, notifier, .. } =
                build_pipeline(pipeline, &site(), version.as_ref(), &Live::default());
            templates.push(topics_job.spec.unwrap().template);
            templates.extend(generator.map(|generator| match generator {
                GeneratorChild::Deployment(deployment) => deployment.spec.template,
                GeneratorChild::Job(job) => job.spec.unwrap().template,
            }));
            templates.extend(detector.map(|detector| detector.spec.template));
            templates.push(archiver.spec.template);
            templates.extend(notifier.map(|notifier| notifier.spec.template));
        }
    }
    for file in ["minimal.yaml", "demo.yaml", "full.yaml"] {
        for training in trainings(&text(file)) {
            templates.push(build_training_job(&training, &site(), "flows-1795423330").spec.unwrap().template);
        }
    }
    templates.into_iter().map(|template| (component(&template), template)).collect()
}

fn component(template: &PodTemplateSpec) -> String {
    template.metadata.as_ref().unwrap().labels.as_ref().unwrap()["app.kubernetes.io/component"].clone()
}
