//! From where a partition is read: where its group has come to, unless those records are gone.

use std::ops::ControlFlow;

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::util::Timeout;
use tracing::{error, info, warn};
use vedette_contract::TopicName;
use vedette_contract::health::Gap;

use crate::kafka::{Isolation, KafkaContext, KafkaSettings, REQUEST_TIMEOUT};

/// Where reading a partition begins, and why there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// At the committed offset.
    Committed(i64),
    /// At the first record, as nothing was ever committed.
    First(i64),
    /// At an offset to which it was read by what came of it, as the group has forgotten that.
    Known(i64),
    /// At the first record that is left: retention deleted those from `committed` on before they were read.
    AfterLoss {
        /// How far it was read.
        committed: i64,
        /// What is left begins here.
        first: i64,
    },
    /// At the first offset that is left: before it, from `committed` on, stood nothing but the marks of transactions.
    Passed {
        /// How far it was read.
        committed: i64,
        /// What is left begins here.
        first: i64,
    },
    /// At the first record: the topic is shorter than what was committed, so it was created anew.
    Recreated {
        /// How far the old one was read.
        committed: i64,
        /// The new one begins here.
        first: i64,
    },
    /// At the end: records that were read are gone from it, as the broker that leads it now never had them.
    Truncated {
        /// How far it was read.
        committed: i64,
        /// Where it ended when that was found.
        end: i64,
    },
}

impl Beginning {
    /// From what is committed and what the partition holds: offsets from `low` up to before `high`.
    pub fn new(committed: Option<i64>, (low, high): (i64, i64)) -> Self {
        match committed {
            None => Self::First(low),
            Some(committed) if committed < low => Self::AfterLoss { committed, first: low },
            Some(committed) if committed > high => Self::Recreated { committed, first: low },
            Some(committed) => Self::Committed(committed),
        }
    }

    /// The offset to read from.
    pub fn offset(self) -> i64 {
        match self {
            Self::Committed(offset)
            | Self::First(offset)
            | Self::Known(offset)
            | Self::AfterLoss { first: offset, .. }
            | Self::Passed { first: offset, .. }
            | Self::Recreated { first: offset, .. }
            | Self::Truncated { end: offset, .. } => offset,
        }
    }

    /// The offset after the last record that was read.
    pub fn read_to(self) -> i64 {
        match self {
            Self::Passed { committed, .. } => committed,
            Self::Committed(_)
            | Self::First(_)
            | Self::Known(_)
            | Self::AfterLoss { .. }
            | Self::Recreated { .. }
            | Self::Truncated { .. } => self.offset(),
        }
    }

    /// The same, where nothing but the marks of transactions stood up to `passed`: where they alone are gone, nothing is lost.
    #[must_use]
    pub fn knowing(self, passed: Option<i64>) -> Self {
        match self {
            Self::AfterLoss { committed, first } if passed.is_some_and(|passed| passed >= first) => {
                Self::Passed { committed, first }
            }
            other => other,
        }
    }

    /// The same, where it was read up to `end`, which its reader did not come to commit.
    #[must_use]
    pub fn with_uncommitted(self, end: i64) -> Self {
        match self {
            Self::AfterLoss { committed, first } if end >= first && end > committed => Self::Known(end),
            Self::AfterLoss { committed, first } => Self::AfterLoss { committed: committed.max(end), first },
            other => other,
        }
    }

    /// The same, where a topic that seemed to be made anew, and ends here, holds what was read of it.
    #[must_use]
    pub fn of_same_topic(self, end: i64) -> Self {
        match self {
            Self::Recreated { committed, .. } => Self::Truncated { committed, end },
            other => other,
        }
    }

    /// How many offsets are gone that were read.
    pub fn truncated(self) -> u64 {
        match self {
            Self::Truncated { committed, end } => committed.abs_diff(end),
            Self::Committed(_)
            | Self::First(_)
            | Self::Known(_)
            | Self::AfterLoss { .. }
            | Self::Passed { .. }
            | Self::Recreated { .. } => 0,
        }
    }

    /// How many offsets retention deleted before they were read.
    pub fn lost(self) -> u64 {
        match self {
            Self::AfterLoss { committed, first } => first.abs_diff(committed),
            Self::Committed(_)
            | Self::First(_)
            | Self::Known(_)
            | Self::Passed { .. }
            | Self::Recreated { .. }
            | Self::Truncated { .. } => 0,
        }
    }

    /// What retention deleted before it was read, of this partition.
    pub fn gap(self, topic: &TopicName, partition: i32, found_at: Timestamp) -> Option<Gap> {
        match self {
            Self::AfterLoss { committed, first } => {
                Some(Gap { topic: topic.clone(), partition, start: committed, end: first, found_at })
            }
            Self::Committed(_)
            | Self::First(_)
            | Self::Known(_)
            | Self::Passed { .. }
            | Self::Recreated { .. }
            | Self::Truncated { .. } => None,
        }
    }

    /// Logs it; a loss is an error.
    pub fn report(self, topic: &str, partition: i32) {
        match self {
            Self::Committed(offset) => info!(topic, partition, offset, "reading on from the committed offset"),
            Self::First(offset) => info!(topic, partition, offset, "reading from the first record"),
            Self::Known(offset) => warn!(
                topic,
                partition, offset, "the group has forgotten how far it has read; reading on behind what came of that"
            ),
            Self::AfterLoss { committed, first } => {
                let lost = self.lost();
                error!(
                    topic,
                    partition,
                    committed,
                    first,
                    lost,
                    "records are lost: retention deleted them before they were read; keep them longer"
                );
            }
            Self::Passed { committed, first } => {
                info!(topic, partition, committed, first, "reading on behind marks of transactions, which are gone");
            }
            Self::Recreated { committed, first } => {
                warn!(topic, partition, committed, first, "the topic was created anew; reading from its first record");
            }
            Self::Truncated { committed, end } => {
                let truncated = self.truncated();
                error!(
                    topic,
                    partition,
                    committed,
                    end,
                    truncated,
                    "Kafka lost records that were read, and goes on before them; reading on at its end, as what was made of them is kept"
                );
            }
        }
    }
}

/// Says that Kafka called a position gone although each is there: a partition that lost its end, or whose topic was made anew, has grown
/// past where it was read by then. The client does not tell which one, nor where its leaders part.
pub fn report_overgrown() {
    error!(
        "records may be lost: Kafka said that a position is gone, and all of them are there again; a partition lost its end, or was made anew, and new records before where it was read are not read"
    );
}

/// Where reading of a partition begins of which so much is committed, or goes on whose position may be gone.
///
/// # Errors
/// When Kafka does not tell what the partition holds.
pub fn beginning<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    committed: Option<i64>,
) -> KafkaResult<Beginning> {
    Ok(Beginning::new(committed, consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?))
}

/// Topic, partition, and what is known of it.
pub type OfPartition<T> = (String, i32, T);

/// The committed offset of each; `None` where nothing was ever committed.
///
/// # Errors
/// When the group's coordinator does not know, which it may a little later.
pub fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    wait: impl Into<Timeout>,
) -> KafkaResult<Vec<OfPartition<Option<i64>>>> {
    let each = committed_each(consumer, partitions, wait)?;
    each.into_iter().map(|(topic, partition, committed)| Ok((topic, partition, committed?))).collect()
}

/// The same, where some are known and others are not.
///
/// # Errors
/// When the group's coordinator knows of none.
pub fn committed_each<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    wait: impl Into<Timeout>,
) -> KafkaResult<Vec<OfPartition<KafkaResult<Option<i64>>>>> {
    let answer = consumer.committed_offsets(partitions.clone(), wait)?;
    let read = |element: TopicPartitionListElem<'_>| {
        let committed = element.error().map(|()| match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        });
        (element.topic().to_owned(), element.partition(), committed)
    };
    Ok(answer.elements().into_iter().map(read).collect())
}

/// Where reading of a partition goes on that its group has forgotten: `end` is how far it was read by what came of it, and `is_same`
/// tells whether the record before `end` is still the one that was read there. In a topic that was made anew, of which a group
/// knows nothing either, it is another.
///
/// # Errors
/// Those of `is_same`.
pub fn forgotten<E>(
    end: i64,
    (low, high): (i64, i64),
    is_same: impl FnOnce() -> Result<bool, E>,
) -> Result<Beginning, E> {
    Ok(match Beginning::new(Some(end), (low, high)) {
        // Of what was read nothing is left that could be read again.
        Beginning::Committed(end) if end == low => Beginning::Known(end),
        Beginning::Committed(end) if is_same()? => Beginning::Known(end),
        Beginning::Committed(_) => Beginning::Recreated { committed: end, first: low },
        other => other,
    })
}

/// The record at an offset; `None` where there is none. It blocks.
///
/// # Errors
/// When Kafka does not tell within some seconds.
pub fn record_at(
    settings: &KafkaSettings,
    group: &str,
    topic: &str,
    partition: i32,
    offset: i64,
) -> KafkaResult<Option<OwnedMessage>> {
    let mut found = None;
    read_to_end(settings, group, &at_offset(topic, partition, offset)?, |message| {
        found = (message.offset() == offset).then(|| message.detach());
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// Hands over the records of partitions from these offsets on, until told to stop or there are no more. The group is only named: it
/// is neither joined nor is anything committed. It blocks.
///
/// # Errors
/// When no record comes for some seconds although there are more.
pub fn read_to_end(
    settings: &KafkaSettings,
    group: &str,
    from: &TopicPartitionList,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
) -> KafkaResult<()> {
    let mut config = settings.consumer(group, Isolation::ReadCommitted);
    let consumer: BaseConsumer<KafkaContext> =
        config.set("enable.partition.eof", "true").create_with_context(settings.context())?;
    consumer.assign(from)?;
    let mut left = from.count();
    while left > 0 {
        match consumer.poll(REQUEST_TIMEOUT) {
            Some(Ok(message)) if take(&message).is_break() => return Ok(()),
            Some(Ok(_)) => {}
            Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
            Some(Err(error)) => return Err(error),
            None => return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
        }
    }
    Ok(())
}

/// One partition at an offset.
///
/// # Errors
/// When the offset is none.
pub fn at_offset(topic: &str, partition: i32, offset: i64) -> KafkaResult<TopicPartitionList> {
    let mut partitions = TopicPartitionList::with_capacity(1);
    partitions.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    Ok(partitions)
}

/// Reads an assigned partition from another offset on. It is given up and taken again, as a seek needs a partition that
/// is being fetched, which one with a lost offset is not.
///
/// # Errors
/// When the client cannot; it may be asked again.
pub fn move_to<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> KafkaResult<()> {
    let partitions = at_offset(topic, partition, offset)?;
    // After an attempt that came half way it is given up already, so taking it decides.
    let given_up = consumer.incremental_unassign(&partitions);
    consumer.incremental_assign(&partitions).map_err(|error| given_up.err().unwrap_or(error))
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
    fn marks_of_transactions_that_are_gone_are_no_loss() {
        let gone = Beginning::new(Some(2), (7, 9));
        for known in [None, Some(6)] {
            assert_eq!(gone.knowing(known).lost(), 5);
        }
        let passed = gone.knowing(Some(7));
        assert_eq!((passed.offset(), passed.read_to(), passed.lost()), (7, 2, 0));
        assert_eq!(Beginning::Committed(8).knowing(Some(9)), Beginning::Committed(8));
    }

    #[test]
    fn what_was_read_and_not_committed_is_no_loss() {
        let gone = Beginning::new(Some(2), (7, 9));
        assert_eq!([gone.with_uncommitted(7), gone.with_uncommitted(8)], [Beginning::Known(7), Beginning::Known(8)]);
        assert_eq!([gone.with_uncommitted(6).lost(), gone.with_uncommitted(2).lost()], [1, 5]);
        assert_eq!(Beginning::Committed(8).with_uncommitted(9), Beginning::Committed(8));
    }

    #[test]
    fn what_a_group_has_forgotten_is_read_on_unless_the_topic_is_another() {
        let goes_on = |end, is_same| forgotten(end, (3, 9), || Ok::<_, ()>(is_same)).unwrap();
        assert_eq!(goes_on(7, true), Beginning::Known(7));
        assert_eq!(goes_on(7, false), Beginning::Recreated { committed: 7, first: 3 });
        assert_eq!(goes_on(3, false), Beginning::Known(3), "there is nothing that could be read twice");
        assert_eq!(goes_on(2, true), Beginning::AfterLoss { committed: 2, first: 3 });
        assert_eq!(goes_on(10, true), Beginning::Recreated { committed: 10, first: 3 });
        assert_eq!(forgotten(7, (3, 9), || Err("away")), Err("away"));
    }

    #[test]
    fn a_commit_that_is_gone_says_why_and_what_is_lost() {
        let passed = Beginning::new(Some(2), (7, 9));
        assert_eq!((passed, passed.offset(), passed.lost()), (Beginning::AfterLoss { committed: 2, first: 7 }, 7, 5));
        let anew = Beginning::new(Some(10), (1, 9));
        assert_eq!((anew, anew.offset(), anew.lost()), (Beginning::Recreated { committed: 10, first: 1 }, 1, 0));
    }

    #[test]
    fn a_topic_that_lost_its_end_is_read_on_there() {
        let cut = Beginning::new(Some(10), (1, 7)).of_same_topic(7);
        assert_eq!((cut.offset(), cut.read_to(), cut.truncated(), cut.lost()), (7, 7, 3, 0));
        assert_eq!(Beginning::Committed(5).of_same_topic(7), Beginning::Committed(5));
    }
}
