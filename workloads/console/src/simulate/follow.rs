//! Follows one record of the input through the outputs of its detectors. It is in no group, and reads on from where the outputs ended
//! before the record was sent.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;
use vedette_contract::fields::Reason;
use vedette_contract::input::{HEADER_INPUT, InputPlace};
use vedette_contract::progress::SiteTopics;
use vedette_records::dead_letter::{DeadLetter, RecordPlace};
use vedette_service::Shutdown;
use vedette_streams::kafka::{KafkaContext, KafkaSettings, MissingAcl, REQUEST_TIMEOUT};

use super::SimulateError;
use crate::live::{POLL, consumer, partitions};

/// So long a detector may take to come to the record.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a record stands in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It is not known yet.
    Pending,
    /// A detector with a model came to it.
    Scored(Scored),
    /// A detector without a model did.
    Unscored,
    /// A detector could not read or score it.
    DeadLetter {
        /// The kind.
        reason: String,
        /// What exactly was wrong.
        message: String,
    },
    /// No detector came to it in time.
    Unanswered {
        /// What is known of that.
        why: String,
    },
}

/// What a detector says of a record.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Scored {
    /// That of the record, which a detector adds where it renames the one with which it was sent.
    pub(crate) uuid: Option<String>,
    pub(crate) score: f64,
    pub(crate) model_version: Option<String>,
    /// Above which records alerted then; none where the detector is of a version that does not tell.
    pub(crate) threshold: Option<f64>,
    #[serde(default)]
    pub(crate) reasons: Vec<Reason>,
}

/// A consumer that stands at the ends of the outputs.
pub(super) struct Follower {
    consumer: BaseConsumer<KafkaContext>,
    topics: SiteTopics,
}

impl Follower {
    /// Looks up where the outputs end. It blocks.
    pub(super) fn begin(settings: &KafkaSettings, topics: SiteTopics) -> Result<Self, SimulateError> {
        let consumer = consumer(settings).map_err(SimulateError::Kafka)?;
        let input = &topics.sensor_messages;
        partitions(&consumer, input).map_err(|error| SimulateError::of_reading(input, error))?;
        let mut ends = TopicPartitionList::new();
        for topic in [&topics.enriched_data, &topics.dead_letters] {
            let failed = |error| SimulateError::of_reading(topic, error);
            for partition in partitions(&consumer, topic).map_err(failed)? {
                let (_, end) = consumer.fetch_watermarks(topic.as_str(), partition, REQUEST_TIMEOUT).map_err(failed)?;
                ends.add_partition_offset(topic.as_str(), partition, Offset::Offset(end)).map_err(failed)?;
            }
        }
        consumer.assign(&ends).map_err(SimulateError::Kafka)?;
        Ok(Self { consumer, topics })
    }

    /// Reads until the record is there, or for as long as that may take. It blocks.
    pub(super) fn follow(&self, place: Place, shutdown: &Shutdown) -> Outcome {
        let started = Instant::now();
        let mut trouble = None;
        while started.elapsed() < PATIENCE && !shutdown.is_cancelled() {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    if let Some(outcome) = self.outcome(&message, place) {
                        return outcome;
                    }
                }
                // The client goes on by itself; what it said last may be why nothing comes.
                Some(Err(error)) => trouble = Some(error),
                None => {}
            }
        }
        let outputs = format!("{}, {}", self.topics.enriched_data, self.topics.dead_letters);
        let why = match trouble {
            Some(error) => MissingAcl::of_consumer(&error, "", &outputs)
                .map_or_else(|| error.to_string(), |missing| missing.to_grant()),
            None => format!(
                "no detector of this site came to it within {} seconds: see its lag, and whether its pipeline is Ready",
                PATIENCE.as_secs()
            ),
        };
        Outcome::Unanswered { why }
    }

    fn outcome(&self, message: &BorrowedMessage<'_>, place: Place) -> Option<Outcome> {
        let headers = message.headers()?.iter().map(|header| (header.key, header.value));
        let SiteTopics { sensor_messages: input, enriched_data, .. } = &self.topics;
        if message.topic() == enriched_data.as_str() {
            // A header of this name that the record came with stands before it.
            let (_, made_of) = headers.filter(|(name, _)| *name == HEADER_INPUT).last()?;
            let made_of: InputPlace = std::str::from_utf8(made_of?).ok()?.parse().ok()?;
            let InputPlace { topic, partition, offset, timestamp: _, value: _ } = made_of;
            let is_of = topic == *input && Place { partition, offset } == place;
            return is_of.then(|| scored(message.payload().unwrap_or_default()));
        }
        let DeadLetter { place: of_record, refusal, refused_at: _, whole: _ } = DeadLetter::read(headers).ok()?;
        let RecordPlace { topic, partition, offset } = of_record;
        let is_of = topic == *input && Place { partition, offset } == place;
        is_of.then(|| Outcome::DeadLetter { reason: refusal.reason.to_string(), message: refusal.message })
    }
}

/// What an enriched record says of itself: what has no score was scored by nobody.
fn scored(enriched: &[u8]) -> Outcome {
    serde_json::from_slice(enriched).map_or(Outcome::Unscored, Outcome::Scored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enriched_record_says_what_it_was_decided_by() {
        let enriched =
            br#"{"bytes":1e999,"simulated":true,"site":"east","score":0.999,"model_version":"v","threshold":0.99,
            "reasons":[{"field":"bytes","share":0.7}]}"#;
        let Outcome::Scored(Scored { uuid: _, score, model_version, threshold, reasons }) = scored(enriched) else {
            panic!()
        };
        assert_eq!((score, model_version.as_deref(), threshold), (0.999, Some("v"), Some(0.99)));
        assert_eq!(reasons[0].field, "bytes");
        let Outcome::Scored(before) = scored(br#"{"score":0.5,"model_version":"v"}"#) else { panic!() };
        assert_eq!((before.threshold, before.reasons.len()), (None, 0));
        assert_eq!(scored(br#"{"site":"east"}"#), Outcome::Unscored);
    }
}
