//! Whatever the operator's builders return for any manifest of this repository, a local run honours every field of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

#[test]
fn the_help_of_validate_ends_with_two_examples_that_run() {
    let directory = tempfile::tempdir().unwrap();
    let demo = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/demo.yaml")).unwrap();
    let (pipeline, training) = demo.split_once("\n---\n").unwrap();
    std::fs::create_dir(directory.path().join("manifests")).unwrap();
    for (name, text) in
        [("manifests/demo.yaml", &*demo), ("pipeline.yaml", pipeline), ("training.yaml", training), ("east.yaml", SITE)]
    {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let run = |words: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command.args(words).current_dir(directory.path()).env("COLUMNS", "1000").output().unwrap()
    };
    let help = String::from_utf8(run(&["validate", "--help"]).stdout).unwrap();
    let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
    let examples: Vec<&str> = examples.trim_end().lines().map(str::trim).collect();
    assert_eq!(examples.len(), 2, "{examples:?}");
    for example in examples {
        let words: Vec<&str> = example.split_whitespace().skip(1).collect();
        let output = run(&words);
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told, "valid: AnomalyPipeline demo/kdd, ModelTraining demo/kdd\n", "{example}");
    }
}
