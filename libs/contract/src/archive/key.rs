//! Keys of the archive: of the objects, of the deltas of those that are open, and of the directories that they lie in.
//! No other place puts such a key together or takes it apart.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use thiserror::Error;

use super::{Format, Stream};
use crate::keys::PipelineKeys;
use crate::{Name, TopicName};

/// Stands between an object's key and the offset of a delta.
const TAIL: &str = ".tmp/";

/// Where records come from: one partition of a topic at a site, as a stream of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Namespace of the pipeline.
    pub namespace: Name,
    /// The pipeline.
    pub pipeline: Name,
    /// What the topic carries.
    pub stream: Stream,
    /// Site that archives it.
    pub site: Name,
    /// Kafka topic.
    pub topic: TopicName,
    /// Kafka partition.
    pub partition: i32,
}

/// First 32 bits of the SHA-256 of an object's first record: tells a recreated topic from the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FirstRecord(u32);

/// Full key of an archive object:
/// `<namespace>/<pipeline>/<stream>/<yyyy-mm-dd>/<site>/<topic>-<partition>-<start, 20 digits>-<8 hex digits>.jsonl.zst`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArchiveObjectKey {
    /// Where its records come from.
    pub origin: Origin,
    /// UTC date of the first record's Kafka timestamp.
    pub day: Date,
    /// The committed position when the object was opened.
    pub start: i64,
    /// Of its first record.
    pub first_record: FirstRecord,
    /// How its records lie in it.
    pub format: Format,
}

/// Full key of an object, or of a delta of its open tail: `<key of the object>.tmp/<offset, 20 digits>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArchiveKey {
    /// The object.
    pub object: ArchiveObjectKey,
    /// Offset of the delta's first record; nothing for the closed object.
    pub delta: Option<i64>,
}

/// A key that is not one of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{key:?} is not the key of an archive object \
     (<namespace>/<pipeline>/<stream>/<day>/<site>/<topic>-<partition>-<start>-<hash>.jsonl.zst)"
)]
pub struct ArchiveKeyError {
    /// What was given.
    pub key: String,
}

impl Origin {
    fn keys(&self) -> PipelineKeys {
        PipelineKeys::new(&self.namespace, &self.pipeline)
    }
}

impl FirstRecord {
    /// From the SHA-256 of the record as it is archived.
    pub fn from_sha256(digest: [u8; 32]) -> Self {
        let [a, b, c, d, ..] = digest;
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl ArchiveObjectKey {
    /// Prefix of all deltas of its open tail.
    pub fn tail(&self) -> String {
        format!("{self}{TAIL}")
    }

    /// The delta that begins at this offset.
    pub fn delta(self, offset: i64) -> ArchiveKey {
        ArchiveKey { object: self, delta: Some(offset) }
    }

    /// The closed object.
    pub fn closed(self) -> ArchiveKey {
        ArchiveKey { object: self, delta: None }
    }
}

impl PipelineKeys {
    /// The day of a directory right below [`Self::stream`]; nothing where it is none.
    pub fn archived_day(&self, stream: Stream, directory: &str) -> Option<Date> {
        let day: Date = directory.strip_prefix(&self.stream(stream))?.strip_suffix('/')?.parse().ok()?;
        (self.archive_of_day(stream, day) == directory).then_some(day)
    }

    /// Prefix of a day's objects at a site: `…/<stream>/<yyyy-mm-dd>/<site>/`.
    pub fn archive_at_site(&self, stream: Stream, day: Date, site: &Name) -> String {
        format!("{}{site}/", self.archive_of_day(stream, day))
    }

    /// Prefix of a day's objects of one partition: `…/<stream>/<yyyy-mm-dd>/<site>/<topic>-<partition>-`. Below it the order of keys
    /// is that of the offsets at which they start.
    pub fn archive_of_partition(origin: &Origin, day: Date) -> String {
        let directory = origin.keys().archive_at_site(origin.stream, day, &origin.site);
        format!("{directory}{}-{}-", origin.topic, origin.partition)
    }

    /// Prefix of a day's objects of all sites: `…/<stream>/<yyyy-mm-dd>/`.
    pub fn archive_of_day(&self, stream: Stream, day: Date) -> String {
        format!("{}{day}/", self.stream(stream))
    }
}

impl fmt::Display for FirstRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}", self.0)
    }
}

impl fmt::Display for ArchiveObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, day, start, first_record, format } = self;
        let directory = origin.keys().archive_at_site(origin.stream, *day, &origin.site);
        let (topic, partition, suffix) = (&origin.topic, origin.partition, format.suffix());
        write!(formatter, "{directory}{topic}-{partition}-{start:020}-{first_record}{suffix}")
    }
}

impl fmt::Display for ArchiveKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, delta } = self;
        match delta {
            None => write!(formatter, "{object}"),
            Some(offset) => write!(formatter, "{object}{TAIL}{offset:020}"),
        }
    }
}

impl FromStr for ArchiveObjectKey {
    type Err = ArchiveKeyError;

    fn from_str(key: &str) -> Result<Self, ArchiveKeyError> {
        // What can be read in another spelling, such as a number without its zeros, is not a key of ours.
        let parsed = parse_object(key).filter(|parsed| parsed.to_string() == key);
        parsed.ok_or_else(|| ArchiveKeyError { key: key.to_owned() })
    }
}

impl FromStr for ArchiveKey {
    type Err = ArchiveKeyError;

    fn from_str(key: &str) -> Result<Self, ArchiveKeyError> {
        let parsed = parse(key).filter(|parsed| parsed.to_string() == key);
        parsed.ok_or_else(|| ArchiveKeyError { key: key.to_owned() })
    }
}

fn parse(key: &str) -> Option<ArchiveKey> {
    match key.split_once(TAIL) {
        None => Some(parse_object(key)?.closed()),
        Some((object, offset)) => {
            let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
            Some(parse_object(object)?.delta(offset))
        }
    }
}

fn parse_object(key: &str) -> Option<ArchiveObjectKey> {
    let segments: Vec<&str> = key.split('/').collect();
    let [namespace, pipeline, stream, day, site, file] = segments.as_slice() else { return None };
    let (format, stem) = parse_format(file)?;
    let mut parts = stem.rsplitn(4, '-');
    let (first_record, start, partition, topic) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let origin = Origin {
        namespace: namespace.parse().ok()?,
        pipeline: pipeline.parse().ok()?,
        stream: stream.parse().ok()?,
        site: site.parse().ok()?,
        topic: topic.parse().ok()?,
        partition: partition.parse().ok()?,
    };
    let first_record = FirstRecord(u32::from_str_radix(first_record, 16).ok()?);
    Some(ArchiveObjectKey { origin, day: day.parse().ok()?, start: start.parse().ok()?, first_record, format })
}

fn parse_format(file: &str) -> Option<(Format, &str)> {
    Format::ALL.into_iter().find_map(|format| Some((format, file.strip_suffix(format.suffix())?)))
}

#[cfg(test)]
mod tests;
