//! What counts where a process, a Deployment and the bucket say different things. A cluster is held to the same, by the tests
//! of the same names in `operator/tests/scenarios/truth.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::progress::ProgressKey;
use vedette_core::roll::{Rollout, Underway};
use vedette_core::rollout::rollout;
use vedette_core::status::{
    DATA_AVAILABLE, DETECTOR_AVAILABLE, FEATURES_PRESENT, GENERATOR_AVAILABLE, PUBLISHED, READY, RECEIVERS_USABLE,
    SCORES_STABLE, STREAM_COMPLETE, find, is_true,
};
use vedette_core::workload::Workload;
use vedette_crds::TrainingPhase;
use vedette_testing::bucket::Behaviour;
use vedette_testing::last_words::{FAILED_BECAUSE, FAILED_LOG};
use vedette_testing::{TestBucket, write_script};

use super::*;
use crate::local::options::LocalOptions;
use crate::local::servers::{self, Servers};
use crate::local::supervisor::{JobStatus, Supervisor};
use crate::local::{setup, start_supervisor};
use crate::output::Console;

const PATIENCE: Duration = Duration::from_secs(240);
const VERSION: &str = "20261123T084210Z-1a2b3c4d";
const TRAINING: &str = "
---
apiVersion: vedette.io/v1alpha1
kind: ModelTraining
metadata: {name: flows}
spec: {site: local, data: {pipeline: flows}, trigger: {minRecords: 100}, job: {backoffLimit: 0}}
";

/// A run whose programs are scripts.
struct Stage {
    directory: tempfile::TempDir,
    objects: TestBucket,
    plan: setup::Plan,
    servers: Servers,
    supervisor: Supervisor,
    console: Arc<Console>,
}

impl Stage {
    async fn new() -> Self {
        Self::with("{}").await
    }

    /// With this spec of the pipeline, and a bucket that can misbehave.
    async fn with(spec: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let manifests = directory.path().join("manifests.yaml");
        let pipeline = format!(
            "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}"
        );
        std::fs::write(&manifests, pipeline + TRAINING).unwrap();
        let arguments = ["local", "-f", manifests.to_str().unwrap(), "--bin-dir", directory.path().to_str().unwrap()];
        let options = LocalOptions::parsed(arguments).unwrap();
        let plan = setup::plan(&options, &"default".parse().unwrap()).unwrap();
        let mut servers = servers::start(&options).await.unwrap();
        let objects = TestBucket::serve().await;
        servers.bucket = objects.bucket.clone();
        let console = Arc::new(Console::new(true));
        let supervisor = start_supervisor(&options, &servers, BTreeMap::new(), &console).unwrap();
        Self { directory, objects, plan, servers, supervisor, console }
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.directory.path().join(format!("vedette-{name}"));
        write_script(&path, &format!("#!/bin/sh\n{script}\n"));
    }

    /// A program that serves probes, and is told by files of the directory that is returned.
    fn serving_program(&self, name: &str) -> std::path::PathBuf {
        let control = self.directory.path().join(name);
        std::fs::create_dir(&control).unwrap();
        let this = std::env::current_exe().unwrap();
        let workload = this.parent().and_then(Path::parent).unwrap().join("examples/workload");
        self.program(name, &format!("CONTROL={} exec {}", control.display(), workload.display()));
        control
    }

    fn training(&self) -> LocalTraining<'_> {
        let (site, bucket) = (self.servers.site.clone(), self.servers.bucket.clone());
        let training = self.plan.trainings[0].clone();
        LocalTraining::new(training, site, bucket, &self.supervisor, &self.console, Timestamp::now())
    }

    fn pipeline(&self) -> LocalPipeline<'_> {
        let (site, bucket) = (self.servers.site.clone(), self.servers.bucket.clone());
        LocalPipeline::new(self.plan.pipeline.clone(), site, bucket, &self.supervisor, &self.console)
    }

    async fn archive(&self, records: u64) {
        let site = self.servers.site.site.name.clone();
        let key = self.keys().progress(&ProgressKey { site, topic: "enriched_data".parse().unwrap(), partition: 0 });
        let progress = json!({
            "stream": "enriched_data", "records": records, "closed_records": records, "end": records,
            "last_object": null, "last_utc": null, "updated_at": "2026-11-23T08:00:00Z"
        });
        self.objects.put_json(&key, &progress).await;
    }

    async fn other_sites_read_ready(&self) -> Option<bool> {
        let key = self.keys().site(&self.servers.site.site.name);
        self.objects.json::<serde_json::Value>(&key).await?["ready"].as_bool()
    }

    /// What the run under way leaves that has published a version.
    async fn publish_result(&self, training: &LocalTraining<'_>) {
        let job = training.status.last_run.clone().unwrap().job;
        let result = json!({
            "job": job, "finished_at": "2026-11-23T08:00:09Z", "outcome": "published", "records": 150, "version": VERSION,
            "metrics": null, "baseline": null, "message": "published"
        });
        let keys = ModelKeys::new(&self.plan.pipeline.namespace, &self.plan.trainings[0].name);
        self.objects.put_json(&keys.result(&job), &result).await;
    }

    fn keys(&self) -> PipelineKeys {
        PipelineKeys::new(&self.plan.pipeline.namespace, &self.plan.pipeline.name)
    }
}

/// Steps until the last run has ended.
async fn until_ended(training: &mut LocalTraining<'_>) {
    let deadline = Instant::now() + PATIENCE;
    while training.status.history.is_empty() {
        assert!(Instant::now() < deadline, "the run never ended: {:?}", training.status);
        training.step(Timestamp::now()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Steps at this distance from now until this holds.
async fn until(
    pipeline: &mut LocalPipeline<'_>,
    what: &str,
    ahead: SignedDuration,
    holds: impl Fn(&LocalPipeline<'_>) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(pipeline) {
        assert!(Instant::now() < deadline, "{what} never came: {:?}", pipeline.status);
        pipeline.step(Timestamp::now() + ahead).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Steps until this condition holds.
async fn until_status(pipeline: &mut LocalPipeline<'_>, what: &str, kind: &str) {
    until(pipeline, what, SignedDuration::ZERO, |pipeline| is_true(&pipeline.status.conditions, kind)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_completes_without_a_result_has_failed_and_is_tried_again() {
    let stage = Stage::new().await;
    stage.program("trainer", "exit 0");
    stage.archive(150).await;
    let mut training = stage.training();
    until_ended(&mut training).await;
    let ready = find(&training.status.conditions, READY).unwrap();
    assert_eq!((ready.reason.as_str(), training.status.failures), ("LastRunFailed", 1));
    assert!(ready.message.contains("the next one starts at"), "{}", ready.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_in_the_bucket_is_a_success_also_when_its_job_failed() {
    let stage = Stage::new().await;
    let go = stage.directory.path().join("go");
    stage.program("trainer", &format!("while [ ! -e {} ]; do sleep .1; done; exit 1", go.display()));
    stage.archive(150).await;
    let mut training = stage.training();
    training.step(Timestamp::now()).await.unwrap();
    stage.publish_result(&training).await;
    std::fs::write(go, "").unwrap();
    until_ended(&mut training).await;
    assert!(is_true(&training.status.conditions, PUBLISHED));
    assert_eq!((training.status.failures, training.status.model.as_deref()), (0, Some(VERSION)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_in_the_bucket_is_a_success_also_when_its_job_is_gone() {
    let stage = Stage::new().await;
    stage.program("trainer", "exec sleep 600");
    stage.archive(150).await;
    let mut training = stage.training();
    training.step(Timestamp::now()).await.unwrap();
    stage.publish_result(&training).await;
    let job = training.status.last_run.clone().unwrap().job;
    stage.supervisor.stop(&job).await;
    assert_eq!(stage.supervisor.job_status(&job), JobStatus::Absent);
    until_ended(&mut training).await;
    assert!(is_true(&training.status.conditions, PUBLISHED));
    assert_eq!((training.status.failures, training.status.model.as_deref()), (0, Some(VERSION)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_result_cannot_be_read_has_not_ended() {
    let stage = Stage::new().await;
    stage.program("trainer", "exit 0");
    stage.archive(150).await;
    let mut training = stage.training();
    training.step(Timestamp::now()).await.unwrap();
    stage.publish_result(&training).await;
    stage.objects.behave(Behaviour::Refuses);
    let (job, deadline) = (training.status.last_run.clone().unwrap().job, Instant::now() + PATIENCE);
    while stage.supervisor.job_status(&job) != JobStatus::Complete {
        assert!(Instant::now() < deadline, "the Job never ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    training.step(Timestamp::now()).await.unwrap();
    assert_eq!((training.status.failures, training.status.phase), (0, Some(TrainingPhase::Running)));
    stage.objects.behave(Behaviour::Honest);
    until_ended(&mut training).await;
    assert!(is_true(&training.status.conditions, PUBLISHED));
    assert_eq!(training.status.failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_of_a_process_are_why_its_run_failed() {
    let stage = Stage::new().await;
    let log = stage.directory.path().join("log");
    std::fs::write(&log, FAILED_LOG).unwrap();
    stage.program("trainer", &format!("cat {}; exit 1", log.display()));
    stage.archive(150).await;
    let mut training = stage.training();
    until_ended(&mut training).await;
    let ready = find(&training.status.conditions, READY).unwrap();
    assert_eq!(ready.reason, "LastRunFailed");
    assert!(ready.message.contains(FAILED_BECAUSE), "{}", ready.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_there_already_is_not_learned_again() {
    let stage = Stage::new().await;
    stage.archive(150).await;
    let version = VERSION.parse().unwrap();
    stage.objects.publish("default", "flows", &version, 1).await;
    stage.objects.describe("default", "flows", &version, "flows-7").await;
    let mut training = stage.training();
    training.step(Timestamp::now()).await.unwrap();
    assert_eq!(training.status.phase, Some(TrainingPhase::Done));
    assert_eq!(training.status.last_run.unwrap().job, "flows-7");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_learned_while_nobody_knows_whether_it_was() {
    let stage = Stage::new().await;
    stage.archive(150).await;
    stage.objects.put("default/models/flows/current.json", "{half").await;
    let mut training = stage.training();
    training.step(Timestamp::now()).await.unwrap();
    let data = find(&training.status.conditions, DATA_AVAILABLE).unwrap();
    assert!(data.message.contains("current.json is not a current pointer"), "{}", data.message);
    assert_eq!(training.status.last_run, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_that_was_walked_is_not_walked_again_when_its_job_is_gone() {
    let walks = "{generator: {recordsPerSecond: 1, mode: Sequential, dataset: {object: {key: a.csv}}}}";
    let stage = Stage::with(walks).await;
    for name in ["topics", "generator"] {
        stage.program(name, "exit 0");
    }
    for name in ["archiver", "detector"] {
        stage.serving_program(name);
    }
    let mut pipeline = stage.pipeline();
    let has_walked = |pipeline: &LocalPipeline<'_>| pipeline.status.generator.is_some();
    until(&mut pipeline, "the end of the data set", SignedDuration::ZERO, has_walked).await;
    let job = pipeline.status.generator.clone().unwrap().completed_job;
    stage.supervisor.stop(&job).await;
    pipeline.step(Timestamp::now()).await.unwrap();
    assert_eq!(stage.supervisor.job_status(&job), JobStatus::Absent);
    let generator = find(&pipeline.status.conditions, GENERATOR_AVAILABLE).unwrap();
    assert_eq!((generator.reason.as_str(), generator.status.as_str()), ("Finished", "True"));
    stage.supervisor.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_whose_only_model_failed_are_ended_where_none_runs_without() {
    let stage = Stage::with("{model: {training: flows, missingModelPolicy: Wait}}").await;
    stage.program("topics", "exit 0");
    stage.serving_program("archiver");
    std::fs::write(stage.serving_program("detector").join("crash"), "").unwrap();
    stage.objects.publish("default", "flows", &VERSION.parse().unwrap(), 1).await;
    let mut pipeline = stage.pipeline();
    let fails = |_: &LocalPipeline<'_>| {
        let detectors = rollout(&stage.supervisor.workload("flows-detector"));
        matches!(detectors, Rollout::Underway(Underway { fault: Some(_), .. }))
    };
    until(&mut pipeline, "a detector that fails", SignedDuration::ZERO, fails).await;
    let is_judged = |pipeline: &LocalPipeline<'_>| {
        let target = pipeline.status.model.as_ref().and_then(|model| model.target.as_ref());
        target.is_some_and(|target| target.unmoved_since.is_some())
    };
    until(&mut pipeline, "a deadline that runs", SignedDuration::ZERO, is_judged).await;
    let is_rejected =
        |pipeline: &LocalPipeline<'_>| pipeline.status.model.as_ref().is_some_and(|model| model.rejected == [VERSION]);
    until(&mut pipeline, "the way back", SignedDuration::from_hours(1), is_rejected).await;
    assert_eq!(stage.supervisor.workload("flows-detector"), Workload::default());
    stage.supervisor.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_read_ready_as_the_condition_says_it() {
    let stage = Stage::new().await;
    stage.program("topics", "exit 0");
    stage.serving_program("detector");
    let archiver = stage.serving_program("archiver");
    std::fs::write(archiver.join("unready"), "").unwrap();
    let mut pipeline = stage.pipeline();
    until_status(&mut pipeline, "a detector", DETECTOR_AVAILABLE).await;
    assert_eq!(stage.other_sites_read_ready().await, Some(false));
    std::fs::remove_file(archiver.join("unready")).unwrap();
    until_status(&mut pipeline, "a pipeline that is ready", READY).await;
    assert_eq!(stage.other_sites_read_ready().await, Some(true));
    stage.supervisor.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_processes_tell_of_the_records_is_a_condition() {
    let stage = Stage::new().await;
    stage.program("topics", "exit 0");
    stage.serving_program("archiver");
    stage.serving_program("detector");
    let key = stage.keys().health(&stage.servers.site.site.name, "flows-detector-1");
    stage.objects.put_json(&key, &vedette_testing::bucket::lacks("src_bytes", Timestamp::now())).await;
    let mut pipeline = stage.pipeline();
    pipeline.step(Timestamp::now()).await.unwrap();
    let features = find(&pipeline.status.conditions, FEATURES_PRESENT).unwrap();
    assert!(features.message.contains("learned from: src_bytes;"), "{}", features.message);
    assert_eq!(find(&pipeline.status.conditions, STREAM_COMPLETE).unwrap().reason, "RecordsLost");
    let scores = find(&pipeline.status.conditions, SCORES_STABLE).unwrap();
    assert_eq!((scores.status.as_str(), scores.reason.as_str()), ("False", "ScoresShifted"));
    stage.supervisor.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_of_incidents_lacks_is_a_condition() {
    let spec = "{incidents: {receivers: [{name: chat, webhook: {urlSecret: {name: chat, key: url}}}]}}";
    let stage = Stage::with(spec).await;
    stage.program("topics", "exit 0");
    for component in ["archiver", "detector", "notifier"] {
        stage.serving_program(component);
    }
    let key = stage.keys().health(&stage.servers.site.site.name, "flows-notifier-1");
    let file = "/var/lib/vedette/vedette-receiver-chat-url/url";
    stage.objects.put_json(&key, &vedette_testing::bucket::lacks_file("chat", file, Timestamp::now())).await;
    let mut pipeline = stage.pipeline();
    pipeline.step(Timestamp::now()).await.unwrap();
    let receivers = find(&pipeline.status.conditions, RECEIVERS_USABLE).unwrap();
    assert_eq!((receivers.status.as_str(), receivers.reason.as_str()), ("False", "ReceiverSecretMissing"));
    let named = "receiver chat lacks the key url of Secret chat in namespace default: create";
    assert!(receivers.message.starts_with(named), "{}", receivers.message);
    stage.supervisor.stop_all().await;
}
