//! The broker of `vedette local`, as tests use it.

use std::net::SocketAddr;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use vedette_contract::arguments::KafkaArguments;
use vedette_embedded::broker::{EmbeddedBroker, HeldProduces};
use vedette_streams::kafka::{KafkaSettings, ensure_topics};

const PATIENCE: Duration = Duration::from_secs(30);

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

    /// Takes no more than so many bytes a second of what this client produces.
    pub fn slow_down_produces(&self, client_id: &str, bytes_a_second: u32) {
        self.embedded.slow_down_produces(client_id, bytes_a_second);
    }

    /// Answers the next questions of this client for its group's committed offsets as a coordinator that moved.
    pub fn refuse_offset_fetches(&self, client_id: &str, count: usize) {
        self.embedded.refuse_offset_fetches(client_id, count);
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
