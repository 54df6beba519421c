//! A broker in memory and a bucket, notifiers in tasks, and a reader that sees what any reader of committed records sees.

pub(crate) mod receiver;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use tokio::task::JoinHandle;
use vedette_contract::arguments::NotifierArguments;
use vedette_contract::health::Health;
use vedette_contract::incident::Incident;
use vedette_contract::keys::PipelineKeys;
use vedette_notifier::NotifierError;
use vedette_service::Shutdown;
use vedette_streams::kafka::Isolation;
use vedette_testing::{TestBroker, TestBucket, eventually, free_address, http_get};

pub(crate) const DEADLINE: Duration = Duration::from_secs(240);
const PARTITIONS: i32 = 2;

pub(crate) struct Broker {
    pub(crate) embedded: TestBroker,
    pub(crate) bucket: TestBucket,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        Self::whose_incidents_take_messages_of(1_048_576).await
    }

    /// Its topic of incidents accepts messages, and batches, of so many bytes.
    pub(crate) async fn whose_incidents_take_messages_of(bytes: usize) -> Self {
        let incidents = "incidents:partitions=2,cleanup.policy=compact,delete,min.compaction.lag.ms=86400000";
        let incidents = format!("{incidents},max.message.bytes={bytes}");
        let embedded = TestBroker::with_topics(&["alerts:partitions=2,retention.ms=-1", &incidents]).await;
        Self { embedded, bucket: TestBucket::serve().await }
    }

    /// Produces these alerts, round robin over the partitions.
    pub(crate) fn produce(&self, alerts: impl IntoIterator<Item = String>) {
        let producer: BaseProducer = self.embedded.settings("detector").producer().create().unwrap();
        send(&producer, alerts);
        producer.flush(DEADLINE).unwrap();
    }

    /// The same in one transaction.
    pub(crate) fn produce_in_transaction(&self, alerts: impl IntoIterator<Item = String>) {
        self.transaction(alerts).commit_transaction(DEADLINE).unwrap();
    }

    /// Produces alerts in a transaction that is aborted.
    pub(crate) fn produce_in_vain(&self, alerts: impl IntoIterator<Item = String>) {
        self.transaction(alerts).abort_transaction(DEADLINE).unwrap();
    }

    fn transaction(&self, alerts: impl IntoIterator<Item = String>) -> BaseProducer {
        let producer: BaseProducer =
            self.embedded.settings("killed").transactional_producer("killed").create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        producer.begin_transaction().unwrap();
        send(&producer, alerts);
        producer.flush(DEADLINE).unwrap();
        producer
    }

    /// Writes incidents as somebody else does.
    pub(crate) fn write_incidents(&self, incidents: impl IntoIterator<Item = Incident>) {
        incidents.into_iter().for_each(|incident| self.write_incident_to(0, &incident));
    }

    /// The same, to this partition.
    pub(crate) fn write_incident_to(&self, partition: i32, incident: &Incident) {
        let producer: BaseProducer = self.embedded.settings("other").producer().create().unwrap();
        let (key, value) = (incident.id.to_string(), serde_json::to_string(incident).unwrap());
        let record = BaseRecord::to("incidents").partition(partition).key(&key).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(DEADLINE).unwrap();
    }

    /// All that was written, and of each incident how it stands, once that is `enough`.
    pub(crate) async fn incidents(&self, enough: impl Fn(&[Incident]) -> bool) -> (Vec<Incident>, Vec<Incident>) {
        let started = Instant::now();
        loop {
            let written = tokio::task::block_in_place(|| self.written());
            let standing: BTreeMap<_, _> = written.iter().cloned().map(|incident| (incident.id, incident)).collect();
            let mut standing: Vec<_> = standing.into_values().collect();
            standing.sort_by_key(|incident| incident.first_utc);
            if enough(&standing) {
                return (written, standing);
            }
            assert!(started.elapsed() < DEADLINE, "{standing:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn written(&self) -> Vec<Incident> {
        let mut config = self.embedded.settings("reader").consumer("reader", Isolation::ReadCommitted);
        let consumer: BaseConsumer = config.set("enable.partition.eof", "true").create().unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset("incidents", partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let (started, mut ended, mut written) = (Instant::now(), 0, Vec::new());
        while ended < PARTITIONS {
            assert!(started.elapsed() < DEADLINE);
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let incident: Incident = serde_json::from_slice(message.payload().unwrap()).unwrap();
                    assert_eq!(message.key().unwrap(), incident.id.to_string().as_bytes());
                    written.push(incident);
                }
                Some(Err(_)) => ended += 1,
                None => {}
            }
        }
        written
    }

    /// What the notifier of this pod tells of itself.
    pub(crate) async fn health(&self, pod_name: &str) -> Option<Health> {
        let keys = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
        self.bucket.json(&keys.health(&"east".parse().unwrap(), pod_name)).await
    }

    /// How far the alerts of each partition were read for what is written.
    pub(crate) fn committed(&self) -> Vec<Offset> {
        let settings = self.embedded.settings("onlooker");
        let consumer: BaseConsumer =
            settings.consumer("team.flows.notifier", Isolation::ReadCommitted).create().unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition("alerts", partition);
        }
        consumer
            .committed_offsets(list, DEADLINE)
            .unwrap()
            .elements()
            .iter()
            .map(TopicPartitionListElem::offset)
            .collect()
    }
}

fn send(producer: &BaseProducer, alerts: impl IntoIterator<Item = String>) {
    for (number, alert) in (0..).zip(alerts) {
        let record: BaseRecord<'_, [u8], _> =
            BaseRecord::to("alerts").partition(number % PARTITIONS).payload(alert.as_bytes());
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
}

pub(crate) struct Running {
    pub(crate) probes: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) handle: JoinHandle<Result<(), NotifierError>>,
}

/// Starts a notifier with these arguments beyond those that all have.
pub(crate) fn notifier(broker: &Broker, pod_name: &str, more: &[&str]) -> Running {
    if std::env::var_os("RUST_LOG").is_some() {
        vedette_service::initialize_telemetry();
    }
    let probes = free_address();
    let arguments = NotifierArguments::try_parse_from(words(broker, probes, pod_name, more)).unwrap();
    let shutdown = Shutdown::new();
    let handle = tokio::spawn(vedette_notifier::run(arguments, shutdown.clone()));
    Running { probes, shutdown, handle }
}

/// The command line of a notifier.
pub(crate) fn words(broker: &Broker, probes: SocketAddr, pod_name: &str, more: &[&str]) -> Vec<String> {
    let words = [
        "vedette-notifier".to_owned(),
        format!("--bootstrap-servers={}", broker.embedded.address()),
        "--kafka-property=receive.message.max.bytes=2147483647".to_owned(),
        format!("--listen-address={probes}"),
        format!("--pod-name={pod_name}"),
        "--namespace=team".to_owned(),
        "--pipeline=flows".to_owned(),
        "--site=east".to_owned(),
        "--group=team.flows.notifier".to_owned(),
        "--alerts-topic=alerts".to_owned(),
        "--incidents-topic=incidents".to_owned(),
    ];
    words.into_iter().chain(broker.bucket.options()).chain(more.iter().map(|word| (*word).to_owned())).collect()
}

impl Drop for Running {
    /// A test that fails must not wait for its notifiers for ever.
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Running {
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.outcome().await.unwrap();
    }

    /// How the notifier ended.
    pub(crate) async fn outcome(&mut self) -> Result<(), NotifierError> {
        tokio::time::timeout(DEADLINE, &mut self.handle).await.unwrap().unwrap()
    }

    pub(crate) async fn is_ready(&self) -> bool {
        http_get(self.probes, "/readyz").await.starts_with("HTTP/1.1 200")
    }

    pub(crate) async fn metrics(&self) -> String {
        http_get(self.probes, "/metrics").await
    }

    /// Waits until `chat` has taken so many messages and that is known: what is not known is told once more after a restart.
    pub(crate) async fn has_delivered(&self, messages: usize) {
        let line = format!("vedette_notifier_deliveries_total{{receiver=\"chat\"}} {messages}\n");
        eventually("it is taken", async || self.metrics().await.contains(&line)).await;
    }
}
