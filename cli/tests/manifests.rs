//! Whatever the operator's builders return for any manifest of this repository, a local run honours every field of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use vedette_cli::local::supervisor::{supports_deployment, supports_job};
use vedette_contract::ModelVersion;
use vedette_core::desired::{GeneratorChild, Live, build_pipeline, build_training_job};
use vedette_core::manifest::{self, ValidatedManifest};
use vedette_core::site::SiteFile;

const SITE: &str = "
site: { name: local }
kafka: { bootstrapServers: kafka:9092, credentialsSecret: kafka, replicationFactor: 3, properties: { security.protocol: SASL_SSL } }
bucket: { endpoint: http://bucket:8333, name: vedette, credentialsSecret: bucket }
images: { topics: r/vedette-topics:1, generator: r/vedette-generator:1, detector: r/vedette-detector:1, archiver: r/vedette-archiver:1, notifier: r/vedette-notifier:1, trainer: r/vedette-trainer:1 }
imagePullSecrets: [registry]
";

fn manifests() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = ["manifests", "e2e/fixtures"].map(|directory| std::fs::read_dir(root.join(directory)).unwrap());
    let paths = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn every_manifest_builds_what_a_local_run_honours() {
    let site = SiteFile::parse(SITE).unwrap();
    let version: ModelVersion = "20261123T084210Z-1a2b3c4d".parse().unwrap();
    let (mut deployments, mut jobs) = (0, 0);
    for path in manifests() {
        let text = std::fs::read_to_string(&path).unwrap();
        for manifest in manifest::load(&text, &"default".parse().unwrap(), &site).unwrap() {
            let (some_deployments, some_jobs) = match &manifest {
                ValidatedManifest::Pipeline(pipeline) => {
                    let children = build_pipeline(pipeline, &site, Some(&version), &Live::default());
                    let (mut deployments, mut jobs) = (vec![children.archiver], vec![children.topics_job]);
                    deployments.extend(children.detector);
                    match children.generator {
                        Some(GeneratorChild::Deployment(deployment)) => deployments.push(*deployment),
                        Some(GeneratorChild::Job(job)) => jobs.push(*job),
                        None => {}
                    }
                    (deployments, jobs)
                }
                ValidatedManifest::Training(training) => (vec![], vec![build_training_job(training, &site, "t-1")]),
            };
            deployments += some_deployments.len();
            jobs += some_jobs.len();
            for deployment in &some_deployments {
                supports_deployment(deployment).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
            for job in &some_jobs {
                supports_job(job).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
        }
    }
    assert!(deployments >= 3 && jobs >= 2, "there are manifests to look at");
}
