//! Which records are where, by their uuids.

use std::collections::HashSet;
use std::io::BufRead;

use rdkafka::Message as _;
use serde::Deserialize;
use serde_json::Value;
use vedette_contract::archive::Stream;
use vedette_contract::progress::Progress;
use vedette_e2e::cluster::{Look, wait_for};
pub(crate) use vedette_e2e::found::Found;
use vedette_e2e::found::each_once;
use vedette_e2e::topic::{TopicError, read_to_end};
use vedette_streams::kafka::Isolation;

use crate::site::{NAMESPACE, PATIENCE, Site, pipelines};

#[derive(Deserialize)]
struct Identity {
    uuid: String,
}

pub(crate) fn uuids(records: Vec<Found>) -> HashSet<String> {
    records.into_iter().map(|record| record.uuid).collect()
}

/// Every committed record of a topic.
pub(crate) fn in_topic(site: &Site, topic: &str) -> Result<Vec<Found>, TopicError> {
    read_to_end(&site.cluster.kafka(), topic, Isolation::ReadCommitted, |message| {
        let value = message.payload().unwrap_or_default();
        let uuid = serde_json::from_slice::<Identity>(value)
            .map_or_else(|_| String::from_utf8_lossy(value).into_owned(), |identity| identity.uuid);
        Found { uuid, place: format!("partition {} offset {}", message.partition(), message.offset()) }
    })
}

pub(crate) fn alerts(site: &Site) -> Result<Vec<Value>, TopicError> {
    read_to_end(&site.cluster.kafka(), "alerts", Isolation::ReadCommitted, |message| {
        serde_json::from_slice(message.payload().unwrap()).unwrap()
    })
}

/// Records in the closed objects of a stream that `of` wrote, as the bucket of `at` has them, each with its object.
async fn in_archive(at: &Site, of: &Site, namespace: &str, stream: Stream) -> Vec<(String, Value)> {
    let bucket = at.cluster.bucket();
    let mut records = Vec::new();
    for object in bucket.list(&pipelines(namespace).stream(stream), None).await.unwrap() {
        if !object.key.contains(&format!("/{}/", of.name())) || !object.key.ends_with(".jsonl.zst") {
            continue;
        }
        let content = bucket.get(&object.key).await.unwrap().unwrap();
        let decoder = zstd::Decoder::new(&content.bytes[..]).unwrap();
        let lines = std::io::BufReader::new(decoder).lines();
        records.extend(lines.map(|line| (object.key.clone(), serde_json::from_str(&line.unwrap()).unwrap())));
    }
    records
}

pub(crate) async fn enriched_in_archive(at: &Site, of: &Site, namespace: &str) -> Vec<Found> {
    let records = in_archive(at, of, namespace, Stream::EnrichedData).await;
    let found = |(place, record): (String, Value)| Found { uuid: record["uuid"].as_str().unwrap().to_owned(), place };
    records.into_iter().map(found).collect()
}

/// Waits until more records are enriched at the site than were there when it was asked.
pub(crate) async fn until_records_flow(site: &Site) {
    let before = in_topic(site, "enriched_data").map_or(0, |records| records.len());
    wait_for(&format!("more enriched records at {}", site.cluster.name()), PATIENCE, || async {
        match in_topic(site, "enriched_data") {
            Ok(records) if records.len() > before => Look::Holds(()),
            other => Look::NotYet(format!("{:?} after {before}", other.map(|records| records.len()))),
        }
    })
    .await
    .unwrap();
}

/// Waits until an alert of this version is in the site's topic, and checks it.
pub(crate) async fn until_alert(site: &Site, version: &str) {
    let alert = wait_for(&format!("an alert of {version} at {}", site.cluster.name()), PATIENCE, || async {
        let alerts = match alerts(site) {
            Ok(alerts) => alerts,
            Err(error) => return Look::NotYet(error.to_string()),
        };
        let seen = alerts.len();
        match alerts.into_iter().find(|alert| alert["model_version"] == version) {
            Some(alert) => Look::Holds(alert),
            None => Look::NotYet(format!("{seen} other alerts")),
        }
    })
    .await
    .unwrap();
    assert_eq!(alert["site"], site.cluster.name(), "{alert}");
    assert!(alert["score"].as_f64().unwrap() > alert["threshold"].as_f64().unwrap(), "{alert}");
    assert!(!alert["reasons"].as_array().unwrap().is_empty(), "{alert}");
}

/// Waits until an archived alert of this version that `of` raised is in the bucket of `at`.
pub(crate) async fn until_archived_alert(at: &Site, of: &Site, version: &str) {
    let what = format!("an alert of {} with {version} in the bucket of {}", of.cluster.name(), at.cluster.name());
    wait_for(&what, PATIENCE, || async {
        let alerts = in_archive(at, of, NAMESPACE, Stream::Alerts).await;
        let seen = alerts.len();
        if alerts.iter().any(|(_, alert)| alert["model_version"] == version) {
            Look::Holds(())
        } else {
            Look::NotYet(format!("{seen} other alerts"))
        }
    })
    .await
    .unwrap();
}

/// Waits until every record of the input is in the output, and returns the input.
pub(crate) async fn until_all_enriched(site: &Site) -> HashSet<String> {
    let generated = uuids(in_topic(site, "sensor_messages").unwrap());
    assert!(!generated.is_empty());
    wait_for(&format!("every record to be enriched at {}", site.cluster.name()), PATIENCE, || async {
        let enriched = match in_topic(site, "enriched_data") {
            Ok(records) => uuids(records),
            Err(error) => return Look::NotYet(error.to_string()),
        };
        let missing = generated.difference(&enriched).count();
        if missing == 0 { Look::Holds(()) } else { Look::NotYet(format!("{missing} are missing")) }
    })
    .await
    .unwrap();
    generated
}

/// Waits until the site's archivers have read so many enriched records: an archiver that stops leaves the rest in Kafka.
pub(crate) async fn until_archived(site: &Site, expected: u64) {
    let bucket = site.cluster.bucket();
    let prefix = pipelines(NAMESPACE).progress_prefix();
    wait_for(&format!("{expected} archived records at {}", site.cluster.name()), PATIENCE, || async {
        let mut archived = 0;
        for object in bucket.list(&format!("{prefix}{}/", site.name()), None).await.unwrap() {
            let content = bucket.get(&object.key).await.unwrap().unwrap();
            let progress: Progress = serde_json::from_slice(&content.bytes).unwrap();
            if progress.stream == Stream::EnrichedData {
                archived += progress.records;
            }
        }
        if archived >= expected { Look::Holds(()) } else { Look::NotYet(format!("{archived} records")) }
    })
    .await
    .unwrap();
}

/// Exactly these, each once.
pub(crate) fn assert_each_once(what: &str, expected: &HashSet<String>, records: &[Found]) {
    each_once(expected, records).unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
}
