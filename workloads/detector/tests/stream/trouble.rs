//! What Kafka refuses, is slow to take, or has deleted: the stream goes on, and nothing is lost without a word.

use rdkafka::Message;
use vedette_testing::eventually;

use crate::support::{Broker, TOPICS, detector, headers};
use crate::{BUDGET, distinct, noise, noisy, records, uuids};

/// Readers of the output want a key there, which some records lack.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_kafka_refuses_for_itself_is_a_dead_letter_and_the_stream_goes_on() {
    for guarantee in ["ExactlyOnce", "AtLeastOnce"] {
        let broker = Broker::start([1, 1, 1, 1]).await;
        let directory = tempfile::tempdir().unwrap();
        broker.configure(TOPICS[1], &[("cleanup.policy", "compact")]).await;
        let guarantee = format!("--processing-guarantee={guarantee}");
        let running = detector(&broker, "detector-0", directory.path(), &[&guarantee, BUDGET]);
        let passes = |count| broker.read_until(&[(TOPICS[1], 1)], |messages| distinct(messages) == count);
        broker.produce(1, records(0..100).iter().map(Vec::as_slice));
        passes(100);
        // The embedded broker does not say which record of a batch it refuses.
        broker.produce_without_key(records(100..102));
        let letters = broker.read(&[(TOPICS[3], 1)], 2);
        broker.produce(1, records(102..200).iter().map(Vec::as_slice));
        let enriched = passes(198);
        let counted = "vedette_detector_dead_letters_total{reason=\"refused\"} 2\n";
        running.wait_for("/metrics", |metrics| metrics.contains(counted)).await;
        running.stop().await;
        assert_eq!((enriched.len(), uuids(&letters)), (198, vec!["u100".to_owned(), "u101".to_owned()]));
        let headers = headers(&letters[0]);
        assert_eq!(headers["vedette.reason"], "refused");
        assert!(headers["vedette.message"].contains("topic enriched_data"), "{headers:?}");
    }
}

/// It does so where a letter lacks a key, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_dead_letter_is_refused_as_well_is_left_out_and_counted() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    for topic in [TOPICS[1], TOPICS[3]] {
        broker.configure(topic, &[("cleanup.policy", "compact")]).await;
    }
    broker.produce_without_key(records(0..1));
    let running = detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    running.wait_for("/metrics", |metrics| metrics.contains("vedette_detector_refused_records_total 1\n")).await;
    broker.produce(1, records(1..100).iter().map(Vec::as_slice));
    assert_eq!(broker.read(&[(TOPICS[1], 1)], 99).len(), 99);
    running.stop().await;
}

/// Whoever owns a topic may have it accept less than the detector was told.
#[tokio::test(flavor = "multi_thread")]
async fn batches_shrink_to_what_a_topic_accepts_and_what_is_too_large_alone_is_a_cut_dead_letter() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    for topic in [TOPICS[1], TOPICS[3]] {
        broker.configure(topic, &[("max.message.bytes", "2000")]).await;
    }
    let large = format!(r#"{{"uuid":"large","x":"{}"}}"#, noise(0, 3_000));
    let mut input = records(0..500);
    input.insert(250, large.clone().into_bytes());
    broker.produce(1, input.iter().map(Vec::as_slice));
    let running = detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    let enriched = broker.read(&[(TOPICS[1], 1)], 500);
    let letters = broker.read(&[(TOPICS[3], 1)], 1);
    assert_eq!((enriched.len(), distinct(&enriched), letters.len()), (500, 500, 1));
    let headers = headers(&letters[0]);
    assert_eq!(
        (headers["vedette.reason"].as_str(), headers["vedette.length"].clone()),
        ("refused", large.len().to_string())
    );
    assert!(large.as_bytes().starts_with(letters[0].payload().unwrap()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_passes_into_topics_that_accept_small_batches_only() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    for topic in &TOPICS[1..] {
        broker.configure(topic, &[("max.message.bytes", "4000")]).await;
    }
    let input: Vec<_> = (0..2_000).map(noisy).collect();
    broker.produce(1, input.iter().map(Vec::as_slice));
    let limit = "--max-message-bytes=4000";
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET, limit];
    let running = detector(&broker, "detector-0", directory.path(), &more);
    assert_eq!(distinct(&broker.read(&[(TOPICS[1], 1)], 2_000)), 2_000);
    let metrics = running.ask("/metrics").await;
    assert!(metrics.contains("vedette_detector_aborts_total 0\n"), "{metrics}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_broker_is_given_smaller_units_until_it_takes_them() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let noisy = |number: usize| format!(r#"{{"uuid":"u{number}","x":"{}"}}"#, noise(number, 1_000)).into_bytes();
    let input: Vec<_> = (0..300).map(noisy).collect();
    broker.produce(1, input.iter().map(Vec::as_slice));
    broker.embedded.slow_down_produces("detector-0", 100_000);
    let impatient = "--kafka-property=message.timeout.ms=1000";
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET, impatient];
    let running = detector(&broker, "detector-0", directory.path(), &more);
    let enriched = broker.read(&[(TOPICS[1], 1)], 300);
    assert_eq!((enriched.len(), distinct(&enriched)), (300, 300));
    // What was given up does not count.
    let counted = |metrics: &str| metrics.contains("vedette_detector_records_total 300\n");
    let metrics = running.wait_for("/metrics", counted).await;
    assert!(!metrics.contains("vedette_detector_aborts_total 0\n"), "{metrics}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_deleted_before_it_was_read_is_counted_to_the_record_and_reading_goes_on() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| detector(&broker, name, directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    let produce = |numbers| broker.produce(1, records(numbers).iter().map(Vec::as_slice));
    let first = start("detector-0");
    produce(0..100);
    broker.read(&[(TOPICS[1], 1)], 100);
    first.stop().await;
    produce(100..1_000);
    broker.pass(600).await;
    let second = start("detector-1");
    let enriched = broker.read(&[(TOPICS[1], 1)], 500);
    let metrics = second.ask("/metrics").await;
    assert!(metrics.contains("vedette_detector_lost_records_total 500\n"), "{metrics}");
    assert_eq!((enriched.len(), distinct(&enriched)), (500, 500));
    second.stop().await;
    let third = start("detector-2");
    produce(1_000..1_100);
    assert_eq!(broker.read(&[(TOPICS[1], 1)], 600).len(), 600);
    let metrics = third.ask("/metrics").await;
    assert!(metrics.contains("vedette_detector_lost_records_total 0\n"), "{metrics}");
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_has_forgotten_is_not_enriched_twice() {
    for partitions in [[2, 2, 2, 2], [2, 3, 2, 2]] {
        let broker = Broker::start(partitions).await;
        let directory = tempfile::tempdir().unwrap();
        let more = ["--processing-guarantee=ExactlyOnce", BUDGET];
        let before = [more[0], more[1], "--group=another"];
        let running = detector(&broker, "detector-0", directory.path(), &before);
        broker.produce(2, records(0..100).iter().map(Vec::as_slice));
        let enriched = [(TOPICS[1], partitions[1])];
        broker.read(&enriched, 100);
        running.stop().await;
        let running = detector(&broker, "detector-1", directory.path(), &more);
        // Also of a partition to which nobody writes, so that it is looked for once.
        eventually("the places are committed", async || broker.committed() == Some(50)).await;
        broker.produce(2, records(100..150).iter().map(Vec::as_slice));
        let all = broker.read_until(&enriched, |messages| distinct(messages) == 150);
        assert_eq!(all.len(), 150);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_deleted_wholly_of_a_partition_that_the_group_has_forgotten_is_counted() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |group: &str| {
        let more = ["--processing-guarantee=ExactlyOnce", BUDGET, &format!("--group={group}")];
        detector(&broker, group, directory.path(), &more)
    };
    let produce = |numbers| broker.produce(1, records(numbers).iter().map(Vec::as_slice));
    let first = start("another");
    produce(0..30);
    broker.read(&[(TOPICS[1], 1)], 30);
    first.stop().await;
    produce(30..50);
    broker.pass(50).await;
    let second = start("detectors");
    second.wait_for("/metrics", |metrics| metrics.contains("vedette_detector_lost_records_total 20\n")).await;
    produce(50..60);
    assert_eq!(broker.read(&[(TOPICS[1], 1)], 40).len(), 40);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_transactions_that_retention_deleted_are_no_loss() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let soon = "--kafka-property=statistics.interval.ms=100";
    let start =
        |name: &str| detector(&broker, name, directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET, soon]);
    let first = start("detector-0");
    broker.produce_in_transaction(records(0..10));
    // A mark stands behind its last record.
    eventually("the end is committed", async || broker.committed() == Some(11)).await;
    first.stop().await;
    broker.pass(11).await;
    let second = start("detector-1");
    broker.produce_in_transaction(records(10..20));
    assert_eq!(broker.read(&[(TOPICS[1], 1)], 20).len(), 20);
    let metrics = second.ask("/metrics").await;
    assert!(metrics.contains("vedette_detector_lost_records_total 0\n"), "{metrics}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_of_which_the_group_knows_nothing_is_read_from_its_beginning() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET];
    let running = detector(&broker, "detector-0", directory.path(), &more);
    broker.produce(1, records(0..50).iter().map(Vec::as_slice));
    broker.read(&[(TOPICS[1], 1)], 50);
    running.stop().await;
    broker.make_anew(TOPICS[0]).await;
    // They have the Kafka timestamps of those before.
    broker.produce(1, records(50..150).iter().map(Vec::as_slice));
    let running = detector(&broker, "detector-1", directory.path(), &[more[0], more[1], "--group=another"]);
    let all = broker.read_until(&[(TOPICS[1], 1)], |messages| distinct(messages) == 150);
    assert_eq!(all.len(), 150);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_under_a_detector_is_read_from_its_beginning() {
    let broker = Broker::start([1, 1, 1, 1]).await;
    let directory = tempfile::tempdir().unwrap();
    let running = detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    broker.produce(1, records(0..100).iter().map(Vec::as_slice));
    broker.read(&[(TOPICS[1], 1)], 100);
    broker.make_anew(TOPICS[0]).await;
    broker.produce(1, records(100..150).iter().map(Vec::as_slice));
    let enriched = broker.read(&[(TOPICS[1], 1)], 150);
    let metrics = running.ask("/metrics").await;
    assert_eq!((enriched.len(), distinct(&enriched)), (150, 150));
    assert!(metrics.contains("vedette_detector_lost_records_total 0\n"), "{metrics}");
    running.stop().await;
}

/// As when a broker that leads a partition never had its end: the records of before that are the same at the same offsets.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_lost_its_end_is_read_on_there_and_nothing_is_enriched_twice() {
    for group in ["detectors", "another"] {
        let broker = Broker::start([1, 1, 1, 1]).await;
        let directory = tempfile::tempdir().unwrap();
        let start = |name: &str, group: &str| {
            let more = ["--processing-guarantee=ExactlyOnce", BUDGET, &format!("--group={group}")];
            detector(&broker, name, directory.path(), &more)
        };
        let first = start("detector-0", "detectors");
        broker.produce(1, records(0..100).iter().map(Vec::as_slice));
        broker.read(&[(TOPICS[1], 1)], 100);
        first.stop().await;
        broker.make_anew(TOPICS[0]).await;
        broker.produce(1, records(0..60).iter().map(Vec::as_slice));
        let second = start("detector-1", group);
        second.wait_for("/metrics", |metrics| metrics.contains("vedette_detector_truncated_records_total 40\n")).await;
        broker.produce(1, records(100..130).iter().map(Vec::as_slice));
        let enriched = broker.read(&[(TOPICS[1], 1)], 130);
        assert_eq!((enriched.len(), distinct(&enriched)), (130, 130));
        second.stop().await;
    }
}
