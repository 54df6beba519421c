//! The broker of `vedette local`, as tests use it.

use std::net::SocketAddr;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use vedette_contract::arguments::KafkaArguments;
use vedette_embedded::broker::{EmbeddedBroker, HeldProduces, LostCoordinator, RefusedWrite};
use vedette_streams::kafka::{KafkaSettings, ensure_topics};

const PATIENCE: Duration = Duration::from_secs(120);

/// A broker in memory; it stops when it is dropped.
pub struct TestBroker {
    embedded: EmbeddedBroker,
}

impl TestBroker {
    /// A broker without topics.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    /// The same, where clients look for one already.
    pub fn start_at(address: SocketAddr) -> Self {
        Self { embedded: EmbeddedBroker::start(address).unwrap() }
    }

    /// A broker with these topics, each as the topic Job is given it.
    pub async fn with_topics(topics: &[&str]) -> Self {
        let broker = Self::start();
        broker.create_topics(topics).await;
        broker
    }

    /// Creates topics, each as the topic Job is given it.
    pub async fn create_topics(&self, topics: &[&str]) {
        let topics: Vec<_> = topics.iter().map(|topic| topic.parse().unwrap()).collect();
        ensure_topics(&self.settings("test"), &topics, PATIENCE).await.unwrap();
    }

    /// Makes it so many partitions.
    pub async fn grow(&self, topic: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.settings("test").base().create().unwrap();
        let grown = NewPartitions::new(topic, partitions);
        for result in admin.create_partitions([&grown], &AdminOptions::new()).await.unwrap() {
            result.unwrap();
        }
    }

    /// Deletes what stands before this offset, as retention does.
    pub async fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let admin: AdminClient<DefaultClientContext> = self.settings("test").base().create().unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
        for element in admin.delete_records(&offsets, &AdminOptions::new()).await.unwrap().elements() {
            element.error().unwrap();
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.embedded.address()
    }

    /// Leaves what this client produces unwritten and unanswered, until what it returns is dropped.
    pub fn hold_produces(&self, client_id: &str) -> HeldProduces {
        self.embedded.hold_produces(client_id)
    }

    /// Tells it that a process with this `client.id` is dead, which it does not find by itself.
    pub async fn process_died(&self, client_id: &str) {
        self.embedded.process_died(client_id).await;
    }

    /// Takes no more than so many bytes a second of what this client produces.
    pub fn slow_down_produces(&self, client_id: &str, bytes_a_second: u32) {
        self.embedded.slow_down_produces(client_id, bytes_a_second);
    }

    /// Leaves a partition without a leader, until it is given one.
    pub fn take_leader(&self, topic: &str, partition: i32) {
        self.embedded.take_leader(topic, partition);
    }

    /// Gives a partition its leader back.
    pub fn give_leader(&self, topic: &str, partition: i32) {
        self.embedded.give_leader(topic, partition);
    }

    /// Names to this client a coordinator of its groups that nobody reaches, until what it returns is dropped.
    pub fn lose_coordinator(&self, client_id: &str) -> LostCoordinator {
        self.embedded.lose_coordinator(client_id)
    }

    /// Names no broker to who asks, or itself again.
    pub fn name_no_broker(&self, none: bool) {
        self.embedded.name_no_broker(none);
    }

    /// Answers the next questions of this client for its group's committed offsets as a coordinator that moved.
    pub fn refuse_offset_fetches(&self, client_id: &str, count: usize) {
        self.embedded.refuse_offset_fetches(client_id, count);
    }

    /// Refuses this client to write, as an authorizer does that misses an ACL.
    pub fn refuse_writes(&self, client_id: &str, write: RefusedWrite) {
        self.embedded.refuse_writes(client_id, write);
    }

    /// Refuses the next batches of this client, as an authorizer does whose ACL comes and goes.
    pub fn refuse_batches(&self, client_id: &str, count: usize) {
        self.embedded.refuse_batches(client_id, count);
    }

    /// Refuses it no more.
    pub fn allow_writes(&self, client_id: &str) {
        self.embedded.allow_writes(client_id);
    }

    /// What a workload is given.
    pub fn arguments(&self) -> KafkaArguments {
        kafka_arguments(self.address())
    }

    /// What a client of the test's own is given.
    pub fn settings(&self, client_id: &str) -> KafkaSettings {
        KafkaSettings::new(&self.arguments(), client_id)
    }
}

/// What a workload is given whose broker is, or is not, at this address.
pub fn kafka_arguments(address: SocketAddr) -> KafkaArguments {
    KafkaArguments {
        bootstrap_servers: address.to_string(),
        // As in `vedette local`, and for its reason.
        kafka_properties: vec!["receive.message.max.bytes=2147483647".parse().unwrap()],
        ..KafkaArguments::default()
    }
}
