//! What the archiver keeps for one partition: the open object, the sealed ones before it, and which work is due next.
//! A state machine: records and results go in, [`Work`] comes out, and it does neither Kafka nor the bucket itself.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tracing::warn;
use vedette_archive::{FrameEncoder, encoder, first_record};
use vedette_contract::archive::{ArchiveObjectKey, Format, Origin};
use vedette_contract::progress::Progress;
use vedette_records::one_line;

use crate::object::{Closing, Frame, OpenObject, SealedObject, Upload};
use crate::spool::{SpoolDirectory, SpoolError};

/// A partition takes no more records while this many of its objects wait for the bucket: what the spool holds of a
/// partition is bounded by as many objects and the open one.
const MAX_SEALED: usize = 2;

/// What is written.
const FORMAT: Format = Format::JsonLines;

/// A record as it is archived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) offset: i64,
    /// Kafka's timestamp, milliseconds since 1970; absent only for topics older than Kafka 0.10.
    pub(crate) timestamp_millis: Option<i64>,
    pub(crate) value: &'a [u8],
}

/// What to do in the bucket next; one at a time for a partition, so that its objects close in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Read the progress that an earlier owner left.
    Recover,
    /// See whether the object that was opened is there already, and delete stale deltas of it.
    Inspect(ArchiveObjectKey),
    /// Send the ended frames.
    Tail { key: ArchiveObjectKey, file: PathBuf, frames: Vec<Frame> },
    /// Note that nothing but marks of transactions stands up to here.
    Pass(i64),
    /// Send the whole object, note the progress, commit, delete the deltas.
    Close(Upload),
    /// Commit where reading went on elsewhere.
    Commit(i64),
}

/// What came of [`Work`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    Recovered(Progress),
    Inspected(ArchiveObjectKey),
    TailStored {
        key: ArchiveObjectKey,
        frames: usize,
        progress: Progress,
    },
    Closed(Progress),
    Committed(i64),
    /// An earlier owner created the object already, up to `end`, which is committed.
    Covered {
        end: i64,
        progress: Progress,
    },
}

/// The state of one partition.
pub(crate) struct Partition {
    pub(crate) origin: Origin,
    /// What the bucket knows of this partition; nothing until it was read.
    pub(crate) progress: Option<Progress>,
    /// Where the next object starts: offset after the last record.
    position: i64,
    open: Option<OpenObject>,
    sealed: VecDeque<SealedObject>,
    /// Where reading went on elsewhere, which is committed once so many sealed objects, of before, are closed: each of them commits
    /// its own end.
    moved: Option<(usize, i64)>,
    encoder: FrameEncoder,
}

impl Partition {
    /// A partition whose first object starts at `position`.
    pub(crate) fn new(origin: Origin, position: i64) -> std::io::Result<Self> {
        let encoder = encoder(FORMAT)?;
        Ok(Self { origin, progress: None, position, open: None, sealed: VecDeque::new(), moved: None, encoder })
    }

    /// Takes a record; the object before it closes where the record's day, or its own size, demands it. A record without
    /// a value has no line.
    pub(crate) fn append(
        &mut self,
        record: Record<'_>,
        spool: &SpoolDirectory,
        closing: &Closing,
        now: Instant,
    ) -> Result<(), SpoolError> {
        if record.value.is_empty() {
            return Ok(());
        }
        let day = day_of(record.timestamp_millis);
        if record.offset < self.position {
            warn!(
                topic = %self.origin.topic, partition = self.origin.partition, offset = record.offset,
                position = self.position, "offsets begin again: the topic was created anew"
            );
            self.continue_at(record.offset)?;
        } else if self.open.as_ref().is_some_and(|open| day > open.key.day) {
            self.seal()?;
        }
        let line = one_line(record.value);
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(OpenObject::new(
                ArchiveObjectKey {
                    origin: self.origin.clone(),
                    day,
                    start: self.position,
                    first_record: first_record(&line),
                    format: FORMAT,
                },
                spool.create()?,
                now,
            )),
        };
        open.append(record.offset, &line, &mut self.encoder, now)?;
        self.position = record.offset + 1;
        if open.is_full(closing) { self.seal() } else { Ok(()) }
    }

    /// Closes the open object to further records.
    pub(crate) fn seal(&mut self) -> Result<(), SpoolError> {
        if let Some(open) = self.open.take() {
            self.sealed.push_back(open.seal(&mut self.encoder)?);
        }
        Ok(())
    }

    /// Whether it has to be paused until the bucket took what is sealed.
    pub(crate) fn is_saturated(&self) -> bool {
        self.sealed.len() >= MAX_SEALED
    }

    /// Whether it holds records that are in no closed object.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some() || !self.sealed.is_empty()
    }

    /// Whether it is still to be committed where reading went on.
    pub(crate) fn is_moved(&self) -> bool {
        self.moved.is_some()
    }

    /// Offset after the last record.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// Closes the open object; the next one starts here.
    pub(crate) fn continue_at(&mut self, position: i64) -> Result<(), SpoolError> {
        self.seal()?;
        self.position = position;
        self.moved = Some((self.sealed.len(), position));
        Ok(())
    }

    /// What to do now, if anything; to be asked only while no work of this partition is under way.
    pub(crate) fn next_work(&mut self, closing: &Closing, now: Instant) -> Result<Option<Work>, SpoolError> {
        if self.progress.is_none() {
            return Ok(Some(Work::Recover));
        }
        if let Some((0, position)) = self.moved {
            return Ok(Some(Work::Commit(position)));
        }
        if self.sealed.is_empty() && self.open.as_ref().is_some_and(|open| open.is_aged(closing, now)) {
            self.seal()?;
        }
        if let Some(sealed) = self.sealed.front() {
            return Ok(Some(Work::Close(sealed.upload())));
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        if !open.inspected {
            return Ok(Some(Work::Inspect(open.key.clone())));
        }
        if open.is_frame_due(closing, now) {
            open.end_frame(&mut self.encoder)?;
        }
        if open.pending.is_empty() {
            return Ok(None);
        }
        Ok(Some(Work::Tail { key: open.key.clone(), file: open.file.path().to_owned(), frames: open.pending.clone() }))
    }

    /// Takes what came of the work. Returns the offset to go on from where it is not the position: everything that was
    /// buffered is dropped then.
    pub(crate) fn complete(&mut self, done: Done) -> Result<Option<i64>, SpoolError> {
        match done {
            Done::Recovered(progress) => self.progress = Some(progress),
            Done::Inspected(key) => {
                if let Some(open) = self.open.as_mut().filter(|open| open.key == key) {
                    open.inspected = true;
                }
            }
            Done::TailStored { key, frames, progress } => {
                self.progress = Some(progress);
                // The object may have been sealed meanwhile; the frames of another are not these.
                if let Some(open) = self.open.as_mut().filter(|open| open.key == key) {
                    open.pending.drain(..frames);
                }
            }
            Done::Closed(progress) => {
                self.progress = Some(progress);
                self.sealed.pop_front();
                self.moved = self.moved.map(|(before, position)| (before.saturating_sub(1), position));
            }
            Done::Committed(position) => _ = self.moved.take_if(|moved| *moved == (0, position)),
            Done::Covered { end, progress } => {
                self.progress = Some(progress);
                self.restart(end)?;
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Drops what is buffered; the next object starts here.
    pub(crate) fn restart(&mut self, position: i64) -> Result<(), SpoolError> {
        self.sealed.clear();
        self.moved = None;
        if let Some(open) = self.open.take() {
            self.encoder.abandon().map_err(|error| open.file.not_compressed(error))?;
        }
        self.position = position;
        Ok(())
    }
}

/// UTC date of a Kafka timestamp; 1970-01-01 where there is none or none that can be, so that a replay finds the same.
fn day_of(timestamp_millis: Option<i64>) -> Date {
    let timestamp = timestamp_millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    timestamp.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;
    use vedette_contract::archive::Stream;

    const NOON: i64 = 1_795_435_200_000; // 2026-11-23T12:00:00Z
    const DAY: i64 = 86_400_000;

    struct Bench {
        _directory: tempfile::TempDir,
        spool: SpoolDirectory,
        closing: Closing,
        partition: Partition,
        now: Instant,
    }

    impl Bench {
        fn new(max_bytes: u64) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let spool = SpoolDirectory::prepare(directory.path()).unwrap();
            let origin = Origin {
                namespace: "n".parse().unwrap(),
                pipeline: "p".parse().unwrap(),
                stream: Stream::Alerts,
                site: "east".parse().unwrap(),
                topic: "alerts".parse().unwrap(),
                partition: 2,
            };
            let mut partition = Partition::new(origin, 5).unwrap();
            partition.progress = Some(progress());
            let closing =
                Closing { max_bytes, max_age: Duration::from_secs(60), tail_interval: Duration::from_secs(5) };
            Self { _directory: directory, spool, closing, partition, now: Instant::now() }
        }

        fn append(&mut self, offset: i64, timestamp_millis: i64, value: &str) {
            let record = Record { offset, timestamp_millis: Some(timestamp_millis), value: value.as_bytes() };
            self.partition.append(record, &self.spool, &self.closing, self.now).unwrap();
        }

        fn work(&mut self) -> Option<Work> {
            self.partition.next_work(&self.closing, self.now).unwrap()
        }

        fn upload(&mut self) -> Upload {
            match self.work() {
                Some(Work::Close(upload)) => upload,
                other => panic!("expected an object to close, got {other:?}"),
            }
        }
    }

    fn progress() -> Progress {
        Progress {
            stream: Stream::Alerts,
            records: 0,
            closed_records: 0,
            end: 0,
            passed: None,
            last_object: None,
            last_utc: None,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_key_is_the_day_and_hash_of_the_first_record_and_the_position() {
        let mut bench = Bench::new(1000);
        bench.append(7, NOON, r#"{"a":1}"#);
        let Some(Work::Inspect(key)) = bench.work() else { panic!("inspected first") };
        let hash = first_record(br#"{"a":1}"#);
        assert_eq!(
            key.to_string(),
            format!("n/p/alerts/2026-11-23/east/alerts-2-00000000000000000005-{hash}.jsonl.zst")
        );
    }

    #[test]
    fn a_record_of_several_lines_is_one_line_of_the_object() {
        let mut bench = Bench::new(1000);
        bench.append(7, NOON, "{\r\n\"a\":1}");
        let Some(Work::Inspect(key)) = bench.work() else { panic!("inspected first") };
        assert_eq!(key.first_record, first_record(br#"{  "a":1}"#));
    }

    #[test]
    fn a_later_day_closes_the_object_and_an_earlier_one_stays_in_it() {
        let mut bench = Bench::new(1000);
        bench.append(5, NOON, "{}");
        bench.append(6, NOON - DAY, "{}");
        assert!(!bench.partition.is_saturated());
        bench.append(9, NOON + DAY, "{}");
        let first = bench.upload();
        assert_eq!((first.key.start, first.end, first.records), (5, 7, 2));
        bench.partition.complete(Done::Closed(progress())).unwrap();
        let Some(Work::Inspect(second)) = bench.work() else { panic!("the next day's object is open") };
        assert_eq!((second.day, second.start), (jiff::civil::date(2026, 11, 24), 7));
    }

    #[test]
    fn an_object_closes_at_its_size_and_at_its_age() {
        let mut bench = Bench::new(6);
        bench.append(5, NOON, "{}");
        assert!(matches!(bench.work(), Some(Work::Inspect(_))));
        bench.append(6, NOON, "{}");
        assert_eq!(bench.upload().end, 7);
        bench.partition.complete(Done::Closed(progress())).unwrap();
        bench.append(7, NOON, "{}");
        bench.now += Duration::from_secs(59);
        assert!(matches!(bench.work(), Some(Work::Inspect(_))));
        bench.now += Duration::from_secs(1);
        assert_eq!((bench.upload().key.start, bench.upload().end), (7, 8));
    }

    #[test]
    fn a_tail_is_sent_before_its_interval_is_over_and_only_once() {
        let mut bench = Bench::new(1000);
        bench.append(5, NOON, "{}");
        let Some(Work::Inspect(key)) = bench.work() else { panic!("inspected first") };
        bench.partition.complete(Done::Inspected(key.clone())).unwrap();
        assert_eq!(bench.work(), None);
        bench.now += Duration::from_secs(4);
        let Some(Work::Tail { frames, .. }) = bench.work() else { panic!("a tail is due") };
        assert_eq!((frames[0].first_offset, frames[0].end), (5, 6));
        bench.append(6, NOON, "{}");
        bench.partition.complete(Done::TailStored { key, frames: 1, progress: progress() }).unwrap();
        assert_eq!(bench.work(), None);
        bench.now += Duration::from_secs(4);
        let Some(Work::Tail { frames, .. }) = bench.work() else { panic!("the next tail is due") };
        assert_eq!((frames.len(), frames[0].first_offset, frames[0].records), (1, 6, 2));
    }

    #[test]
    fn an_object_that_is_there_already_drops_the_buffer() {
        let mut bench = Bench::new(1000);
        bench.append(5, NOON, "{}");
        bench.append(9, NOON + DAY, "{}");
        let go_on = bench.partition.complete(Done::Covered { end: 8, progress: progress() }).unwrap();
        assert_eq!((go_on, bench.partition.position(), bench.partition.is_open()), (Some(8), 8, false));
        bench.append(9, NOON + DAY, "{}");
        let Some(Work::Inspect(key)) = bench.work() else { panic!("a new object is open") };
        assert_eq!(key.start, 8);
    }

    #[test]
    fn a_topic_created_anew_begins_a_new_chain() {
        let mut bench = Bench::new(1000);
        bench.append(900, NOON, "{}");
        bench.append(0, NOON, "{}");
        assert_eq!(bench.upload().end, 901);
        bench.partition.complete(Done::Closed(progress())).unwrap();
        // The old object committed an end that the new topic may come to have.
        assert_eq!(bench.work(), Some(Work::Commit(0)));
        bench.partition.complete(Done::Committed(0)).unwrap();
        let Some(Work::Inspect(key)) = bench.work() else { panic!("a new object is open") };
        assert_eq!(key.start, 0);
    }

    #[test]
    fn days_are_utc_and_never_fail() {
        assert_eq!(day_of(Some(NOON + DAY / 2 - 1)), jiff::civil::date(2026, 11, 23));
        assert_eq!(day_of(Some(NOON + DAY / 2)), jiff::civil::date(2026, 11, 24));
        for impossible in [None, Some(i64::MAX), Some(i64::MIN)] {
            assert_eq!(day_of(impossible), jiff::civil::date(1970, 1, 1));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn objects_chain_and_hold_every_record_once(
            records in proptest::collection::vec((1..4i64, -1..2i64, "[a-z]{0,12}", 0..30u64), 1..60),
            max_bytes in 1..80u64,
        ) {
            let mut bench = Bench::new(max_bytes);
            let (mut offset, mut expected, mut archived, mut ends) = (4, Vec::new(), Vec::new(), vec![5]);
            let mut take = |bench: &mut Bench| while let Some(Work::Close(upload)) = bench.work() {
                assert_eq!(upload.key.start, *ends.last().unwrap());
                ends.push(upload.end);
                let stored = std::fs::read(&upload.file).unwrap();
                let text = String::from_utf8(zstd::decode_all(stored.as_slice()).unwrap()).unwrap();
                assert_eq!(text.lines().count() as u64, upload.records);
                assert_eq!(first_record(text.lines().next().unwrap().as_bytes()), upload.key.first_record);
                archived.extend(text.lines().map(str::to_owned));
                bench.partition.complete(Done::Closed(progress())).unwrap();
            };
            for (step, days, value, seconds) in records {
                offset += step;
                bench.now += Duration::from_secs(seconds);
                bench.append(offset, NOON + days * DAY, &value);
                if !value.is_empty() { expected.push(value); }
                take(&mut bench);
            }
            bench.partition.seal().unwrap();
            take(&mut bench);
            prop_assert_eq!(archived, expected);
        }
    }
}
