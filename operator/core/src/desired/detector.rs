//! The detectors. The model version stands in the pod template, so that a new version is a rollout.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;
use sha2::{Digest, Sha256};
use vedette_contract::arguments::{BudgetTracking, ProcessingGuarantee};
use vedette_contract::{ModelVersion, Name};

use super::PipelineContext;
use super::arguments::{Arguments, service_environment};
use super::connection::{all_files, bucket_environment, kafka_environment, lookup_file_argument, lookup_files};
use super::labels::{Component, MODEL_VERSION};
use super::pod::{Directory, Process, deployment as build, template};
use super::volumes::MODEL;
use super::{names, resources};
use crate::site::SiteFile;
use crate::validate::{Alerting, Scale, ValidatedDetector, ValidatedPipeline, ValidatedTopics};

const MODEL_DIRECTORY: &str = "/var/lib/vedette/model";

pub(super) fn deployment(
    context: &PipelineContext<'_>,
    detector: &ValidatedDetector,
    model: Option<(&Name, &ModelVersion)>,
    progress_deadline: Duration,
    live: LiveReplicas,
) -> Deployment {
    let PipelineContext { owner, site, topics, pods, pod, suspend: _ } = context;
    let ValidatedDetector {
        scale,
        processing_guarantee,
        renamed_fields,
        lookups,
        calculated_fields,
        alerting,
        reasons,
        max_unavailable: _,
        rolling_update,
    } = detector;
    let ValidatedTopics { sensor_messages, enriched_data, alerts, dead_letters, max_output_message_bytes } = topics;
    let arguments = Arguments::default()
        .kafka(&site.kafka)
        .bucket(&site.bucket)
        .pipeline(owner.namespace, owner.name, &site.site.name)
        .option("group", names::group(owner.namespace, owner.name, Component::Detector))
        .option("sensor-messages-topic", &sensor_messages.name)
        .option("enriched-data-topic", &enriched_data.name)
        .option("alerts-topic", &alerts.name)
        .option("dead-letters-topic", &dead_letters.name)
        .option("max-message-bytes", max_output_message_bytes)
        .option("processing-guarantee", guarantee_word(*processing_guarantee))
        .options("renamed-field", renamed_fields)
        .options("lookup", lookups.iter().map(|lookup| &lookup.lookup))
        .options("lookup-file", lookups.iter().filter_map(lookup_file_argument))
        .options("calculated-field", calculated_fields);
    let arguments = match alerting {
        Alerting::Budget { per_million, tracking } => arguments
            .option("alert-budget-per-million", per_million)
            .option("budget-tracking", tracking_word(*tracking)),
        Alerting::ScoreThreshold(threshold) => arguments.option("score-threshold", threshold),
    };
    let arguments = arguments
        .option("reasons", reasons)
        .options("model-training", model.map(|(training, _)| training))
        .options("model-version", model.map(|(_, version)| version))
        .option("model-directory", MODEL_DIRECTORY)
        .into_vec();
    let mut environment = service_environment();
    environment.extend(kafka_environment(&site.kafka));
    environment.extend(bucket_environment(&site.bucket));
    let process = Process {
        component: Component::Detector,
        settings: &pods.detector,
        image: &site.images.detector,
        arguments,
        environment,
        files: all_files(site).into_iter().chain(lookups.iter().filter_map(lookup_files)).collect(),
        directory: Some(Directory { name: MODEL, path: MODEL_DIRECTORY, asks_for: None }),
        serves: true,
        grace_seconds: 30,
    };
    let mut template = template(owner, pod, process);
    if let (Some((_, version)), Some(metadata)) = (model, &mut template.metadata) {
        metadata.labels.get_or_insert_default().insert(MODEL_VERSION.to_owned(), version.to_string());
    }
    let deadline = i32::try_from(progress_deadline.as_secs()).unwrap_or(i32::MAX);
    build(owner, Component::Detector, replicas(context, scale, live), Some(deadline), *rolling_update, template)
}

/// What the detectors load a model by, their image and their resources, as a hash: 16 hexadecimal digits.
pub(crate) fn detector_means(pipeline: &ValidatedPipeline, site: &SiteFile) -> String {
    let resources = resources::of(Component::Detector, None, &pipeline.pods.detector.resources);
    let means = json!([site.images.detector, resources]);
    hex::encode(Sha256::digest(means.to_string()))[..16].to_owned()
}

/// Who counts the detectors' replicas in the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LiveReplicas {
    /// There is no Deployment yet.
    #[default]
    Absent,
    /// The operator set this count, and nobody else has set one since.
    Ours(i32),
    /// Somebody else, such as an autoscaler, sets it.
    Theirs,
}

/// The count to apply; none where it is another's, but for none at all. A Deployment that changes to autoscaling keeps its count until the
/// autoscaler has set one: without it the API server would put one pod in place of them all.
fn replicas(context: &PipelineContext<'_>, scale: &Scale, live: LiveReplicas) -> Option<i32> {
    match (scale, live) {
        _ if context.suspend => Some(0),
        (Scale::Fixed(1..), LiveReplicas::Theirs) => None,
        (Scale::Fixed(replicas), _) => Some(*replicas),
        (Scale::Automatic { .. }, LiveReplicas::Theirs) => None,
        (Scale::Automatic { min_replicas, max_replicas, .. }, LiveReplicas::Ours(count)) => {
            Some(count.clamp(*min_replicas, *max_replicas.max(min_replicas)))
        }
        (Scale::Automatic { min_replicas, .. }, LiveReplicas::Absent) => Some(*min_replicas),
    }
}

fn guarantee_word(guarantee: ProcessingGuarantee) -> &'static str {
    match guarantee {
        ProcessingGuarantee::ExactlyOnce => "ExactlyOnce",
        ProcessingGuarantee::AtLeastOnce => "AtLeastOnce",
    }
}

fn tracking_word(tracking: BudgetTracking) -> &'static str {
    match tracking {
        BudgetTracking::Enabled => "Enabled",
        BudgetTracking::Disabled => "Disabled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, ValidatedManifest};

    fn means(image: &str, bootstrap_servers: &str, spec: &str) -> String {
        let site = format!(
            "{{site: {{name: east}}, kafka: {{bootstrapServers: '{bootstrap_servers}'}}, bucket: {{name: b, credentialsSecret: s}}, \
             images: {{topics: t, generator: g, detector: {image}, archiver: a, trainer: t}}}}"
        );
        let site = SiteFile::parse(&site).unwrap();
        let text = format!(
            "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}"
        );
        match manifest::load(&text, &"n".parse().unwrap(), &site).unwrap().remove(0) {
            ValidatedManifest::Pipeline(pipeline) => detector_means(&pipeline, &site),
            ValidatedManifest::Training(_) => panic!("not a pipeline"),
        }
    }

    #[test]
    fn a_model_is_loaded_by_image_and_resources_and_by_nothing_else() {
        let one = means("d:1", "k:9092", "{}");
        assert_ne!(means("d:2", "k:9092", "{}"), one);
        let larger = "{detector: {pod: {resources: {limits: {memory: 7Gi}}}}}";
        assert_ne!(means("d:1", "k:9092", larger), one);
        let other = "{detector: {replicas: 3, pod: {nodeSelector: {no: such}}}, model: {training: flows}}";
        assert_eq!(means("d:1", "other:9092", other), one);
    }
}
