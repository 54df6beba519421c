//! The consumer group of `vedette-streams` against the embedded Kafka: nothing is taken or given up but by the loop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ops::Deref;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use vedette_contract::arguments::KafkaArguments;
use vedette_streams::kafka::group::{self, GroupConsumer, Rebalance};
use vedette_streams::kafka::{Isolation, KafkaSettings};
use vedette_testing::TestBroker;

const PATIENCE: Duration = Duration::from_secs(240);
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
    join(KafkaArguments { kafka_properties: vec![property], ..broker.arguments() }, name)
}

fn join(arguments: KafkaArguments, name: &str) -> Member {
    let settings = KafkaSettings::new(&arguments, name);
    let consumer = group::create(&settings.consumer("readers", Isolation::ReadCommitted), settings.context()).unwrap();
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

/// A turn of a loop that follows as soon as it knows from where to read.
fn turn(consumer: &GroupConsumer) {
    assert!(consumer.poll(Duration::from_millis(20)).is_none_or(|outcome| outcome.is_err()));
    while let Some(rebalance) = consumer.context().take_rebalance() {
        let Some(done) = prepared(consumer, rebalance) else { return };
        group::follow(consumer, &done).unwrap();
    }
}

/// None where it was put back.
fn prepared(consumer: &GroupConsumer, rebalance: Rebalance) -> Option<Rebalance> {
    let Rebalance::Assigned(partitions) = rebalance else { return Some(rebalance) };
    let Ok(beginnings) = group::beginnings(consumer, &partitions, PATIENCE) else {
        consumer.context().put_back(Rebalance::Assigned(partitions));
        return None;
    };
    Some(Rebalance::Assigned(beginnings))
}

/// Two members get two of four partitions each, and the one that stays all of them.
fn share_until_one_leaves(first: Member, second: &Member) {
    until(|| {
        turn(&first);
        turn(second);
        (assigned(&first), assigned(second)) == (2, 2)
    });
    drop(first);
    until(|| {
        turn(second);
        assigned(second) == 4
    });
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
        waiting = first.context().take_rebalance().and_then(|rebalance| prepared(&first, rebalance));
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
        match first.context().take_rebalance().and_then(|rebalance| prepared(&first, rebalance)) {
            Some(rebalance @ Rebalance::Revoked(_)) => revoked = Some(rebalance),
            Some(rebalance @ Rebalance::Assigned(_)) => group::follow(&first, &rebalance).unwrap(),
            None => {}
        }
        revoked.is_some()
    });
    assert_eq!((assigned(&first), assigned(&second)), (4, 0), "given up before the loop followed");
    group::follow(&first, &revoked.unwrap()).unwrap();
    share_until_one_leaves(first, &second);
}

/// The coordinator moves just as a member asks it from where to read; then another member comes, and all have to join again.
#[tokio::test]
async fn a_member_whose_coordinator_moved_gives_to_others_what_is_theirs() {
    let broker = TestBroker::with_topics(&[&format!("{TOPIC}:partitions=4")]).await;
    broker.refuse_offset_fetches("first", 2);
    let first = member(&broker, "first", "cooperative-sticky");
    until(|| {
        turn(&first);
        assigned(&first) == 4
    });
    let second = member(&broker, "second", "cooperative-sticky");
    until(|| {
        turn(&first);
        turn(&second);
        (assigned(&first), assigned(&second)) == (2, 2)
    });
}

/// What was taken while the coordinator moved is read.
#[test]
fn partitions_are_read_whose_coordinator_moved_while_they_were_taken() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic(TOPIC, 1, 1).unwrap();
    let arguments = KafkaArguments { bootstrap_servers: kafka.bootstrap_servers(), ..KafkaArguments::default() };
    let producer: BaseProducer = KafkaSettings::new(&arguments, "test").producer().create().unwrap();
    producer.send(BaseRecord::<(), str>::to(TOPIC).payload("first")).unwrap();
    producer.flush(PATIENCE).unwrap();

    kafka.request_errors(RDKafkaApiKey::OffsetFetch, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR; 2]);
    let member = join(arguments, "first");
    let mut refusals = 0;
    let mut read = None;
    until(|| {
        read = member.poll(Duration::from_millis(20)).map(|message| message.unwrap().payload().unwrap().to_vec());
        while let Some(rebalance) = member.context().take_rebalance() {
            let Some(done) = prepared(&member, rebalance) else {
                refusals += 1;
                break;
            };
            group::follow(&member, &done).unwrap();
        }
        read.is_some()
    });
    assert_eq!((read.as_deref(), refusals), (Some(b"first".as_slice()), 2));
}

/// KIP-848: the members tell what they have, and brokers what they are to have.
#[test]
fn brokers_may_share_out_the_partitions() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic(TOPIC, 4, 1).unwrap();
    let arguments = KafkaArguments {
        bootstrap_servers: kafka.bootstrap_servers(),
        kafka_properties: vec!["group.protocol=consumer".parse().unwrap()],
        ..KafkaArguments::default()
    };
    let first = join(arguments.clone(), "first");
    until(|| {
        turn(&first);
        assigned(&first) == 4
    });
    let second = join(arguments, "second");
    share_until_one_leaves(first, &second);
}
