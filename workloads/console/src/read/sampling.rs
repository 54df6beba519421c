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
use vedette_contract::archive::{ArchiveKey, ArchiveObjectKey, Origin};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::{BucketError, ObjectSummary};

use super::demand::{DemandError, OnDemand, in_time};
use super::reader::PAGE;
use crate::owner::PipelineName;
use crate::sample::{Draw, Sample};
use crate::store::ArchivedPartition;

/// Of so far back.
const WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Partitions of which is read.
const PARTITIONS: usize = 24;
/// Objects of a partition of which is read.
const OBJECTS: usize = 5;
/// Deltas of an open object that are read.
const DELTAS: usize = 3;
/// Stored bytes of each that are read.
const PART_BYTES: usize = 64 << 10;
/// Bytes of text that are taken of each: far more than such a part of an archive is, whoever wrote it.
const PART_TEXT: usize = 8 << 20;
/// So many are asked for at once.
const AT_ONCE: usize = 8;
/// A sample is read again after this.
const AGE: Duration = Duration::from_secs(60);
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
        self.kept.retain(|(kept, _, read)| *kept != of && read.elapsed() < 10 * AGE);
        self.kept.insert(0, (of, sample, Instant::now()));
        self.kept.truncate(KEPT);
    }
}

impl Sampler {
    pub(crate) fn new(demand: Arc<OnDemand>) -> Self {
        Self { demand, samples: Arc::default() }
    }

    /// A sample of what these partitions archived within the last hour.
    pub(crate) async fn sample(
        &self,
        of: SampleOf,
        partitions: &[ArchivedPartition],
    ) -> Result<Arc<Sample>, DemandError> {
        if let Some(sample) = self.samples().get(&of, AGE) {
            return Ok(sample);
        }
        in_time(async {
            let _turn = self.demand.turn().await;
            // Somebody else may have asked for the same meanwhile.
            if let Some(sample) = self.samples().get(&of, AGE) {
                return Ok(sample);
            }
            if let Err(spent) = self.demand.check() {
                // It says itself when it was read.
                return self.samples().get(&of, 10 * AGE).ok_or(spent);
            }
            let sample = Arc::new(self.read_sample(of.site.as_ref(), partitions).await?);
            // Where there was nothing, there may be something at once.
            if !sample.records.is_empty() {
                self.samples().put(of, Arc::clone(&sample));
            }
            Ok(sample)
        })
        .await
    }

    async fn read_sample(&self, site: Option<&Name>, partitions: &[ArchivedPartition]) -> Result<Sample, DemandError> {
        let now = self.demand.reader.now();
        let not_before = now - WITHIN;
        let is_wanted = |partition: &&ArchivedPartition| {
            partition.moved >= not_before && site.is_none_or(|site| partition.origin.site == *site)
        };
        let origins: Vec<&Origin> = partitions.iter().filter(is_wanted).map(|partition| &partition.origin).collect();
        let sites = origins.iter().map(|origin| &origin.site).collect::<BTreeSet<_>>().len();
        let (chosen, days) = (of_sites(&origins), days(now));
        let wanted: Vec<_> = chosen.iter().flat_map(|origin| days.iter().map(move |day| (*origin, *day))).collect();
        let mut found = BTreeMap::<&Origin, Vec<ArchiveKey>>::new();
        for some in wanted.chunks(AT_ONCE) {
            self.demand.pay(some.len());
            let listed = try_join_all(some.iter().map(|(origin, day)| self.written_since(origin, *day, not_before)));
            for ((origin, _), listed) in some.iter().zip(listed.await?) {
                found.entry(*origin).or_default().extend(listed);
            }
        }
        let keys: Vec<ArchiveKey> = found.into_values().flat_map(parts).collect();
        let mut beginnings = Vec::new();
        for some in keys.chunks(AT_ONCE) {
            self.demand.pay(some.len());
            let read = try_join_all(some.iter().map(|key| self.demand.reader.beginning(key.clone(), PART_BYTES)));
            // What is not there any more was closed meanwhile.
            beginnings.extend(read.await?.into_iter().flatten());
        }
        let records = spawn_blocking(move || {
            let mut draw = Draw::new(not_before);
            beginnings.iter().for_each(|beginning| offer(beginning, &mut draw));
            draw.finish()
        });
        Ok(Sample { records: records.await?, sites, read: now })
    }

    /// Objects and deltas of a partition and a day that were written since then, by the bucket's clock.
    async fn written_since(&self, origin: &Origin, day: Date, then: Timestamp) -> Result<Vec<ArchiveKey>, BucketError> {
        let listed = self.demand.reader.list(&PipelineKeys::archive_of_partition(origin, day)).await?;
        self.demand.pay(listed.len() / PAGE);
        let is_new = |object: &ObjectSummary| object.last_modified.is_some_and(|written| written >= then);
        let keys = listed.into_iter().filter(is_new).filter_map(|object| object.key.parse::<ArchiveKey>().ok());
        // What else lies below the prefix is of another partition, or of nobody.
        Ok(keys.filter(|key| key.object.origin == *origin).collect())
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
                left = left.saturating_sub(record.len());
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

/// Of each site one, then of each another, as long as they are not too many; where there are too many sites, of some that are spread over all.
fn of_sites<'a>(origins: &[&'a Origin]) -> Vec<&'a Origin> {
    let mut sites = BTreeMap::<&Name, Vec<&'a Origin>>::new();
    origins.iter().for_each(|origin| sites.entry(&origin.site).or_default().push(origin));
    let sites = spread(sites.into_values().collect(), PARTITIONS);
    let rounds = sites.iter().map(Vec::len).max().unwrap_or_default();
    let in_turns = (0..rounds).flat_map(|round| sites.iter().filter_map(move |of_site| of_site.get(round).copied()));
    in_turns.take(PARTITIONS).collect()
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
mod tests {
    use sha2::Digest;
    use vedette_testing::TestBucket;
    use vedette_testing::bucket::object_key;

    use super::*;
    use crate::metrics::Metrics;
    use crate::read::Reader;

    fn origin(site: &str, partition: i32) -> Origin {
        let key: ArchiveKey = object_key("2026-11-23", site, 0).parse().unwrap();
        Origin { partition, ..key.object.origin }
    }

    fn key(start: usize, delta: Option<i64>) -> ArchiveKey {
        let key: ArchiveKey = object_key("2026-11-23", "east", start).parse().unwrap();
        ArchiveKey { delta, ..key }
    }

    #[test]
    fn of_each_site_is_read_before_more_is_of_one() {
        let names = |origins: &[Origin]| {
            let all: Vec<&Origin> = origins.iter().collect();
            of_sites(&all).iter().map(|origin| format!("{}{}", origin.site, origin.partition)).collect::<Vec<_>>()
        };
        let few = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("c", 0)].map(|(site, number)| origin(site, number));
        assert_eq!(names(&few), ["a0", "b0", "c0", "a1", "a2"]);
        let many: Vec<Origin> = (0..100).map(|number| origin(&format!("site-{number:02}"), 0)).collect();
        let chosen = names(&many);
        assert_eq!((chosen.len(), chosen[0].as_str(), chosen[23].as_str()), (24, "site-020", "site-970"));
        let one: Vec<Origin> = (0..100).map(|number| origin("a", number)).collect();
        assert_eq!(names(&one).len(), PARTITIONS);
        assert!(names(&[]).is_empty());
    }

    #[test]
    fn what_is_read_of_a_partition_is_spread_over_its_objects_and_over_what_is_open() {
        let open = (500..600).step_by(10).map(|delta| key(500, Some(delta)));
        let closed = (0..500).step_by(50).map(|start| key(start, None));
        let read =
            |keys: Vec<ArchiveKey>| -> Vec<_> { parts(keys).iter().map(|key| (key.object.start, key.delta)).collect() };
        let few = [key(400, None), key(400, Some(450)), key(450, None)];
        let of_open = [(500, Some(510)), (500, Some(550)), (500, Some(580))];
        assert_eq!(read(few.into_iter().chain(open).collect()), [&[(400, None), (450, None)][..], &of_open].concat());
        assert_eq!(read(closed.collect()), [(50, None), (150, None), (250, None), (350, None), (450, None)]);
        assert!(read(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn what_is_cut_is_taken_as_far_as_its_lines_are_whole_and_what_swells_is_not_taken_in() {
        let (served, now) = (TestBucket::serve().await, Timestamp::now());
        let day = now.strftime("%Y-%m-%d").to_string();
        let noise = |number: usize| hex::encode(sha2::Sha256::digest(number.to_le_bytes()));
        let lines: Vec<String> =
            (0..4_000).map(|number| format!(r#"{{"utc":"{now}","own":"{}"}}"#, noise(number))).collect();
        let blank = " ".repeat(1 << 20);
        let mut swollen: Vec<String> = (0..20).map(|number| format!("{number}{blank}")).collect();
        swollen.push(format!(r#"{{"utc":"{now}"}}"#));
        let long = served.archive(&day, "east", 0, &lines).await;
        let swelling = served.archive(&day, "west", 0, &swollen).await;
        let reader = Reader::new(served.bucket.clone(), Metrics::default());
        for (key, is_whole, least, most) in [(long, false, 200, 3_000), (swelling, true, 0, 0)] {
            let beginning = reader.beginning(key.parse().unwrap(), PART_BYTES).await.unwrap().unwrap();
            assert_eq!(beginning.is_whole, is_whole, "{key}");
            let mut draw = Draw::new(now - WITHIN);
            offer(&beginning, &mut draw);
            let drawn = draw.finish().len();
            assert!((least..=most).contains(&drawn), "{key}: {drawn}");
        }
        assert!(reader.beginning(object_key(&day, "north", 0).parse().unwrap(), 9).await.unwrap().is_none());
    }

    #[test]
    fn soon_after_midnight_records_of_the_hour_lie_in_the_day_before_too() {
        let of = |now: &str| days(now.parse().unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("2026-11-23T00:59:00Z"), ["2026-11-22", "2026-11-23"]);
        assert_eq!(of("2026-11-23T01:00:00Z"), ["2026-11-23"]);
    }

    #[tokio::test]
    async fn a_thousand_sites_cost_no_more_requests_than_a_few_and_what_was_read_is_kept() {
        let (served, now) = (TestBucket::serve().await, Timestamp::now());
        let day = now.strftime("%Y-%m-%d").to_string();
        let sites: Vec<String> = (0..1_000).map(|number| format!("site-{number}")).collect();
        for site in &sites {
            served.archive(&day, site, 0, &[format!(r#"{{"utc":"{now}","of":"{site}"}}"#)]).await;
        }
        let partition = |site: &String| ArchivedPartition { origin: origin(site, 0), moved: now };
        let partitions: Vec<_> = sites.iter().map(partition).collect();
        let reader = Reader::new(served.bucket.clone(), Metrics::default());
        let sampler = Sampler::new(Arc::new(OnDemand::new(reader.clone(), 36_000)));
        let of = |site: Option<&str>| SampleOf {
            pipeline: crate::testing::owner("east").pipeline_name(),
            site: site.map(|site| site.parse().unwrap()),
        };
        let sample = sampler.sample(of(None), &partitions).await.unwrap();
        assert_eq!((sample.sites, sample.records.len()), (1_000, PARTITIONS));
        let requests = reader.requests();
        assert!(requests <= u64::try_from(3 * PARTITIONS).unwrap(), "{requests}");
        sampler.sample(of(None), &partitions).await.unwrap();
        assert_eq!(reader.requests(), requests, "it is kept for a minute");
        let one = sampler.sample(of(Some("site-7")), &partitions).await.unwrap();
        assert_eq!((one.sites, one.records.len(), one.records[0].site.as_str()), (1, 1, "site-7"));
        let quiet: Vec<_> = partitions
            .into_iter()
            .map(|partition| ArchivedPartition { moved: now - WITHIN * 2, ..partition })
            .collect();
        let none = sampler.read_sample(None, &quiet).await.unwrap();
        assert_eq!((none.sites, none.records.len()), (0, 0));
    }
}
