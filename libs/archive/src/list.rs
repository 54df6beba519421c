//! Finds what is to be read: the closed archive objects and open tails of a pipeline, by site and by day.
//! A tail counts only while its object is not closed: deltas of a key that is closed are left out, whatever their offsets.
//! That is enough, because an archiver that takes over a partition opens its object at the same committed position with
//! the same first record, so under the same key; what little escapes the rule is dropped by its identity while sampling.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveKey, ArchiveObjectKey, Origin, Stream};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::{Bucket, BucketError, ObjectSummary};

/// What of a stream is listed.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// The stream.
    pub stream: Stream,
    /// Whose objects; everybody's where empty.
    pub sites: &'a [Name],
    /// Records before this time are not wanted. A record stays in the day of its arrival, which is not before its `utc`
    /// but for the difference of two clocks, so days from one before it on are listed.
    pub not_before: Option<Timestamp>,
}

/// One archive object, closed or still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The object, which does not exist yet while it is open.
    pub object: ArchiveObjectKey,
    /// How much of it is in the bucket.
    pub stored: Stored,
    /// Stored bytes.
    pub bytes: u64,
}

/// What is in the bucket of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// All of it.
    Closed,
    /// Deltas at these offsets, ascending.
    Open(Vec<i64>),
}

/// Lists the sources of a stream, sorted by key.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn list_sources(
    bucket: &Bucket,
    keys: &PipelineKeys,
    selection: Selection<'_>,
) -> Result<Vec<Source>, BucketError> {
    let Selection { stream, sites, not_before } = selection;
    let first = not_before.map(first_day);
    let mut found = Vec::new();
    for day in archived_days(bucket, keys, stream).await? {
        if first.is_none_or(|first| day >= first) {
            found.extend(list_day(bucket, keys, stream, day, sites).await?);
        }
    }
    Ok(found)
}

/// Lists the sources of one day, of these sites or of all where none are given, sorted by key.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn list_day(
    bucket: &Bucket,
    keys: &PipelineKeys,
    stream: Stream,
    day: Date,
    sites: &[Name],
) -> Result<Vec<Source>, BucketError> {
    let of_sites = sites.iter().map(|site| keys.archive_at_site(stream, day, site));
    let prefixes: Vec<String> =
        if sites.is_empty() { vec![keys.archive_of_day(stream, day)] } else { of_sites.collect() };
    let mut found = Vec::new();
    for prefix in prefixes {
        found.extend(bucket.list(&prefix, None).await?);
    }
    Ok(sources(found))
}

/// Lists what came last, of all sites, sorted by key: on the newest day of a stream and on so many days before it.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn list_newest(
    bucket: &Bucket,
    keys: &PipelineKeys,
    stream: Stream,
    days_before: u8,
) -> Result<Vec<Source>, BucketError> {
    let days = archived_days(bucket, keys, stream).await?;
    let first = days.last().map(|day| day.saturating_sub(i64::from(days_before).days()));
    let mut found = Vec::new();
    for day in days.into_iter().filter(|day| Some(*day) >= first) {
        found.extend(list_day(bucket, keys, stream, day, &[]).await?);
    }
    Ok(found)
}

/// Lists the sources of one partition on a day that come after this object of it, sorted by key.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn list_after(
    bucket: &Bucket,
    origin: &Origin,
    day: Date,
    after: Option<&ArchiveObjectKey>,
) -> Result<Vec<Source>, BucketError> {
    let after = after.filter(|after| after.day == day).map(ToString::to_string);
    let listed = bucket.list(&PipelineKeys::archive_of_partition(origin, day), after.as_deref()).await?;
    // Deltas that are left of the object itself come after it, too.
    let is_new = |source: &Source| {
        source.object.origin == *origin && after.as_ref().is_none_or(|after| source.object.to_string() > *after)
    };
    Ok(sources(listed).into_iter().filter(is_new).collect())
}

/// The days that a stream has anything of, in their order.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn archived_days(bucket: &Bucket, keys: &PipelineKeys, stream: Stream) -> Result<Vec<Date>, BucketError> {
    let directories = bucket.list_directories(&keys.stream(stream)).await?;
    let mut days: Vec<Date> = directories.iter().filter_map(|directory| keys.archived_day(stream, directory)).collect();
    days.sort_unstable();
    Ok(days)
}

/// Lists one object anew: a tail that vanished was closed, or was written again by a new owner.
pub(crate) async fn relist(bucket: &Bucket, object: &ArchiveObjectKey) -> Result<Option<Source>, BucketError> {
    let listed = bucket.list(&object.to_string(), None).await?;
    Ok(sources(listed).into_iter().find(|found| found.object == *object))
}

impl Source {
    /// Whether it still takes records.
    pub fn is_open(&self) -> bool {
        match self.stored {
            Stored::Closed => false,
            Stored::Open(_) => true,
        }
    }

    /// What is to be read for its records, in their order.
    pub fn keys(&self) -> Vec<ArchiveKey> {
        match &self.stored {
            Stored::Closed => vec![self.object.clone().closed()],
            Stored::Open(deltas) => deltas.iter().map(|offset| self.object.clone().delta(*offset)).collect(),
        }
    }

    fn add(&mut self, delta: Option<i64>, length: u64) {
        match (delta, &mut self.stored) {
            (None, _) => (self.stored, self.bytes) = (Stored::Closed, length),
            (Some(offset), Stored::Open(deltas)) => {
                deltas.push(offset);
                self.bytes += length;
            }
            (Some(_), Stored::Closed) => {}
        }
    }
}

fn first_day(not_before: Timestamp) -> Date {
    let day = not_before.to_zoned(TimeZone::UTC).date();
    day.checked_sub(1.day()).unwrap_or(day)
}

fn sources(listed: Vec<ObjectSummary>) -> Vec<Source> {
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    for ObjectSummary { key, length, .. } in listed {
        // Whatever else lies there is not ours to read.
        let Ok(ArchiveKey { object, delta }) = key.parse() else {
            continue;
        };
        let nothing = || Source { object: object.clone(), stored: Stored::Open(Vec::new()), bytes: 0 };
        sources.entry(object.to_string()).or_insert_with(nothing).add(delta, length);
    }
    let mut sources: Vec<Source> = sources.into_values().collect();
    for source in &mut sources {
        if let Stored::Open(deltas) = &mut source.stored {
            deltas.sort_unstable();
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "team/flows/enriched_data/";
    const OPEN: &str = "team/flows/enriched_data/2026-11-23/east/enriched-0-00000000000000000500-00c0ffee.jsonl.zst";
    const CLOSED: &str = "team/flows/enriched_data/2026-11-23/east/enriched-0-00000000000000000000-00c0ffee.jsonl.zst";

    fn summaries(keys: &[String]) -> Vec<ObjectSummary> {
        keys.iter().map(|key| ObjectSummary { key: key.clone(), length: 10, last_modified: None }).collect()
    }

    fn key_of(source: &Source) -> String {
        source.object.to_string()
    }

    #[test]
    fn deltas_of_a_closed_object_are_covered_and_others_are_in_the_order_of_their_offsets() {
        let found = sources(summaries(&[
            format!("{OPEN}.tmp/00000000000000001000"),
            format!("{CLOSED}.tmp/00000000000000000100"),
            CLOSED.to_owned(),
            format!("{CLOSED}.tmp/00000000000000000200"),
            format!("{OPEN}.tmp/00000000000000000600"),
            format!("{OPEN}.tmp/not-an-offset"),
            format!("{PREFIX}2026-11-23/east/readme.txt"),
        ]));
        let [closed, open] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((key_of(closed).as_str(), &closed.stored, closed.bytes), (CLOSED, &Stored::Closed, 10));
        assert_eq!((key_of(open).as_str(), open.bytes, open.object.origin.site.as_str()), (OPEN, 20, "east"));
        assert_eq!(open.stored, Stored::Open(vec![600, 1000]));
        assert!(open.is_open() && !closed.is_open());
    }

    #[test]
    fn a_closed_object_is_read_by_its_key_and_an_open_one_by_those_of_its_deltas() {
        let deltas = [600, 1000].map(|offset| format!("{OPEN}.tmp/{offset:020}"));
        let found = sources(summaries(&[&deltas[..], &[CLOSED.to_owned()]].concat()));
        let keys: Vec<_> = found.iter().flat_map(Source::keys).map(|key| key.to_string()).collect();
        assert_eq!(keys, [CLOSED, &deltas[0], &deltas[1]]);
    }

    #[test]
    fn sources_are_in_the_order_of_their_keys_and_not_of_their_numbers() {
        let keys = [10, 9].map(|partition| CLOSED.replace("enriched-0-", &format!("enriched-{partition}-")));
        assert_eq!(sources(summaries(&keys)).iter().map(key_of).collect::<Vec<_>>(), keys);
    }

    #[test]
    fn the_day_before_the_lookback_is_read_too() {
        let at: Timestamp = "2026-11-23T00:00:01Z".parse().unwrap();
        assert_eq!(first_day(at), jiff::civil::date(2026, 11, 22));
    }
}
