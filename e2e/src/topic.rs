//! Makes, reads and deletes topics of a test's Kafka as a client outside of the cluster does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{Message, Offset, TopicPartitionList};
use thiserror::Error;
use vedette_streams::kafka::{Isolation, KafkaSettings};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const READ_TIMEOUT: Duration = Duration::from_secs(240);

/// Why a topic could not be read.
#[derive(Debug, Error)]
pub enum TopicError {
    /// Kafka said no.
    #[error("could not read the topic {topic}")]
    Kafka {
        topic: String,
        /// What Kafka said.
        #[source]
        source: KafkaError,
    },
    /// Its end did not come.
    #[error("the end of the topic {topic} did not come within {seconds} s")]
    Deadline {
        topic: String,
        /// How long.
        seconds: u64,
    },
}

/// What a function makes of each record of a topic that is there now, partition by partition in order.
/// A topic that is not there has none.
///
/// # Errors
/// When Kafka does not answer.
pub fn read_to_end<T>(
    kafka: &KafkaSettings,
    topic: &str,
    isolation: Isolation,
    read: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Result<Vec<T>, TopicError> {
    read_from(kafka, topic, isolation, &BTreeMap::new(), read)
}

/// Where each partition of a topic ends now: the offset that its next record will have. A topic that is not there has none.
///
/// # Errors
/// When Kafka does not answer.
pub fn ends(kafka: &KafkaSettings, topic: &str) -> Result<BTreeMap<i32, i64>, TopicError> {
    let failed = |source| TopicError::Kafka { topic: topic.to_owned(), source };
    let consumer: BaseConsumer = kafka.base().create().map_err(failed)?;
    ends_by(&consumer, topic).map_err(failed)
}

/// As `read_to_end`, from these offsets on; a partition that has none here is read from its beginning.
///
/// # Errors
/// When Kafka does not answer.
pub fn read_from<T>(
    kafka: &KafkaSettings,
    topic: &str,
    isolation: Isolation,
    starts: &BTreeMap<i32, i64>,
    read: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Result<Vec<T>, TopicError> {
    let failed = |source| TopicError::Kafka { topic: topic.to_owned(), source };
    let mut config = kafka.consumer("vedette-e2e", isolation);
    // Transaction markers take offsets, so only Kafka knows where a partition ends.
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().map_err(failed)?;
    // Partitions that were not read to where they ended at the start, and that end.
    let mut open = ends_by(&consumer, topic).map_err(failed)?;
    let mut assignment = TopicPartitionList::new();
    for partition in open.keys() {
        let start = starts.get(partition).map_or(Offset::Beginning, |offset| Offset::Offset(*offset));
        assignment.add_partition_offset(topic, *partition, start).map_err(failed)?;
    }
    consumer.assign(&assignment).map_err(failed)?;

    let mut records = Vec::new();
    let deadline = Instant::now() + READ_TIMEOUT;
    while !open.is_empty() {
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => {
                records.push(read(&message));
                // The last offset may be a transaction marker's: then Kafka says that the end is reached, unless more records
                // have come.
                if open.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
                    open.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(source)) => return Err(failed(source)),
            None if Instant::now() >= deadline => {
                return Err(TopicError::Deadline { topic: topic.to_owned(), seconds: READ_TIMEOUT.as_secs() });
            }
            None => {}
        }
    }
    Ok(records)
}

fn ends_by(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
    let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id);
    partitions
        .map(|partition| {
            let (_, end) = consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
            Ok((partition, end))
        })
        .collect()
}

/// Makes a topic as somebody else would, with so many partitions and this configuration.
///
/// # Errors
/// When Kafka refuses, or does not answer.
pub async fn create(
    kafka: &KafkaSettings,
    topic: &str,
    partitions: i32,
    configuration: &[(&str, &str)],
) -> Result<(), TopicError> {
    let failed = |source| TopicError::Kafka { topic: topic.to_owned(), source };
    let admin = admin(kafka).map_err(failed)?;
    let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
    let replication = TopicReplication::Fixed(1);
    let wanted = NewTopic { name: topic, num_partitions: partitions, replication, config: configuration.to_vec() };
    for result in admin.create_topics([&wanted], &options).await.map_err(failed)? {
        result.map_err(|(_, code)| failed(KafkaError::AdminOp(code)))?;
    }
    Ok(())
}

/// How many partitions a topic has; 0 where it is not there.
///
/// # Errors
/// When Kafka does not answer.
pub fn partitions(kafka: &KafkaSettings, topic: &str) -> Result<usize, TopicError> {
    let failed = |source| TopicError::Kafka { topic: topic.to_owned(), source };
    let consumer: BaseConsumer = kafka.base().create().map_err(failed)?;
    let metadata = consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT).map_err(failed)?;
    Ok(metadata.topics().iter().map(|topic| topic.partitions().len()).sum())
}

/// What is set for a topic itself, and not by a default of the broker's.
///
/// # Errors
/// When Kafka does not answer.
pub async fn configuration(kafka: &KafkaSettings, topic: &str) -> Result<BTreeMap<String, String>, TopicError> {
    let failed = |source| TopicError::Kafka { topic: topic.to_owned(), source };
    let admin = admin(kafka).map_err(failed)?;
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
    let results = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await.map_err(failed)?;
    let mut own = BTreeMap::new();
    for result in results {
        let entries = result.map_err(|code| failed(KafkaError::AdminOp(code)))?.entries;
        let set_here = entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        own.extend(set_here.filter_map(|entry| Some((entry.name, entry.value?))));
    }
    Ok(own)
}

/// Deletes topics, and with them what groups committed of them; one that is not there is no error.
///
/// # Errors
/// When Kafka does not answer.
pub async fn delete(kafka: &KafkaSettings, topics: &[&str]) -> Result<(), TopicError> {
    let failed = |source| TopicError::Kafka { topic: topics.join(", "), source };
    let admin = admin(kafka).map_err(failed)?;
    let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
    for result in admin.delete_topics(topics, &options).await.map_err(failed)? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
            Err((topic, code)) => {
                return Err(TopicError::Kafka { topic, source: KafkaError::AdminOp(code) });
            }
        }
    }
    Ok(())
}

fn admin(kafka: &KafkaSettings) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    kafka.base().create()
}
