//! A console with made-up sites, for whoever works on its page: two that speak and one that is silent, a day of alerts, incidents,
//! models, and new alerts every second. `cargo run --release -p vedette-console --example page -- 127.0.0.1:8090`

// It is for whoever changes the page, and ends where anything goes wrong.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use jiff::{SignedDuration, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use vedette_contract::arguments::ConsoleArguments;
use vedette_service::Shutdown;
use vedette_testing::{TestBroker, TestBucket, free_address};

const VERSIONS: [&str; 2] = ["20261128T084210Z-1a2b3c4d", "20261127T021100Z-99aabbcc"];
const SITES: [&str; 3] = ["east", "west", "north"];

#[tokio::main]
async fn main() {
    let page: SocketAddr = std::env::args().nth(1).map_or_else(free_address, |address| address.parse().unwrap());
    let (bucket, broker) =
        (TestBucket::serve().await, TestBroker::with_topics(&["alerts:partitions=2", "incidents:partitions=1"]).await);
    let now = Timestamp::now();
    for (number, site) in SITES.iter().enumerate() {
        tell(&bucket, site, now, VERSIONS[number % 2]).await;
        archive(&bucket, site, now, number).await;
    }
    for below in ["sites/north.json", "health/north/flows-detector.json", "health/north/flows-archiver.json"] {
        bucket.age(&format!("team/flows/{below}"), SignedDuration::from_hours(2));
    }
    models(&bucket, now).await;
    let words = ["vedette-console".to_owned(), "--site=east".to_owned(), "--pod-name=console".to_owned()];
    let places = [
        format!("--page-address={page}"),
        format!("--listen-address={}", free_address()),
        format!("--bootstrap-servers={}", broker.address()),
        "--kafka-property=receive.message.max.bytes=2147483647".to_owned(),
    ];
    let arguments = ConsoleArguments::parse_from(words.into_iter().chain(places).chain(bucket.options()));
    println!("http://{page}/");
    let live = produce(&broker, now);
    tokio::select! {
        ended = vedette_console::run(arguments, Shutdown::new()) => ended.unwrap(),
        () = live => {}
    }
}

fn status(site: &str, at: Timestamp, version: &str) -> Value {
    let topics = json!({
        "sensor_messages": "sensor_messages", "enriched_data": "enriched_data", "alerts": "alerts", "incidents": "incidents",
        "dead_letters": "dead_letters"
    });
    json!({"site": site, "training": "flows", "model_version": version, "ready": site != "west", "updated_at": at, "topics": topics,
        "alert_budget_per_million": 5_000.0})
}

async fn tell(bucket: &TestBucket, site: &str, at: Timestamp, version: &str) {
    bucket.put_json(&format!("team/flows/sites/{site}.json"), &status(site, at, version)).await;
    let topic = |topic: &str, lag: u64| json!({"topic": topic, "partitions": 4, "records": 3_600_000, "held_records": 86_400_000, "lag_records": lag, "lag_seconds": 0.4});
    let mut health = json!({
        "site": site, "pod": "flows-detector", "component": "detector", "started_at": at - SignedDuration::from_hours(1), "updated_at": at,
        "topics": [topic("sensor_messages", 412)],
        "detector": {"alerts": 7, "dead_letters": {"invalid_json": 3}, "threshold": 0.995, "model_version": version}
    });
    bucket.put_json(&format!("team/flows/health/{site}/flows-detector.json"), &health).await;
    health["pod"] = "flows-archiver".into();
    health["component"] = "archiver".into();
    health["topics"] = json!([topic("enriched_data", 0), topic("alerts", 0)]);
    bucket.put_json(&format!("team/flows/health/{site}/flows-archiver.json"), &health).await;
}

/// An alert, the number of which says everything of it.
fn alert(site: &str, number: usize, detected: Timestamp) -> Value {
    let services = ["http", "ssh", "dns", "smtp", "ftp", "ntp", "ldap", "<b>markup</b>"];
    let duration = ((number * 7_919) % 1_000) as f64 / 10.0 * if number.is_multiple_of(9) { 40.0 } else { 1.0 };
    let service = services[(number * number) % services.len()];
    let severity = ["low", "low", "medium", "high", "critical"][number % 5];
    let score = 0.995 + ((number * 31) % 49) as f64 / 10_000.0;
    let (first, second) = if number.is_multiple_of(3) { ("service", "duration") } else { ("duration", "service") };
    let reason = |field: &str, share: f64| match field {
        "duration" => {
            json!({"field": field, "share": share, "value": duration, "direction": "above", "usual": {"low": 0.0, "high": 12.0}})
        }
        _ => json!({"field": field, "share": share, "value": service, "direction": "unseen",
            "usual": [{"value": "http", "share": 0.71}, {"value": "dns", "share": 0.22}]}),
    };
    json!({
        "uuid": format!("{site}-{number}"), "utc": detected, "duration": duration, "service": service, "src_bytes": number * 1_013 % 70_000,
        "protocol": (["tcp", "udp"][number % 2]), "note": "a\u{202e}b\u{0}c", "site": site, "score": score, "model_version": VERSIONS[0],
        "alert_text": format!("Unusual record at site {site}: its score {score:.6} is above 0.995000, because of {first} (64 %), {second} (21 %)."),
        "severity": severity, "threshold": 0.995, "detected_utc": detected, "reasons": [reason(first, 0.64), reason(second, 0.21)]
    })
}

fn incident(site: &str, number: usize, first: Timestamp, last: Timestamp) -> Value {
    let field = ["duration", "service"][number % 2];
    json!({
        "id": format!("00000000-0000-5000-8000-{number:012}"), "namespace": "team", "pipeline": "flows", "site": site,
        "status": if number.is_multiple_of(3) { "open" } else { "closed" }, "grouping": {"by": "reasons"}, "first_utc": first, "last_utc": last,
        "closed_utc": (!number.is_multiple_of(3)).then_some(last), "alerts": 3 + number * 17, "severity": (["high", "critical", "medium"][number % 3]), "highest_score": 0.9996,
        "reasons": [{"field": field, "alerts": 3 + number, "weight": 2_100_000, "value": "940"}, {"field": "src_bytes", "alerts": 2, "weight": 400_000, "value": null}],
        "example": {"origin": {"topic": "alerts", "partition": 0, "offset": number}, "alert": alert(site, number, last)},
        "revision": 1, "news_revision": 1
    })
}

async fn archive(bucket: &TestBucket, site: &str, now: Timestamp, number: usize) {
    let ago = |minutes: usize| now - SignedDuration::from_mins(i64::try_from(minutes).unwrap());
    let alerts: Vec<Value> = (1..400).map(|at| alert(site, at * 3 + number, ago(at * at / 120 + at))).collect();
    let incidents: Vec<Value> =
        (0..12).map(|at| incident(site, at * 3 + number, ago(at * 90 + 30), ago(at * 90 + 5))).collect();
    for (stream, records) in [("alerts", alerts), ("incidents", incidents)] {
        let text: String = records.iter().map(|record| format!("{record}\n")).collect();
        let day = now.strftime("%Y-%m-%d");
        let key = format!("team/flows/{stream}/{day}/{site}/{stream}-0-{:020}-00c0ffee.jsonl.zst", 0);
        bucket.create(&key, zstd::encode_all(text.as_bytes(), 3).unwrap(), &BTreeMap::new()).await;
    }
}

async fn models(bucket: &TestBucket, now: Timestamp) {
    let metrics = |auroc: f64| {
        json!({"rows": 9_000, "anomalies": 64, "auroc": auroc, "auprc": 0.81, "recall_at_budget": 0.78, "precision_at_budget": 0.69,
            "alert_budget_per_million": 5_000.0, "alerts_per_million": 4_900.0})
    };
    for (number, version) in VERSIONS.iter().enumerate() {
        let job = format!("flows-{number}");
        let metadata = json!({
            "schema": 1, "vedette_version": "0.1.0", "training": "flows", "pipeline": "flows", "trained_at_site": "east", "trained_by": job,
            "trained_at": now, "algorithm": "Ensemble", "parameters": {}, "seed": 1, "objects": [], "sites": ["east", "west"],
            "records": 95_766, "duplicates": 0, "unreadable": 0, "sampled": 50_000, "learned": 45_000, "last_utc": null,
            "metrics": metrics(0.985), "baseline": metrics(0.7)
        });
        bucket.put_json(&format!("team/models/flows/{version}/metadata.json"), &metadata).await;
        let result = json!({"job": job, "finished_at": now, "outcome": "published", "records": 95_766, "version": version,
            "metrics": metrics(0.985), "baseline": null, "message": "published and current"});
        bucket.put_json(&format!("team/models/flows/results/{job}.json"), &result).await;
    }
    let pointer = json!({"version": VERSIONS[0], "generation": 2, "manifest_sha256": "", "published_at": now, "published_by": "flows-0"});
    bucket.put_json("team/models/flows/current.json", &pointer).await;
}

/// New alerts for ever.
async fn produce(broker: &TestBroker, now: Timestamp) {
    let producer: BaseProducer = broker.settings("page").producer().create().unwrap();
    let send = |topic: &str, value: &Value| {
        let text = value.to_string();
        let record: BaseRecord<'_, [u8], _> = BaseRecord::to(topic).partition(0).payload(text.as_bytes());
        producer.send(record).map_err(|(error, _)| error).unwrap();
    };
    send("incidents", &incident("east", 42, now, now));
    for number in 10_000.. {
        send("alerts", &alert("east", number, Timestamp::now()));
        producer.flush(Duration::from_secs(5)).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
