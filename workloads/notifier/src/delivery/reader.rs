//! The topic of the incidents as one receiver reads it: from its beginning, and with the knowledge of how far it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::warn;
use vedette_contract::TopicName;
use vedette_contract::incident::Incident;
use vedette_streams::kafka::group::{self, GroupConsumer};
use vedette_streams::kafka::place::committed;
use vedette_streams::kafka::{Isolation, KafkaSettings, timestamp_of};

use super::ledger::{Ledger, Place, When};

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
/// A turn is what is there, but not more than this.
const TURN_MESSAGES: usize = 1_000;

/// The topic, as a receiver reads it.
pub(crate) struct IncidentReader {
    consumer: GroupConsumer,
    topic: TopicName,
    /// How far it was told before this process; nothing where it is new.
    told: Option<BTreeMap<i32, i64>>,
    /// Partitions whose end was not seen yet.
    unseen: BTreeSet<i32>,
    committed: BTreeMap<i32, i64>,
    partitions: std::ops::Range<i32>,
}

impl IncidentReader {
    /// Opens the topic in a group of the receiver's own.
    pub(crate) fn open(kafka: &KafkaSettings, group: &str, topic: &TopicName, partitions: i32) -> KafkaResult<Self> {
        let mut config = kafka.consumer(group, Isolation::ReadCommitted);
        config.set("enable.partition.eof", "true").set("queued.max.messages.kbytes", "4096");
        let consumer = group::create(&config, kafka.context())?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic.as_str(), partition);
        }
        let known = committed(&consumer, &list, BROKER_TIMEOUT)?.into_iter();
        let committed: BTreeMap<i32, i64> =
            known.filter_map(|(_, partition, offset)| Some((partition, offset?))).collect();
        list.set_all_offsets(Offset::Beginning)?;
        consumer.assign(&list)?;
        let told = (!committed.is_empty()).then(|| committed.clone());
        Ok(Self {
            consumer,
            topic: topic.clone(),
            told,
            unseen: (0..partitions).collect(),
            committed,
            partitions: 0..partitions,
        })
    }

    /// Whether all that was there was read once.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.unseen.is_empty()
    }

    /// Takes what is there into the ledger. `trouble` hears of incidents that a filter fails of.
    pub(crate) fn read(
        &mut self,
        ledger: &mut Ledger,
        mut wait: Duration,
        mut trouble: impl FnMut(Place, String),
    ) -> KafkaResult<()> {
        for _ in 0..TURN_MESSAGES {
            let polled = self.consumer.poll(wait).map(|polled| polled.map(|message| read_incident(&message)));
            match polled {
                None => return Ok(()),
                Some(Ok((place, written, incident))) => {
                    let when = self.when(place);
                    let outcome = match incident {
                        Some(incident) => ledger.take(incident, place, when, written),
                        None => {
                            ledger.passed(place);
                            Ok(())
                        }
                    };
                    outcome.err().filter(|_| when != When::Before).into_iter().for_each(|cause| trouble(place, cause));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(self.unseen.remove(&partition)),
                Some(Err(error)) => return Err(error),
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// Says in Kafka how far the receiver was told, which never goes back.
    pub(crate) fn commit(&mut self, mut positions: BTreeMap<i32, i64>) -> KafkaResult<()> {
        if self.told.is_none() {
            if !self.is_caught_up() {
                return Ok(());
            }
            // From now on it is not new any more, also where it was told of nothing.
            for partition in self.partitions.clone() {
                positions.entry(partition).or_insert(0);
            }
        }
        positions.retain(|partition, position| self.committed.get(partition).is_none_or(|before| before < position));
        if positions.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for (partition, position) in &positions {
            list.add_partition_offset(self.topic.as_str(), *partition, Offset::Offset(*position))?;
        }
        self.consumer.commit(&list, CommitMode::Sync)?;
        self.committed.extend(positions);
        Ok(())
    }

    fn when(&self, Place { partition, offset }: Place) -> When {
        match &self.told {
            None if self.unseen.contains(&partition) => When::AtFirst,
            None => When::Now,
            Some(told) if told.get(&partition).is_some_and(|position| offset < *position) => When::Before,
            Some(_) => When::Now,
        }
    }
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
