//! `vedette` through a console: the same commands on the bucket and on the console that reads it answer the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vedette_archive::{Metadata, encoder, record_sha256};
use vedette_contract::archive::Format;
use vedette_e2e::local::binary;
use vedette_testing::bucket::{ACCESS_KEY, SECRET_KEY};
use vedette_testing::{Running, TestBroker, TestBucket, eventually, free_address, http_get};

const TOKEN: &str = "a-token-of-the-tests";
const INCIDENT: &str = "00000000-0000-5000-8000-000000000001";

/// A bucket of two sites, and a console that reads it.
struct Site {
    bucket: TestBucket,
    address: String,
    token: tempfile::TempDir,
    _broker: TestBroker,
    _console: Running,
}

impl Site {
    async fn new() -> Self {
        let (bucket, broker) = (TestBucket::serve().await, TestBroker::start());
        let now = Timestamp::now();
        for site in ["east", "west"] {
            let status =
                json!({ "site": site, "training": null, "model_version": null, "ready": true, "updated_at": now });
            bucket.put_json(&format!("team/flows/sites/{site}.json"), &status).await;
            let alerts: Vec<Value> = (0..30).map(|number| alert(site, number, now)).collect();
            archive(&bucket, "alerts", site, now, &alerts).await;
        }
        archive(&bucket, "incidents", "east", now, &[incident(now, 1), incident(now, 2)]).await;
        let token = tempfile::tempdir().unwrap();
        std::fs::write(token.path().join("token"), TOKEN).unwrap();

        let (page, probes) = (free_address(), free_address());
        let mut command = Command::new(binary("vedette-console"));
        command.args(["--pod-name=console", "--site=east", "--path-prefix=/tools/vedette"]);
        command.args(
            [("bootstrap-servers", broker.address()), ("listen-address", probes), ("page-address", page)]
                .map(|(option, address)| format!("--{option}={address}")),
        );
        command.arg("--kafka-property=receive.message.max.bytes=2147483647").args(bucket.options());
        command.arg(format!("--write-token-file={}", token.path().join("token").display()));
        let console = Running::start(command);
        eventually("the console is ready", async || http_get(probes, "/readyz").await.starts_with("HTTP/1.1 200"))
            .await;
        let address = format!("http://{page}/tools/vedette");
        let site = Self { bucket, address, token, _broker: broker, _console: console };
        eventually("the console has read it", async || {
            let told = site.through_console(&["alerts", "list", "-o", "json"]).await;
            let incident = site.through_console(&["incidents", "show", INCIDENT, "-o", "json"]).await;
            let has_alerts = told.status.success() && json(&told)["alerts"].as_array().unwrap().len() == 60;
            has_alerts && incident.status.success() && json(&incident)["revision"] == 2
        })
        .await;
        site
    }

    async fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary("vedette"));
        command.args(words).env("USER", "ada").env("COLUMNS", "1000").env_remove("RUST_LOG");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn through_console(&self, words: &[&str]) -> Output {
        self.run(&[words, &["-n", "team", "--console", &self.address]].concat()).await
    }

    async fn in_bucket(&self, words: &[&str]) -> Output {
        self.run(&[words, &["-n", "team", "--bucket", &self.bucket.endpoint()]].concat()).await
    }

    /// As somebody who has the token.
    async fn with_token(&self, words: &[&str]) -> Output {
        let token = self.token.path().join("token").display().to_string();
        self.through_console(&[words, &["--console-token-file", &token]].concat()).await
    }

    async fn refusal(&self, words: &[&str]) -> String {
        let output = self.through_console(words).await;
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{words:?}: {said}");
        said
    }
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
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

#[tokio::test(flavor = "multi_thread")]
async fn a_console_answers_as_the_bucket_does() {
    let site = Site::new().await;
    for words in [
        &["alerts", "list"][..],
        &["alerts", "list", "--limit", "7"],
        &["alerts", "list", "--site", "west", "--severity", "critical"],
        &["alerts", "list", "--site", "west", "--site", "east", "--limit", "9"],
        &["incidents", "list"],
        &["incidents", "list", "--open", "--site", "east"],
        &["incidents", "show", INCIDENT],
        &["silences", "list", "--all"],
    ] {
        for format in ["json", "wide", "plain"] {
            let words = [words, &["-o", format]].concat();
            let (told, read) = (site.through_console(&words).await, site.in_bucket(&words).await);
            assert!(read.status.success(), "{words:?}: {}", String::from_utf8_lossy(&read.stderr));
            assert!(told.status.success(), "{words:?}: {}", String::from_utf8_lossy(&told.stderr));
            assert_eq!(String::from_utf8(told.stdout), String::from_utf8(read.stdout), "{words:?}");
        }
    }
    let newest = json(&site.in_bucket(&["alerts", "list", "-o", "json"]).await);
    let middle = newest["alerts"][20]["detected_utc"].as_str().unwrap();
    for end in ["--until", "--from"] {
        let words = ["alerts", "list", end, middle, "-o", "json"];
        assert_eq!(json(&site.through_console(&words).await), json(&site.in_bucket(&words).await), "{words:?}");
    }
    let show = ["alerts", "show", "west-007", "-o", "json"];
    let (told, mut read) = (json(&site.through_console(&show).await), json(&site.in_bucket(&show).await));
    read["archived_in"] = Value::Null;
    assert_eq!(told, read);
}

#[tokio::test(flavor = "multi_thread")]
async fn silences_are_written_by_a_console_of_who_has_its_token() {
    let site = Site::new().await;
    let add = ["silences", "add", "--match", "site == 'east'", "--for", "2h", "--why", "a test", "-o", "plain"];
    let refused = site.refusal(&add).await;
    assert!(refused.contains("the console takes no silence") && refused.contains("--console-token-file"), "{refused}");

    let added = site.with_token(&add).await;
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let id = String::from_utf8(added.stdout).unwrap().trim().to_owned();
    let list = ["silences", "list", "--all", "-o", "json"];
    let read = json(&site.in_bucket(&list).await);
    assert_eq!(
        (&read["silences"][0]["id"], &read["silences"][0]["by"], &read["silences"][0]["site"]),
        (&json!(id), &json!("ada"), &json!("east"))
    );
    assert_eq!(json(&site.through_console(&list).await), read);

    for (words, said) in [
        (&["silences", "add", "--match", "service == 1", "--for", "2h", "--why", "a"][..], "example.service"),
        (&["silences", "end", "20261123T084210Z-00000000"], id.as_str()),
        (&["silences", "end", &id, "--site", "west"], "this is the console of site east"),
    ] {
        let output = site.with_token(words).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(said), "{words:?}: {error}");
    }
    let end = ["silences", "end", &id, "-o", "json"];
    assert_eq!(json(&site.with_token(&end).await)["outcome"], "ended");
    assert_eq!(json(&site.with_token(&end).await)["outcome"], "over");
    assert_eq!(json(&site.in_bucket(&["silences", "list", "-o", "json"]).await)["silences"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_console_does_not_tell_is_said_with_the_mend() {
    let site = Site::new().await;
    for (words, said) in [
        (&["archive", "ls"][..], "give the bucket with --bucket"),
        (&["models", "list"], "give the bucket with --bucket"),
        (&["status"], "give the bucket with --bucket"),
        (&["verdicts", "list"], "give the bucket with --bucket"),
        (&["alerts", "list", "--follow"], "give the bucket with --bucket"),
        (&["alerts", "list", "--pipeline", "flow"], "has no pipeline flow; the nearest are flows"),
        (&["alerts", "list", "--site", "est"], "has no site est; the nearest are east, west"),
        (
            &["alerts", "show", "east-99"],
            "is kept by the console, which keeps the newest; the bucket has all; the nearest are east-0",
        ),
        (&["incidents", "show", "0"], INCIDENT),
    ] {
        let error = site.refusal(words).await;
        assert!(error.contains(said), "{words:?}: {error}");
    }
    let away = format!("http://{}", free_address());
    let elsewhere = format!("http://{}", site.bucket.address());
    for (address, said) in [(&away, "no console answers at"), (&elsewhere, "is no console of this version")] {
        let output = site.run(&["alerts", "list", "-n", "team", "--console", address]).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(said) && error.lines().count() == 1, "{error}");
    }
    for wrong in [
        &["alerts", "list", "--console", "localhost"][..],
        &["alerts", "list", "--console", "http://a", "--data-dir", "b"],
    ] {
        assert_eq!(site.run(wrong).await.status.code(), Some(2), "{wrong:?}");
    }
    let missing = Path::new("no-such-token").display().to_string();
    let error = site.refusal(&["silences", "list", "--console-token-file", &missing]).await;
    assert!(error.contains("cannot read the token in no-such-token"), "{error}");
}
