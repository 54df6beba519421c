//! The detector against a broker: what comes out equals what went in, whoever comes and goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod age;
mod health;
mod killed;
mod leaderless;
mod lookups;
mod malformed;
mod support;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::message::{Headers, Message, OwnedMessage, Timestamp};
use serde_json::{Map, Value};
use vedette_contract::metrics::detector;
use vedette_records::dead_letter::{self, DeadLetter, RecordPlace};
use vedette_records::size;
use vedette_testing::eventually;
use vedette_testing::metrics::assert_served;

use support::{Broker, TOPICS, detector, headers};

const BUDGET: &str = "--alert-budget-per-million=100";

fn record(number: usize) -> Vec<u8> {
    format!(r#"{{"uuid":"u{number}","utc":"2026-11-23T08:42:10Z","src_bytes":{number},"dst_bytes":1}}"#).into_bytes()
}

/// One that does not compress.
fn noisy(number: usize) -> Vec<u8> {
    format!(r#"{{"uuid":"u{number}","x":"{}"}}"#, noise(number, 300)).into_bytes()
}

/// Text that does not compress.
fn noise(seed: usize, length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed as u64 + 1);
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'#' + u8::try_from(state % 57).unwrap())
    };
    (0..length).map(letter).collect()
}

fn records(numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    numbers.map(record).collect()
}

fn object(message: &impl Message) -> Map<String, Value> {
    serde_json::from_slice(message.payload().unwrap()).unwrap()
}

fn uuids(messages: &[impl Message]) -> Vec<String> {
    messages.iter().map(|message| object(message)["uuid"].as_str().unwrap().to_owned()).collect()
}

fn distinct(messages: &[impl Message]) -> usize {
    uuids(messages).into_iter().collect::<BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn enriched_messages_and_dead_letters_equal_the_input() {
    let broker = Broker::start([4, 4, 4, 2]).await;
    let directory = tempfile::tempdir().unwrap();
    let huge = format!(r#"{{"uuid":"huge","x":"{}"}}"#, "x".repeat(1_100_000));
    let bad: [&[u8]; 10] = [
        b"",
        b"garbage",
        b"{\"a\":1",
        b"[1]",
        b"\xff\xfe",
        b"{\"a\":1,\"a\":2}",
        b"{\"site\":\"west\"}",
        b"{\"total_bytes\":1}",
        b"{\"uuid\":[7]}",
        huge.as_bytes(),
    ];
    let odd: [&[u8]; 3] = [b"{}", b"{\n  \"a\": {\"b\": [1, 2]}\n}\n", b"{\"src_bytes\":\"text\"}"];
    let good = records(0..500);
    let input: Vec<&[u8]> = good.iter().map(Vec::as_slice).chain(bad).chain(odd).collect();
    broker.produce(4, input.iter().copied());

    let limit = "--max-message-bytes=1000000";
    let running =
        detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET, limit]);
    let enriched = broker.read(&[(TOPICS[1], 4)], 503);
    let letters = broker.read(&[(TOPICS[3], 2)], 10);
    assert_eq!((enriched.len(), letters.len()), (503, 10));

    for message in &enriched {
        let headers = headers(message);
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let number: i32 = key.strip_prefix("key-").unwrap().parse().unwrap();
        assert_eq!(headers.get("trace"), Some(&key));
        assert_eq!(message.partition(), number % 4);
        assert_eq!(message.timestamp(), Timestamp::CreateTime(1_700_000_000_000 + i64::from(number)));
        let object = object(message);
        assert_eq!((object["site"].as_str(), object.get("score")), (Some("east"), None));
        if number < 500 {
            assert_eq!(object["total_bytes"], number + 1);
        }
    }
    let distinct: BTreeSet<_> = uuids(&enriched).into_iter().collect();
    assert_eq!(distinct.len(), 503);

    let mut reasons = Vec::new();
    for (number, sent) in input.iter().enumerate().take(510).skip(500) {
        let key = format!("key-{number}");
        let letter = letters.iter().find(|letter| letter.key() == Some(key.as_bytes())).unwrap();
        let position = i32::try_from(number).unwrap();
        assert_eq!(letter.timestamp(), Timestamp::CreateTime(1_700_000_000_000 + i64::from(position)));
        let headers = || letter.headers().unwrap().iter().map(|header| (header.key, header.value));
        assert_eq!(dead_letter::inherited(headers()).collect::<Vec<_>>(), [("trace", Some(key.as_bytes()))]);
        let DeadLetter { place: RecordPlace { topic, partition, offset }, refusal, refused_at: _, whole } =
            DeadLetter::read(headers()).unwrap();
        assert_eq!((topic.as_str(), partition, offset), (TOPICS[0], position % 4, i64::from(position / 4)));
        reasons.push(refusal.reason.as_str());
        let value = letter.payload().unwrap_or_default();
        assert_eq!(whole.map(|whole| whole.length), (number == 509).then_some(huge.len()));
        if number == 509 {
            assert!(huge.as_bytes().starts_with(value) && value.len() > 990_000);
        } else {
            assert_eq!(value, *sent);
        }
    }
    assert_eq!(
        reasons,
        [
            "empty",
            "invalid_json",
            "invalid_json",
            "not_an_object",
            "invalid_utf8",
            "duplicate_key",
            "reserved_field",
            "reserved_field",
            "reserved_field",
            "too_large"
        ]
    );
    let counted = ["records_total 513\n", "dead_letters_total{reason=\"reserved_field\"} 3\n"];
    let is_counted = |metrics: &str| counted.iter().all(|line| metrics.contains(&format!("vedette_detector_{line}")));
    assert_served(&running.wait_for("/metrics", is_counted).await, detector::ALL);
    running.stop().await;
}

/// The outputs keep the key and the headers of their input, and all of it has to fit.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_record_came_with_counts_for_its_size() {
    const LIMIT: usize = 4_000;
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let record = format!(r#"{{"uuid":"u","utc":"2026-11-23T08:42:10Z","x":"{}"}}"#, "x".repeat(3_000));
    broker.produce_with_headers(1, ["short".to_owned(), "h".repeat(2_000)].map(|header| (header, record.as_bytes())));

    let limit = format!("--max-message-bytes={LIMIT}");
    let running =
        detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET, &limit]);
    let enriched = broker.read(&[(TOPICS[1], 1)], 1);
    let letters = broker.read(&[(TOPICS[3], 1)], 1);
    assert_eq!((enriched.len(), letters.len()), (1, 1));
    assert_eq!(enriched[0].key(), Some(b"key-0".as_slice()));

    let headers = || letters[0].headers().unwrap().iter().map(|header| (header.key, header.value));
    assert_eq!(DeadLetter::read(headers()).unwrap().refusal.reason.as_str(), "too_large");
    assert_eq!(dead_letter::inherited(headers()).count(), 1);
    let header_bytes = headers().map(|(name, value)| size::header(name.len(), value.unwrap_or_default().len()));
    let came_with = letters[0].key().unwrap().len() + header_bytes.sum::<usize>();
    let bytes = size::message(letters[0].payload().unwrap().len(), came_with, &[]);
    assert!(bytes <= LIMIT, "the letter has {bytes} bytes");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_twice_while_detectors_come_and_go() {
    let broker = Broker::start([4, 4, 4, 4]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| detector(&broker, name, directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    let produce = |numbers| broker.produce(4, records(numbers).iter().map(Vec::as_slice));

    let first = start("detector-0");
    first.wait_until_ready().await;
    produce(0..2000);
    let second = start("detector-1");
    produce(2000..4000);
    second.wait_until_ready().await;
    produce(4000..6000);
    let third = start("detector-2");
    first.stop().await;
    produce(6000..8000);
    third.wait_until_ready().await;
    second.stop().await;
    produce(8000..10_000);

    let enriched = broker.read(&[(TOPICS[1], 4)], 10_000);
    assert_eq!((enriched.len(), distinct(&enriched)), (10_000, 10_000));
    third.stop().await;

    // What was committed is not read again by the next one.
    let last = start("detector-3");
    last.wait_until_ready().await;
    produce(10_000..10_001);
    assert_eq!(broker.read(&[(TOPICS[1], 4)], 10_001).len(), 10_001);
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_share_their_partitions_though_the_coordinator_moved_while_they_joined() {
    let broker = Broker::start([4, 4, 4, 4]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| detector(&broker, name, directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    broker.embedded.refuse_offset_fetches("detector-0", 2);
    broker.produce(4, records(0..1000).iter().map(Vec::as_slice));
    let first = start("detector-0");
    first.wait_until_ready().await;
    assert_eq!(broker.read(&[(TOPICS[1], 4)], 1000).len(), 1000);
    let second = start("detector-1");
    second.wait_until_ready().await;
    broker.produce(4, records(1000..2000).iter().map(Vec::as_slice));
    let enriched = broker.read(&[(TOPICS[1], 4)], 2000);
    let distinct: BTreeSet<_> = uuids(&enriched).into_iter().collect();
    assert_eq!((enriched.len(), distinct.len()), (2000, 2000));
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_once_loses_nothing() {
    let broker = Broker::start([4, 4, 4, 4]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| detector(&broker, name, directory.path(), &["--processing-guarantee=AtLeastOnce", BUDGET]);
    let first = start("detector-0");
    broker.produce(4, records(0..2000).iter().map(Vec::as_slice));
    first.wait_until_ready().await;
    let second = start("detector-1");
    second.wait_until_ready().await;
    first.stop().await;
    broker.produce(4, records(2000..4000).iter().map(Vec::as_slice));
    // Some may come twice, so how many came says nothing.
    broker.read_until(&[(TOPICS[1], 4)], |messages| distinct(messages) == 4000);
    second.stop().await;
    let third = start("detector-2");
    third.wait_until_ready().await;
    broker.produce(4, records(4000..4001).iter().map(Vec::as_slice));
    broker.read_until(&[(TOPICS[1], 4)], |messages| distinct(messages) == 4001);
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_once_commits_nothing_that_the_broker_has_not_acknowledged() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| detector(&broker, name, directory.path(), &["--processing-guarantee=AtLeastOnce", BUDGET]);
    let held = broker.embedded.hold_produces("detector-0");
    let mut first = start("detector-0");
    broker.produce(1, records(0..100).iter().map(Vec::as_slice));
    eventually("a request waits", async || held.waiting() > 0).await;
    // Shutdown gives the broker some seconds more, and then leaves the work to another detector.
    first.shutdown.cancel();
    first.outcome().await.unwrap();
    assert_eq!(broker.committed(), None);

    let second = start("detector-1");
    broker.read_until(&[(TOPICS[1], 1)], |messages| distinct(messages) == 100);
    eventually("all of it is committed", async || broker.committed() == Some(100)).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_whose_work_kafka_does_not_take_is_not_ready_until_it_does() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let running = detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=AtLeastOnce", BUDGET]);
    running.wait_until_ready().await;
    let held = broker.embedded.hold_produces("detector-0");
    broker.produce(1, records(0..10).iter().map(Vec::as_slice));
    running.wait_for("/readyz", |answer| answer.contains("503") && answer.contains("does not take")).await;
    drop(held);
    running.wait_until_ready().await;
    assert_eq!(broker.read(&[(TOPICS[1], 1)], 10).len(), 10);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_without_a_partition_is_ready() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| detector(&broker, name, directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    let (first, second) = (start("detector-0"), start("detector-1"));
    first.wait_until_ready().await;
    second.wait_until_ready().await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_waits_for_the_model_that_it_was_given() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    broker.produce(1, [b"{}".as_slice()]);
    let model = ["--model-training=flows", "--model-version=20261123T084210Z-1a2b3c4d"];
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET, model[0], model[1]];
    let running = detector(&broker, "detector-0", directory.path(), &more);
    running.wait_for("/readyz", |answer| answer.contains("manifest.json") && answer.contains("503")).await;
    let metrics = running.ask("/metrics").await;
    assert!(metrics.contains("vedette_detector_records_total 0\n"), "{metrics}");
    running.stop().await;
}

/// Of each key, the partitions of its records.
fn partitions_by_key(messages: &[OwnedMessage]) -> BTreeMap<Vec<u8>, BTreeSet<i32>> {
    let mut found: BTreeMap<Vec<u8>, BTreeSet<i32>> = BTreeMap::new();
    for message in messages {
        found.entry(message.key().unwrap().to_vec()).or_default().insert(message.partition());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_may_have_any_number_of_partitions() {
    let broker = Broker::start([4, 2, 7, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        broker.produce(4, records(0..100).iter().map(Vec::as_slice).chain([b"garbage".as_slice()]));
    }
    let running = detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    let enriched = broker.read(&[(TOPICS[1], 2)], 200);
    assert_eq!(enriched.len(), 200);
    let by_key = partitions_by_key(&enriched);
    assert!(by_key.len() == 100 && by_key.values().all(|partitions| partitions.len() == 1), "{by_key:?}");
    let used: BTreeSet<i32> = by_key.values().flatten().copied().collect();
    assert_eq!(used, BTreeSet::from([0, 1]));
    assert_eq!(broker.read(&[(TOPICS[3], 1)], 2).len(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_grow_under_a_detector() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let often = "--kafka-property=topic.metadata.refresh.interval.ms=200";
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET, often];
    let running = detector(&broker, "detector-0", directory.path(), &more);
    broker.produce(1, records(0..10).iter().map(Vec::as_slice));
    assert_eq!(broker.read(&[(TOPICS[1], 1)], 10).len(), 10);
    broker.grow(TOPICS[0], 3).await;
    broker.produce(3, records(10..40).iter().map(Vec::as_slice));
    let enriched = broker.read(&[(TOPICS[1], 1)], 40);
    let all: BTreeSet<String> = uuids(&enriched).into_iter().collect();
    assert_eq!((enriched.len(), all.len()), (40, 40));
    running.stop().await;
}
