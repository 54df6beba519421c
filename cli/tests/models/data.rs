//! A data directory with three versions of one training, and two days of an archive of two sites; and the program on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use vedette_archive::encoder;
use vedette_contract::archive::{ArchiveObjectKey, Format};
use vedette_contract::gate::{GateReport, NewestOfSite};
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, ModelMetadata, SCHEMA};
use vedette_contract::progress::SiteStatus;
use vedette_contract::{ModelVersion, Name};
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket};
use vedette_forest::artifact::{ArtifactFiles, pack};
use vedette_forest::calibration::calibrate;
use vedette_forest::{Learner, Matrix, fit};
use vedette_registry::publish::{Publication, keep_candidate, publish};
use vedette_streams::bucket::{Body, Bucket};
use vedette_testing::Running;

/// What no terminal may get: clears it, and turns the direction.
pub(crate) const HOSTILE: &str = "odd\u{1b}[2J\u{9b}1m\u{202e}";
/// Stands for the candidate in examples.
const ANY_VERSION: &str = "20261123T084210Z-0a1b2c3d";
/// Stands for a bucket in examples.
const ANY_BUCKET: &str = "http://seaweedfs:8333";

/// The directory, and what is in it.
pub(crate) struct Data {
    directory: TempDir,
    pub(crate) previous: ModelVersion,
    pub(crate) current: ModelVersion,
    pub(crate) candidate: ModelVersion,
}

impl Data {
    /// Makes it, below `data`.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let served = serve(&directory.path().join("data")).await;
        let bucket = client(&served);
        let previous = published(&bucket, "kdd-1", "2026-11-20T08:00:00Z", &["bytes", "load"]).await;
        let current = published(&bucket, "kdd-2", "2026-11-21T08:00:00Z", &["bytes", "speed"]).await;
        let now = time("2026-11-22T08:00:00Z");
        let (artifact, metadata) = learned("kdd-3", now, &["bytes", "load", "speed"]);
        let newest =
            NewestOfSite { site: name("west"), records: 5_000, alerts: 900, alerts_before: Some(4), missing: 0.25 };
        let refused = vec!["at site west 900 of the newest 5000 records would alert".to_owned()];
        let metadata = ModelMetadata {
            gate: GateReport { refused, warnings: Vec::new(), newest: vec![newest] },
            left_out: [(HOSTILE.to_owned(), "a time".to_owned())].into(),
            ..metadata
        };
        let candidate = keep_candidate(&bucket, &models(), artifact, &metadata, now).await.unwrap();
        for (site, rejected) in [("east", Vec::new()), ("west", vec![candidate.clone()])] {
            put(&bucket, &pipeline().site(&name(site)), &status(site, &current, rejected)).await;
        }
        let deleted = SiteStatus { ready: false, deleted: true, ..status("south", &current, Vec::new()) };
        put(&bucket, &pipeline().site(&name("south")), &deleted).await;
        for (day, site, first) in [(20, "east", 0), (20, "west", 1_000), (21, "east", 2_000)] {
            let made_up = |of: fn(usize) -> Value| std::iter::once(simulated(of(first)));
            let records = (first..first + 500).map(record).chain(made_up(record));
            archive(&bucket, "enriched_data", day, site, records).await;
            let alerts = (first..first + 500).filter(|number| number % 50 == 0).map(alert).chain(made_up(alert));
            archive(&bucket, "alerts", day, site, alerts).await;
        }
        let damaged = format!("demo/kdd/enriched_data/2026-11-22/east/enriched_data-0-{:020}-00c0ffee.jsonl.zst", 0);
        bucket.put(&damaged, "altered".into()).await.unwrap();
        served.stop().await;
        Self { directory, previous, current, candidate }
    }

    /// Runs `vedette` beside it.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command
            .args(words)
            .current_dir(self.directory.path())
            .env("USER", "ada")
            .env("COLUMNS", "1000")
            .env_remove("RUST_LOG");
        command
    }

    /// Runs `vedette models VERB …` on the data directory; returns what it prints.
    pub(crate) fn models(&self, words: &[&str]) -> String {
        let output = self.run(&[&["models"], words, &["--data-dir", "data", "--namespace", "demo"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, as JSON.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.models(&[words, &["--output", "json"]].concat())).unwrap()
    }

    /// What it says where it fails.
    pub(crate) fn failure(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs an example of the help, for whose bucket and version those here stand.
    pub(crate) async fn example(&self, words: &[&str]) -> Output {
        let words: Vec<String> = words.iter().map(|word| word.replace(ANY_VERSION, self.candidate.as_str())).collect();
        if !words.iter().any(|word| word == ANY_BUCKET) {
            return self.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let served = serve(&self.directory.path().join("data")).await;
        let output = self.run_at(&served, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        served.stop().await;
        output
    }

    fn command_at(&self, served: &EmbeddedBucket, words: &[&str]) -> Command {
        let words: Vec<String> = words.iter().map(|word| word.replace(ANY_BUCKET, &served.endpoint())).collect();
        let Credentials { access_key_id, secret_access_key } = served.credentials().clone();
        let mut command = self.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("AWS_ACCESS_KEY_ID", access_key_id).env("AWS_SECRET_ACCESS_KEY", secret_access_key);
        command
    }

    /// Runs it on the bucket at its endpoint.
    pub(crate) async fn run_at(&self, served: &EmbeddedBucket, words: &[&str]) -> Output {
        let mut command = self.command_at(served, words);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Starts it there, together with the bucket.
    pub(crate) async fn start(&self, words: &[&str]) -> (EmbeddedBucket, Running) {
        let served = serve(&self.directory.path().join("data")).await;
        let running = Running::start(self.command_at(&served, words));
        (served, running)
    }
}

async fn serve(directory: &Path) -> EmbeddedBucket {
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = BucketOptions { directory, name: "vedette", listen, credentials: Credentials::random() };
    EmbeddedBucket::start(options).await.unwrap()
}

fn client(served: &EmbeddedBucket) -> Bucket {
    let Credentials { access_key_id, secret_access_key } = served.credentials().clone();
    Bucket::new(&vedette_contract::arguments::BucketArguments {
        bucket_endpoint: Some(served.endpoint()),
        bucket: "vedette".to_owned(),
        bucket_region: "us-east-1".to_owned(),
        access_key_id: Some(access_key_id),
        secret_access_key: Some(secret_access_key.as_str().into()),
        ..Default::default()
    })
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn models() -> ModelKeys {
    ModelKeys::new(&name("demo"), &name("kdd"))
}

fn pipeline() -> PipelineKeys {
    PipelineKeys::new(&name("demo"), &name("kdd"))
}

fn status(site: &str, version: &ModelVersion, rejected: Vec<ModelVersion>) -> SiteStatus {
    let (training, model_version) = (Some(name("kdd")), Some(version.clone()));
    SiteStatus {
        site: name(site),
        training,
        model_version,
        rejected,
        ready: true,
        topics: None,
        alert_budget_per_million: None,
        added_fields: Vec::new(),
        renamed_fields: None,
        deleted: false,
        updated_at: Timestamp::now(),
    }
}

async fn put(bucket: &Bucket, key: &str, object: &impl Serialize) {
    bucket.put(key, serde_json::to_vec(object).unwrap().into()).await.unwrap();
}

async fn published(bucket: &Bucket, job: &str, at: &str, features: &[&str]) -> ModelVersion {
    let (artifact, metadata) = learned(job, time(at), features);
    match publish(bucket, &models(), artifact, &metadata, time(at)).await.unwrap() {
        Publication::Current { pointer, previous: _ } => pointer.version,
        other => panic!("{other:?}"),
    }
}

/// A model of records whose number is small, and what is said of it.
fn learned(job: &str, at: Timestamp, features: &[&str]) -> (ArtifactFiles, ModelMetadata) {
    let column = |name: &&str| Column { name: (*name).to_owned(), kind: ColumnKind::numeric(0.) };
    let specification = FeatureSpecification { schema: SCHEMA, columns: features.iter().map(column).collect() };
    let mut rows = Matrix::new(features.len());
    for number in 0..2_000 {
        let record = record(number);
        #[allow(clippy::cast_possible_truncation)]
        let row: Vec<f32> = features.iter().map(|name| record[*name].as_f64().unwrap() as f32).collect();
        rows.push_row(&row);
    }
    let learner = Learner::defaults(Algorithm::IsolationForest);
    let forest = fit(&learner, &rows, &specification.columns, &[], 1).unwrap();
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let artifact = pack(&forest, &specification, &calibrate(scores).unwrap()).unwrap();
    let metadata = json!({
        "schema": SCHEMA, "vedette_version": "0.1.0", "training": "kdd", "pipeline": "kdd", "trained_at_site": "east",
        "trained_by": job, "trained_at": at, "algorithm": "IsolationForest", "parameters": {"trees": 160}, "seed": 1,
        "objects": ["a", "b"], "sites": ["east", "west"], "records": 2_000, "duplicates": 0, "unreadable": 0,
        "sampled": 2_000, "learned": 1_600, "missing": {"bytes": 0.0, "load": 0.5}, "last_utc": "2026-11-20T08:00:00Z",
        "metrics": {
            "rows": 400, "anomalies": 4, "auroc": 0.987_61, "auprc": 0.5, "recall_at_budget": 0.75,
            "precision_at_budget": 0.25, "alert_budget_per_million": 20_000.0, "alerts_per_million": 19_000.0
        },
        "baseline": null
    });
    (artifact, serde_json::from_value(metadata).unwrap())
}

/// An enriched record; each in fifty is far from all others, but in `load`.
fn record(number: usize) -> Value {
    let is_far = number.is_multiple_of(50);
    json!({
        "uuid": format!("record-{number}"),
        "utc": format!("2026-11-{:02}T{:02}:{:02}:00.000000Z", 20 + number / 2_000, number / 60 % 24, number % 60),
        "bytes": number % 97 + if is_far { 5_000 } else { 0 },
        "load": number % 13,
        "speed": number % 7 + if is_far { 900 } else { 0 },
        "site": "east",
        "score": 0.5,
        "model_version": "20261119T080000Z-00000000",
    })
}

fn alert(number: usize) -> Value {
    let mut alert = record(number);
    alert["threshold"] = json!(0.9 + (number / 1_000) as f64 / 100.);
    alert["alert_text"] = json!(HOSTILE);
    alert
}

/// The same, as somebody made it up.
fn simulated(mut record: Value) -> Value {
    record["simulated"] = json!(true);
    record["threshold"] = json!(0.1);
    record
}

async fn archive(bucket: &Bucket, stream: &str, day: u8, site: &str, records: impl Iterator<Item = Value>) {
    let mut encoder = encoder(Format::JsonLines).unwrap();
    let mut stored = Vec::new();
    for record in records {
        stored.extend_from_slice(encoder.record(record.to_string().as_bytes()).unwrap());
    }
    stored.extend_from_slice(encoder.end_frame().unwrap());
    let key = format!("demo/kdd/{stream}/2026-11-{day}/{site}/{stream}-0-{:020}-00c0ffee.jsonl.zst", 0);
    let key: ArchiveObjectKey = key.parse().unwrap();
    bucket.create(&key.to_string(), Body::Bytes(stored.into()), &BTreeMap::new()).await.unwrap();
}
