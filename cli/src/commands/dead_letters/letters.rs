//! Reads dead letters where they are.

use std::ops::ControlFlow;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use vedette_contract::TopicName;
use vedette_contract::dead_letter::{DeadLetterReason, HEADER_REPLAYED};
use vedette_records::dead_letter::{DeadLetter, DeadLetterError, inherited};
use vedette_streams::kafka::place::{at_offset, read_to_end, record_at};
use vedette_streams::kafka::{Isolation, KafkaContext, KafkaSettings, TopicReader};

use super::place::Place;
use super::{DeadLettersError, TopicOptions};

/// As whom brokers know us. Nothing is joined or committed under that name.
const WHO: &str = "vedette-dead-letters";
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many offsets are looked at behind the end for so many letters: the mark of a transaction has one, too.
const OFFSETS_A_LETTER: i64 = 2;
/// By how much more is looked at where that was not enough.
const FARTHER: i64 = 8;

/// One dead letter.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) place: Place,
    pub(super) says: DeadLetter,
    /// When the record was made, as Kafka has it, milliseconds.
    pub(super) timestamp: Option<i64>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    /// Headers that the record came with.
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Letter {
    fn read(message: &impl Message) -> Result<Self, DeadLetterError> {
        let headers: Vec<_> = message.headers().into_iter().flat_map(Headers::iter).collect();
        let pairs = || headers.iter().map(|header| (header.key, header.value));
        Ok(Self {
            place: Place { partition: message.partition(), offset: message.offset() },
            says: DeadLetter::read(pairs())?,
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: inherited(pairs()).map(|(key, value)| (key.to_owned(), value.map(<[u8]>::to_vec))).collect(),
        })
    }

    pub(super) fn reason(&self) -> DeadLetterReason {
        self.says.refusal.reason
    }

    /// Those of the record when it is sent once more: that which says so stands for those of earlier times.
    pub(super) fn headers_of_replay(&self, topic: &TopicName) -> OwnedHeaders {
        let Place { partition, offset } = self.place;
        let replayed = format!("{topic}/{partition}/{offset}");
        let kept = self.headers.iter().filter(|(key, _)| key != HEADER_REPLAYED);
        let empty = OwnedHeaders::new_with_capacity(self.headers.len() + 1);
        let headers = kept.fold(empty, |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
        headers.insert(Header { key: HEADER_REPLAYED, value: Some(&replayed) })
    }
}

/// Letters, and how many messages beside them are none.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) letters: Vec<Letter>,
    pub(super) others: u64,
}

/// The topic of the letters.
pub(super) struct Letters {
    settings: KafkaSettings,
    pub(super) topic: TopicName,
    partitions: i32,
}

impl Letters {
    /// Blocks, as all of it does.
    pub(super) fn open(options: &TopicOptions) -> Result<Self, DeadLettersError> {
        let settings = KafkaSettings::new(&options.kafka, WHO);
        let [partitions] = TopicReader::new(&settings)?.count_partitions([&options.topic], TIMEOUT)?;
        Ok(Self { settings, topic: options.topic.clone(), partitions })
    }

    fn failed(&self, source: rdkafka::error::KafkaError) -> DeadLettersError {
        DeadLettersError::Read { topic: self.topic.clone(), source }
    }

    /// The newest of a reason, or of all.
    pub(super) fn newest(&self, limit: usize, wanted: Option<DeadLetterReason>) -> Result<Found, DeadLettersError> {
        let mut found = Found::default();
        for (partition, (low, high)) in self.bounds().map_err(|error| self.failed(error))? {
            let mut window =
                i64::try_from(limit).unwrap_or(i64::MAX).saturating_mul(OFFSETS_A_LETTER).saturating_add(16);
            loop {
                let from = low.max(high.saturating_sub(window));
                let mut here = Found::default();
                self.between(partition, from, high, |letter| {
                    match letter {
                        Ok(letter) if is_wanted(&letter, wanted) => here.letters.push(letter),
                        Ok(_) => {}
                        Err(_) => here.others += 1,
                    }
                    ControlFlow::Continue(())
                })
                .map_err(|error| self.failed(error))?;
                if here.letters.len() >= limit || from == low {
                    found.others += here.others;
                    let first = here.letters.len().saturating_sub(limit);
                    found.letters.extend(here.letters.drain(first..));
                    break;
                }
                window = window.saturating_mul(FARTHER);
            }
        }
        found.letters.sort_by_key(|letter| std::cmp::Reverse((letter.says.refused_at, letter.place)));
        found.letters.truncate(limit);
        Ok(found)
    }

    /// Hands over all of a reason, or of all, that are there now: by partition, the oldest first.
    pub(super) fn each(
        &self,
        wanted: Option<DeadLetterReason>,
        mut take: impl FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<(), DeadLettersError> {
        for (partition, (low, high)) in self.bounds().map_err(|error| self.failed(error))? {
            let mut more = ControlFlow::Continue(());
            self.between(partition, low, high, |letter| {
                more =
                    letter.ok().filter(|letter| is_wanted(letter, wanted)).map_or(ControlFlow::Continue(()), &mut take);
                more
            })
            .map_err(|error| self.failed(error))?;
            if more.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The one at this place.
    pub(super) fn at(&self, place: Place) -> Result<Letter, DeadLettersError> {
        let nowhere = || DeadLettersError::Nowhere { place, topic: self.topic.clone() };
        let Place { partition, offset } = place;
        if partition >= self.partitions {
            return Err(nowhere());
        }
        let found = record_at(&self.settings, WHO, self.topic.as_str(), partition, offset);
        let message = found.map_err(|error| self.failed(error))?.ok_or_else(nowhere)?;
        let no_letter = |source| DeadLettersError::NoLetter { place, topic: self.topic.clone(), source };
        Letter::read(&message).map_err(no_letter)
    }

    /// The first offset of each partition, and that behind its last.
    fn bounds(&self) -> KafkaResult<Vec<(i32, (i64, i64))>> {
        let config = self.settings.consumer(WHO, Isolation::ReadCommitted);
        let consumer: BaseConsumer<KafkaContext> = config.create_with_context(self.settings.context())?;
        let bounds = |partition| Ok((partition, consumer.fetch_watermarks(self.topic.as_str(), partition, TIMEOUT)?));
        (0..self.partitions).map(bounds).collect()
    }

    fn between(
        &self,
        partition: i32,
        from: i64,
        to: i64,
        mut take: impl FnMut(Result<Letter, DeadLetterError>) -> ControlFlow<()>,
    ) -> KafkaResult<()> {
        if from >= to {
            return Ok(());
        }
        read_to_end(&self.settings, WHO, &at_offset(self.topic.as_str(), partition, from)?, |message| {
            let next = message.offset() + 1;
            if next > to || take(Letter::read(message)).is_break() || next == to {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
    }
}

fn is_wanted(letter: &Letter, wanted: Option<DeadLetterReason>) -> bool {
    wanted.is_none_or(|wanted| wanted == letter.reason())
}
