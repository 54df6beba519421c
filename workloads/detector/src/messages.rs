//! The shape of messages: what an output inherits from its input, and how many bytes that takes.

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use vedette_contract::TopicName;
use vedette_contract::input::{HEADER_INPUT, HEADER_TIMESTAMP, InputPlace};
use vedette_records::dead_letter::{DeadLetter, FittedLetter, Limit, RecordPlace};
use vedette_records::{Refusal, size};
use vedette_streams::kafka::{Keeping, timestamp_of};
use xxhash_rust::xxh3::xxh3_64;

use crate::delivery::Serial;
use crate::input::Input;

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
    pub(crate) keepings: Keepings,
    pub(crate) max_message_bytes: usize,
}

/// How the outputs kept records when the detector started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keepings {
    pub(crate) enriched_data: Keeping,
    pub(crate) alerts: Keeping,
    pub(crate) dead_letters: Keeping,
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
    /// The outputs whose partitions have the numbers of the input's.
    pub(crate) fn in_step(&self) -> impl Iterator<Item = &TopicName> {
        let Topics { sensor_messages: _, enriched_data, alerts, dead_letters } = &self.topics;
        let Partitions { sensor_messages: input, .. } = self.partitions;
        let counts = [self.partitions.enriched_data, self.partitions.alerts, self.partitions.dead_letters];
        let outputs = [enriched_data, alerts, dead_letters].into_iter().zip(counts);
        outputs.filter(move |(_, count)| *count == input).map(|(topic, _)| topic)
    }

    /// What the detector is told of a message.
    pub(crate) fn input<'a>(&self, message: &'a BorrowedMessage<'_>) -> Input<'a> {
        let place = size::header(HEADER_INPUT.len(), InputPlace::longest(&self.topics.sensor_messages));
        let place = place + LONGEST_TIMESTAMP;
        Input {
            value: message.payload(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: timestamp_of(message),
            overhead: size::message(0, inherited_bytes(message) + place, &[]),
        }
    }

    /// The enriched message of an input, which names it.
    pub(crate) fn enriched<'a>(
        &'a self,
        input: &'a BorrowedMessage<'_>,
        value: &'a [u8],
        time: MessageTime,
    ) -> Record<'a> {
        let partition = self.partitions.kept(self.partitions.enriched_data, input);
        let mut record = copy(&self.topics.enriched_data, partition, input, value, time);
        let (topic, timestamp) = (&self.topics.sensor_messages, input.timestamp().to_millis());
        let place = InputPlace::text(topic, input.partition(), input.offset(), timestamp, Some(hash(input.payload())));
        let headers = record.headers.take().unwrap_or_else(|| OwnedHeaders::new_with_capacity(1));
        record.headers(headers.insert(Header { key: HEADER_INPUT, value: Some(&place) }))
    }

    /// The alert of an input.
    pub(crate) fn alert<'a>(
        &'a self,
        input: &'a BorrowedMessage<'_>,
        value: &'a [u8],
        time: MessageTime,
    ) -> Record<'a> {
        copy(&self.topics.alerts, self.partitions.kept(self.partitions.alerts, input), input, value, time)
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
        let place = RecordPlace { topic: self.topics.sensor_messages.clone(), partition, offset };
        let max_message_bytes = max_message_bytes.saturating_sub(LONGEST_TIMESTAMP);
        let limit = Limit { inherited_bytes: inherited_bytes(input), max_message_bytes };
        DeadLetter::fit(place, refusal.clone(), now, input.payload(), limit)
    }

    /// The message that carries a dead letter of this input.
    pub(crate) fn dead_letter_record<'a>(
        &'a self,
        input: &'a BorrowedMessage<'_>,
        letter: &'a FittedLetter<'_>,
        time: MessageTime,
    ) -> Record<'a> {
        let mut headers = OwnedHeaders::new();
        let mut record: Record<'_> = BaseRecord::with_opaque_to(self.topics.dead_letters.as_str(), 0);
        record.payload = letter.value;
        record.partition = self.partitions.kept(self.partitions.dead_letters, input);
        if letter.keeps_key_and_headers {
            record.key = input.key();
            headers = input.headers().map_or(headers, BorrowedHeaders::detach);
        }
        for (key, value) in &letter.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        time.put(&mut record, Some(headers));
        record
    }
}

/// The Kafka timestamp of a message, in milliseconds, and of its input where it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageTime {
    timestamp: Option<i64>,
    own: Option<i64>,
}

/// Bytes of the header with the time of the input.
const LONGEST_TIMESTAMP: usize = size::header(HEADER_TIMESTAMP.len(), "-9223372036854775808".len());

impl MessageTime {
    /// That of the input, or the present where a topic would soon delete what is so old.
    pub(crate) fn of(input: &BorrowedMessage<'_>, keeping: Keeping, now: Timestamp) -> Self {
        if keeping.is_too_old(input.timestamp().to_millis(), now.as_millisecond()) {
            Self::present(input, now)
        } else {
            Self { timestamp: input.timestamp().to_millis(), own: None }
        }
    }

    /// The present, whatever that of the input is.
    pub(crate) fn present(input: &BorrowedMessage<'_>, now: Timestamp) -> Self {
        Self { timestamp: Some(now.as_millisecond()), own: input.timestamp().to_millis() }
    }

    /// Whether it is not that of the input.
    pub(crate) fn is_another(self) -> bool {
        self.own.is_some()
    }

    /// Gives a message this time, and these headers with that of its input where it is another.
    fn put(self, record: &mut Record<'_>, headers: Option<OwnedHeaders>) {
        let Self { timestamp, own } = self;
        record.timestamp = timestamp;
        record.headers = match own {
            None => headers,
            Some(own) => {
                let headers = headers.unwrap_or_else(|| OwnedHeaders::new_with_capacity(1));
                Some(headers.insert(Header { key: HEADER_TIMESTAMP, value: Some(&own.to_string()) }))
            }
        };
    }
}

/// A message that is to be produced.
pub(crate) type Record<'a> = BaseRecord<'a, [u8], [u8], Serial>;

/// By which the value of an input is known again.
pub(crate) fn hash(value: Option<&[u8]>) -> u64 {
    xxh3_64(value.unwrap_or_default())
}

/// Bytes of the key and the headers that the copies of a message keep.
fn inherited_bytes(message: &BorrowedMessage<'_>) -> usize {
    let headers = message.headers().map_or(0, |headers| {
        headers.iter().map(|header| size::header(header.key.len(), header.value.map_or(0, <[u8]>::len))).sum()
    });
    message.key_len() + headers
}

/// An output message with the key and the headers of its input.
fn copy<'a>(
    topic: &'a TopicName,
    partition: Option<i32>,
    message: &'a BorrowedMessage<'_>,
    value: &'a [u8],
    time: MessageTime,
) -> Record<'a> {
    let mut record = BaseRecord::with_opaque_to(topic.as_str(), 0).payload(value);
    record.partition = partition;
    record.key = message.key();
    time.put(&mut record, message.headers().map(BorrowedHeaders::detach));
    record
}
