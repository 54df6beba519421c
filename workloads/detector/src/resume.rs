//! Where a partition goes on whose group has forgotten how far it was read: the tail of what was made of it names the last record.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

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
        note: impl Fn(i32, Beginning),
    ) -> KafkaResult<TopicPartitionList> {
        let (mut places, mut tails) = (TopicPartitionList::new(), None);
        for element in beginnings.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            if element.offset() != Offset::Beginning {
                places.add_partition_offset(topic, partition, element.offset())?;
                continue;
            }
            let beginning = self.place(topic, partition, &mut tails)?;
            note(partition, beginning);
            places.add_partition_offset(topic, partition, Offset::Offset(beginning.offset()))?;
        }
        Ok(places)
    }

    fn place(&self, topic: &str, partition: i32, tails: &mut Option<Places>) -> KafkaResult<Beginning> {
        let watermarks = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        if watermarks.0 == watermarks.1 {
            return Ok(Beginning::First(watermarks.0));
        }
        let known = match tails {
            Some(known) => known,
            none => none.insert(self.known_places()?),
        };
        let Some(InputPlace { offset, timestamp, .. }) = known.get(&partition) else {
            return Ok(Beginning::First(watermarks.0));
        };
        forgotten(offset + 1, watermarks, || {
            let record = record_at(self.kafka, self.group, topic, partition, *offset)?;
            Ok(record.is_some_and(|record| record.timestamp().to_millis() == *timestamp))
        })
    }

    /// Without the ACL for it the stream begins at the first record, as it did before anything named a place.
    fn known_places(&self) -> KafkaResult<Places> {
        match self.last_places() {
            Err(cause) if is_refusal(&cause) => {
                let topic = self.outputs.topics.enriched_data.as_str();
                warn!(
                    topic,
                    error = %cause,
                    "how far was read cannot be looked for, and records may be enriched twice; grant the ACL: Read on the topic"
                );
                Ok(Places::new())
            }
            places => places,
        }
    }

    /// Of each partition of the input, the last record that the tails of the enriched data name.
    fn last_places(&self) -> KafkaResult<Places> {
        let mut last = Places::new();
        for partition in 0..self.outputs.partitions.enriched_data {
            for (input, place) in self.tail(partition)? {
                if last.get(&input).is_none_or(|known| known.offset < place.offset) {
                    last.insert(input, place);
                }
            }
        }
        Ok(last)
    }

    /// Those that one partition names, read from further and further back: what was made by a build before this one names none.
    fn tail(&self, partition: i32) -> KafkaResult<Places> {
        let topic = self.outputs.topics.enriched_data.as_str();
        let (low, high) = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        let mut places = Places::new();
        for tail in TAILS {
            let from = (high - tail).max(low);
            if from < high {
                places = self.named(partition, from, high)?;
            }
            if from == low || (!places.is_empty() && self.keeps_partitions()) {
                break;
            }
        }
        Ok(places)
    }

    /// Those that the records from one offset up to before another name; of each partition the last.
    fn named(&self, partition: i32, from: i64, end: i64) -> KafkaResult<Places> {
        let (topic, mut places) = (self.outputs.topics.enriched_data.as_str(), Places::new());
        read_to_end(self.kafka, self.group, &at_offset(topic, partition, from)?, |message| {
            places.extend(self.place_of(message).map(|place| (place.partition, place)));
            if message.offset() + 1 < end { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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
