//! Reads topics of a test's Kafka as a client outside of the cluster does.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::Value;
use thiserror::Error;
use vedette_streams::kafka::{Isolation, KafkaSettings};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a topic could not be read.
#[derive(Debug, Error)]
pub enum TopicError {
    /// Kafka said no.
    #[error("could not read the topic {topic}")]
    Kafka {
        /// The topic.
        topic: String,
        /// What Kafka said.
        #[source]
        source: KafkaError,
    },
    /// Its end did not come.
    #[error("the end of the topic {topic} did not come within {seconds} s")]
    Deadline {
        /// The topic.
        topic: String,
        /// How long.
        seconds: u64,
    },
}

/// Every record of a topic that is there now, as JSON, partition by partition in order; what is no JSON is a JSON string.
///
/// # Errors
/// When the topic is not there, or Kafka does not answer.
pub fn read_to_end(kafka: &KafkaSettings, topic: &str, isolation: Isolation) -> Result<Vec<Value>, TopicError> {
    let failed = |source| TopicError::Kafka { topic: topic.to_owned(), source };
    let mut config = kafka.consumer("vedette-e2e", isolation);
    // Transaction markers take offsets, so only Kafka knows where a partition ends.
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().map_err(failed)?;
    let metadata = consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT).map_err(failed)?;
    let partitions: Vec<i32> =
        metadata.topics().iter().flat_map(|topic| topic.partitions().iter().map(|partition| partition.id())).collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning).map_err(failed)?;
    }
    consumer.assign(&assignment).map_err(failed)?;

    let (mut records, mut open) = (Vec::new(), partitions.len());
    let (deadline, seconds) = (Instant::now() + Duration::from_secs(60), 60);
    while open > 0 {
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => {
                let payload = message.payload().unwrap_or_default();
                let text = || Value::String(String::from_utf8_lossy(payload).into_owned());
                records.push(serde_json::from_slice(payload).unwrap_or_else(|_| text()));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(source)) => return Err(failed(source)),
            None if Instant::now() >= deadline => {
                return Err(TopicError::Deadline { topic: topic.to_owned(), seconds });
            }
            None => {}
        }
    }
    Ok(records)
}
