//! What two sites of a pipeline have archived and tell of themselves; and the program on it.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vedette_archive::{Metadata, encoder, record_sha256};
use vedette_contract::archive::{ArchiveObjectKey, Format};
use vedette_contract::keys::PipelineKeys;
use vedette_testing::bucket::{ACCESS_KEY, SECRET_KEY};
use vedette_testing::{Ended, Running, TestBucket};

/// What no terminal may get: clears it, and turns the direction.
pub(crate) const HOSTILE: &str = "odd\u{1b}[2J\u{9b}1m\u{202e}";
/// Stand for those here in examples.
const ANY_DIRECTORY: &str = "./data";
const ANY_BUCKET: &str = "http://seaweedfs:8333";
/// What has no end of its own.
const LASTING: [&str; 2] = ["--follow", "--watch"];
const ANY_ALERT: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const ANY_INCIDENT: &str = "e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5";
/// The model of all alerts.
pub(crate) const VERSION: &str = "20261119T080000Z-00000000";
/// An incident that was closed, and one that is open, as they are told.
pub(crate) const CLOSED: &str = "00000000-0000-5000-8000-000000000001";
pub(crate) const OPEN: &str = "00000000-0000-5000-8000-000000000002";

/// The bucket, and what is in it.
pub(crate) struct Data {
    pub(crate) served: TestBucket,
}

impl Data {
    /// Makes it: two days of two sites, the second of which is still open at one of them, and a day before that is damaged.
    pub(crate) async fn new() -> Self {
        let mut data = Self { served: TestBucket::serve().await };
        data.served.put(&object("alerts", "2026-11-19", "east", 0), "altered").await;
        data.archive("alerts", "2026-11-20", "east", 50, &alerts("east", 0..100)).await;
        data.archive("alerts", "2026-11-20", "west", 0, &alerts("west", 0..40)).await;
        data.archive("alerts", "2026-11-21", "east", 150, &alerts("east", 100..130)).await;
        let open = object("alerts", "2026-11-21", "west", 40);
        data.tail(&open, 40, &alerts("west", 100..105)).await;
        data.tail(&open, 45, &alerts("west", 105..110)).await;
        for site in ["east", "west"] {
            let records: Vec<Value> = (0..20).map(|number| record(site, number)).collect();
            data.archive("enriched_data", "2026-11-21", site, 0, &records).await;
        }
        let changes = [(CLOSED, 1, 1), (OPEN, 2, 1), (CLOSED, 1, 2), (OPEN, 2, 2), (CLOSED, 1, 3)];
        data.archive(
            "incidents",
            "2026-11-21",
            "east",
            0,
            &changes.map(|(id, of, revision)| incident(id, of, revision)),
        )
        .await;
        data.tell().await;
        // One at a time has the data directory.
        data.served.go_away().await;
        data
    }

    /// What the sites tell: one of them has been silent for an hour and more.
    async fn tell(&self) {
        let keys = PipelineKeys::new(&"demo".parse().unwrap(), &"kdd".parse().unwrap());
        let now = Timestamp::now();
        let health = json!({
            "site": "east", "pod": "detector-0", "component": "detector", "started_at": now, "updated_at": now,
            "topics": [{ "topic": "sensor_messages", "records": 130_000, "lag_records": 7 }],
            "unready": [{ "condition": "alerts", "reason": HOSTILE }],
            "detector": { "alerts": 130, "threshold": 0.99 },
        });
        self.served.put_json(&keys.health(&"east".parse().unwrap(), "detector-0"), &health).await;
        for (site, hours) in [("east", 0), ("west", 3)] {
            let status = json!({
                "site": site, "training": "kdd", "model_version": "20261119T080000Z-00000000", "ready": true,
                "updated_at": now,
            });
            let key = keys.site(&site.parse().unwrap());
            self.served.put_json(&key, &status).await;
            self.served.age(&key, SignedDuration::from_hours(hours));
        }
        let progress = json!({
            "stream": "alerts", "records": 50, "closed_records": 40, "end": 50, "last_object": null, "last_utc": null,
            "updated_at": now,
        });
        let key = "demo/kdd/progress/west/alerts-0.json";
        self.served.put_json(key, &progress).await;
        self.served.age(key, SignedDuration::from_hours(2));
    }

    /// Writes a closed object.
    pub(crate) async fn archive(&self, stream: &str, day: &str, site: &str, start: i64, records: &[Value]) {
        let bytes = frames(records);
        let metadata = Metadata {
            end: start + i64::try_from(records.len()).unwrap(),
            records: records.len() as u64,
            sha256: record_sha256(&bytes),
            last_record: record_sha256(records.last().unwrap().to_string().as_bytes()),
        };
        self.served.create(&object(stream, day, site, start), bytes, &metadata.into_fields()).await;
    }

    /// Writes a delta of an open object.
    pub(crate) async fn tail(&self, object: &str, offset: i64, records: &[Value]) {
        let key = object.parse::<ArchiveObjectKey>().unwrap().delta(offset).to_string();
        self.served.create(&key, frames(records), &BTreeMap::new()).await;
    }

    /// The program with these words, which are those of an example or name what stands for something here.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let directory = self.served.data_directory().display().to_string();
        let own = |word: &&str| match *word {
            ANY_DIRECTORY => directory.clone(),
            ANY_BUCKET => self.served.endpoint(),
            ANY_ALERT => uuid("east", 129),
            ANY_INCIDENT => OPEN.to_owned(),
            word => word.to_owned(),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command
            .args(words.iter().map(own))
            .env("COLUMNS", "1000")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env_remove("RUST_LOG");
        command
    }

    /// Runs an example, which may be of an endpoint.
    pub(crate) async fn example(&mut self, words: &[&str]) -> Output {
        if !words.contains(&ANY_BUCKET) {
            return self.run(words);
        }
        if words.iter().any(|word| LASTING.contains(word)) {
            return self.lasting_example(words).await;
        }
        self.served.come_back().await;
        let mut command = self.command(words);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        self.served.go_away().await;
        output
    }

    /// Runs one that lasts until it has printed a line.
    async fn lasting_example(&mut self, words: &[&str]) -> Output {
        self.served.come_back().await;
        let mut running = Running::start(self.command(words));
        let stdout = running.line().await.into_bytes();
        let Ended { status, printed: _, said } = running.interrupt().await;
        self.served.go_away().await;
        Output { status, stdout, stderr: said.join("\n").into_bytes() }
    }

    /// Starts it on the bucket at its endpoint, which is there from now on.
    pub(crate) async fn start(&mut self, words: &[&str]) -> Running {
        self.served.come_back().await;
        let place = ["--interval", "1s", "--namespace", "demo", "--bucket", ANY_BUCKET];
        Running::start(self.command(&[words, &place].concat()))
    }

    /// Runs it.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints on the data directory.
    pub(crate) fn says(&self, words: &[&str]) -> String {
        let output = self.run(&[words, &["--data-dir", ANY_DIRECTORY, "--namespace", "demo"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, as JSON.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.says(&[words, &["--output", "json"]].concat())).unwrap()
    }

    /// What it says where it fails.
    pub(crate) fn failure(&self, words: &[&str]) -> String {
        let output = self.run(&[words, &["--data-dir", ANY_DIRECTORY]].concat());
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

pub(crate) fn object(stream: &str, day: &str, site: &str, start: i64) -> String {
    format!("demo/kdd/{stream}/{day}/{site}/{stream}-0-{start:020}-00c0ffee.jsonl.zst")
}

pub(crate) fn uuid(site: &str, number: usize) -> String {
    format!("{site}-{number:06}")
}

/// Frames of ten records each.
fn frames(records: &[Value]) -> Vec<u8> {
    let mut encoder = encoder(Format::JsonLines).unwrap();
    let mut stored = Vec::new();
    for frame in records.chunks(10) {
        for record in frame {
            stored.extend_from_slice(encoder.record(record.to_string().as_bytes()).unwrap());
        }
        stored.extend_from_slice(encoder.end_frame().unwrap());
    }
    stored
}

fn record(site: &str, number: usize) -> Value {
    json!({ "uuid": uuid(site, number), "service": HOSTILE, "bytes": number, "site": site, "score": 0.5 })
}

/// Alerts of a hundred minutes of the first day, and then of the next; each in ten is critical.
pub(crate) fn alerts(site: &str, numbers: std::ops::Range<usize>) -> Vec<Value> {
    let alert = |number: usize| {
        let mut alert = record(site, number);
        let (day, minute) = (20 + number / 100, number % 100);
        let own = json!({
            "score": 0.9995, "threshold": 0.999, "model_version": VERSION, "alert_text": HOSTILE,
            "alert_severity": if number.is_multiple_of(10) { "critical" } else { "medium" },
            "detected_utc": format!("2026-11-{day}T{:02}:{:02}:{:02}.000001Z", 8 + minute / 60, minute % 60, if site == "east" { 0 } else { 30 }),
            "reasons": [
                { "field": "bytes", "share": 0.7, "value": number, "direction": "above", "usual": { "low": 0.0, "high": 9.5 } },
                { "field": HOSTILE, "share": 0.3, "value": HOSTILE, "direction": "unseen" },
            ],
        });
        alert.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        alert
    };
    numbers.map(alert).collect()
}

pub(crate) fn incident(id: &str, hour: u32, revision: u64) -> Value {
    let closed = revision == 3;
    json!({
        "id": id, "namespace": "demo", "pipeline": "kdd", "site": "east", "status": if closed { "closed" } else { "open" },
        "grouping": { "by": "reasons" }, "first_utc": format!("2026-11-21T{hour:02}:00:00Z"),
        "last_utc": format!("2026-11-21T{hour:02}:0{}:00Z", revision.min(2)),
        "closed_utc": closed.then(|| format!("2026-11-21T{hour:02}:12:00Z")), "alerts": 10 * revision, "severity": "high",
        "highest_score": 0.9995,
        "reasons": [{ "field": "bytes", "alerts": 10 * revision, "weight": 7_000_000 * revision, "value": HOSTILE }],
        "example": { "origin": { "topic": "alerts", "partition": 0, "offset": 159 }, "alert": {
            "uuid": uuid("east", 109), "service": HOSTILE, "detected_utc": "2026-11-21T08:09:00.000001Z", "model_version": VERSION,
        } },
        "revision": revision, "news_revision": 1,
    })
}
