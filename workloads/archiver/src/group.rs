//! The consumer group: its settings, its rebalances as values, and from where a partition is read. Rebalances wait in
//! a queue until the loop takes them, so that the loop alone owns the state and closes objects before it gives a
//! partition up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use vedette_streams::kafka::KafkaContext;

use crate::upload::CommitOffset;

/// How long one request about offsets may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A consumer whose rebalances wait for the loop.
pub(crate) type GroupConsumer = BaseConsumer<GroupContext>;

/// A rebalance that the group waits for.
#[derive(Debug)]
pub(crate) enum GroupEvent {
    Assigned(TopicPartitionList),
    Revoked(TopicPartitionList),
}

/// Collects rebalances; see the module.
#[derive(Debug, Default)]
pub(crate) struct GroupContext {
    events: Mutex<VecDeque<GroupEvent>>,
    closing: AtomicBool,
}

impl GroupContext {
    /// The oldest rebalance that was not taken yet.
    pub(crate) fn take_event(&self) -> Option<GroupEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// From now on rebalances are agreed to at once: nothing is held any more that they could take away.
    pub(crate) fn agree_to_everything(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        KafkaContext.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, text: &str) {
        KafkaContext.error(error, text);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let event = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => GroupEvent::Assigned(partitions.clone()),
            _ => GroupEvent::Revoked(partitions.clone()),
        };
        if self.closing.load(Ordering::Acquire) {
            if let Err(error) = agree(consumer, &event) {
                tracing::warn!(%error, "cannot agree to a rebalance while leaving the group");
            }
            return;
        }
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }
}

/// Tells the group that the loop is done with a rebalance.
pub(crate) fn agree(consumer: &GroupConsumer, event: &GroupEvent) -> KafkaResult<()> {
    match (consumer.rebalance_protocol(), event) {
        (RebalanceProtocol::Cooperative, GroupEvent::Assigned(partitions)) => consumer.incremental_assign(partitions),
        (RebalanceProtocol::Cooperative, GroupEvent::Revoked(partitions)) => consumer.incremental_unassign(partitions),
        (_, GroupEvent::Assigned(partitions)) => consumer.assign(partitions),
        (_, GroupEvent::Revoked(_)) => consumer.unassign(),
    }
}

/// The consumer, subscribed to nothing yet. An offset that is gone is an error that we see, as its records are lost.
pub(crate) fn create(config: &mut ClientConfig) -> KafkaResult<GroupConsumer> {
    config.set("auto.offset.reset", "error");
    config.create_with_context(GroupContext::default())
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
