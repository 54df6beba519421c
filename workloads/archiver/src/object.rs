//! One archive object while it is open: lines, frames, and when it has to close. Time comes in as an argument; nothing
//! here touches Kafka or the bucket.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempPath;
use vedette_archive::{FrameEncoder, record_sha256};
use vedette_contract::archive::ArchiveObjectKey;
use vedette_contract::fields;
use vedette_records::{FieldNames, RecordReader, Scalar};

use crate::spool::{SpoolError, SpoolFile};

/// A frame ends when it holds this many uncompressed bytes: a delta is read into memory to be sent.
const FRAME_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// When objects close and how soon their tail is readable.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    /// An object closes when it holds this many uncompressed bytes.
    pub max_bytes: u64,
    /// An object closes when it has been open this long.
    pub max_age: Duration,
    /// A record is in the bucket after this long.
    pub tail_interval: Duration,
}

impl Closing {
    /// How long a record waits for its frame to end: the rest of the interval is for the way to the bucket.
    fn frame_age(&self) -> Duration {
        self.tail_interval * 4 / 5
    }
}

/// A zstd frame in the spool: what one delta object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where it lies in the spool file.
    pub(crate) bytes: Range<u64>,
    /// Offset of its first record.
    pub(crate) first_offset: i64,
    /// Records of the object up to its end.
    pub(crate) records: u64,
    /// Offset after its last record.
    pub(crate) end: i64,
    /// `utc` of its last record.
    pub(crate) last_utc: Option<String>,
}

/// The frame that is being written.
#[derive(Debug)]
struct CurrentFrame {
    first_offset: i64,
    started: Instant,
    start_byte: u64,
    bytes: u64,
}

/// An object that takes records.
pub(crate) struct OpenObject {
    pub(crate) key: ArchiveObjectKey,
    /// Whether the bucket was asked for an object of this key, and stale deltas below it were deleted.
    pub(crate) inspected: bool,
    /// Ended frames whose deltas are not in the bucket, oldest first.
    pub(crate) pending: Vec<Frame>,
    pub(crate) file: SpoolFile,
    opened: Instant,
    current: Option<CurrentFrame>,
    records: u64,
    bytes: u64,
    /// Offset after the last record.
    end: i64,
    last_record: Vec<u8>,
    /// A record of another site was met in it.
    is_mixed: bool,
}

/// An object that is complete in the spool and on its way to the bucket.
#[derive(Debug)]
pub(crate) struct SealedObject {
    pub(crate) key: ArchiveObjectKey,
    pub(crate) file: TempPath,
    pub(crate) sha256: String,
    /// Compressed length, bytes.
    pub(crate) length: u64,
    pub(crate) records: u64,
    pub(crate) end: i64,
    pub(crate) last_utc: Option<String>,
    /// A record of another site was met in it.
    pub(crate) is_mixed: bool,
    /// SHA-256 of its last record.
    pub(crate) last_record: String,
}

/// An object to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) key: ArchiveObjectKey,
    pub(crate) file: PathBuf,
    pub(crate) sha256: String,
    pub(crate) length: u64,
    pub(crate) records: u64,
    pub(crate) end: i64,
    pub(crate) last_utc: Option<String>,
    pub(crate) is_mixed: bool,
    pub(crate) last_record: String,
}

impl SealedObject {
    /// It stays in the spool until it was sent.
    pub(crate) fn upload(&self) -> Upload {
        let Self { key, file, sha256, length, records, end, last_utc, is_mixed, last_record } = self;
        Upload {
            key: key.clone(),
            file: file.to_path_buf(),
            sha256: sha256.clone(),
            length: *length,
            records: *records,
            end: *end,
            last_utc: last_utc.clone(),
            is_mixed: *is_mixed,
            last_record: last_record.clone(),
        }
    }
}

impl OpenObject {
    pub(crate) fn new(key: ArchiveObjectKey, file: SpoolFile, now: Instant) -> Self {
        Self {
            end: key.start,
            key,
            inspected: false,
            pending: Vec::new(),
            file,
            opened: now,
            current: None,
            records: 0,
            bytes: 0,
            last_record: Vec::new(),
            is_mixed: false,
        }
    }

    /// Adds a record, which has no newline in it.
    pub(crate) fn append(
        &mut self,
        offset: i64,
        line: &[u8],
        encoder: &mut FrameEncoder,
        now: Instant,
    ) -> Result<(), SpoolError> {
        let start_byte = self.file.length();
        let frame =
            self.current.get_or_insert(CurrentFrame { first_offset: offset, started: now, start_byte, bytes: 0 });
        self.file.take(encoder.record(line))?;
        let added = line.len() as u64 + 1;
        frame.bytes += added;
        self.bytes += added;
        self.records += 1;
        self.end = offset + 1;
        self.last_record.clear();
        self.last_record.extend_from_slice(line);
        if frame.bytes >= FRAME_MAX_BYTES {
            self.end_frame(encoder)?;
        }
        Ok(())
    }

    pub(crate) fn is_full(&self, closing: &Closing) -> bool {
        self.bytes >= closing.max_bytes
    }

    pub(crate) fn is_aged(&self, closing: &Closing, now: Instant) -> bool {
        now.duration_since(self.opened) >= closing.max_age
    }

    /// Whether records have waited long enough. While deltas are pending the frame goes on, so that an outage of the
    /// bucket makes no flood of small ones.
    pub(crate) fn is_frame_due(&self, closing: &Closing, now: Instant) -> bool {
        let waited = |frame: &CurrentFrame| now.duration_since(frame.started) >= closing.frame_age();
        self.pending.is_empty() && self.current.as_ref().is_some_and(waited)
    }

    /// Ends the frame, if one was begun, and leaves it pending.
    pub(crate) fn end_frame(&mut self, encoder: &mut FrameEncoder) -> Result<(), SpoolError> {
        let Some(CurrentFrame { first_offset, start_byte, .. }) = self.current.take() else {
            return Ok(());
        };
        self.file.take(encoder.end_frame())?;
        let RecordFacts { utc: last_utc, site } = facts_of(&self.last_record);
        self.note_site(site);
        self.pending.push(Frame {
            bytes: start_byte..self.file.length(),
            first_offset,
            records: self.records,
            end: self.end,
            last_utc,
        });
        Ok(())
    }

    /// A sample, the last record of each frame, tells whether two sites write into one topic; it is said once an object.
    fn note_site(&mut self, site: Option<serde_json::Value>) {
        let own = &self.key.origin.site;
        if let Some(other) = site.filter(|site| site.as_str() != Some(own.as_str()) && !self.is_mixed) {
            self.is_mixed = true;
            tracing::warn!(
                topic = %self.key.origin.topic,
                site = %own,
                %other,
                "the topic has records of another site: two releases write to it; give one topics of its own (spec.topics)"
            );
        }
    }

    pub(crate) fn seal(mut self, encoder: &mut FrameEncoder) -> Result<SealedObject, SpoolError> {
        self.end_frame(encoder)?;
        let length = self.file.length();
        let (file, sha256) = self.file.finish();
        let Self { key, records, end, last_record, is_mixed, .. } = self;
        let (last_utc, last_record) = (facts_of(&last_record).utc, record_sha256(&last_record));
        Ok(SealedObject { key, file, sha256, length, records, end, last_utc, is_mixed, last_record })
    }
}

/// What a record says of itself, as it stands there.
#[derive(Debug, Default, PartialEq, Eq)]
struct RecordFacts {
    /// Its text, or the JSON text of a number.
    utc: Option<String>,
    site: Option<serde_json::Value>,
}

/// Nothing where the record cannot be read. One of each frame is read, so a reader is made for it.
fn facts_of(record: &[u8]) -> RecordFacts {
    let mut names = FieldNames::default();
    let [utc, site] = [fields::UTC, fields::SITE].map(|name| names.want(name));
    let mut reader = RecordReader::new(names);
    let Ok(record) = reader.read(record) else { return RecordFacts::default() };
    RecordFacts {
        utc: record.get(utc).and_then(Scalar::category).map(Cow::into_owned),
        site: record.get(site).and_then(|site| serde_json::from_str::<Option<_>>(site.json()).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::SpoolDirectory;
    use vedette_archive::encoder;
    use vedette_contract::archive::Format;

    #[test]
    fn what_a_record_says_is_taken_as_it_stands() {
        let facts = facts_of(br#"{"a":1,"utc":"2026-11-23T08:00:00.000001Z","site":"east"}"#);
        assert_eq!(facts.utc.as_deref(), Some("2026-11-23T08:00:00.000001Z"));
        assert_eq!(facts.site, Some("east".into()));
        assert_eq!(facts_of(br#"{"utc":"t","site":5}"#).utc.as_deref(), Some("t"));
        let facts = facts_of(br#"{"utc":1795161600.50,"site":"west","a":{"site":"north"}}"#);
        assert_eq!((facts.utc.as_deref(), facts.site), (Some("1795161600.50"), Some("west".into())));
        assert_eq!(facts_of(br#"{"utc":["t"],"site":["east"]}"#).site, Some(vec!["east"].into()));
        assert_eq!(facts_of(br#"{"a":1}"#), RecordFacts::default());
        assert_eq!(facts_of(br#"{"utc":null,"site":null}"#), RecordFacts::default());
        assert_eq!(facts_of(b"not json"), RecordFacts::default());
    }

    #[test]
    fn frames_say_where_they_begin_and_what_the_object_holds_by_then() {
        let directory = tempfile::tempdir().unwrap();
        let file = SpoolDirectory::prepare(directory.path()).unwrap().create().unwrap();
        let mut encoder = encoder(Format::JsonLines).unwrap();
        let now = Instant::now();
        let key = "n/p/alerts/2026-11-23/east/t-0-00000000000000000007-0a1b2c3d.jsonl.zst".parse().unwrap();
        let mut object = OpenObject::new(key, file, now);
        object.append(8, br#"{"utc":"one"}"#, &mut encoder, now).unwrap();
        object.append(9, br#"{"utc":"two"}"#, &mut encoder, now).unwrap();
        object.end_frame(&mut encoder).unwrap();
        object.append(12, br#"{"utc":"three"}"#, &mut encoder, now).unwrap();
        object.end_frame(&mut encoder).unwrap();
        object.end_frame(&mut encoder).unwrap();
        let [first, second] = object.pending.as_slice() else { panic!("two frames") };
        assert_eq!((first.first_offset, first.records, first.end), (8, 2, 10));
        assert_eq!((second.first_offset, second.records, second.end), (12, 3, 13));
        assert_eq!(second.last_utc.as_deref(), Some("three"));
        assert_eq!(first.bytes.end, second.bytes.start);
        let stored = std::fs::read(object.file.path()).unwrap();
        let delta = &stored[usize::try_from(second.bytes.start).unwrap()..];
        assert_eq!(zstd::decode_all(delta).unwrap(), b"{\"utc\":\"three\"}\n");
        let sealed = object.seal(&mut encoder).unwrap();
        assert_eq!((sealed.records, sealed.end, sealed.length), (3, 13, stored.len() as u64));
    }

    #[test]
    fn a_large_frame_ends_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let file = SpoolDirectory::prepare(directory.path()).unwrap().create().unwrap();
        let mut encoder = encoder(Format::JsonLines).unwrap();
        let now = Instant::now();
        let key = "n/p/alerts/2026-11-23/east/t-0-00000000000000000000-0a1b2c3d.jsonl.zst".parse().unwrap();
        let mut object = OpenObject::new(key, file, now);
        let line = vec![b' '; 1 << 20];
        (0..20).for_each(|offset| object.append(offset, &line, &mut encoder, now).unwrap());
        assert_eq!(object.pending.iter().map(|frame| frame.end).collect::<Vec<_>>(), [8, 16]);
    }
}
