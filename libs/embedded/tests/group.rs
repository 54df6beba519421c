//! The consumer group of `vedette-streams` against the embedded Kafka: nothing is taken or given up but by the loop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ops::Deref;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use vedette_contract::arguments::KafkaArguments;
use vedette_embedded::broker::EmbeddedBroker;
use vedette_streams::kafka::group::{self, GroupConsumer, Rebalance};
use vedette_streams::kafka::{Isolation, KafkaSettings, ensure_topics};

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

fn member(broker: &EmbeddedBroker, name: &str) -> Member {
    let consumer = group::create(&settings(broker, name).consumer("readers", Isolation::ReadCommitted)).unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    Member(consumer)
}

fn settings(broker: &EmbeddedBroker, client_id: &str) -> KafkaSettings {
    let arguments = KafkaArguments {
        bootstrap_servers: broker.address().to_string(),
        kafka_properties: Vec::new(),
        sasl_username: None,
        sasl_password: None,
    };
    KafkaSettings::new(&arguments, client_id)
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
    let broker = EmbeddedBroker::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let topic = format!("{TOPIC}:partitions=4").parse().unwrap();
    ensure_topics(&settings(&broker, "setup"), &[topic], PATIENCE).await.unwrap();

    let first = member(&broker, "first");
    let mut waiting = None;
    until(|| {
        assert!(first.poll(Duration::from_millis(20)).is_none());
        waiting = first.context().take_rebalance();
        waiting.is_some()
    });
    assert_eq!(assigned(&first), 0, "taken before the loop followed");
    group::follow(&first, &waiting.unwrap()).unwrap();
    assert_eq!(assigned(&first), 4);

    let second = member(&broker, "second");
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
