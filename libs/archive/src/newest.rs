//! Reads a stream from its newest records back, of all sites at once, and no farther than somebody wants: days are listed from the
//! last to the first, the objects of a partition are read from the last to the first, and each from its end.
//!
//! Where a partition has come to is told by the time of the record that was taken last, as records of a partition follow each other
//! in time. They do so nearly: whoever takes them asks for as much more as they may be out of their order.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveKey, Origin, Stream};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::{Bucket, BucketError};

use crate::format::Line;
use crate::list::{Source, archived_days, list_day};
use crate::read::{Fetched, Part, fetch};
use crate::seen::Seen;

/// So many objects are in memory at once; of so many partitions as many each, while it is looked for where these begin.
const CONCURRENCY: usize = 4;
/// Whoever looks again at a stream looks at so many days, the newest that there are.
pub const DAYS_AGAIN: usize = 3;

/// What of a stream is read.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// The stream.
    pub stream: Stream,
    /// Whose objects; everybody's where empty.
    pub sites: &'a [Name],
    /// Records of this time and later are not wanted. They may all the same be handed over; what arrived more than a day after it is
    /// not looked for, and of an object that begins at this time or later all is passed over: whoever wants records of before that are out
    /// of their order says a later one.
    pub before: Option<Timestamp>,
}

/// Who takes the records.
pub trait TakeNewest {
    /// Takes a record, and says of when it is; nothing where it is none.
    fn take(&mut self, key: &ArchiveKey, record: &[u8]) -> Option<Timestamp>;

    /// Records before this time are not wanted, or not any more: it may rise as records are taken.
    fn not_before(&self) -> Timestamp;

    /// Of when a record is, without taking it; nothing where it is none. Only whoever reads with [`Span::before`] is asked, of the first
    /// record of objects. Where nothing is said all of them are read.
    fn time(&self, _record: &[u8]) -> Option<Timestamp> {
        None
    }
}

/// What could not be taken.
#[derive(Debug, Clone, Default)]
pub struct Missed {
    /// Objects that are damaged and were read as far as they could be, or that were deleted meanwhile, with what is wrong.
    pub objects: Vec<(String, String)>,
    /// Lines that are no record.
    pub lines: u64,
}

/// Hands over records, the newest of each partition first, until nobody wants older ones.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn read_newest(
    bucket: &Bucket,
    keys: &PipelineKeys,
    span: Span<'_>,
    taker: &mut impl TakeNewest,
) -> Result<Missed, BucketError> {
    Ok(read_unseen(bucket, keys, span, &mut None, taker).await?.unwrap_or_default())
}

/// The same for whoever looks again and again: from the second time on only what is listed in the newest days and was not before.
/// What was handed over may be so once more, when its object is closed. Returns nothing where nothing is new.
///
/// # Errors
/// When the bucket cannot be read: what was new is so the next time, too.
pub async fn read_unseen(
    bucket: &Bucket,
    keys: &PipelineKeys,
    span: Span<'_>,
    seen: &mut Option<Seen>,
    taker: &mut impl TakeNewest,
) -> Result<Option<Missed>, BucketError> {
    let Span { stream, sites, before } = span;
    let last = before.map(day_after);
    let mut days = archived_days(bucket, keys, stream).await?;
    days.retain(|day| last.is_none_or(|last| *day <= last));
    let (mut has_new, most_days) = (seen.is_none(), if seen.is_some() { DAYS_AGAIN } else { usize::MAX });
    let mut listed_again = Vec::new();
    let mut reading = Reading { taker, seen: seen.as_ref(), reached: HashMap::new(), missed: Missed::default() };
    for (number, day) in days.into_iter().rev().take(most_days).enumerate() {
        if !reading.is_day_wanted(day) {
            break;
        }
        let listed = list_day(bucket, keys, stream, day, sites).await?;
        let mut partitions = BTreeMap::<Origin, Vec<Source>>::new();
        for source in listed.iter().filter_map(|source| reading.unseen(source)) {
            partitions.entry(source.object.origin.clone()).or_default().push(source);
        }
        has_new |= !partitions.is_empty();
        // What arrived on a day before it is of before.
        if let Some(before) = before.filter(|before| day > day_before(*before)) {
            partitions = reading.begun_before(bucket, partitions, before).await?;
        }
        while reading.read_one_of_each(bucket, &mut partitions).await? {}
        if number < DAYS_AGAIN {
            listed_again.extend(listed);
        }
    }
    let missed = reading.missed;
    let seen = seen.get_or_insert_default();
    seen.keep(&listed_again);
    listed_again.iter().for_each(|source| seen.note(source));
    Ok(has_new.then_some(missed))
}

struct Reading<'a, T> {
    taker: &'a mut T,
    /// What was read before, where anything was.
    seen: Option<&'a Seen>,
    /// The time of the record of each partition that was taken last.
    reached: HashMap<Origin, Timestamp>,
    missed: Missed,
}

impl<T: TakeNewest> Reading<'_, T> {
    /// A record is in the day of its arrival, or of that of the record with which its object begins.
    fn is_day_wanted(&self, day: Date) -> bool {
        day >= day_before(self.taker.not_before())
    }

    fn unseen(&self, source: &Source) -> Option<Source> {
        self.seen.map_or_else(|| Some(source.clone()), |seen| seen.unseen(source))
    }

    fn is_wanted(&self, origin: &Origin) -> bool {
        let not_before = self.taker.not_before();
        self.reached.get(origin).map_or(not_before < Timestamp::MAX, |reached| *reached >= not_before)
    }

    /// Of each partition the objects up to the last that begins before this time.
    async fn begun_before(
        &self,
        bucket: &Bucket,
        partitions: BTreeMap<Origin, Vec<Source>>,
        before: Timestamp,
    ) -> Result<BTreeMap<Origin, Vec<Source>>, BucketError> {
        let of_partition = async |(origin, mut sources): (Origin, Vec<Source>)| {
            let (mut begun, mut at_once) = (Vec::new(), 1);
            while begun.is_empty() && !sources.is_empty() {
                let last = sources.split_off(sources.len().saturating_sub(at_once));
                begun = self.begin_before(bucket, last, before).await?;
                at_once = CONCURRENCY.min(2 * at_once);
            }
            sources.extend(begun);
            Ok::<_, BucketError>((origin, sources))
        };
        stream::iter(partitions).map(of_partition).buffered(CONCURRENCY).try_collect().await
    }

    /// Those of these objects that begin before this time, each by its first record: a topic that was made anew begins with offsets that
    /// others of before had. One that cannot be read is kept, so that whoever reads it says so.
    async fn begin_before(
        &self,
        bucket: &Bucket,
        sources: Vec<Source>,
        before: Timestamp,
    ) -> Result<Vec<Source>, BucketError> {
        let begins_before = async |source: Source| {
            let fetched = fetch(bucket, source.clone()).await?;
            let first = fetched.and_then(|fetched| self.first_time(fetched.parts.first()?));
            Ok::<_, BucketError>(first.is_none_or(|first| first < before).then_some(source))
        };
        let kept: Vec<Option<Source>> =
            stream::iter(sources).map(begins_before).buffered(CONCURRENCY).try_collect().await?;
        Ok(kept.into_iter().flatten().collect())
    }

    fn first_time(&self, part: &Part) -> Option<Timestamp> {
        let mut time = None;
        let read = part.for_each_line(|line| {
            if let Line::Whole(record) = line {
                time = self.taker.time(record);
            }
            ControlFlow::Break(())
        });
        read.ok().and(time)
    }

    /// Reads the last object of each partition of which more is wanted. Returns whether there was any.
    async fn read_one_of_each(
        &mut self,
        bucket: &Bucket,
        partitions: &mut BTreeMap<Origin, Vec<Source>>,
    ) -> Result<bool, BucketError> {
        let wanted = partitions.iter_mut().filter(|(origin, _)| self.is_wanted(origin));
        let sources: Vec<Source> = wanted.filter_map(|(_, sources)| sources.pop()).collect();
        let has_any = !sources.is_empty();
        let get = async |source: Source| {
            let object = source.object.clone();
            fetch(bucket, source).await.map(|fetched| (object, fetched))
        };
        let mut all = stream::iter(sources).map(get).buffered(CONCURRENCY);
        while let Some(fetched) = all.next().await {
            match fetched? {
                (object, None) => self.miss(object.to_string(), "it was deleted while it was to be read"),
                (object, Some(fetched)) => {
                    if self.is_wanted(&object.origin) {
                        self.read(&fetched);
                    }
                }
            }
        }
        Ok(has_any)
    }

    fn read(&mut self, fetched: &Fetched) {
        for part in fetched.parts.iter().rev() {
            let (mut reached, mut strange) = (None, 0);
            let taken = part.for_each_line_backwards(|line| {
                let time = match line {
                    Line::Whole(record) => self.taker.take(&part.key, record),
                    Line::TooLong => None,
                };
                strange += u64::from(time.is_none());
                reached = time.or(reached);
                if time.is_some_and(|time| time < self.taker.not_before()) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            // Those of an object that is read once more, as it was closed, were counted in its deltas.
            let is_counted = part.key.delta.is_none() && self.seen.is_some_and(|seen| seen.has(&part.key.object));
            self.missed.lines += if is_counted { 0 } else { strange };
            if let Err(error) = taken {
                self.miss(part.key.to_string(), error);
            }
            if let Some(time) = reached {
                self.reached.insert(part.key.object.origin.clone(), time);
                if time < self.taker.not_before() {
                    return;
                }
            }
        }
    }

    fn miss(&mut self, key: String, what: impl ToString) {
        self.missed.objects.push((key, what.to_string()));
    }
}

fn day_before(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date().saturating_sub(1.day())
}

fn day_after(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date().saturating_add(1.day())
}
