//! Offsets: from where the partitions of a member are read, and how far one is committed.

use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::{Beginning, at_offset, beginning};

use crate::upload::CommitOffset;

/// How long one request about offsets may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks Kafka where reading of these partitions begins.
pub(crate) fn beginnings(
    consumer: &GroupConsumer,
    partitions: &TopicPartitionList,
) -> KafkaResult<Vec<(String, i32, Beginning)>> {
    let committed = consumer.committed_offsets(partitions.clone(), REQUEST_TIMEOUT)?;
    let begins = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        element.error()?;
        let (topic, partition) = (element.topic().to_owned(), element.partition());
        let committed = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let beginning = beginning(consumer, &topic, partition, committed)?;
        Ok((topic, partition, beginning))
    };
    committed.elements().into_iter().map(begins).collect()
}

impl CommitOffset for GroupConsumer {
    fn commit(&self, topic: &str, partition: i32, end: i64) -> KafkaResult<()> {
        Consumer::commit(self, &at_offset(topic, partition, end)?, CommitMode::Sync)
    }
}
