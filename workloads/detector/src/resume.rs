//! Where a partition goes on whose group has forgotten how far it was read: the tail of what was made of it names the last record.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::warn;
use vedette_contract::input::{HEADER_INPUT, InputPlace};
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::{Beginning, at_offset, forgotten, read_to_end, record_at};
use vedette_streams::kafka::{KafkaSettings, is_refusal};

use crate::messages::Outputs;

/// How far back is looked, step by step, in offsets of a partition of the enriched data.
const TAILS: [i64; 4] = [1_000, 8_000, 64_000, 256_000];
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long is looked: a member that does not poll is put out of its group after a minute.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks for the places of partitions that a group has forgotten.
pub(crate) struct Resume<'a> {
    pub(crate) kafka: &'a KafkaSettings,
    pub(crate) group: &'a str,
    pub(crate) consumer: &'a GroupConsumer,
    pub(crate) outputs: &'a Outputs,
}

impl Resume<'_> {
    /// These beginnings, with a place in the stead of the first record where something was made of the partition.
    /// `note` hears of each.
    pub(crate) fn places(
        &self,
        beginnings: &TopicPartitionList,
        mut note: impl FnMut(i32, Beginning),
    ) -> KafkaResult<TopicPartitionList> {
        let (mut places, mut tails) = (TopicPartitionList::new(), Tails::default());
        let until = Instant::now() + PATIENCE;
        for element in beginnings.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            if element.offset() != Offset::Beginning {
                places.add_partition_offset(topic, partition, element.offset())?;
                continue;
            }
            let beginning = self.place(topic, partition, &mut tails, until)?;
            note(partition, beginning);
            places.add_partition_offset(topic, partition, Offset::Offset(beginning.offset()))?;
        }
        Ok(places)
    }

    fn place(&self, topic: &str, partition: i32, tails: &mut Tails, until: Instant) -> KafkaResult<Beginning> {
        let watermarks = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        if watermarks.0 == watermarks.1 {
            return Ok(Beginning::First(watermarks.0));
        }
        let known = self.known_place(partition, tails, until)?;
        let Some(InputPlace { offset, timestamp, .. }) = &known else {
            return Ok(Beginning::First(watermarks.0));
        };
        forgotten(offset + 1, watermarks, || {
            let record = record_at(self.kafka, self.group, topic, partition, *offset)?;
            Ok(record.is_some_and(|record| record.timestamp().to_millis() == *timestamp))
        })
    }

    /// What the tails of the enriched data name last of a partition of the input; where partitions are kept, the one of its number
    /// comes first. Without the ACL for it, or if it takes too long, the stream begins at the first record, as it did before anything
    /// named a place.
    fn known_place(&self, partition: i32, tails: &mut Tails, until: Instant) -> KafkaResult<Option<InputPlace>> {
        let all = 0..self.outputs.partitions.enriched_data;
        let own = all.clone().filter(|output| *output == partition);
        for output in own.chain(all.clone().filter(|output| *output != partition)) {
            if tails.is_over || (self.keeps_partitions() && tails.places.contains_key(&partition)) {
                break;
            }
            if !tails.read.insert(output) {
                continue;
            }
            match self.tail(output, until) {
                Ok(places) => tails.add(places),
                Err(cause) if is_refusal(&cause) => {
                    self.end(tails, &format!("{cause}; grant the ACL: Read on the topic"));
                }
                Err(cause) => return Err(cause),
            }
            if Instant::now() >= until {
                self.end(tails, "it takes too long");
            }
        }
        Ok(tails.places.get(&partition).cloned())
    }

    fn end(&self, tails: &mut Tails, cause: &str) {
        let topic = self.outputs.topics.enriched_data.as_str();
        tails.is_over = true;
        warn!(topic, cause, "how far was read is not looked for any more, and records may be enriched twice");
    }

    /// Those that one partition names, read from further and further back: what was made by a build before this one names none.
    fn tail(&self, partition: i32, until: Instant) -> KafkaResult<Places> {
        let topic = self.outputs.topics.enriched_data.as_str();
        let (low, high) = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        let mut places = Places::new();
        for tail in TAILS {
            let from = (high - tail).max(low);
            if from < high {
                places = self.named(partition, from..high, until)?;
            }
            if from == low || Instant::now() >= until || (!places.is_empty() && self.keeps_partitions()) {
                break;
            }
        }
        Ok(places)
    }

    /// Those that the records from one offset up to before another name; of each partition the last.
    fn named(&self, partition: i32, offsets: Range<i64>, until: Instant) -> KafkaResult<Places> {
        let (topic, mut places) = (self.outputs.topics.enriched_data.as_str(), Places::new());
        read_to_end(self.kafka, self.group, &at_offset(topic, partition, offsets.start)?, |message| {
            places.extend(self.place_of(message).map(|place| (place.partition, place)));
            let goes_on = message.offset() + 1 < offsets.end && Instant::now() < until;
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(places)
    }

    /// Whether a partition of the enriched data holds what was made of the partition of the same number, and nothing else.
    fn keeps_partitions(&self) -> bool {
        self.outputs.partitions.enriched_data == self.outputs.partitions.sensor_messages
    }

    /// The input that a message was made of, where it is of ours. A header of the input's own stands before it.
    fn place_of(&self, message: &impl Message) -> Option<InputPlace> {
        let headers = message.headers()?;
        let header = headers.iter().filter(|header| header.key == HEADER_INPUT).last()?;
        let place: InputPlace = std::str::from_utf8(header.value?).ok()?.parse().ok()?;
        (place.topic == self.outputs.topics.sensor_messages).then_some(place)
    }
}

/// By partition of the input.
type Places = BTreeMap<i32, InputPlace>;

/// What was read of the enriched data.
#[derive(Debug, Default)]
struct Tails {
    /// Partitions of it.
    read: BTreeSet<i32>,
    places: Places,
    /// No more is read.
    is_over: bool,
}

impl Tails {
    fn add(&mut self, places: Places) {
        for (input, place) in places {
            if self.places.get(&input).is_none_or(|known| known.offset < place.offset) {
                self.places.insert(input, place);
            }
        }
    }
}
