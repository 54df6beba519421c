//! Offsets: from where a partition is read, how it is read from elsewhere, and how far it is committed.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use vedette_streams::kafka::group::GroupConsumer;

use crate::upload::CommitOffset;

/// How long one request about offsets may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// An offset that is gone is an error that we see, as its records are lost.
pub(crate) fn never_reset(mut config: ClientConfig) -> ClientConfig {
    config.set("auto.offset.reset", "error");
    config
}

/// Where reading a partition begins, and why there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// At the committed offset.
    Committed(i64),
    /// At the first record, as nothing was ever committed.
    First(i64),
    /// At the first record that is left: retention deleted those from `committed` on before they were archived.
    AfterLoss { committed: i64, first: i64 },
    /// At the first record: the topic is shorter than what was committed, so it was created anew.
    Recreated { committed: i64, first: i64 },
}

impl Beginning {
    /// From what is committed and what the partition holds: offsets from `low` up to before `high`.
    pub(crate) fn new(committed: Option<i64>, (low, high): (i64, i64)) -> Self {
        match committed {
            None => Self::First(low),
            Some(committed) if committed < low => Self::AfterLoss { committed, first: low },
            Some(committed) if committed > high => Self::Recreated { committed, first: low },
            Some(committed) => Self::Committed(committed),
        }
    }

    pub(crate) fn offset(self) -> i64 {
        match self {
            Self::Committed(offset)
            | Self::First(offset)
            | Self::AfterLoss { first: offset, .. }
            | Self::Recreated { first: offset, .. } => offset,
        }
    }
}

/// Asks Kafka where reading of these partitions begins.
pub(crate) fn beginnings(
    consumer: &GroupConsumer,
    partitions: &TopicPartitionList,
) -> KafkaResult<Vec<(String, i32, Beginning)>> {
    let committed = consumer.committed_offsets(partitions.clone(), REQUEST_TIMEOUT)?;
    let beginning = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        element.error()?;
        let (topic, partition) = (element.topic().to_owned(), element.partition());
        let committed = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let watermarks = consumer.fetch_watermarks(&topic, partition, REQUEST_TIMEOUT)?;
        Ok((topic, partition, Beginning::new(committed, watermarks)))
    };
    committed.elements().into_iter().map(beginning).collect()
}

/// Where reading of a partition goes on whose position may be gone.
pub(crate) fn beginning_after(
    consumer: &GroupConsumer,
    topic: &str,
    partition: i32,
    position: i64,
) -> KafkaResult<Beginning> {
    let watermarks = consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
    Ok(Beginning::new(Some(position), watermarks))
}

/// One partition at an offset.
pub(crate) fn at_offset(topic: &str, partition: i32, offset: i64) -> KafkaResult<TopicPartitionList> {
    let mut partitions = TopicPartitionList::with_capacity(1);
    partitions.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    Ok(partitions)
}

/// Reads an assigned partition from another offset on. It is given up and taken again, as a seek needs a partition that
/// is being fetched, which one with a lost offset is not.
pub(crate) fn move_to(consumer: &GroupConsumer, topic: &str, partition: i32, offset: i64) -> KafkaResult<()> {
    let partitions = at_offset(topic, partition, offset)?;
    // After an attempt that came half way it is given up already, so taking it decides.
    let given_up = consumer.incremental_unassign(&partitions);
    consumer.incremental_assign(&partitions).map_err(|error| given_up.err().unwrap_or(error))
}

impl CommitOffset for GroupConsumer {
    fn commit(&self, topic: &str, partition: i32, end: i64) -> KafkaResult<()> {
        Consumer::commit(self, &at_offset(topic, partition, end)?, CommitMode::Sync)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_that_is_gone_is_an_error_and_no_silent_jump() {
        let config = never_reset(ClientConfig::new());
        assert_eq!(config.get("auto.offset.reset"), Some("error"));
    }

    #[test]
    fn reading_begins_at_the_commit_while_it_is_there() {
        assert_eq!(Beginning::new(None, (3, 9)), Beginning::First(3));
        for committed in [3, 5, 9] {
            assert_eq!(Beginning::new(Some(committed), (3, 9)), Beginning::Committed(committed));
        }
    }

    #[test]
    fn a_commit_that_is_gone_says_why() {
        assert_eq!(Beginning::new(Some(2), (3, 9)), Beginning::AfterLoss { committed: 2, first: 3 });
        assert_eq!(Beginning::new(Some(10), (0, 9)), Beginning::Recreated { committed: 10, first: 0 });
        assert_eq!(Beginning::new(Some(10), (0, 9)).offset(), 0);
    }
}
