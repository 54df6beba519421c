//! The shape of messages: what an output inherits from its input, and how many bytes that takes.

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use vedette_contract::TopicName;
use vedette_contract::input::{HEADER_INPUT, InputPlace};
use vedette_records::dead_letter::{DeadLetter, FittedLetter, Limit, Origin};
use vedette_records::{Refusal, size};
use vedette_streams::kafka::timestamp_of;

use crate::delivery::Serial;
use crate::detector::Input;

/// From where messages come and where they go.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    pub(crate) sensor_messages: TopicName,
    pub(crate) enriched_data: TopicName,
    pub(crate) alerts: TopicName,
    pub(crate) dead_letters: TopicName,
}

/// What is known of the outputs once a broker answers.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) topics: Topics,
    pub(crate) partitions: Partitions,
    pub(crate) max_message_bytes: usize,
}

/// How many partitions the topics had when the detector started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partitions {
    pub(crate) sensor_messages: i32,
    pub(crate) enriched_data: i32,
    pub(crate) alerts: i32,
    pub(crate) dead_letters: i32,
}

impl Partitions {
    /// The number of the input's partition, where the output has as many; else its key says where a record goes.
    fn kept(self, output: i32, input: &BorrowedMessage<'_>) -> Option<i32> {
        (output == self.sensor_messages).then(|| input.partition())
    }
}

impl Outputs {
    /// What the detector is told of a message.
    pub(crate) fn input<'a>(&self, message: &'a BorrowedMessage<'_>) -> Input<'a> {
        let place = size::header(HEADER_INPUT.len(), InputPlace::longest(&self.topics.sensor_messages));
        Input {
            value: message.payload(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: timestamp_of(message),
            overhead: size::message(0, inherited_bytes(message) + place, &[]),
        }
    }

    /// The enriched message of an input, which names it.
    pub(crate) fn enriched<'a>(&'a self, input: &'a BorrowedMessage<'_>, value: &'a [u8]) -> Record<'a> {
        let partition = self.partitions.kept(self.partitions.enriched_data, input);
        let mut record = copy(&self.topics.enriched_data, partition, input, value);
        let place = InputPlace {
            topic: self.topics.sensor_messages.clone(),
            partition: input.partition(),
            offset: input.offset(),
            timestamp: input.timestamp().to_millis(),
        };
        let headers = record.headers.take().unwrap_or_default();
        record.headers(headers.insert(Header { key: HEADER_INPUT, value: Some(&place.to_string()) }))
    }

    /// The alert of an input.
    pub(crate) fn alert<'a>(&'a self, input: &'a BorrowedMessage<'_>, value: &'a [u8]) -> Record<'a> {
        copy(&self.topics.alerts, self.partitions.kept(self.partitions.alerts, input), input, value)
    }

    /// What is kept of an input that is refused, in a message of so many bytes at most.
    pub(crate) fn dead_letter<'a>(
        &self,
        input: &'a BorrowedMessage<'_>,
        refusal: &Refusal,
        now: Timestamp,
        max_message_bytes: usize,
    ) -> FittedLetter<'a> {
        let (partition, offset) = (input.partition(), input.offset());
        let origin = Origin { topic: self.topics.sensor_messages.clone(), partition, offset };
        let limit = Limit { inherited_bytes: inherited_bytes(input), max_message_bytes };
        DeadLetter::fit(origin, refusal.clone(), now, input.payload(), limit)
    }

    /// The message that carries a dead letter of this input, with this Kafka timestamp in milliseconds.
    pub(crate) fn dead_letter_record<'a>(
        &'a self,
        input: &'a BorrowedMessage<'_>,
        letter: &'a FittedLetter<'_>,
        timestamp: Option<i64>,
    ) -> Record<'a> {
        let mut headers = OwnedHeaders::new();
        let mut record: Record<'_> = BaseRecord::with_opaque_to(self.topics.dead_letters.as_str(), 0);
        record.payload = letter.value;
        record.timestamp = timestamp;
        record.partition = self.partitions.kept(self.partitions.dead_letters, input);
        if letter.keeps_key_and_headers {
            record.key = input.key();
            headers = input.headers().map_or(headers, BorrowedHeaders::detach);
        }
        for (key, value) in &letter.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        record.headers(headers)
    }
}

/// A message that is to be produced.
pub(crate) type Record<'a> = BaseRecord<'a, [u8], [u8], Serial>;

/// Bytes of the key and the headers that the copies of a message keep.
fn inherited_bytes(message: &BorrowedMessage<'_>) -> usize {
    let headers = message.headers().map_or(0, |headers| {
        headers.iter().map(|header| size::header(header.key.len(), header.value.map_or(0, <[u8]>::len))).sum()
    });
    message.key_len() + headers
}

/// An output message with the key, Kafka timestamp and headers of its input.
fn copy<'a>(
    topic: &'a TopicName,
    partition: Option<i32>,
    message: &'a BorrowedMessage<'_>,
    value: &'a [u8],
) -> Record<'a> {
    let mut record = BaseRecord::with_opaque_to(topic.as_str(), 0).payload(value);
    record.partition = partition;
    record.key = message.key();
    record.timestamp = message.timestamp().to_millis();
    record.headers = message.headers().map(BorrowedHeaders::detach);
    record
}
