//! A bucket of two sites, a console that reads it, and the program on both.

use std::net::SocketAddr;
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vedette_archive::{Metadata, encoder, record_sha256};
use vedette_contract::archive::Format;
use vedette_e2e::local::binary;
use vedette_testing::bucket::{ACCESS_KEY, SECRET_KEY};
use vedette_testing::{Running, TestBroker, TestBucket, eventually, free_address, http_get};

/// Where a verdict stands.
const VERDICT: &str = "team/flows/labels/west/2026-11/20261123T084210Z-1a2b3c4d.json";
const CURRENT: &str = "20261119T080000Z-00000000";
const CANDIDATE: &str = "20261120T080000Z-00000001";
const TOKEN: &str = "a-token-of-the-tests";
/// What stands before the paths of the console.
pub(crate) const PREFIX: &str = "/tools/vedette";
pub(crate) const INCIDENT: &str = "00000000-0000-5000-8000-000000000001";

/// A bucket of two sites, and a console that reads it.
pub(crate) struct Site {
    pub(crate) bucket: TestBucket,
    /// Where its page listens, and below which prefix.
    pub(crate) page: SocketAddr,
    pub(crate) address: String,
    token: tempfile::TempDir,
    _broker: TestBroker,
    _console: Running,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let (bucket, broker) = (TestBucket::serve().await, TestBroker::start());
        let now = Timestamp::now();
        bucket.put_json(VERDICT, &verdict()).await;
        for pod in ["d-1", "d-2"] {
            bucket.put_json(&format!("team/flows/health/east/{pod}.json"), &health(pod, now)).await;
        }
        for (version, refused) in [(CURRENT, json!([])), (CANDIDATE, json!(["it would flood"]))] {
            bucket.put_json(&format!("team/models/flows/{version}/metadata.json"), &metadata(&refused)).await;
        }
        bucket.put_json("team/models/flows/current.json", &pointer(now)).await;
        for (site, rejected) in [("east", json!([])), ("west", json!([CANDIDATE]))] {
            let status = json!({
                "site": site, "training": "flows", "model_version": CURRENT, "rejected": rejected, "ready": true, "updated_at": now
            });
            bucket.put_json(&format!("team/flows/sites/{site}.json"), &status).await;
            let alerts: Vec<Value> = (0..30).map(|number| alert(site, number, now)).collect();
            archive(&bucket, "alerts", site, now, &alerts).await;
        }
        archive(&bucket, "incidents", "east", now, &[incident(now, 1), incident(now, 2)]).await;
        let token = tempfile::tempdir().unwrap();
        std::fs::write(token.path().join("token"), TOKEN).unwrap();

        let (page, probes) = (free_address(), free_address());
        let mut command = Command::new(binary("vedette-console"));
        command.args(["--pod-name=console", "--site=east", &format!("--path-prefix={PREFIX}")]);
        command.args(
            [("bootstrap-servers", broker.address()), ("listen-address", probes), ("page-address", page)]
                .map(|(option, address)| format!("--{option}={address}")),
        );
        command.arg("--kafka-property=receive.message.max.bytes=2147483647").args(bucket.options());
        command.arg(format!("--write-token-file={}", token.path().join("token").display()));
        let console = Running::start(command);
        eventually("the console is ready", async || http_get(probes, "/readyz").await.starts_with("HTTP/1.1 200"))
            .await;
        let address = format!("http://{page}{PREFIX}");
        let site = Self { bucket, page, address, token, _broker: broker, _console: console };
        eventually("the console has read it", async || {
            let told = site.through_console(&["alerts", "list", "-o", "json"]).await;
            let incident = site.through_console(&["incidents", "show", INCIDENT, "-o", "json"]).await;
            let verdicts = site.through_console(&["verdicts", "list", "-o", "json"]).await;
            let has_verdict = verdicts.status.success() && json(&verdicts)["verdicts"].as_array().unwrap().len() == 1;
            let has_alerts = told.status.success() && json(&told)["alerts"].as_array().unwrap().len() == 60;
            has_verdict && has_alerts && incident.status.success() && json(&incident)["revision"] == 2
        })
        .await;
        site
    }

    pub(crate) async fn run(&self, words: &[&str]) -> Output {
        self.run_with(words, &[]).await
    }

    /// With these in its environment, too.
    pub(crate) async fn run_with(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(binary("vedette"));
        command
            .envs(environment.iter().copied())
            .args(words)
            .env("USER", "ada")
            .env("COLUMNS", "1000")
            .env_remove("RUST_LOG");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    pub(crate) async fn through_console(&self, words: &[&str]) -> Output {
        self.run(&[words, &["-n", "team", "--console", &self.address]].concat()).await
    }

    pub(crate) async fn in_bucket(&self, words: &[&str]) -> Output {
        self.run(&[words, &["-n", "team", "--bucket", &self.bucket.endpoint()]].concat()).await
    }

    /// As somebody who has the token.
    pub(crate) async fn with_token(&self, words: &[&str]) -> Output {
        self.through_console(&[words, &["--console-token-file", &self.token_file()]].concat()).await
    }

    pub(crate) fn token_file(&self) -> String {
        self.token.path().join("token").display().to_string()
    }

    pub(crate) async fn refusal(&self, words: &[&str]) -> String {
        let output = self.through_console(words).await;
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{words:?}: {said}");
        said
    }
}

pub(crate) fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What was given before the console began.
fn verdict() -> Value {
    json!({
        "alert": { "uuid": "west-007", "site": "west", "detectedUtc": "2026-11-23T08:00:00Z" }, "verdict": "anomaly", "by": "grace",
        "why": "odd", "at": "2026-11-23T08:42:10Z",
    })
}

/// Of a version that the gate refused, or not.
fn metadata(refused: &Value) -> Value {
    json!({
        "schema": 1, "vedette_version": "0.1.0", "training": "flows", "pipeline": "flows", "trained_at_site": "east",
        "trained_by": "flows-1", "trained_at": "2026-11-19T08:00:00Z", "algorithm": "Ensemble", "parameters": {}, "seed": 1,
        "objects": ["an object"], "sites": ["east"], "records": 1_000, "duplicates": 0, "unreadable": 0, "sampled": 1_000,
        "learned": 800, "last_utc": null, "baseline": null, "gate": { "refused": refused },
        "metrics": {
            "rows": 200, "anomalies": 20, "auroc": 0.9876, "auprc": 0.75, "recall_at_budget": 0.5, "precision_at_budget": null,
            "alert_budget_per_million": 100.0, "alerts_per_million": 90.0,
        },
    })
}

fn pointer(now: Timestamp) -> Value {
    json!({
        "version": CURRENT, "generation": 7, "manifest_sha256": "0".repeat(64), "published_at": now, "published_by": "grace",
        "comment": "odd\u{1b}[2J",
    })
}

/// What a detector tells that is not ready.
fn health(pod: &str, now: Timestamp) -> Value {
    json!({
        "site": "east", "pod": pod, "component": "detector", "started_at": now - SignedDuration::from_hours(1), "updated_at": now,
        "topics": [{ "topic": "sensors", "records": 100, "lag_records": 5, "lag_seconds": 1.5 }],
        "unready": [{ "condition": "model", "reason": "publish one" }],
        "detector": { "alerts": 3, "threshold": 0.9, "dead_letters": { "empty": 2 } },
    })
}

fn alert(site: &str, number: i64, now: Timestamp) -> Value {
    json!({
        "uuid": format!("{site}-{number:03}"), "service": "odd\u{1b}[2J", "bytes": number, "score": 0.9995, "threshold": 0.999,
        "model_version": "20261119T080000Z-00000000", "alert_text": "Unusual record",
        "alert_severity": if number % 10 == 0 { "critical" } else { "medium" },
        // Each at a time of its own, as those of one time have no order.
        "detected_utc": now - SignedDuration::from_millis(600_000 - number * 1_000 - if site == "east" { 0 } else { 500 }),
        "reasons": [{ "field": "bytes", "share": 1.0, "value": number, "direction": "above", "usual": { "low": 0.0, "high": 9.5 } }],
    })
}

fn incident(now: Timestamp, revision: u64) -> Value {
    json!({
        "id": INCIDENT, "namespace": "team", "pipeline": "flows", "site": "east", "status": "open",
        "grouping": { "by": "reasons" }, "first_utc": now - SignedDuration::from_mins(20), "last_utc": now - SignedDuration::from_mins(10),
        "alerts": revision, "severity": "high", "highest_score": 0.9995,
        "reasons": [{ "field": "bytes", "alerts": revision, "weight": 1_000_000, "value": "7" }],
        "example": { "origin": { "topic": "alerts", "partition": 0, "offset": 7 }, "alert": { "uuid": "east-007" } },
        "revision": revision, "news_revision": 1,
    })
}

/// Writes a closed object, and how far its partition is archived.
async fn archive(bucket: &TestBucket, stream: &str, site: &str, now: Timestamp, records: &[Value]) {
    let mut encoder = encoder(Format::JsonLines).unwrap();
    let mut bytes = Vec::new();
    for record in records {
        bytes.extend_from_slice(encoder.record(record.to_string().as_bytes()).unwrap());
    }
    bytes.extend_from_slice(encoder.end_frame().unwrap());
    let metadata = Metadata {
        end: i64::try_from(records.len()).unwrap(),
        records: records.len() as u64,
        sha256: record_sha256(&bytes),
        last_record: record_sha256(records.last().unwrap().to_string().as_bytes()),
    };
    let day = now.strftime("%Y-%m-%d");
    let key = format!("team/flows/{stream}/{day}/{site}/{stream}-0-{:020}-00c0ffee.jsonl.zst", 0);
    bucket.create(&key, bytes, &metadata.into_fields()).await;
    let progress = json!({
        "stream": stream, "records": records.len(), "closed_records": records.len(), "end": records.len(), "last_object": null,
        "last_utc": null, "updated_at": now
    });
    bucket.put_json(&format!("team/flows/progress/{site}/{stream}-0.json"), &progress).await;
}
