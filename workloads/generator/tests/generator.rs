//! The whole generator against an embedded broker and bucket.

#![allow(clippy::unwrap_used)] // The helpers of a test are part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::Value;
use tokio::task::spawn_blocking;
use vedette_contract::arguments::GeneratorArguments;
use vedette_generator::{GeneratorError, run};
use vedette_service::Shutdown;
use vedette_streams::kafka::Isolation;
use vedette_testing::metrics::assert_served;
use vedette_testing::{RefusedWrite, TestBroker, TestBucket, eventually, free_address, http_get};

const TOPIC: &str = "sensor_messages";
const TOPIC_SPECIFICATION: &str = "sensor_messages:partitions=4";
/// Where the data set is, if there is one.
const DATASET: &str = "demo/key";
const DATASET_OPTION: &str = "--dataset-object=demo/key";
const PARTITIONS: i32 = 4;
const DEADLINE: Duration = Duration::from_secs(120);

/// A broker with the topic.
async fn broker() -> TestBroker {
    TestBroker::with_topics(&[TOPIC_SPECIFICATION]).await
}

/// A bucket that holds this data set.
async fn bucket(dataset: &[u8]) -> TestBucket {
    let bucket = TestBucket::serve().await;
    bucket.put(DATASET, dataset.to_vec()).await;
    bucket
}

fn arguments(broker: &TestBroker, bucket: &TestBucket, more: &[&str]) -> GeneratorArguments {
    let always = ["vedette-generator", "--pod-name=generator-0", "--listen-address=127.0.0.1:0", "--seed=7"];
    let kafka = [format!("--bootstrap-servers={}", broker.address()), format!("--topic={TOPIC}")];
    let places = kafka.into_iter().chain(bucket.options());
    let words = always.into_iter().chain(more.iter().copied()).map(str::to_owned);
    GeneratorArguments::try_parse_from(words.chain(places)).unwrap()
}

struct Received {
    partition: i32,
    key: String,
    timestamp: i64,
    record: Value,
    bytes: Vec<u8>,
}

/// Reads the topic from its start until `enough` holds, or to its end where that comes first.
async fn receive(broker: &TestBroker, enough: impl Fn(&[Received]) -> bool + Send + 'static) -> Vec<Received> {
    let consumer = consumer(broker);
    spawn_blocking(move || {
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let started = Instant::now();
        let mut received = Vec::new();
        while !enough(&received) {
            assert!(started.elapsed() < DEADLINE, "{} records after {DEADLINE:?}", received.len());
            let Some(message) = consumer.poll(Duration::from_millis(50)) else {
                continue;
            };
            let message = message.unwrap();
            received.push(Received {
                partition: message.partition(),
                key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
                timestamp: message.timestamp().to_millis().unwrap(),
                record: serde_json::from_slice(message.payload().unwrap()).unwrap(),
                bytes: message.payload().unwrap().to_vec(),
            });
        }
        received
    })
    .await
    .unwrap()
}

fn consumer(broker: &TestBroker) -> BaseConsumer {
    broker.settings("reader").consumer("test", Isolation::ReadCommitted).create().unwrap()
}

/// How many records the topic holds.
async fn watermark(broker: &TestBroker) -> i64 {
    let consumer = consumer(broker);
    spawn_blocking(move || {
        (0..PARTITIONS).map(|partition| consumer.fetch_watermarks(TOPIC, partition, DEADLINE).unwrap().1).sum()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sequential_emits_every_row_once_and_a_second_run_the_same_uuids() {
    const ROWS: u32 = 1_000;
    let rows: String = (0..ROWS).map(|row| format!("{row},text {row}\n")).collect();
    let object = zstd::encode_all(format!("value,name\nbad\n{rows}").as_bytes(), 1).unwrap();
    let (broker, bucket) = (broker().await, bucket(&object).await);
    let more = ["--mode=Sequential", DATASET_OPTION, "--records-per-second=100000"];

    run(arguments(&broker, &bucket, &more), Shutdown::new()).await.unwrap();
    assert_eq!(watermark(&broker).await, i64::from(ROWS));
    run(arguments(&broker, &bucket, &more), Shutdown::new()).await.unwrap();
    assert_eq!(watermark(&broker).await, i64::from(2 * ROWS));

    let received = receive(&broker, |received| received.len() == 2 * ROWS as usize).await;
    let mut by_uuid: BTreeMap<&str, Vec<&Received>> = BTreeMap::new();
    for message in &received {
        let record = &message.record;
        assert_eq!(record["uuid"], message.key);
        assert_eq!(
            (&record["value"], &record["name"]),
            (&record["index"], &Value::from(format!("text {}", record["index"])))
        );
        by_uuid.entry(record["uuid"].as_str().unwrap()).or_default().push(message);
    }
    assert_eq!(by_uuid.len(), ROWS as usize);
    for runs in by_uuid.values() {
        assert_eq!(runs.len(), 2);
        assert_eq!(runs[0].record["index"], runs[1].record["index"]);
        assert_eq!(runs[0].partition, runs[1].partition);
        assert_ne!(runs[0].record["sequence_id"], runs[1].record["sequence_id"]);
    }
    let partitions: Vec<i32> =
        received.iter().map(|message| message.partition).collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(partitions, (0..PARTITIONS).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_runs_until_shutdown_and_flushes() {
    let (broker, bucket) = (broker().await, TestBucket::serve().await);
    let shutdown = Shutdown::new();
    let more = ["--mode=Random", "--records-per-second=2000", "--anomaly-fraction=0.5"];
    let running = tokio::spawn(run(arguments(&broker, &bucket, &more), shutdown.clone()));
    receive(&broker, |received| received.len() >= 500).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();

    let count = usize::try_from(watermark(&broker).await).unwrap();
    let received = receive(&broker, move |received| received.len() == count).await;
    let uuids: BTreeSet<&str> = received.iter().map(|message| message.key.as_str()).collect();
    assert_eq!(uuids.len(), count);
    let mut indices: Vec<u64> = received.iter().map(|message| message.record["index"].as_u64().unwrap()).collect();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..count as u64), "the last records were flushed, none is missing");
    for message in &received {
        assert_eq!(message.record.as_object().unwrap().len(), 46);
        assert!(message.bytes.starts_with(b"{\"duration\":"));
        let utc: jiff::Timestamp = message.record["utc"].as_str().unwrap().parse().unwrap();
        assert_eq!(utc.as_millisecond(), message.timestamp);
    }
}

/// A batch is one message to a topic. Compressed, these rows are no smaller.
#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_lost_where_a_topic_accepts_small_batches_only() {
    const ROWS: u64 = 2_000;
    let rows: String = (0..ROWS).map(|row| format!("{}\n", noise(row, 300))).collect();
    let topic = format!("{TOPIC_SPECIFICATION},max.message.bytes=16384");
    let (broker, bucket) = (TestBroker::with_topics(&[&topic]).await, bucket(format!("text\n{rows}").as_bytes()).await);
    let more = ["--mode=Sequential", DATASET_OPTION, "--records-per-second=100000"];
    run(arguments(&broker, &bucket, &more), Shutdown::new()).await.unwrap();
    assert_eq!(watermark(&broker).await, i64::try_from(ROWS).unwrap());
}

/// Letters and digits that do not compress.
fn noise(seed: u64, length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 1);
    let character = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from_digit(u32::try_from(state % 36).unwrap(), 36).unwrap()
    };
    (0..length).map(character).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_left_out_are_counted_by_reason() {
    let (broker, bucket) = (broker().await, bucket(b"a,b\n1,2\n\xE9,2\n1\n1,2,3\n,\na,b\n").await);
    let mut arguments = arguments(&broker, &bucket, &["--mode=Random", DATASET_OPTION, "--records-per-second=10"]);
    let free = free_address();
    arguments.service.listen_address = free;
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(arguments, shutdown.clone()));
    let counts = [("encoding", 1), ("field_count", 2), ("empty", 1), ("header_again", 1), ("not_a_record", 0)];
    let lines =
        counts.map(|(reason, rows)| format!("vedette_generator_bad_rows_total{{reason=\"{reason}\"}} {rows}\n"));
    eventually("the metrics have all reasons", async || {
        assert!(!running.is_finished());
        let metrics = http_get(free, "/metrics").await;
        lines.iter().all(|line| metrics.contains(line))
    })
    .await;
    assert_served(&http_get(free, "/metrics").await, vedette_contract::metrics::generator::ALL);
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_comes_later_is_waited_for() {
    let (broker, bucket) = (TestBroker::start(), bucket(b"a\nx\ny\n").await);
    let mut arguments =
        arguments(&broker, &bucket, &["--mode=Sequential", DATASET_OPTION, "--records-per-second=1000"]);
    let free = free_address();
    arguments.service.listen_address = free;
    let running = tokio::spawn(run(arguments, Shutdown::new()));
    eventually("it says which topic is missing", async || {
        assert!(!running.is_finished());
        http_get(free, "/readyz").await.contains("topic sensor_messages does not exist")
    })
    .await;
    broker.create_topics(&[TOPIC_SPECIFICATION]).await;
    running.await.unwrap().unwrap();
    assert_eq!(watermark(&broker).await, 2);
}

const POD: &str = "generator-0";
const LACKS: &str = "grant the ACL: Write on topic sensor_messages";

/// Each index from 0 on, once.
async fn indices_once(broker: &TestBroker) {
    let count = usize::try_from(watermark(broker).await).unwrap();
    let received = receive(broker, move |received| received.len() == count).await;
    let mut indices: Vec<u64> = received.iter().map(|message| message.record["index"].as_u64().unwrap()).collect();
    indices.sort_unstable();
    assert!(indices.iter().copied().eq(0..count as u64), "{indices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_names_the_acl_and_waits_for_it_and_no_record_is_lost_or_twice() {
    for at_first in [RefusedWrite::Records, RefusedWrite::Producer] {
        let (broker, bucket) = (broker().await, TestBucket::serve().await);
        broker.refuse_writes(POD, at_first);
        let mut arguments = arguments(&broker, &bucket, &["--mode=Random", "--records-per-second=500"]);
        let free = free_address();
        arguments.service.listen_address = free;
        let shutdown = Shutdown::new();
        let running = tokio::spawn(run(arguments, shutdown.clone()));
        let names_it = || async {
            assert!(!running.is_finished());
            http_get(free, "/readyz").await.contains(LACKS)
        };
        eventually("it names the ACL", names_it).await;
        assert_eq!(watermark(&broker).await, 0);
        broker.allow_writes(POD);
        receive(&broker, |received| received.len() >= 200).await;
        // It is taken away, also from the producer that begins anew because of that.
        broker.refuse_writes(POD, RefusedWrite::Producer);
        broker.refuse_writes(POD, RefusedWrite::Records);
        eventually("it names the ACL again", names_it).await;
        let written = usize::try_from(watermark(&broker).await).unwrap();
        broker.allow_writes(POD);
        receive(&broker, move |received| received.len() >= written + 200).await;
        assert!(!http_get(free, "/readyz").await.contains(LACKS));
        shutdown.cancel();
        running.await.unwrap().unwrap();
        indices_once(&broker).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequential_run_that_may_not_write_for_a_while_writes_every_row_once() {
    let (broker, bucket) = (broker().await, bucket(b"a\nx\ny\nz\n").await);
    broker.refuse_writes(POD, RefusedWrite::Records);
    let mut arguments = arguments(&broker, &bucket, &["--mode=Sequential", DATASET_OPTION, "--records-per-second=10"]);
    let free = free_address();
    arguments.service.listen_address = free;
    let running = tokio::spawn(run(arguments, Shutdown::new()));
    eventually("it names the ACL", async || http_get(free, "/readyz").await.contains(LACKS)).await;
    broker.allow_writes(POD);
    running.await.unwrap().unwrap();
    assert_eq!(watermark(&broker).await, 3);
    indices_once(&broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequential_run_that_is_stopped_early_is_an_error() {
    let (broker, bucket) = (broker().await, bucket(b"a\nx\ny\nz\n").await);
    let shutdown = Shutdown::new();
    let more = ["--mode=Sequential", DATASET_OPTION, "--records-per-second=0.01"];
    let running = tokio::spawn(run(arguments(&broker, &bucket, &more), shutdown.clone()));
    receive(&broker, |received| received.len() == 1).await;
    shutdown.cancel();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, GeneratorError::Incomplete { rows: 3, missing: 2 }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequential_run_that_is_stopped_before_its_first_row_is_an_error_and_an_endless_one_is_not() {
    let (broker, bucket) = (TestBroker::start(), bucket(b"a\nx\n").await);
    for (mode, is_error) in [("--mode=Sequential", true), ("--mode=Random", false)] {
        let stopped = Shutdown::new();
        stopped.cancel();
        let more = [mode, DATASET_OPTION, "--records-per-second=10"];
        let outcome = run(arguments(&broker, &bucket, &more), stopped).await;
        assert_eq!(matches!(outcome, Err(GeneratorError::Interrupted)), is_error, "{mode}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_generated_is_named() {
    let (broker, mut bucket) = (broker().await, TestBucket::serve().await);
    for (object, expected) in [
        (None, "there is no data set demo/key in the bucket"),
        (Some(&b""[..]), "cannot use data set demo/key: the data set is empty"),
        (Some(&b"a,index\n1,2\n"[..]), "column 2 of the data set, \"index\""),
        (Some(&b"a,b\n1,2\n"[..]), "an anomaly fraction needs a label"),
    ] {
        let more = ["--mode=Random", DATASET_OPTION, "--records-per-second=10", "--anomaly-fraction=0.1"];
        if let Some(object) = object {
            bucket.put(DATASET, object).await;
        }
        let error = run(arguments(&broker, &bucket, &more), Shutdown::new()).await.unwrap_err();
        let line = vedette_service::error_chain(&error);
        assert!(line.contains(expected), "{line}");
    }
    bucket.go_away().await;
    let more = ["--mode=Random", DATASET_OPTION, "--records-per-second=10"];
    let error = run(arguments(&broker, &bucket, &more), Shutdown::new()).await.unwrap_err();
    assert!(vedette_service::error_chain(&error).contains(&bucket.endpoint()), "{error}");
}
