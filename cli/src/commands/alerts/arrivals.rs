//! Alerts as they come to the archive. Each object is read once, of one that is open each delta, and once more all of it when it is
//! closed: whoever took a partition over may have cut its deltas otherwise. So an alert is met more than once, and handed over once.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::mem;
use std::ops::ControlFlow;

use futures::{StreamExt, stream};
use uuid::Uuid;
use vedette_archive::{Fetched, Line, Missed, Part, Source, Stored, archived_days, fetch, list_day};
use vedette_contract::Name;
use vedette_contract::alert::Alert;
use vedette_contract::archive::{ArchiveObjectKey, Stream};
use vedette_streams::bucket::BucketError;

use super::list::{Row, Wanted};
use crate::commands::pipeline::Chosen;

/// So many days are looked at, the newest that there are.
const DAYS: usize = 3;
/// So many objects are in memory at once.
const CONCURRENCY: usize = 4;
/// When there are so many alerts they are to be told before others are read.
const MANY: usize = 10_000;
/// So many alerts are known again.
const KNOWN: usize = 200_000;

/// What was read until now, and what of it nobody has been told yet.
pub(super) struct Arrivals {
    wanted: Wanted,
    /// Of the objects of those days.
    read: BTreeMap<ArchiveObjectKey, ReadSoFar>,
    known: Known,
    fresh: Vec<Row>,
    missed: Missed,
}

/// How much of an object.
enum ReadSoFar {
    All,
    /// The deltas at these offsets.
    Deltas(BTreeSet<i64>),
}

impl Arrivals {
    pub(super) fn new(wanted: Wanted) -> Self {
        let (read, fresh, missed) = (BTreeMap::new(), Vec::new(), Missed::default());
        Self { wanted, read, known: Known::default(), fresh, missed }
    }

    /// Takes what is there for told: objects that are closed as they are, of the others each alert.
    ///
    /// # Errors
    /// When the bucket cannot be read; it may be done again then.
    pub(super) async fn skip(&mut self, chosen: &Chosen, sites: &[Name]) -> Result<(), BucketError> {
        let sources = newest_days(chosen, sites).await?;
        let (open, closed): (Vec<Source>, Vec<Source>) = sources.into_iter().partition(Source::is_open);
        for source in open {
            if let Some(fetched) = fetch(chosen.bucket(), source).await? {
                self.take(&fetched);
            }
            self.fresh.clear();
        }
        self.read.extend(closed.into_iter().map(|source| (source.object, ReadSoFar::All)));
        self.missed = Missed::default();
        Ok(())
    }

    /// That these were told.
    pub(super) fn tell_of(&mut self, rows: &[Row]) {
        for row in rows {
            self.known.meet(row);
        }
    }

    /// Reads what came since, and says whether that is all.
    ///
    /// # Errors
    /// When the bucket cannot be read: what was read before is not read again.
    pub(super) async fn read(&mut self, chosen: &Chosen, sites: &[Name]) -> Result<bool, BucketError> {
        let sources = newest_days(chosen, sites).await?;
        let listed: BTreeSet<&ArchiveObjectKey> = sources.iter().map(|source| &source.object).collect();
        self.read.retain(|object, _| listed.contains(object));
        let unread: Vec<Source> = sources.into_iter().filter_map(|source| self.unread(source)).collect();
        let mut all = stream::iter(unread).map(|source| fetch(chosen.bucket(), source)).buffered(CONCURRENCY);
        while let Some(fetched) = all.next().await {
            // What is gone is listed otherwise the next time.
            if let Some(fetched) = fetched? {
                self.take(&fetched);
            }
            if self.fresh.len() >= MANY {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those that nobody has been told of, in the order of their detection; and what could not be read of the archive.
    pub(super) fn hand_over(&mut self) -> (Vec<Row>, Missed) {
        let mut fresh = mem::take(&mut self.fresh);
        fresh.sort_by_key(|row| row.alert.detected_utc);
        (fresh, mem::take(&mut self.missed))
    }

    /// What of a source was not read before; nothing where all of it was.
    fn unread(&self, source: Source) -> Option<Source> {
        match (self.read.get(&source.object), &source.stored) {
            (Some(ReadSoFar::All), _) => None,
            (Some(ReadSoFar::Deltas(read)), Stored::Open(deltas)) => {
                let new: Vec<i64> = deltas.iter().copied().filter(|delta| !read.contains(delta)).collect();
                (!new.is_empty()).then_some(Source { stored: Stored::Open(new), ..source })
            }
            (Some(ReadSoFar::Deltas(_)), Stored::Closed) | (None, _) => Some(source),
        }
    }

    fn take(&mut self, fetched: &Fetched) {
        let Fetched { source, parts } = fetched;
        let is_met = self.read.contains_key(&source.object);
        for part in parts {
            let strange = self.take_part(part);
            // Those of an object that is read once more were counted in its deltas.
            self.missed.lines += if is_met && part.key.delta.is_none() { 0 } else { strange };
        }
        match &source.stored {
            Stored::Closed => drop(self.read.insert(source.object.clone(), ReadSoFar::All)),
            Stored::Open(deltas) => {
                let nothing = || ReadSoFar::Deltas(BTreeSet::new());
                match self.read.entry(source.object.clone()).or_insert_with(nothing) {
                    ReadSoFar::Deltas(read) => read.extend(deltas),
                    ReadSoFar::All => {}
                }
            }
        }
    }

    /// Returns how many lines are no alerts. What is damaged is read as far as it can be.
    fn take_part(&mut self, part: &Part) -> u64 {
        let (site, mut strange) = (&part.key.object.origin.site, 0);
        let taken = part.for_each_line(|line| {
            let alert = match line {
                Line::Whole(record) => std::str::from_utf8(record).ok().and_then(Alert::read),
                Line::TooLong => None,
            };
            strange += u64::from(alert.is_none());
            if let Some(alert) = alert.filter(|alert| self.wanted.has(alert)) {
                let row = Row { site: site.clone(), alert };
                if self.known.meet(&row) {
                    self.fresh.push(row);
                }
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = taken {
            self.missed.objects.push((part.key.to_string(), error.to_string()));
        }
        strange
    }
}

/// The sources of the newest days that the archive has, whatever day it is now.
async fn newest_days(chosen: &Chosen, sites: &[Name]) -> Result<Vec<Source>, BucketError> {
    let (bucket, keys) = (chosen.bucket(), &chosen.keys);
    let days = archived_days(bucket, keys, Stream::Alerts).await?;
    let mut found = Vec::new();
    for day in &days[days.len().saturating_sub(DAYS)..] {
        found.extend(list_day(bucket, keys, Stream::Alerts, *day, sites).await?);
    }
    Ok(found)
}

/// The alerts that were met last, by their site and uuid, or where they have none by all that they say.
#[derive(Default)]
struct Known {
    identities: HashSet<Uuid>,
    oldest_first: VecDeque<Uuid>,
}

impl Known {
    /// Whether it is met for the first time.
    fn meet(&mut self, row: &Row) -> bool {
        let Row { site, alert } = row;
        let said = match &alert.uuid {
            Some(uuid) => format!("{site} {uuid}"),
            None => format!("{site} {alert:?}"),
        };
        let identity = Uuid::new_v5(&Uuid::NAMESPACE_OID, said.as_bytes());
        if !self.identities.insert(identity) {
            return false;
        }
        self.oldest_first.push_back(identity);
        if self.oldest_first.len() > KNOWN
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.identities.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(site: &str, uuid: Option<&str>, score: f64) -> Row {
        let uuid = uuid.map(|uuid| format!(r#","uuid":"{uuid}""#)).unwrap_or_default();
        let json = format!(r#"{{"detected_utc":"2026-11-23T08:00:00Z","score":{score}{uuid}}}"#);
        Row { site: site.parse().unwrap(), alert: Alert::read(&json).unwrap() }
    }

    #[test]
    fn an_alert_is_known_by_its_site_and_uuid_or_else_by_what_it_says() {
        let mut known = Known::default();
        let first = [row("east", Some("a"), 0.9), row("west", Some("a"), 0.9), row("east", None, 0.9)];
        assert!(first.iter().all(|row| known.meet(row)));
        assert!(!first.iter().any(|row| known.meet(row)));
        assert!(!known.meet(&row("east", Some("a"), 0.8)) && known.meet(&row("east", None, 0.8)));
    }

    #[test]
    fn no_more_are_known_than_there_is_room_for() {
        let mut known = Known::default();
        let numbered = |number: usize| row("east", Some(&number.to_string()), 0.9);
        assert!((0..=KNOWN).all(|number| known.meet(&numbered(number))));
        assert_eq!((known.identities.len(), known.oldest_first.len()), (KNOWN, KNOWN));
        assert!(known.meet(&numbered(0)) && !known.meet(&numbered(KNOWN)));
    }
}
