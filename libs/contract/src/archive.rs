//! Archive objects: their keys and metadata. An object is a sequence of zstd frames of JSON lines, immutable once closed.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Name, TopicName};

/// Object metadata: the next offset after the last record, that is the `start` of the next object of the partition.
pub const METADATA_END: &str = "end";
/// Object metadata: how many records (lines) it holds.
pub const METADATA_RECORDS: &str = "records";
/// Object metadata: lower-case hexadecimal SHA-256 of the object's bytes (compressed, as stored).
pub const METADATA_SHA256: &str = "sha256";
/// Ending of every archive object's key.
pub const OBJECT_SUFFIX: &str = ".jsonl.zst";
/// What follows an object's key in the keys of its open tail: `<key>.tmp/<offset>`.
pub const TAIL_SUFFIX: &str = ".tmp/";

/// What is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Every record, enriched.
    EnrichedData,
    /// The alerts.
    Alerts,
}

impl Stream {
    /// Its name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnrichedData => "enriched_data",
            Self::Alerts => "alerts",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Key of an archive object below its stream's prefix:
/// `<yyyy-mm-dd>/<site>/<topic>-<partition>-<start, 20 digits>-<8 hex digits>.jsonl.zst`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArchiveObjectKey {
    /// UTC date of the first record's Kafka timestamp.
    pub day: Date,
    /// Site that archived it.
    pub site: Name,
    /// Kafka topic.
    pub topic: TopicName,
    /// Kafka partition.
    pub partition: i32,
    /// The committed position when the object was opened.
    pub start: i64,
    /// First 8 hex digits of the SHA-256 of the first record: tells a recreated topic from the old one.
    pub first_record: String,
}

/// A key that is not one of an archive object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key:?} is not the key of an archive object (<day>/<site>/<topic>-<partition>-<start>-<hash>{OBJECT_SUFFIX})")]
pub struct ArchiveObjectKeyError {
    /// What was given.
    pub key: String,
}

impl fmt::Display for ArchiveObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day, site, topic, partition, start, first_record } = self;
        write!(formatter, "{day}/{site}/{topic}-{partition}-{start:020}-{first_record}{OBJECT_SUFFIX}")
    }
}

impl FromStr for ArchiveObjectKey {
    type Err = ArchiveObjectKeyError;

    fn from_str(key: &str) -> Result<Self, ArchiveObjectKeyError> {
        parse(key).ok_or_else(|| ArchiveObjectKeyError { key: key.to_owned() })
    }
}

fn parse(key: &str) -> Option<ArchiveObjectKey> {
    let (day, rest) = key.split_once('/')?;
    let (site, file) = rest.split_once('/')?;
    let mut parts = file.strip_suffix(OBJECT_SUFFIX)?.rsplitn(4, '-');
    let (first_record, start, partition, topic) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hexadecimal =
        first_record.len() == 8 && first_record.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !hexadecimal || start.len() != 20 || !start.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let parsed = ArchiveObjectKey {
        day: day.parse().ok()?,
        site: site.parse().ok()?,
        topic: topic.parse().ok()?,
        partition: partition.parse().ok().filter(|number| *number >= 0)?,
        start: start.parse().ok()?,
        first_record: first_record.to_owned(),
    };
    (parsed.to_string() == key).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_topic_with_dashes_keeps_its_name() {
        let key: ArchiveObjectKey =
            "2026-11-23/east/my-own-topic-3-00000000000000001234-0a1b2c3d.jsonl.zst".parse().unwrap();
        assert_eq!(key.topic.as_str(), "my-own-topic");
        assert_eq!((key.partition, key.start), (3, 1234));
    }

    #[test]
    fn tails_and_strangers_are_refused() {
        for bad in [
            "",
            "2026-11-23/east/t-3-00000000000000001234-0a1b2c3d.jsonl.zst.tmp/00000000000000001234",
            "2026-13-23/east/t-3-00000000000000001234-0a1b2c3d.jsonl.zst",
            "2026-11-23/east/t-3-1234-0a1b2c3d.jsonl.zst",
            "2026-11-23/east/t-03-00000000000000001234-0a1b2c3d.jsonl.zst",
        ] {
            assert!(bad.parse::<ArchiveObjectKey>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back(topic in "[a-zA-Z0-9._-]{1,20}", partition in 0..10_000i32, start in 0..i64::MAX, hash in "[0-9a-f]{8}", day in 1..28i8) {
            prop_assume!(topic.parse::<TopicName>().is_ok());
            let key = ArchiveObjectKey {
                day: jiff::civil::date(2026, 2, day), site: "east".parse().unwrap(), topic: topic.parse().unwrap(),
                partition, start, first_record: hash,
            };
            prop_assert_eq!(key.to_string().parse::<ArchiveObjectKey>().unwrap(), key);
        }
    }
}
