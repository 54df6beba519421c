//! A broker in memory, detectors in tasks, and readers that see what any reader of committed records sees.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use vedette_contract::arguments::DetectorArguments;
use vedette_detector::DetectorError;
use vedette_service::Shutdown;
use vedette_streams::kafka::{Isolation, KafkaSettings};
use vedette_testing::{TestBroker, free_address, http_get};

pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
pub(crate) const TOPICS: [&str; 4] = ["sensor_messages", "enriched_data", "alerts", "dead_letters"];

pub(crate) struct Broker {
    pub embedded: TestBroker,
}

impl Broker {
    /// A broker with the four topics, each with this many partitions.
    pub(crate) async fn start(partitions: [i32; 4]) -> Self {
        // The messages' timestamps are of one day; a test must not depend on how long ago that is.
        let topic = |(name, partitions)| format!("{name}:partitions={partitions},retention.ms=-1");
        let topics: Vec<String> = TOPICS.iter().zip(partitions).map(topic).collect();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        Self { embedded: TestBroker::with_topics(&topics).await }
    }

    /// Gives a topic so many partitions, as whoever owns it may.
    pub(crate) async fn grow(&self, topic: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.settings("owner").base().create().unwrap();
        let grown = NewPartitions::new(topic, partitions);
        for result in admin.create_partitions([&grown], &AdminOptions::new()).await.unwrap() {
            result.unwrap();
        }
    }

    /// Configures a topic, as whoever owns it may.
    pub(crate) async fn configure(&self, topic: &str, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.settings("owner").base().create().unwrap();
        let mut wanted = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (key, value) in settings {
            wanted = wanted.set(key, value);
        }
        for result in admin.alter_configs([&wanted], &AdminOptions::new()).await.unwrap() {
            result.unwrap();
        }
    }

    /// Deletes a topic and creates it again, with one partition.
    pub(crate) async fn make_anew(&self, topic: &str) {
        let admin: AdminClient<DefaultClientContext> = self.settings("owner").base().create().unwrap();
        admin.delete_topics(&[topic], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
        self.embedded.create_topics(&[&format!("{topic}:partitions=1,retention.ms=-1")]).await;
    }

    /// Deletes what stands before this offset of partition 0 of the input, as retention does.
    pub(crate) async fn pass(&self, offset: i64) {
        self.embedded.delete_records(TOPICS[0], 0, offset).await;
    }

    /// Produces these messages to partition 0.
    pub(crate) fn produce_without_key(&self, values: Vec<Vec<u8>>) {
        let producer: BaseProducer = self.settings("source").producer().create().unwrap();
        send(&producer, &values);
        producer.flush(DEADLINE).unwrap();
    }

    /// The same in one transaction.
    pub(crate) fn produce_in_transaction(&self, values: Vec<Vec<u8>>) {
        let producer: BaseProducer = self.settings("source").transactional_producer("source").create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        producer.begin_transaction().unwrap();
        send(&producer, &values);
        producer.commit_transaction(DEADLINE).unwrap();
    }

    pub(crate) fn settings(&self, client_id: &str) -> KafkaSettings {
        self.embedded.settings(client_id)
    }

    /// Produces these messages, each with a key, a header and a timestamp of its own, round robin over the partitions.
    pub(crate) fn produce<'a>(&self, partitions: i32, values: impl IntoIterator<Item = &'a [u8]>) {
        let messages = values.into_iter().enumerate().map(|(number, value)| (format!("key-{number}"), value));
        self.produce_with_headers(partitions, messages);
    }

    /// The same, with these headers.
    pub(crate) fn produce_with_headers<'a>(
        &self,
        partitions: i32,
        messages: impl IntoIterator<Item = (String, &'a [u8])>,
    ) {
        let producer: BaseProducer = self.settings("source").producer().create().unwrap();
        for (number, (header, value)) in (0..).zip(messages) {
            let key = format!("key-{number}");
            let header = rdkafka::message::Header { key: "trace", value: Some(&header) };
            let record = BaseRecord::to(TOPICS[0])
                .partition(number % partitions)
                .key(&key)
                .payload(value)
                .timestamp(1_700_000_000_000 + i64::from(number))
                .headers(rdkafka::message::OwnedHeaders::new().insert(header));
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
    }

    /// Reads committed records of these topics from the beginning until there are so many, and then until there are
    /// no more.
    pub(crate) fn read(&self, topics: &[(&str, i32)], count: usize) -> Vec<OwnedMessage> {
        self.read_until(topics, |messages| messages.len() >= count)
    }

    /// As [`Broker::read`], until they are `enough`.
    pub(crate) fn read_until(
        &self,
        topics: &[(&str, i32)],
        enough: impl Fn(&[OwnedMessage]) -> bool,
    ) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer =
            self.settings("reader").consumer("reader", Isolation::ReadCommitted).create().unwrap();
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for partition in 0..*partitions {
                list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&list).unwrap();
        let (started, mut messages) = (Instant::now(), Vec::new());
        loop {
            match consumer.poll(Duration::from_millis(500)) {
                Some(message) => messages.push(message.unwrap().detach()),
                None if enough(&messages) => return messages,
                None => assert!(started.elapsed() < DEADLINE, "only {} messages arrived", messages.len()),
            }
        }
    }

    /// How many messages partition 0 of the enriched data holds.
    pub(crate) fn written(&self) -> i64 {
        let consumer: BaseConsumer = self.settings("onlooker").base().create().unwrap();
        consumer.fetch_watermarks(TOPICS[1], 0, DEADLINE).unwrap().1
    }

    /// How far the detectors have committed partition 0 of the input.
    pub(crate) fn committed(&self) -> Option<i64> {
        let settings = self.settings("onlooker");
        let consumer: BaseConsumer = settings.consumer("detectors", Isolation::ReadCommitted).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(TOPICS[0], 0);
        match consumer.committed_offsets(list, DEADLINE).unwrap().elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }
}

fn send(producer: &BaseProducer, values: &[Vec<u8>]) {
    for value in values {
        let record = BaseRecord::<(), _>::to(TOPICS[0]).partition(0).payload(value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
}

pub(crate) struct Running {
    pub probes: SocketAddr,
    pub shutdown: Shutdown,
    pub handle: JoinHandle<Result<(), DetectorError>>,
}

/// Starts a detector with these arguments beyond those that all have.
pub(crate) fn detector(broker: &Broker, pod_name: &str, directory: &Path, more: &[&str]) -> Running {
    if std::env::var_os("RUST_LOG").is_some() {
        vedette_service::initialize_telemetry();
    }
    let words = arguments(broker, pod_name, directory, more);
    let arguments = DetectorArguments::try_parse_from(["vedette-detector".to_owned()].iter().chain(&words)).unwrap();
    let (probes, shutdown) = (arguments.service.listen_address, Shutdown::new());
    let handle = tokio::spawn(vedette_detector::run(arguments, shutdown.clone()));
    Running { probes, shutdown, handle }
}

/// The arguments that all have, and more.
pub(crate) fn arguments(broker: &Broker, pod_name: &str, directory: &Path, more: &[&str]) -> Vec<String> {
    let words = [
        format!("--bootstrap-servers={}", broker.embedded.address()),
        format!("--listen-address={}", free_address()),
        format!("--pod-name={pod_name}"),
        "--namespace=team".to_owned(),
        "--pipeline=flows".to_owned(),
        "--site=east".to_owned(),
        "--group=detectors".to_owned(),
        "--sensor-messages-topic=sensor_messages".to_owned(),
        "--enriched-data-topic=enriched_data".to_owned(),
        "--alerts-topic=alerts".to_owned(),
        "--dead-letters-topic=dead_letters".to_owned(),
        "--calculated-field=total_bytes=src_bytes + dst_bytes".to_owned(),
        "--reasons=3".to_owned(),
        "--bucket-endpoint=http://127.0.0.1:1".to_owned(),
        "--bucket=b".to_owned(),
        "--access-key-id=a".to_owned(),
        "--secret-access-key=s".to_owned(),
        format!("--model-directory={}", directory.display()),
    ];
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let is_given = |word: &String| more.iter().any(|given| name(given) == name(word) && !word.contains("-field"));
    let words = words.into_iter().filter(|word| !is_given(word));
    words.chain(more.iter().map(|word| (*word).to_owned())).collect()
}

impl Drop for Running {
    /// A test that fails must not wait for its detectors for ever.
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Running {
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.outcome().await.unwrap();
    }

    /// How the detector ended.
    pub(crate) async fn outcome(&mut self) -> Result<(), DetectorError> {
        tokio::time::timeout(DEADLINE, &mut self.handle).await.unwrap().unwrap()
    }

    /// What `path` answers, status line and body; empty while nobody listens.
    pub(crate) async fn ask(&self, path: &str) -> String {
        http_get(self.probes, path).await
    }

    pub(crate) async fn wait_until_ready(&self) {
        self.wait_for("/readyz", |answer| answer.starts_with("HTTP/1.1 200")).await;
    }

    /// Returns the answer that the condition holds of.
    pub(crate) async fn wait_for(&self, path: &str, condition: impl Fn(&str) -> bool) -> String {
        let (started, mut last) = (Instant::now(), String::new());
        while started.elapsed() < DEADLINE {
            assert!(!self.handle.is_finished(), "the detector ended");
            last = self.ask(path).await;
            if condition(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} answers {last:?}");
    }
}

pub(crate) fn headers(message: &OwnedMessage) -> BTreeMap<String, String> {
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
    message
        .headers()
        .map(|headers| headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect())
        .unwrap_or_default()
}
