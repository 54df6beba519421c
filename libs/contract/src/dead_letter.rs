//! Dead letters: the raw bytes of a record that could not be read or scored, with the reason in headers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Header: topic of the record.
pub const HEADER_TOPIC: &str = "vedette.topic";
/// Header: partition of the record, decimal.
pub const HEADER_PARTITION: &str = "vedette.partition";
/// Header: offset of the record, decimal.
pub const HEADER_OFFSET: &str = "vedette.offset";
/// Header: a [`DeadLetterReason`].
pub const HEADER_REASON: &str = "vedette.reason";
/// Header: what exactly was wrong, for a person.
pub const HEADER_MESSAGE: &str = "vedette.message";
/// Header: when it was refused, RFC 3339 with microseconds.
pub const HEADER_TIME: &str = "vedette.time";
/// Header of a value that was cut: its whole length in bytes, decimal.
pub const HEADER_LENGTH: &str = "vedette.length";
/// Header of a value that was cut: lower-case hexadecimal SHA-256 of the whole value.
pub const HEADER_SHA256: &str = "vedette.sha256";
/// Header of a record that was sent once more: topic, partition and offset of its dead letter, with '/' between.
pub const HEADER_REPLAYED: &str = "vedette.replayed";

/// Why a record is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeadLetterReason {
    /// No value (a tombstone).
    Empty,
    /// Not UTF-8.
    InvalidUtf8,
    /// Not JSON.
    InvalidJson,
    /// JSON, but not an object.
    NotAnObject,
    /// The same key twice.
    DuplicateKey,
    /// A field that the detector adds.
    ReservedField,
    /// Enriched, it would be larger than its topic accepts.
    TooLarge,
    /// The model gave no finite score.
    ScoringFailed,
    /// Kafka does not take what was made of it.
    Refused,
}

impl DeadLetterReason {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 9] = [
        Self::Empty,
        Self::InvalidUtf8,
        Self::InvalidJson,
        Self::NotAnObject,
        Self::DuplicateKey,
        Self::ReservedField,
        Self::TooLarge,
        Self::ScoringFailed,
        Self::Refused,
    ];

    /// Its spelling in the header and in metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidJson => "invalid_json",
            Self::NotAnObject => "not_an_object",
            Self::DuplicateKey => "duplicate_key",
            Self::ReservedField => "reserved_field",
            Self::TooLarge => "too_large",
            Self::ScoringFailed => "scoring_failed",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that is no [`DeadLetterReason`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a reason of a dead letter: {reasons}", reasons = DeadLetterReason::ALL.map(DeadLetterReason::as_str).join(", "))]
pub struct UnknownDeadLetterReason(String);

impl FromStr for DeadLetterReason {
    type Err = UnknownDeadLetterReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reason = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        reason.ok_or_else(|| UnknownDeadLetterReason(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_as_it_is_written() {
        for reason in DeadLetterReason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
        }
        assert!("Empty".parse::<DeadLetterReason>().is_err());
    }
}
