//! Which records are where, by their uuids.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::BufRead;

use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vedette_contract::archive::Stream;
use vedette_contract::progress::Progress;
use vedette_e2e::cluster::{Look, wait_for};
pub(crate) use vedette_e2e::found::Found;
use vedette_e2e::found::each_once;
use vedette_e2e::topic::{TopicError, ends, read_from, read_to_end};
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
    read_to_end(&site.cluster.kafka(), topic, Isolation::ReadCommitted, |message| Found {
        uuid: uuid(message),
        place: format!("partition {} offset {}", message.partition(), message.offset()),
    })
}

/// Of what is no record, the whole text.
fn uuid(message: &BorrowedMessage<'_>) -> String {
    let value = message.payload().unwrap_or_default();
    serde_json::from_slice::<Identity>(value)
        .map_or_else(|_| String::from_utf8_lossy(value).into_owned(), |identity| identity.uuid)
}

pub(crate) fn alerts(site: &Site) -> Result<Vec<Value>, TopicError> {
    read_to_end(&site.cluster.kafka(), "alerts", Isolation::ReadCommitted, |message| {
        serde_json::from_slice(message.payload().unwrap()).unwrap()
    })
}

/// The closed objects of a stream that `of` wrote, as the bucket of `at` has them.
pub(crate) async fn closed_objects(at: &Site, of: &Site, namespace: &str, stream: Stream) -> BTreeSet<String> {
    let listed = at.cluster.bucket().list(&pipelines(namespace).stream(stream), None).await.unwrap();
    let keys = listed.into_iter().map(|object| object.key);
    keys.filter(|key| key.contains(&format!("/{}/", of.name())) && key.ends_with(".jsonl.zst")).collect()
}

/// The records of an archive object.
async fn in_object<T: DeserializeOwned>(at: &Site, key: &str) -> Vec<T> {
    let content = at.cluster.bucket().get(key).await.unwrap().unwrap();
    let lines = std::io::BufReader::new(zstd::Decoder::new(&content.bytes[..]).unwrap()).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// The enriched records of the archive that `of` wrote, as the bucket of `at` has them.
pub(crate) async fn enriched_in_archive(at: &Site, of: &Site, namespace: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for key in closed_objects(at, of, namespace, Stream::EnrichedData).await {
        let records = in_object::<Identity>(at, &key).await;
        found.extend(records.into_iter().map(|Identity { uuid }| Found { uuid, place: key.clone() }));
    }
    found
}

/// Waits until a record is enriched at the site that was not there when it was asked.
pub(crate) async fn until_records_flow(site: &Site) {
    let kafka = site.cluster.kafka();
    let before = wait_for(&format!("where enriched records end at {}", site.cluster.name()), PATIENCE, async || {
        ends(&kafka, "enriched_data").map_or_else(|error| Look::NotYet(error.to_string()), Look::Holds)
    })
    .await
    .unwrap();
    wait_for(&format!("more enriched records at {}", site.cluster.name()), PATIENCE, async || {
        match read_from(&kafka, "enriched_data", Isolation::ReadCommitted, &before, |_| ()) {
            Ok(records) if !records.is_empty() => Look::Holds(()),
            Ok(_) => Look::NotYet(format!("none after {before:?}")),
            Err(error) => Look::NotYet(error.to_string()),
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
    // They never change, so that each is read once.
    let mut read = BTreeSet::new();
    wait_for(&what, PATIENCE, async || {
        for key in closed_objects(at, of, NAMESPACE, Stream::Alerts).await {
            if read.contains(&key) {
                continue;
            }
            let alerts = in_object::<Value>(at, &key).await;
            if alerts.iter().any(|alert| alert["model_version"] == version) {
                return Look::Holds(());
            }
            read.insert(key);
        }
        Look::NotYet(format!("alerts of others in {} objects", read.len()))
    })
    .await
    .unwrap();
}

/// Waits until every record of the input is in the output, and returns the input.
pub(crate) async fn until_all_enriched(site: &Site) -> HashSet<String> {
    let generated = uuids(in_topic(site, "sensor_messages").unwrap());
    assert!(!generated.is_empty());
    let kafka = site.cluster.kafka();
    let mut missing = generated.clone();
    let mut starts = BTreeMap::new();
    wait_for(&format!("every record to be enriched at {}", site.cluster.name()), PATIENCE, async || {
        let place = |message: &BorrowedMessage<'_>| (message.partition(), message.offset() + 1, uuid(message));
        match read_from(&kafka, "enriched_data", Isolation::ReadCommitted, &starts, place) {
            Ok(records) => {
                for (partition, next, uuid) in records {
                    starts.insert(partition, next);
                    missing.remove(&uuid);
                }
            }
            Err(error) => return Look::NotYet(error.to_string()),
        }
        if missing.is_empty() { Look::Holds(()) } else { Look::NotYet(format!("{} are missing", missing.len())) }
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
