//! The topic of the incidents as one receiver reads it: from its beginning, and with the knowledge of how far it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::warn;
use vedette_contract::TopicName;
use vedette_contract::incident::{Incident, IncidentId, IncidentOwner};
use vedette_streams::kafka::group::{self, GroupConsumer};
use vedette_streams::kafka::place::{Beginning, beginning};
use vedette_streams::kafka::{Isolation, KafkaSettings, timestamp_of};

use super::heard::Heard;
use super::interest::InterestWords;
use super::ledger::{Ledger, Place, When};
use super::memory::{Memory, Position};

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
/// A turn is what is there, but not more than this.
const TURN_MESSAGES: usize = 1_000;
/// Kafka forgets positions that nobody commits: all are, as often as that.
const COMMIT_AGAIN: Duration = Duration::from_secs(3_600);

/// Which topic, and as whom it is read.
#[derive(Debug, Clone)]
pub(crate) struct IncidentTopic {
    pub(crate) kafka: KafkaSettings,
    /// The receiver's own.
    pub(crate) group: String,
    pub(crate) topic: TopicName,
    /// Whose incidents a receiver is told of.
    pub(crate) owner: IncidentOwner,
}

/// The topic, as a receiver reads it.
pub(crate) struct IncidentReader {
    topic: IncidentTopic,
    consumer: GroupConsumer,
    /// How far it was told before this process; nothing where it is new.
    told: Option<BTreeMap<i32, i64>>,
    /// Partitions from this one on were made after the receiver had read all that there were.
    known_partitions: i32,
    /// Partitions whose end was not seen yet.
    unseen: BTreeSet<i32>,
    partitions: i32,
    interest: InterestWords,
    committed: BTreeMap<i32, Committed>,
    committed_at: Instant,
}

/// What Kafka keeps of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Committed {
    offset: i64,
    memory: String,
}

/// What was found beside the positions.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) interest: Option<InterestWords>,
    pub(crate) exceptions: BTreeMap<IncidentId, Heard>,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Read {
    /// A filter fails of it.
    FilterFails(Place, String),
    /// It is an incident of another pipeline or site.
    Foreign,
}

impl IncidentReader {
    /// Opens the topic in the receiver's group.
    pub(crate) fn open(topic: IncidentTopic, partitions: i32, interest: InterestWords) -> KafkaResult<(Self, Found)> {
        let consumer = topic.consumer(partitions, &BTreeMap::new())?;
        let committed = topic.committed(&consumer, partitions)?;
        let memories: Vec<Memory> = committed.values().filter_map(|at| Memory::read(&at.memory)).collect();
        let told: BTreeMap<i32, i64> = committed.iter().map(|(partition, at)| (*partition, at.offset)).collect();
        let found = Found {
            interest: memories.iter().find_map(|memory| memory.interest.clone()),
            exceptions: memories.iter().flat_map(|memory| memory.exceptions.clone()).collect(),
        };
        let reader = Self {
            known_partitions: memories.iter().map(|memory| memory.partitions).max().unwrap_or(partitions),
            topic,
            consumer,
            told: (!told.is_empty()).then_some(told),
            unseen: (0..partitions).collect(),
            partitions,
            interest,
            committed,
            committed_at: Instant::now(),
        };
        Ok((reader, found))
    }

    /// Goes on with a client of its own where another came to, which had trouble, or knew of fewer partitions.
    pub(crate) fn reopen(&mut self, partitions: i32, from: &BTreeMap<i32, i64>) -> KafkaResult<()> {
        self.consumer = self.topic.consumer(partitions, from)?;
        self.unseen.extend(self.partitions..partitions);
        self.partitions = partitions;
        Ok(())
    }

    /// How many partitions it reads.
    pub(crate) fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Whether all that was there was read once.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.unseen.is_empty()
    }

    /// Takes what is there into the ledger. `notable` hears of what is not just an incident.
    pub(crate) fn read(
        &mut self,
        ledger: &mut Ledger,
        mut wait: Duration,
        mut notable: impl FnMut(Read),
    ) -> KafkaResult<()> {
        for _ in 0..TURN_MESSAGES {
            let polled = self.consumer.poll(wait).map(|polled| polled.map(|message| read_incident(&message)));
            match polled {
                None => return Ok(()),
                Some(Ok((place, written, incident))) => match incident {
                    Some(incident) if self.topic.owner.owns(&incident) => {
                        let when = self.when(place);
                        let outcome = ledger.take(incident, place, when, written);
                        let trouble = outcome.err().filter(|_| when != When::Before);
                        trouble.into_iter().for_each(|cause| notable(Read::FilterFails(place, cause)));
                    }
                    Some(_) => {
                        ledger.passed(place);
                        notable(Read::Foreign);
                    }
                    None => ledger.passed(place),
                },
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(self.unseen.remove(&partition)),
                Some(Err(error)) => return Err(error),
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// Says in Kafka how far the receiver was told.
    pub(crate) fn commit(&mut self, mut positions: BTreeMap<i32, Position>) -> KafkaResult<()> {
        if self.told.is_none() {
            if !self.is_caught_up() {
                return Ok(());
            }
            // From now on it is not new any more, also where it was told of nothing.
            for partition in 0..self.partitions {
                positions.entry(partition).or_default();
            }
        }
        let is_all = self.committed_at.elapsed() >= COMMIT_AGAIN;
        let next = self
            .remembered(positions)
            .map_err(|_| KafkaError::MetadataFetch(rdkafka::error::RDKafkaErrorCode::InvalidArgument))?;
        let due = due(&self.committed, next, self.is_caught_up(), is_all);
        if due.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        let name = self.topic.topic.as_str();
        for (partition, Committed { offset, memory }) in &due {
            list.add_partition_offset(name, *partition, Offset::Offset(*offset))?;
            list.find_partition(name, *partition).into_iter().for_each(|mut element| element.set_metadata(memory));
        }
        self.consumer.commit(&list, CommitMode::Sync)?;
        self.committed.extend(due);
        if is_all {
            self.committed_at = Instant::now();
        }
        Ok(())
    }

    fn remembered(&self, positions: BTreeMap<i32, Position>) -> serde_json::Result<BTreeMap<i32, Committed>> {
        let remembered = |(partition, Position { offset, exceptions })| {
            let memory = Memory::new(self.partitions, &self.interest, exceptions).text()?;
            Ok((partition, Committed { offset, memory }))
        };
        positions.into_iter().map(remembered).collect()
    }

    fn when(&self, Place { partition, offset }: Place) -> When {
        let is_unseen = self.unseen.contains(&partition);
        match self.told.as_ref().map(|told| told.get(&partition)) {
            _ if partition >= self.known_partitions => When::Now,
            Some(Some(position)) if offset < *position => When::Before,
            // Kafka forgot how far it was told of this partition, so nobody knows what of it is new.
            None | Some(None) if is_unseen => When::AtFirst,
            None | Some(_) => When::Now,
        }
    }
}

impl IncidentTopic {
    /// A consumer of all partitions, from these offsets or their beginning.
    fn consumer(&self, partitions: i32, from: &BTreeMap<i32, i64>) -> KafkaResult<GroupConsumer> {
        let mut config = self.kafka.consumer(&self.group, Isolation::ReadCommitted);
        config.set("enable.partition.eof", "true").set("queued.max.messages.kbytes", "4096");
        let consumer = group::create(&config, self.kafka.context())?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            let offset = from.get(&partition).map_or(Offset::Beginning, |offset| Offset::Offset(*offset));
            list.add_partition_offset(self.topic.as_str(), partition, offset)?;
        }
        consumer.assign(&list)?;
        Ok(consumer)
    }

    /// What Kafka keeps of each partition of which it keeps something.
    fn committed(&self, consumer: &GroupConsumer, partitions: i32) -> KafkaResult<BTreeMap<i32, Committed>> {
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(self.topic.as_str(), partition);
        }
        let mut committed = BTreeMap::new();
        for element in consumer.committed_offsets(list, BROKER_TIMEOUT)?.elements() {
            element.error()?;
            let (partition, Offset::Offset(offset)) = (element.partition(), element.offset()) else { continue };
            let offset = self.of_this_topic(consumer, partition, offset)?;
            committed.insert(partition, Committed { offset, memory: element.metadata().to_owned() });
        }
        Ok(committed)
    }

    /// The offset, unless it is one of a topic that was there before by the same name: of this one nothing was told.
    fn of_this_topic(&self, consumer: &GroupConsumer, partition: i32, offset: i64) -> KafkaResult<i64> {
        match beginning(consumer, self.topic.as_str(), partition, Some(offset))? {
            Beginning::Recreated { committed, first } => {
                warn!(topic = %self.topic, partition, committed, first, "the topic of the incidents was made anew");
                Ok(first)
            }
            _ => Ok(offset),
        }
    }
}

/// What is to be committed. Until all that was there was read once, no position goes back.
fn due(
    committed: &BTreeMap<i32, Committed>,
    mut next: BTreeMap<i32, Committed>,
    is_caught_up: bool,
    is_all: bool,
) -> BTreeMap<i32, Committed> {
    next.retain(|partition, next| match committed.get(partition) {
        None => true,
        Some(_) if is_caught_up && is_all => true,
        Some(before) if is_caught_up => before != next,
        Some(before) => before.offset < next.offset,
    });
    next
}

/// Where a message stands, when it was written, and the incident; none where it is none.
fn read_incident(message: &BorrowedMessage<'_>) -> (Place, Timestamp, Option<Incident>) {
    let place = Place { partition: message.partition(), offset: message.offset() };
    let written = timestamp_of(message).unwrap_or_else(Timestamp::now);
    let incident = serde_json::from_slice(message.payload().unwrap_or_default());
    if let Err(error) = &incident {
        warn!(partition = place.partition, offset = place.offset, %error, "a message among the incidents is none");
    }
    (place, written, incident.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_committed_when_they_change_and_each_hour_though_they_do_not() {
        let at = |offset: i64, memory: &str| Committed { offset, memory: memory.to_owned() };
        let committed = BTreeMap::from([(0, at(5, "a")), (1, at(7, "a"))]);
        let count = |next: &BTreeMap<i32, Committed>, is_caught_up, is_all| {
            due(&committed, next.clone(), is_caught_up, is_all).len()
        };
        assert_eq!((count(&committed, true, false), count(&committed, true, true)), (0, 2));
        let back = BTreeMap::from([(0, at(4, "b")), (1, at(8, "a")), (2, at(0, "a"))]);
        assert_eq!((count(&back, false, true), count(&back, true, false)), (2, 3));
    }
}
