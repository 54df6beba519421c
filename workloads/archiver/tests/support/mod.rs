//! A broker, a bucket and archivers between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use vedette_archive::{VerifyReport, verify};
use vedette_archiver::ArchiverError;
use vedette_contract::archive::Stream;
use vedette_contract::arguments::{ArchiverArguments, PipelineArguments, ServiceArguments};
use vedette_contract::health::Health;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_registry::progress;
use vedette_service::Shutdown;
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::{Isolation, KafkaSettings};
use vedette_testing::{TestBroker, TestBucket, eventually, free_address, http_get};

pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
pub(crate) const GROUP: &str = "archiver";
/// 2026-11-23T12:00:00Z in milliseconds.
pub(crate) const NOON: i64 = 1_795_435_200_000;
pub(crate) const DAY: i64 = 86_400_000;

/// One pipeline's world.
pub(crate) struct World {
    pub directory: TempDir,
    pub store: TestBucket,
    pub bucket: Bucket,
    pub keys: PipelineKeys,
    pub broker: TestBroker,
    pub settings: KafkaSettings,
}

/// An archiver that runs.
pub(crate) struct Running {
    /// A test that fails would otherwise wait for ever for the thread of its archiver.
    shutdown: tokio_util::sync::DropGuard,
    handle: JoinHandle<Result<(), ArchiverError>>,
    pub address: SocketAddr,
    pub pod: String,
}

impl World {
    /// With the topics `e` (enriched data) and `a` (alerts).
    pub(crate) async fn new(partitions: i32) -> Self {
        vedette_service::initialize_telemetry();
        let directory = TempDir::new().unwrap();
        let store = TestBucket::serve().await;
        let broker = TestBroker::start();
        let world = Self {
            bucket: store.bucket.clone(),
            keys: PipelineKeys::new(&name("n"), &name("p")),
            directory,
            store,
            settings: broker.settings("test"),
            broker,
        };
        world.create_topics(partitions).await;
        world
    }

    pub(crate) async fn create_topics(&self, partitions: i32) {
        // The records' timestamps are of one day; a test must not depend on how long ago that is.
        let topics = ["e", "a"].map(|topic| format!("{topic}:partitions={partitions},retention.ms=-1"));
        self.broker.create_topics(&topics.each_ref().map(String::as_str)).await;
    }

    pub(crate) fn arguments(&self) -> ArchiverArguments {
        let free = free_address();
        ArchiverArguments {
            kafka: self.broker.arguments(),
            service: ServiceArguments { listen_address: free, pod_name: format!("archiver-{}", free.port()) },
            bucket: self.store.arguments(),
            owner: PipelineArguments { namespace: name("n"), pipeline: name("p"), site: name("s") },
            group: GROUP.to_owned(),
            topics: vec!["enriched_data=e".parse().unwrap(), "alerts=a".parse().unwrap()],
            rolling_max_bytes: 2_000,
            rolling_max_age_seconds: 3_600,
            tail_interval_seconds: 1,
            spool_directory: self.directory.path().join(format!("spool-{}", free.port())),
        }
    }

    // Every archiver belongs to a world, whose broker and bucket its arguments name.
    #[allow(clippy::unused_self)]
    pub(crate) fn start(&self, arguments: ArchiverArguments) -> Running {
        let shutdown = Shutdown::new();
        let ServiceArguments { listen_address: address, pod_name: pod } = arguments.service.clone();
        let handle = tokio::spawn(vedette_archiver::run(arguments, shutdown.clone()));
        Running { shutdown: shutdown.drop_guard(), handle, address, pod }
    }

    /// Sends records in one transaction, spread over the partitions of the topic by the value's number.
    pub(crate) fn produce(&self, topic: &str, partitions: i32, values: impl Iterator<Item = String>, timestamp: i64) {
        self.transaction(topic, partitions, values, timestamp).commit_transaction(PATIENCE).unwrap();
    }

    /// Sends records and takes them back.
    pub(crate) fn abort(&self, topic: &str, partitions: i32, values: impl Iterator<Item = String>) {
        self.transaction(topic, partitions, values, NOON).abort_transaction(PATIENCE).unwrap();
    }

    fn transaction(
        &self,
        topic: &str,
        partitions: i32,
        values: impl Iterator<Item = String>,
        timestamp: i64,
    ) -> BaseProducer {
        let producer: BaseProducer = self.settings.transactional_producer("producer").create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        for (number, value) in (0..).zip(values) {
            let record =
                BaseRecord::<(), _>::to(topic).payload(&value).partition(number % partitions).timestamp(timestamp);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        producer
    }

    /// Deletes what stands before this offset of partition 0, as retention does.
    pub(crate) async fn pass(&self, topic: &str, offset: i64) {
        self.broker.delete_records(topic, 0, offset).await;
    }

    fn consumer(&self) -> BaseConsumer {
        self.settings.consumer(GROUP, Isolation::ReadCommitted).create().unwrap()
    }

    /// Commits for the group, as if its archiver had come so far and no farther.
    pub(crate) fn commit(&self, topic: &str, partition: i32, offset: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        self.consumer().commit(&offsets, CommitMode::Sync).unwrap();
    }

    pub(crate) fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition(topic, partition);
        let committed = self.consumer().committed_offsets(partitions, PATIENCE).unwrap();
        match committed.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Full keys of the stream's closed objects, in order, each with its lines.
    pub(crate) async fn objects(&self, stream: Stream) -> BTreeMap<String, Vec<String>> {
        let mut objects = BTreeMap::new();
        for key in self.keys_below(&self.keys.stream(stream)).await {
            if !key.contains(".tmp/") {
                let bytes = self.bucket.get(&key).await.unwrap().unwrap().bytes;
                objects.insert(key, lines(&bytes));
            }
        }
        objects
    }

    /// Every archived line of the stream, sorted.
    pub(crate) async fn archived(&self, stream: Stream) -> Vec<String> {
        let mut lines: Vec<_> = self.objects(stream).await.into_values().flatten().collect();
        lines.sort();
        lines
    }

    pub(crate) async fn deltas(&self, stream: Stream) -> Vec<String> {
        let keys = self.keys_below(&self.keys.stream(stream)).await;
        keys.into_iter().filter(|key| key.contains(".tmp/")).collect()
    }

    async fn keys_below(&self, prefix: &str) -> Vec<String> {
        self.bucket.list(prefix, None).await.unwrap().into_iter().map(|object| object.key).collect()
    }

    pub(crate) async fn progress(&self, topic: &str, partition: i32) -> Option<Progress> {
        let partition = ProgressKey { site: name("s"), topic: topic.parse().unwrap(), partition };
        progress::load(&self.bucket, &self.keys, &partition).await.unwrap()
    }

    /// Records of the topic that can be read from the bucket.
    pub(crate) async fn readable(&self, topic: &str, partitions: i32) -> u64 {
        let mut records = 0;
        for partition in 0..partitions {
            records += self.progress(topic, partition).await.map_or(0, |progress| progress.records);
        }
        records
    }

    /// What an archiver tells.
    pub(crate) async fn health(&self, pod: &str) -> Option<Health> {
        self.store.json(&self.keys.health(&name("s"), pod)).await
    }

    pub(crate) async fn verify(&self) -> VerifyReport {
        verify(&self.bucket, &self.keys, None, |_| {}).await.unwrap()
    }
}

impl Running {
    /// Ends it as SIGTERM would.
    pub(crate) async fn stop(self) {
        self.shutdown.disarm().cancel();
        self.handle.await.unwrap().unwrap();
    }

    /// Its end without being asked.
    pub(crate) async fn ended(self) -> Result<(), ArchiverError> {
        let _guard = self.shutdown;
        self.handle.await.unwrap()
    }

    pub(crate) async fn ready(&self) {
        eventually("the archiver is ready", async || self.get("/readyz").await.starts_with("HTTP/1.1 200")).await;
    }

    /// The value of a metric; 0 where it has none.
    pub(crate) async fn metric(&self, name: &str) -> i64 {
        let metrics = self.get("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// It holds what the bucket does not take, and asks for no more.
    pub(crate) async fn waits_for_the_bucket(&self) {
        eventually("the partition waits for the bucket", async || {
            self.get("/metrics").await.contains("vedette_archiver_paused_partitions 1")
        })
        .await;
    }

    /// The answer of its probes and metrics; empty while it does not listen.
    pub(crate) async fn get(&self, path: &str) -> String {
        http_get(self.address, path).await
    }
}

pub(crate) fn name(text: &str) -> vedette_contract::Name {
    text.parse().unwrap()
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(zstd::decode_all(bytes).unwrap()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Records with a number of fixed width, so that text order is number order.
pub(crate) fn records(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!(r#"{{"number":"{number:08}","utc":"2026-11-23T12:00:00.{number:06}Z"}}"#))
}

pub(crate) fn sorted(records: impl Iterator<Item = String>) -> Vec<String> {
    let mut records: Vec<_> = records.collect();
    records.sort();
    records
}
