//! What the tests share: a console that runs, what sites write, and a browser's ears.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use vedette_console::ConsoleError;
use vedette_contract::archive::METADATA_RECORDS;
use vedette_contract::arguments::ConsoleArguments;
use vedette_service::Shutdown;
use vedette_testing::{TestBroker, TestBucket, eventually, free_address, http_get};

const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) struct Console {
    pub(crate) page: SocketAddr,
    pub(crate) probes: SocketAddr,
    shutdown: Shutdown,
    handle: JoinHandle<Result<(), ConsoleError>>,
}

impl Drop for Console {
    /// A test that fails must not wait for its console for ever.
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Console {
    /// Starts one and waits until it is ready.
    pub(crate) async fn start(bucket: &TestBucket, broker: &TestBroker, more: &[&str]) -> Self {
        Self::start_with(bucket, broker.address(), more).await
    }

    pub(crate) async fn start_with(bucket: &TestBucket, broker: SocketAddr, more: &[&str]) -> Self {
        let (page, probes) = (free_address(), free_address());
        let own = [
            "vedette-console".to_owned(),
            format!("--bootstrap-servers={broker}"),
            "--kafka-property=receive.message.max.bytes=2147483647".to_owned(),
            format!("--listen-address={probes}"),
            format!("--page-address={page}"),
            "--pod-name=console".to_owned(),
            "--site=east".to_owned(),
        ];
        let words = own.into_iter().chain(bucket.options()).chain(more.iter().map(|word| (*word).to_owned()));
        let arguments = ConsoleArguments::try_parse_from(words).unwrap();
        let shutdown = Shutdown::new();
        let handle = tokio::spawn(vedette_console::run(arguments, shutdown.clone()));
        eventually("ready", async || http_get(probes, "/readyz").await.starts_with("HTTP/1.1 200")).await;
        Self { page, probes, shutdown, handle }
    }

    /// The whole answer.
    pub(crate) async fn get(&self, path: &str) -> String {
        self.ask("GET", path, &[]).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        self.send(method, path, headers, "").await
    }

    /// The whole answer to what has a body.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut stream = TcpStream::connect(self.page).await.unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let host = if headers.contains("host: ") { "" } else { "host: localhost\r\n" };
        let request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n{host}{length}{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, &mut self.handle).await.unwrap().unwrap().unwrap();
    }
}

/// An event of the stream.
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// A browser that listens.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    pub(crate) async fn listen(page: SocketAddr, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(page).await.unwrap();
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let request = format!("GET /api/v1/changes HTTP/1.1\r\nhost: localhost\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) async fn next(&mut self) -> Event {
        let (mut id, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await;
            assert!(read.unwrap().unwrap() > 0, "the stream ended");
            if let Some(text) = line.strip_prefix("id: ") {
                text.trim().clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Event { id, data: serde_json::from_str(text).unwrap() };
            }
        }
    }
}

pub(crate) fn site_status(site: &str, at: Timestamp) -> Value {
    json!({
        "site": site, "training": "daily", "model_version": null, "ready": true, "updated_at": at, "added_fields": ["total"],
        "renamed_fields": {},
        "topics": {
            "sensor_messages": "sensors", "enriched_data": "enriched", "alerts": "alerts", "incidents": "incidents",
            "dead_letters": "letters"
        }
    })
}

pub(crate) fn alert(uuid: &str, detected: Timestamp, service: &str) -> String {
    json!({
        "uuid": uuid, "duration": 12.5, "service": service, "hostile": "<img src=x onerror=alert(1)>\u{0}",
        "score": 0.9999, "threshold": 0.99, "model_version": "20261123T084210Z-1a2b3c4d", "severity": "high",
        "alert_text": "Unusual record", "detected_utc": detected,
        "reasons": [{"field": "duration", "share": 1.0, "value": 12.5, "direction": "above", "usual": {"low": 0.0, "high": 2.0}}]
    })
    .to_string()
}

/// An incident with so many alerts, which is its revision, too.
pub(crate) fn incident(at: Timestamp, alerts: u64) -> String {
    json!({
        "id": "00000000-0000-5000-8000-000000000001", "namespace": "team", "pipeline": "flows", "site": "east",
        "status": "open", "grouping": {"by": "reasons"}, "first_utc": at, "last_utc": at, "alerts": alerts,
        "severity": "high", "highest_score": 0.9999,
        "reasons": [{"field": "duration", "alerts": alerts, "weight": 1_000_000, "value": "12.5"}],
        "example": {"origin": {"topic": "alerts", "partition": 0, "offset": 7}, "alert": null},
        "revision": alerts, "news_revision": 1
    })
    .to_string()
}

pub(crate) fn object_key(site: &str, start: usize) -> String {
    let day = Timestamp::now().strftime("%Y-%m-%d");
    format!("team/flows/alerts/{day}/{site}/alerts-0-{start:020}-00c0ffee.jsonl.zst")
}

/// Writes a closed object of these alerts, as a site that says nothing any more has left it.
pub(crate) async fn object(bucket: &TestBucket, site: &str, start: usize, lines: &[String]) {
    let metadata = BTreeMap::from([(METADATA_RECORDS.to_owned(), lines.len().to_string())]);
    bucket.create(&object_key(site, start), compressed(lines), &metadata).await;
}

/// Writes a closed object of these alerts, and that its partition moved.
pub(crate) async fn archive(bucket: &TestBucket, site: &str, start: usize, lines: &[String]) {
    object(bucket, site, start, lines).await;
    progress(bucket, site, start + lines.len()).await;
}

/// Writes a delta of an open object.
pub(crate) async fn tail(bucket: &TestBucket, object: &str, offset: usize, lines: &[String]) {
    bucket.create(&format!("{object}.tmp/{offset:020}"), compressed(lines), &BTreeMap::new()).await;
    progress(bucket, "west", offset + lines.len()).await;
}

async fn progress(bucket: &TestBucket, site: &str, end: usize) {
    let progress = json!({
        "stream": "alerts", "records": end, "closed_records": 0, "end": end, "last_object": null, "last_utc": null,
        "updated_at": Timestamp::now()
    });
    bucket.put_json(&format!("team/flows/progress/{site}/alerts-0.json"), &progress).await;
}

fn compressed(lines: &[String]) -> Vec<u8> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

pub(crate) fn produce(broker: &TestBroker, topic: &str, messages: &[&str]) {
    let producer: BaseProducer = broker.settings("test").producer().create().unwrap();
    for message in messages {
        // A compacted topic takes nothing without a key.
        let record = BaseRecord::to(topic).partition(0).key("key").payload(message.as_bytes());
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}
