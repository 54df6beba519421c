//! Records whose messages a broker refuses for themselves, whatever stands beside them: their time is out of its bounds, they
//! are too large for their topic, or it wants a key. Each becomes a dead letter, and its unit is done again.

use std::collections::BTreeMap;

use tracing::warn;
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_records::Refusal;

use crate::delivery::Undelivered;

/// Below this a letter loses its whole value.
const SMALLEST_LETTER: usize = 1_024;

/// Partition and offset of an input record.
pub(crate) type Place = (i32, i64);

/// What becomes of a record that was refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// Largest letter that its topic may accept; `None` where it accepts none at all.
    pub(crate) largest_letter: Option<usize>,
}

/// Those that are not committed yet.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeMap<Place, Refused>);

impl Refusals {
    /// Notes what Kafka refused. Of a record that is noted already its dead letter was refused, so the next one is smaller.
    pub(crate) fn note(&mut self, refused: BTreeMap<Place, Undelivered>, max_message_bytes: usize) {
        if let Some(((partition, offset), Undelivered { topic, cause, .. })) = refused.first_key_value() {
            let records = refused.len();
            warn!(error = %cause, topic, partition, offset, records, "Kafka refuses records, which become dead letters");
        }
        for (place, Undelivered { topic, cause, .. }) in refused {
            let message = format!("Kafka refuses it for topic {topic}: {cause}");
            self.0
                .entry(place)
                .and_modify(|refused| refused.largest_letter = refused.largest_letter.and_then(smaller))
                .or_insert_with(|| Refused {
                    refusal: Refusal::new(DeadLetterReason::Refused, message),
                    largest_letter: Some(max_message_bytes),
                });
        }
    }

    /// What becomes of this record, if it was refused.
    pub(crate) fn of(&self, partition: i32, offset: i64) -> Option<&Refused> {
        self.0.get(&(partition, offset))
    }

    /// Forgets those before `end`, which are committed.
    pub(crate) fn committed(&mut self, partition: i32, end: i64) {
        self.0.retain(|(of, offset), _| *of != partition || *offset >= end);
    }
}

fn smaller(letter: usize) -> Option<usize> {
    match letter {
        0 => None,
        _ if letter / 4 < SMALLEST_LETTER => Some(0),
        _ => Some(letter / 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::error::RDKafkaErrorCode;

    fn refused(place: Place) -> BTreeMap<Place, Undelivered> {
        BTreeMap::from([(place, Undelivered::of(0, RDKafkaErrorCode::InvalidTimestamp))])
    }

    #[test]
    fn a_letter_that_is_refused_is_written_smaller_until_nothing_is_left() {
        let mut refusals = Refusals::default();
        let mut letters = Vec::new();
        for _ in 0..5 {
            refusals.note(refused((2, 7)), 16_384);
            letters.push(refusals.of(2, 7).unwrap().largest_letter);
        }
        assert_eq!(letters, [Some(16_384), Some(4_096), Some(1_024), Some(0), None]);
        let Refusal { reason, message } = &refusals.of(2, 7).unwrap().refusal;
        assert_eq!(*reason, DeadLetterReason::Refused);
        assert!(message.contains("topic enriched") && message.contains("InvalidTimestamp"), "{message}");
    }

    #[test]
    fn what_is_committed_is_forgotten() {
        let mut refusals = Refusals::default();
        for place in [(0, 5), (0, 6), (1, 5)] {
            refusals.note(refused(place), 1_000);
        }
        refusals.committed(0, 6);
        assert!(refusals.of(0, 5).is_none() && refusals.of(0, 6).is_some() && refusals.of(1, 5).is_some());
    }
}
