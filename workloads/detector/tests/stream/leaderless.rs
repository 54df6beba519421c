//! A partition without a leader waits, and nothing else does.

use std::cell::Cell;

use crate::support::{Broker, TOPICS, detector};
use crate::{BUDGET, distinct, record, records};

const GUARANTEE: &str = "--processing-guarantee=ExactlyOnce";
const OFTEN: &str = "--kafka-property=statistics.interval.ms=100";
/// Leaders that are back are seen soon.
const SOON: &str = "--kafka-property=topic.metadata.refresh.interval.ms=200";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_detector_takes_all_partitions_but_the_one_without_a_leader_and_that_one_when_it_has_one() {
    let broker = Broker::start([3, 3, 3, 3]).await;
    let directory = tempfile::tempdir().unwrap();
    broker.produce(3, records(0..30).iter().map(Vec::as_slice));
    broker.embedded.take_leader(TOPICS[0], 1);
    let running = detector(&broker, "detector-0", directory.path(), &[GUARANTEE, BUDGET, OFTEN, SOON]);
    assert_eq!(broker.read(&[(TOPICS[1], 3)], 20).len(), 20);
    broker.produce_without_key(records(30..40));
    assert_eq!(broker.read(&[(TOPICS[1], 3)], 30).len(), 30);
    running.wait_until_ready().await;
    running.wait_for("/metrics", |metrics| metrics.contains("vedette_detector_untold_partitions 1\n")).await;

    broker.embedded.give_leader(TOPICS[0], 1);
    let all = broker.read(&[(TOPICS[1], 3)], 40);
    assert_eq!((all.len(), distinct(&all)), (40, 40));
    running.wait_for("/metrics", |metrics| metrics.contains("vedette_detector_untold_partitions 0\n")).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_gone_is_found_again_while_another_partition_has_no_leader() {
    let broker = Broker::start([2, 2, 2, 2]).await;
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| detector(&broker, name, directory.path(), &[GUARANTEE, BUDGET, SOON]);
    let produce = |numbers| broker.produce(2, records(numbers).iter().map(Vec::as_slice));
    let first = start("detector-0");
    produce(0..100);
    broker.read(&[(TOPICS[1], 2)], 100);
    first.stop().await;
    produce(100..1_000);
    broker.pass(300).await;
    broker.embedded.take_leader(TOPICS[0], 1);
    let second = start("detector-1");
    // Those of before, and what is left of partition 0.
    let enriched = broker.read(&[(TOPICS[1], 2)], 300);
    assert_eq!((enriched.len(), distinct(&enriched)), (300, 300));
    let metrics = second.ask("/metrics").await;
    assert!(metrics.contains("vedette_detector_lost_records_total 250\n"), "{metrics}");

    broker.embedded.give_leader(TOPICS[0], 1);
    let enriched = broker.read(&[(TOPICS[1], 2)], 750);
    assert_eq!((enriched.len(), distinct(&enriched)), (750, 750));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_whose_outputs_have_no_leader_wait_and_hold_up_no_others() {
    let broker = Broker::start([3, 3, 3, 2]).await;
    let directory = tempfile::tempdir().unwrap();
    broker.produce(3, records(0..30).iter().map(Vec::as_slice));
    broker.embedded.take_leader(TOPICS[1], 1);
    broker.embedded.take_leader(TOPICS[2], 2);
    let running = detector(&broker, "detector-0", directory.path(), &[GUARANTEE, BUDGET, OFTEN, SOON]);
    assert_eq!(broker.read(&[(TOPICS[1], 1)], 10).len(), 10);
    running.wait_until_ready().await;
    running.wait_for("/metrics", |metrics| metrics.contains("vedette_detector_untold_partitions 2\n")).await;

    broker.embedded.give_leader(TOPICS[1], 1);
    broker.embedded.give_leader(TOPICS[2], 2);
    let all = broker.read(&[(TOPICS[1], 3)], 30);
    assert_eq!((all.len(), distinct(&all)), (30, 30));
    running.wait_for("/metrics", |metrics| metrics.contains("vedette_detector_aborts_total 0\n")).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_a_leader_that_holds_up_everything_is_named() {
    // By keys, as the output has another number of partitions.
    let broker = Broker::start([2, 1, 2, 2]).await;
    let directory = tempfile::tempdir().unwrap();
    let at_least_once = "--processing-guarantee=AtLeastOnce";
    let running = detector(&broker, "detector-0", directory.path(), &[at_least_once, BUDGET, SOON]);
    let produced = Cell::new(0);
    let produce = || {
        broker.produce(1, [record(produced.get()).as_slice()]);
        produced.set(produced.get() + 1);
    };
    produce();
    broker.read(&[(TOPICS[1], 1)], 1);
    broker.embedded.take_leader(TOPICS[1], 0);
    let is_named = |answer: &str| {
        // Until the producer knows that there is no leader its records are taken.
        produce();
        answer.contains("enriched_data partition 0 has no leader")
    };
    running.wait_for("/readyz", is_named).await;
    broker.embedded.give_leader(TOPICS[1], 0);
    let enriched = broker.read(&[(TOPICS[1], 1)], produced.get());
    assert_eq!(distinct(&enriched), produced.get());
    running.wait_until_ready().await;
    running.stop().await;
}
