//! Every record that was ever in the topics, by partition and offset: also those that are deleted since.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use serde::Deserialize;
use vedette_e2e::found::Found;
use vedette_streams::kafka::{Isolation, KafkaSettings};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(120);

/// Partitions of each topic.
pub(crate) const PARTITIONS: i32 = 3;

/// Partition and offset.
pub(crate) type Place = (i32, i64);

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Record {
    pub(crate) uuid: String,
    #[serde(default)]
    pub(crate) score: f64,
}

pub(crate) struct Ledger {
    kafka: KafkaSettings,
    topics: HashMap<&'static str, BTreeMap<Place, Record>>,
    /// By topic and partition, up to before which offset records were to be deleted, whatever the brokers answered.
    deleted: Deleted,
}

/// By topic and partition, an offset.
pub(crate) type Deleted = BTreeMap<(String, i32), i64>;

impl Ledger {
    pub(crate) fn new(kafka: KafkaSettings) -> Self {
        Self { kafka, topics: HashMap::new(), deleted: Deleted::new() }
    }

    pub(crate) fn deleted(&self) -> &Deleted {
        &self.deleted
    }

    pub(crate) fn records(&self, topic: &str) -> impl Iterator<Item = (&Place, &Record)> {
        self.topics.get(topic).into_iter().flatten()
    }

    pub(crate) fn found(&self, topic: &str) -> Vec<Found> {
        let found = |((partition, offset), record): (&Place, &Record)| Found {
            uuid: record.uuid.clone(),
            place: format!("partition {partition} offset {offset}"),
        };
        self.records(topic).map(found).collect()
    }

    /// Those that fulfil a condition.
    pub(crate) fn uuids(&self, topic: &str, of: impl Fn(Place, &Record) -> bool) -> HashSet<String> {
        let records = self.records(topic).filter(|(place, record)| of(**place, record));
        records.map(|(_, record)| record.uuid.clone()).collect()
    }

    /// Adds the committed records that came since and until now. Brokers may be away for a while.
    pub(crate) fn read(&mut self, topic: &'static str) -> KafkaResult<()> {
        let read = self.topics.entry(topic).or_default();
        let mut config = self.kafka.consumer("vedette-e2e", Isolation::ReadCommitted);
        let consumer: BaseConsumer = config.set("enable.partition.eof", "true").create()?;
        let (mut from, mut open) = (TopicPartitionList::new(), HashMap::new());
        for partition in 0..PARTITIONS {
            let last = read.range((partition, 0)..(partition + 1, 0)).next_back();
            let offset = last.map_or(Offset::Beginning, |((_, offset), _)| Offset::Offset(offset + 1));
            from.add_partition_offset(topic, partition, offset)?;
            open.insert(partition, consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?.1);
        }
        consumer.assign(&from)?;
        let began = Instant::now();
        while !open.is_empty() {
            match consumer.poll(Duration::from_millis(500)) {
                Some(Ok(message)) => {
                    read.insert((message.partition(), message.offset()), record(&message));
                    open.retain(|partition, end| *partition != message.partition() || message.offset() + 1 < *end);
                }
                // The last offset may be the mark of a transaction, or before one that is open.
                Some(Err(KafkaError::PartitionEOF(partition))) => _ = open.remove(&partition),
                Some(Err(error)) if began.elapsed() > PATIENCE => return Err(error),
                Some(Err(_)) | None => assert!(began.elapsed() < 2 * PATIENCE, "{topic} cannot be read"),
            }
        }
        Ok(())
    }

    /// As retention does: deletes half of the records that this group has not read. Says how far of each partition.
    pub(crate) async fn delete_unread(&mut self, topic: &'static str, group: &str) -> KafkaResult<Vec<Place>> {
        self.read(topic)?;
        let committed = self.committed(topic, group)?;
        let mut before = Vec::new();
        for (partition, committed) in committed {
            let unread = self.topics[topic].range((partition, committed)..(partition + 1, 0));
            let unread: Vec<_> = unread.map(|((_, offset), _)| *offset).collect();
            before.extend(unread.get(unread.len() / 2).map(|offset| (partition, *offset)));
        }
        let admin: AdminClient<DefaultClientContext> = self.kafka.base().create()?;
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in &before {
            offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
            let deleted = self.deleted.entry((topic.to_owned(), *partition)).or_default();
            *deleted = (*deleted).max(*offset);
        }
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
        if !before.is_empty() {
            admin.delete_records(&offsets, &options).await?;
        }
        Ok(before)
    }

    /// Whether this group has come so far that what is deleted from now on is lost to it: before, it begins where the topic does.
    pub(crate) fn is_read_by(&self, topic: &str, group: &str) -> bool {
        self.committed(topic, group).is_ok_and(|committed| committed.iter().all(|(_, offset)| *offset > 0))
    }

    fn committed(&self, topic: &str, group: &str) -> KafkaResult<Vec<Place>> {
        // Another isolation would wait for transactions of who is away.
        let consumer: BaseConsumer = self.kafka.consumer(group, Isolation::ReadUncommitted).create()?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, PARTITIONS - 1);
        let answer = consumer.committed_offsets(asked, REQUEST_TIMEOUT)?;
        let place = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
            Offset::Offset(offset) => (element.partition(), offset),
            _ => (element.partition(), 0),
        };
        Ok(answer.elements().into_iter().map(place).collect())
    }
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let value = message.payload().unwrap_or_default();
    serde_json::from_slice(value).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(value)))
}
