//! What has to hold before the detector joins its group: a broker answers, the topics fit, and the transactional producer
//! is known. Until then the old detectors keep the partitions.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use thiserror::Error;
use tokio::runtime::Handle;
use vedette_contract::TopicName;
use vedette_contract::arguments::ProcessingGuarantee;
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::kafka::{self, ErrorClass, Isolation, KafkaSettings, check_topics, classify};

use super::{Stream, Topics};
use crate::detector::Detector;
use crate::group::{GroupConsumer, GroupContext};
use crate::metrics::Metrics;
use crate::unit::{DeliveryContext, UnitOfWork};
use crate::{BROKER, GROUP};

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why the stream does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The client's settings, or what the broker says of them.
    #[error(transparent)]
    Kafka(#[from] kafka::KafkaError),
    /// A client cannot be made of the settings.
    #[error("the Kafka client refuses its settings; check the Kafka properties")]
    Settings(#[source] KafkaError),
    /// Records keep their partition number.
    #[error(
        "topic {topic} has {partitions} partitions and the input {input} has {input_partitions}: \
         a record keeps its partition number, so give {topic} at least {input_partitions}"
    )]
    FewerPartitions {
        /// The output.
        topic: TopicName,
        /// How many it has.
        partitions: i32,
        /// The input.
        input: TopicName,
        /// How many that has.
        input_partitions: i32,
    },
    /// The broker refuses the transactional producer or the subscription.
    #[error("cannot {attempt}")]
    Refused {
        /// What was attempted.
        attempt: &'static str,
        /// The client's error.
        #[source]
        source: KafkaError,
    },
}

impl StartError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Kafka(error) => error.reason(),
            Self::Settings(_) => "InvalidKafkaSettings",
            Self::FewerPartitions { .. } => "FewerPartitions",
            Self::Refused { .. } => "KafkaRefused",
        }
    }

    fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka(error) => error.is_retriable(),
            Self::Refused { source, .. } => classify(source) == ErrorClass::Retriable,
            Self::Settings(_) | Self::FewerPartitions { .. } => false,
        }
    }
}

/// Where the stream is and how it is read and written.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    pub kafka: KafkaSettings,
    pub group: String,
    /// Transactional id: the process's own name.
    pub pod_name: String,
    pub guarantee: ProcessingGuarantee,
    /// The number of partitions of the dead letters is found out here.
    pub topics: Topics,
}

/// Waits until a broker answers and the topics are there, then joins the group. `None` when shutdown came first. Blocks;
/// call it where that is allowed, inside a runtime.
///
/// # Errors
/// When waiting cannot help.
pub fn start(
    settings: StreamSettings,
    detector: Detector,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
) -> Result<Option<Stream>, StartError> {
    let StreamSettings { kafka, group, pod_name, guarantee, mut topics } = settings;
    let consumer: GroupConsumer = kafka
        .consumer(&group, Isolation::ReadCommitted)
        .create_with_context(GroupContext::default())
        .map_err(StartError::Settings)?;
    let mut producer = match guarantee {
        ProcessingGuarantee::ExactlyOnce => kafka.transactional_producer(&pod_name),
        ProcessingGuarantee::AtLeastOnce => kafka.producer(),
    };
    let largest = producer.get("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    if topics.max_message_bytes > largest {
        producer.set("message.max.bytes", topics.max_message_bytes.to_string());
    }
    let producer = producer.create_with_context(DeliveryContext::default()).map_err(StartError::Settings)?;
    let unit = UnitOfWork::new(producer, guarantee, topics.sensor_messages.clone(), shutdown.clone());

    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = dead_letter_partitions(&kafka, &consumer, &topics).and_then(|partitions| {
            unit.initialize()
                .map_err(|source| StartError::Refused { attempt: "start the transactional producer", source })?;
            Ok(partitions)
        });
        match attempt {
            Ok(partitions) => {
                topics.dead_letter_partitions = partitions;
                break;
            }
            Err(cause) if cause.is_retriable() => readiness.fail(BROKER, error_chain(&cause)),
            Err(cause) => return Err(cause),
        }
        let _ = Handle::current().block_on(tokio::time::timeout(pause, shutdown.cancelled()));
        if shutdown.is_cancelled() {
            return Ok(None);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    readiness.hold(BROKER);
    readiness.fail(GROUP, "joining");
    consumer
        .subscribe(&[topics.sensor_messages.as_str()])
        .map_err(|source| StartError::Refused { attempt: "subscribe to the input", source })?;
    let (rewinds, broker_in_doubt) = (0, false);
    Ok(Some(Stream { consumer, unit, detector, topics, metrics, readiness, shutdown, rewinds, broker_in_doubt }))
}

/// Checks that all topics are there and the outputs have a partition for each of the input's.
fn dead_letter_partitions(kafka: &KafkaSettings, consumer: &GroupConsumer, topics: &Topics) -> Result<i32, StartError> {
    let Topics { sensor_messages, enriched_data, alerts, dead_letters, .. } = topics;
    check_topics(kafka, &[sensor_messages, enriched_data, alerts, dead_letters], BROKER_TIMEOUT)?;
    let partitions = |topic: &TopicName| {
        let metadata = consumer
            .fetch_metadata(Some(topic.as_str()), BROKER_TIMEOUT)
            .map_err(|source| StartError::Refused { attempt: "count the partitions of a topic", source })?;
        let count = metadata.topics().iter().map(|topic| topic.partitions().len()).sum::<usize>();
        Ok::<_, StartError>(i32::try_from(count).unwrap_or(i32::MAX))
    };
    let input_partitions = partitions(sensor_messages)?;
    for topic in [enriched_data, alerts] {
        let partitions = partitions(topic)?;
        if partitions < input_partitions {
            let (topic, input) = (topic.clone(), sensor_messages.clone());
            return Err(StartError::FewerPartitions { topic, partitions, input, input_partitions });
        }
    }
    partitions(dead_letters)
}
