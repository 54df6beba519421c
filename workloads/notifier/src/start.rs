//! What has to hold before alerts are read: a broker answers, the topics are there and may be written, no other notifier of the
//! pipeline can write any more, and its incidents were read.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use thiserror::Error;
use tokio::runtime::Handle;
use vedette_contract::TopicName;
use vedette_service::{Backoff, Readiness, Shutdown, error_chain};
use vedette_streams::kafka::group::{self, GroupConsumer};
use vedette_streams::kafka::{self, ErrorClass, Isolation, KafkaSettings, TopicReader, check_writable, classify};

use crate::history::History;
use crate::incidents::{Incidents, Rules};
use crate::readiness::{BROKER, INCIDENTS};
use crate::writer::Writer;

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// Why the notifier does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The client's settings, or what the broker says of them.
    #[error(transparent)]
    Kafka(#[from] kafka::KafkaError),
    /// A client cannot be made of the settings.
    #[error("the Kafka client refuses its settings; check the Kafka properties")]
    Settings(#[source] KafkaError),
    /// The broker does not let it.
    #[error("cannot {attempt}")]
    Refused {
        attempt: &'static str,
        #[source]
        source: KafkaError,
    },
}

impl StartError {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Kafka(error) => error.reason(),
            Self::Settings(_) => "InvalidKafkaSettings",
            Self::Refused { .. } => "KafkaRefused",
        }
    }

    fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka(error) => error.is_retriable(),
            Self::Refused { source, .. } => classify(source) == ErrorClass::Retriable,
            Self::Settings(_) => false,
        }
    }
}

/// What is read and written, and by what rules.
#[derive(Debug, Clone)]
pub(crate) struct StartSettings {
    pub(crate) kafka: KafkaSettings,
    /// Consumer group, and transactional id.
    pub(crate) group: String,
    pub(crate) alerts: TopicName,
    pub(crate) incidents: TopicName,
    pub(crate) rules: Rules,
}

/// What the loop works with.
pub(crate) struct Started {
    pub(crate) consumer: GroupConsumer,
    pub(crate) writer: Writer,
    pub(crate) incidents: Incidents,
    /// Of the alerts, with the offset of the next where that is known.
    pub(crate) positions: Vec<(i32, Option<i64>)>,
}

/// Waits until all of it holds. `None` when shutdown came first. Blocks; call it where that is allowed, inside a runtime.
///
/// # Errors
/// When waiting cannot help.
pub(crate) fn start(
    settings: &StartSettings,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<Started>, StartError> {
    let reader = TopicReader::new(&settings.kafka)?;
    wait_for(|| attempt(&reader, settings, readiness, shutdown), readiness, shutdown).map(Option::flatten)
}

fn attempt(
    reader: &TopicReader,
    settings: &StartSettings,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<Started>, StartError> {
    let StartSettings { kafka, group, alerts, incidents: topic, rules } = settings;
    let [alert_partitions, partitions] = reader.count_partitions([alerts, topic], BROKER_TIMEOUT)?;
    check_writable(kafka, group, &[topic])?;
    readiness.hold(BROKER);
    let writer = Writer::create(kafka, group, topic.clone()).map_err(StartError::Settings)?;
    writer.initialize().map_err(refused("start the transactional producer"))?;

    let mut incidents = Incidents::new(rules.clone());
    let history = History { kafka, group, topic, partitions, owner: &rules.owner };
    history.read(&mut incidents, shutdown).map_err(refused("read the incidents"))?;
    if shutdown.is_cancelled() {
        return Ok(None);
    }
    let mut config = kafka.consumer(group, Isolation::ReadCommitted);
    config.set("enable.partition.eof", "true");
    let consumer = group::create(&config, kafka.context()).map_err(StartError::Settings)?;
    let positions =
        assign(&consumer, alerts, alert_partitions).map_err(refused("go to where alerts were read up to"))?;
    readiness.hold(INCIDENTS);
    Ok(Some(Started { consumer, writer, incidents, positions }))
}

/// All partitions, without the group's consent: who writes decides who acts.
fn assign(consumer: &GroupConsumer, topic: &TopicName, partitions: i32) -> KafkaResult<Vec<(i32, Option<i64>)>> {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(topic.as_str(), partition);
    }
    let beginnings = group::beginnings(consumer, &list, BROKER_TIMEOUT)?;
    consumer.assign(&beginnings)?;
    let known = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
    Ok(beginnings.elements().iter().map(|element| (element.partition(), known(element.offset()))).collect())
}

fn refused(attempt: &'static str) -> impl FnOnce(KafkaError) -> StartError {
    move |source| StartError::Refused { attempt, source }
}

/// What an attempt brings, once the broker and its ACLs let it; `None` when shutdown came first.
fn wait_for<T>(
    mut attempt: impl FnMut() -> Result<T, StartError>,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<T>, StartError> {
    let mut backoff = BACKOFF;
    loop {
        match attempt() {
            Ok(brought) => return Ok(Some(brought)),
            Err(cause) if cause.is_retriable() => readiness.fail(BROKER, error_chain(&cause)),
            Err(cause) => return Err(cause),
        }
        let _ = Handle::current().block_on(tokio::time::timeout(backoff.failed(), shutdown.cancelled()));
        if shutdown.is_cancelled() {
            return Ok(None);
        }
    }
}
