//! The consumer group of `vedette-streams` against the embedded Kafka: nothing is taken or given up but by the loop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ops::Deref;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use vedette_contract::arguments::KafkaArguments;
use vedette_streams::kafka::group::{self, GroupConsumer, Rebalance};
use vedette_streams::kafka::{Isolation, KafkaSettings};
use vedette_testing::TestBroker;

const PATIENCE: Duration = Duration::from_secs(20);
const TOPIC: &str = "records";

/// Closing a consumer waits for its partitions to be given up, and nobody calls `follow` any more, also in a test that fails.
struct Member(GroupConsumer);

impl Deref for Member {
    type Target = GroupConsumer;

    fn deref(&self) -> &GroupConsumer {
        &self.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        group::prepare_to_leave(&self.0);
    }
}

/// A member of the group that shares out the partitions in this way.
fn member(broker: &TestBroker, name: &str, strategy: &str) -> Member {
    let property = format!("partition.assignment.strategy={strategy}").parse().unwrap();
    let arguments = KafkaArguments { kafka_properties: vec![property], ..broker.arguments() };
    let settings = KafkaSettings::new(&arguments, name);
    let consumer = group::create(&settings.consumer("readers", Isolation::ReadCommitted)).unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    Member(consumer)
}

fn assigned(consumer: &GroupConsumer) -> usize {
    consumer.assignment().unwrap().count()
}

fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "it did not come");
    }
}

/// A turn of a loop that follows at once.
fn turn(consumer: &GroupConsumer) {
    assert!(consumer.poll(Duration::from_millis(20)).is_none());
    while let Some(rebalance) = consumer.context().take_rebalance() {
        group::follow(consumer, &rebalance).unwrap();
    }
}

#[tokio::test]
async fn partitions_are_taken_and_given_up_when_the_loop_follows() {
    come_and_go("cooperative-sticky").await;
}

/// Some clusters have groups that give up everything before they share it out anew.
#[tokio::test]
async fn a_group_that_is_not_cooperative_is_followed_too() {
    come_and_go("range").await;
}

async fn come_and_go(strategy: &str) {
    let broker = TestBroker::with_topics(&[&format!("{TOPIC}:partitions=4")]).await;
    let first = member(&broker, "first", strategy);
    let mut waiting = None;
    until(|| {
        assert!(first.poll(Duration::from_millis(20)).is_none());
        waiting = first.context().take_rebalance();
        waiting.is_some()
    });
    assert_eq!(assigned(&first), 0, "taken before the loop followed");
    group::follow(&first, &waiting.unwrap()).unwrap();
    assert_eq!(assigned(&first), 4);

    let second = member(&broker, "second", strategy);
    let mut revoked = None;
    until(|| {
        turn(&second);
        assert!(first.poll(Duration::from_millis(20)).is_none());
        match first.context().take_rebalance() {
            Some(rebalance @ Rebalance::Revoked(_)) => revoked = Some(rebalance),
            Some(rebalance @ Rebalance::Assigned(_)) => group::follow(&first, &rebalance).unwrap(),
            None => {}
        }
        revoked.is_some()
    });
    assert_eq!((assigned(&first), assigned(&second)), (4, 0), "given up before the loop followed");
    group::follow(&first, &revoked.unwrap()).unwrap();
    until(|| {
        turn(&first);
        turn(&second);
        (assigned(&first), assigned(&second)) == (2, 2)
    });

    drop(first);
    until(|| {
        turn(&second);
        assigned(&second) == 4
    });
}
