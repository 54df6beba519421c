//! A sample of the records of a pipeline within the last hour, from its archive: of some partitions, spread over the sites, the beginnings of
//! some of the objects and deltas that were written within it. It is read when somebody asks for it, and kept for a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;
use vedette_archive::{Beginning, Line};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveKey, ArchiveObjectKey};
use vedette_contract::keys::PipelineKeys;
use vedette_service::error_chain;
use vedette_streams::bucket::{BucketError, ObjectSummary};

use super::demand::{DemandError, OnDemand, SAMPLES_AHEAD, in_time};
use crate::owner::PipelineName;
use crate::sample::{Draw, Sample};
use crate::store::ArchivedPartition;

/// Of so far back.
const WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// The clock of whoever made a record may be so far ahead of the bucket's.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// Partitions of which is read.
const PARTITIONS: usize = 24;
/// Objects of a partition of which is read.
const OBJECTS: usize = 5;
/// Deltas of an open object that are read.
const DELTAS: usize = 3;
/// Stored bytes of each that are read.
const PART_BYTES: usize = 64 << 10;
/// Bytes of text that are taken of each: far more than such a part of an archive is, whoever wrote it.
const PART_TEXT: usize = 4 << 20;
/// A line counts for so many of them at least: lines with nothing in them take time, too.
const LEAST_LINE: usize = 64;
/// Pages of the objects of a partition and a day that are listed, of 1,000 each: far more than an archiver writes that is set up as usual.
const PAGES: usize = 20;
/// A sample makes so many requests, however few an hour may have.
const LEAST_REQUESTS: usize = 12;
/// So many are asked for at once.
const AT_ONCE: usize = 8;
/// What a slow bucket has given by then is the sample.
const READING: Duration = Duration::from_secs(10);
/// A sample is read again after this.
const AGE: Duration = Duration::from_secs(60);
/// One that is so old is not shown, whatever cannot be read.
const OLDEST: Duration = Duration::from_secs(600);
/// Samples that are kept.
const KEPT: usize = 3;

/// Of which pipeline, at all sites or one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SampleOf {
    pub(crate) pipeline: PipelineName,
    pub(crate) site: Option<Name>,
}

/// Reads samples; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    demand: Arc<OnDemand>,
    samples: Arc<Mutex<Samples>>,
}

/// The samples that were read last.
#[derive(Debug, Default)]
struct Samples {
    kept: Vec<(SampleOf, Arc<Sample>, Instant)>,
}

impl Samples {
    fn get(&self, of: &SampleOf, age: Duration) -> Option<Arc<Sample>> {
        let (_, sample, read) = self.kept.iter().find(|(kept, ..)| kept == of)?;
        (read.elapsed() < age).then(|| Arc::clone(sample))
    }

    fn put(&mut self, of: SampleOf, sample: Arc<Sample>) {
        self.kept.retain(|(kept, _, read)| *kept != of && read.elapsed() < OLDEST);
        self.kept.insert(0, (of, sample, Instant::now()));
        self.kept.truncate(KEPT);
    }
}

impl Sampler {
    pub(crate) fn new(demand: Arc<OnDemand>) -> Self {
        Self { demand, samples: Arc::default() }
    }

    /// A sample of what these partitions archived within the last hour. Where none can be read now, one of a while ago: it says itself when it
    /// was read.
    pub(crate) async fn sample(
        &self,
        of: SampleOf,
        partitions: &[ArchivedPartition],
    ) -> Result<Arc<Sample>, DemandError> {
        if let Some(sample) = self.samples().get(&of, AGE) {
            return Ok(sample);
        }
        let read = in_time(async {
            let _turn = self.demand.turn().await;
            // Somebody else may have asked for the same meanwhile.
            if let Some(sample) = self.samples().get(&of, AGE) {
                return Ok(sample);
            }
            self.demand.check(SAMPLES_AHEAD)?;
            let sample = Arc::new(self.read_sample(of.site.as_ref(), partitions).await?);
            // Where there was nothing, there may be something at once.
            if !sample.records.is_empty() {
                self.samples().put(of.clone(), Arc::clone(&sample));
            }
            Ok(sample)
        });
        match read.await {
            Ok(sample) => Ok(sample),
            Err(error) => {
                let Some(before) = self.samples().get(&of, OLDEST) else { return Err(error) };
                tracing::debug!(error = error_chain(&error), read = %before.read, "a sample of a while ago is shown");
                Ok(before)
            }
        }
    }

    async fn read_sample(&self, site: Option<&Name>, partitions: &[ArchivedPartition]) -> Result<Sample, DemandError> {
        let now = self.demand.reader.now();
        let not_before = now - WITHIN;
        let is_wanted = |partition: &&ArchivedPartition| {
            partition.moved >= not_before && site.is_none_or(|site| partition.origin.site == *site)
        };
        let written: Vec<&ArchivedPartition> = partitions.iter().filter(is_wanted).collect();
        let sites = written.iter().map(|partition| &partition.origin.site).collect::<BTreeSet<_>>().len();
        // Of what a minute may have: so the looks at the bucket wait no longer for it, however little that is.
        let most = self.demand.requests_a_minute().max(LEAST_REQUESTS);
        let chosen = of_sites(&written, PARTITIONS.min(most / 4));
        let (days, began) = (days(now), Instant::now());
        let wanted: Vec<_> = chosen.iter().flat_map(|of| days.iter().map(move |day| (*of, *day))).collect();
        let mut found = BTreeMap::<_, Vec<ArchiveKey>>::new();
        for some in wanted.chunks(AT_ONCE) {
            let listed = try_join_all(some.iter().map(|(of, day)| self.written_since(of, *day, not_before, PAGES)));
            for ((of, _), listed) in some.iter().zip(listed.await?) {
                found.entry(&of.origin).or_default().extend(listed);
            }
            if began.elapsed() > READING && found.values().any(|listed| !listed.is_empty()) {
                break;
            }
        }
        let mut keys = in_turns(found.into_values().map(parts).collect());
        keys.truncate(most.saturating_sub(wanted.len()));
        let mut beginnings = Vec::new();
        for some in keys.chunks(AT_ONCE) {
            if began.elapsed() > READING && !beginnings.is_empty() {
                tracing::debug!(
                    read = beginnings.len(),
                    of = keys.len(),
                    "the bucket is slow: the sample is of what it gave"
                );
                break;
            }
            self.demand.pay(some.len());
            let read = try_join_all(some.iter().map(|key| self.demand.reader.beginning(key.clone(), PART_BYTES)));
            // What is not there any more was closed meanwhile.
            beginnings.extend(read.await?.into_iter().flatten());
        }
        let records = spawn_blocking(move || {
            let mut draw = Draw::new(not_before..=now + AHEAD);
            beginnings.iter().for_each(|beginning| offer(beginning, &mut draw));
            draw.finish()
        });
        Ok(Sample { records: records.await?, sites, read: now })
    }

    /// Objects and deltas of a partition and a day that were written since then, by the bucket's clock. Where they are on more pages than
    /// that, what came after the object that was closed last is among them all the same.
    async fn written_since(
        &self,
        partition: &ArchivedPartition,
        day: Date,
        then: Timestamp,
        most: usize,
    ) -> Result<Vec<ArchiveKey>, BucketError> {
        let ArchivedPartition { origin, last_closed, moved: _ } = partition;
        let (prefix, mut found) = (PipelineKeys::archive_of_partition(origin, day), Vec::new());
        let is_new = |object: &ObjectSummary| object.last_modified.is_some_and(|written| written >= then);
        // What else lies below the prefix is of another partition, or of nobody.
        let ours =
            |object: ObjectSummary| object.key.parse().ok().filter(|key: &ArchiveKey| key.object.origin == *origin);
        let after = last_closed.as_ref().filter(|last| last.day == day).map(ToString::to_string);
        for start_after in [None, after.as_deref()] {
            self.demand.pay(1);
            let mut pages = 0;
            let take = |page: Vec<ObjectSummary>| {
                self.demand.pay(usize::from(pages > 0));
                pages += 1;
                found.extend(page.into_iter().filter(is_new).filter_map(ours));
                if pages < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            self.demand.reader.list_pages(&prefix, start_after, take).await?;
            if pages < most || after.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn samples(&self) -> MutexGuard<'_, Samples> {
        // They are whole after each statement that could panic.
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn offer(beginning: &Beginning, draw: &mut Draw) {
    let Beginning { part, is_whole } = beginning;
    let mut left = PART_TEXT;
    let taken = part.for_each_line(|line| {
        match line {
            Line::Whole(record) => {
                draw.offer(&part.key.object.origin.site, record);
                left = left.saturating_sub(record.len().max(LEAST_LINE));
            }
            Line::TooLong => left = 0,
        }
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Err(error) = taken
        && *is_whole
    {
        tracing::warn!(key = %part.key, %error, "an archive object is damaged; what could be read is in the sample");
    }
}

/// Of each site one, then of each another, so many at most; where there are more sites, of some that are spread over all.
fn of_sites<'a>(partitions: &[&'a ArchivedPartition], most: usize) -> Vec<&'a ArchivedPartition> {
    let mut sites = BTreeMap::<&Name, Vec<&'a ArchivedPartition>>::new();
    partitions.iter().for_each(|partition| sites.entry(&partition.origin.site).or_default().push(partition));
    let mut chosen = in_turns(spread(sites.into_values().collect(), most));
    chosen.truncate(most);
    chosen
}

/// The first of each, then the second of each that has one, and so on.
fn in_turns<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let (mut lists, mut all) = (lists.into_iter().map(Vec::into_iter).collect::<Vec<_>>(), Vec::new());
    while !lists.is_empty() {
        lists.retain_mut(|list| {
            let before = all.len();
            all.extend(list.next());
            all.len() > before
        });
    }
    all
}

/// What is read of these objects and deltas of a partition.
fn parts(keys: Vec<ArchiveKey>) -> Vec<ArchiveKey> {
    let mut objects = BTreeMap::<ArchiveObjectKey, Vec<ArchiveKey>>::new();
    keys.into_iter().for_each(|key| objects.entry(key.object.clone()).or_default().push(key));
    let of_object = |mut keys: Vec<ArchiveKey>| match keys.iter().position(|key| key.delta.is_none()) {
        // It is closed: it has all that is in deltas that are left of it.
        Some(closed) => vec![keys.swap_remove(closed)],
        None => {
            keys.sort_unstable();
            spread(keys, DELTAS)
        }
    };
    spread(objects.into_values().collect(), OBJECTS).into_iter().flat_map(of_object).collect()
}

/// So many of these at most, from all parts of them.
fn spread<T>(items: Vec<T>, most: usize) -> Vec<T> {
    let count = items.len();
    let chosen: BTreeSet<usize> = if count <= most {
        (0..count).collect()
    } else {
        (0..most).map(|part| (2 * part + 1) * count / (2 * most)).collect()
    };
    items.into_iter().enumerate().filter(|(number, _)| chosen.contains(number)).map(|(_, item)| item).collect()
}

/// The days in which objects with such records lie: an object is closed when a later day comes.
fn days(now: Timestamp) -> Vec<Date> {
    let mut days = [now - WITHIN, now].map(|time| time.to_zoned(TimeZone::UTC).date()).to_vec();
    days.dedup();
    days
}

#[cfg(test)]
mod tests;
