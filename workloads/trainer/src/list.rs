//! Finds what is to be read: the closed archive objects and open tails of a pipeline, by site and by day.
//! A tail counts only while its object is not closed: deltas of a key that is closed are left out, whatever their offsets.
//! That is enough, because an archiver that takes over a partition opens its object at the same committed position with
//! the same first record, so under the same key; what little escapes the rule is dropped by its identity while sampling.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveObjectKey, Stream, TAIL_SUFFIX};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::{Bucket, BucketError, ObjectSummary};

/// One archive object, closed or still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Full key of the object (which does not exist yet while it is open).
    pub key: String,
    /// Site that archives it.
    pub site: Name,
    /// Full keys of its deltas in the order of their offsets; empty when the object is closed.
    pub deltas: Vec<String>,
    /// Stored bytes.
    pub bytes: u64,
}

/// Lists the sources of the enriched records, sorted by key. A record stays in the day of its arrival, which is not before
/// its `utc` but for the difference of two clocks, so days from one before `not_before` on are listed.
pub async fn list_sources(
    bucket: &Bucket,
    keys: &PipelineKeys,
    sites: &[Name],
    not_before: Option<Timestamp>,
) -> Result<Vec<Source>, BucketError> {
    let prefix = keys.stream(Stream::EnrichedData);
    let mut found = Vec::new();
    for directory in bucket.list_directories(&prefix).await? {
        let Some(day) = day_of(&prefix, &directory) else {
            continue;
        };
        if first_day(not_before).is_some_and(|first| day < first) {
            continue;
        }
        if sites.is_empty() {
            found.extend(bucket.list(&directory, None).await?);
        }
        for site in sites {
            found.extend(bucket.list(&format!("{directory}{site}/"), None).await?);
        }
    }
    Ok(sources(&prefix, found))
}

/// Lists one object anew: a tail that vanished was closed, or was written again by a new owner.
pub async fn relist(bucket: &Bucket, source: &Source) -> Result<Option<Source>, BucketError> {
    let listed = bucket.list(&source.key, None).await?;
    let prefix_length = source.key.rsplitn(4, '/').last().map_or(0, |prefix| prefix.len() + 1);
    Ok(sources(&source.key[..prefix_length], listed).into_iter().find(|found| found.key == source.key))
}

fn day_of(prefix: &str, directory: &str) -> Option<Date> {
    directory.strip_prefix(prefix)?.strip_suffix('/')?.parse().ok()
}

fn first_day(not_before: Option<Timestamp>) -> Option<Date> {
    let day = not_before?.to_zoned(TimeZone::UTC).date();
    Some(day.checked_sub(1.day()).unwrap_or(day))
}

fn sources(prefix: &str, listed: Vec<ObjectSummary>) -> Vec<Source> {
    let mut closed = BTreeMap::new();
    #[allow(clippy::type_complexity, reason = "a name would be used here only")]
    let mut open: BTreeMap<String, (Name, Vec<(u64, String, u64)>)> = BTreeMap::new();
    for ObjectSummary { key, length, .. } in listed {
        let Some(below) = key.strip_prefix(prefix) else {
            continue;
        };
        let (object, offset) = match below.split_once(TAIL_SUFFIX) {
            Some((object, offset)) => (object, Some(offset)),
            None => (below, None),
        };
        // Whatever else lies there is not ours to read.
        let Ok(parsed) = object.parse::<ArchiveObjectKey>() else {
            continue;
        };
        match offset.map(str::parse) {
            None => {
                closed.insert(key.clone(), Source { key, site: parsed.site, deltas: Vec::new(), bytes: length });
            }
            Some(Ok(offset)) => {
                let entry = open.entry(format!("{prefix}{object}")).or_insert_with(|| (parsed.site, Vec::new()));
                entry.1.push((offset, key, length));
            }
            Some(Err(_)) => {}
        }
    }
    for (key, (site, mut deltas)) in open {
        if closed.contains_key(&key) {
            continue;
        }
        deltas.sort_unstable();
        let bytes = deltas.iter().map(|(_, _, length)| length).sum();
        let deltas = deltas.into_iter().map(|(_, key, _)| key).collect();
        closed.insert(key.clone(), Source { key, site, deltas, bytes });
    }
    closed.into_values().collect()
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

    #[test]
    fn deltas_of_a_closed_object_are_covered_and_others_are_in_the_order_of_their_offsets() {
        let found = sources(
            PREFIX,
            summaries(&[
                format!("{OPEN}.tmp/1000"),
                format!("{CLOSED}.tmp/00000000000000000100"),
                CLOSED.to_owned(),
                format!("{OPEN}.tmp/600"),
                format!("{OPEN}.tmp/not-an-offset"),
                format!("{PREFIX}2026-11-23/east/readme.txt"),
            ]),
        );
        let [closed, open] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((closed.key.as_str(), closed.deltas.len(), closed.bytes), (CLOSED, 0, 10));
        assert_eq!((open.key.as_str(), open.bytes, open.site.as_str()), (OPEN, 20, "east"));
        assert_eq!(open.deltas, [format!("{OPEN}.tmp/600"), format!("{OPEN}.tmp/1000")]);
    }

    #[test]
    fn the_day_before_the_lookback_is_read_too() {
        let at: Timestamp = "2026-11-23T00:00:01Z".parse().unwrap();
        assert_eq!(first_day(Some(at)), Some(jiff::civil::date(2026, 11, 22)));
        assert_eq!(first_day(None), None);
        assert_eq!(day_of(PREFIX, &format!("{PREFIX}2026-11-23/")), Some(jiff::civil::date(2026, 11, 23)));
        assert_eq!(day_of(PREFIX, &format!("{PREFIX}tmp/")), None);
    }
}
