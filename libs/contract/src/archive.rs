//! What is archived, in which format, and what an object's writer says of it. An object is immutable once closed.

mod key;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use key::{ArchiveKey, ArchiveKeyError, ArchiveObjectKey, FirstRecord, Origin};

/// Object metadata: the next offset after the last record, that is the `start` of the next object of the partition.
pub const METADATA_END: &str = "end";
/// Object metadata: how many records (lines) it holds.
pub const METADATA_RECORDS: &str = "records";
/// Object metadata: lower-case hexadecimal SHA-256 of the object's bytes (compressed, as stored).
pub const METADATA_SHA256: &str = "sha256";
/// Object metadata: lower-case hexadecimal SHA-256 of its last record (a line without its end).
pub const METADATA_LAST_RECORD: &str = "last";

/// What is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Every record, enriched.
    EnrichedData,
    /// The alerts.
    Alerts,
    /// How incidents stand, each change.
    Incidents,
}

/// A text that names no stream.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a stream: use enriched_data, alerts or incidents")]
pub struct StreamError {
    /// What was given.
    pub text: String,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EnrichedData, Self::Alerts, Self::Incidents];

    /// Its name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnrichedData => "enriched_data",
            Self::Alerts => "alerts",
            Self::Incidents => "incidents",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Stream {
    type Err = StreamError;

    fn from_str(text: &str) -> Result<Self, StreamError> {
        let named = Self::ALL.into_iter().find(|stream| stream.as_str() == text);
        named.ok_or_else(|| StreamError { text: text.to_owned() })
    }
}

/// How the records lie in an object. The ending of its key tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// zstd frames (RFC 8878), one after the other, of one JSON object a line.
    JsonLines,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::JsonLines];

    fn suffix(self) -> &'static str {
        match self {
            Self::JsonLines => ".jsonl.zst",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_spelled_as_in_keys_and_json() {
        for (stream, text) in Stream::ALL.into_iter().zip(["enriched_data", "alerts", "incidents"]) {
            assert_eq!((stream.to_string().as_str(), text.parse()), (text, Ok(stream)));
            assert_eq!(serde_json::to_value(stream).unwrap(), text);
        }
        assert!("Alerts".parse::<Stream>().is_err());
    }
}
