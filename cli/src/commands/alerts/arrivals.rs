//! Alerts as they come to the archive. Each object is read once, of one that is open each delta, and once more all of it when it is
//! closed: whoever took a partition over may have cut its deltas otherwise. So an alert is met more than once, and handed over once.

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::ops::ControlFlow;

use futures::{StreamExt, stream};
use vedette_archive::{DAYS_AGAIN, Fetched, Line, Missed, Part, Seen, Source, archived_days, fetch, list_day};
use vedette_contract::Name;
use vedette_contract::archive::Stream;
use vedette_streams::bucket::BucketError;

use super::list::{Identity, Row, Wanted};
use crate::commands::pipeline::Chosen;

/// So many objects are in memory at once.
const CONCURRENCY: usize = 4;
/// When there are so many alerts they are to be told before others are read.
const MANY: usize = 10_000;
/// So many alerts are known again.
const KNOWN: usize = 200_000;

/// What was read until now, and what of it nobody has been told yet.
pub(super) struct Arrivals {
    wanted: Wanted,
    /// Of the objects of the newest days.
    seen: Seen,
    known: Known,
    fresh: Vec<Row>,
    missed: Missed,
}

impl Arrivals {
    pub(super) fn new(wanted: Wanted) -> Self {
        let (fresh, missed) = (Vec::new(), Missed::default());
        Self { wanted, seen: Seen::default(), known: Known::default(), fresh, missed }
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
        closed.iter().for_each(|source| self.seen.note(source));
        self.missed = Missed::default();
        Ok(())
    }

    /// That these were told.
    pub(super) fn tell_of(&mut self, rows: &[Row]) {
        for row in rows {
            self.known.meet(row.identity);
        }
    }

    /// Reads what came since, and says whether that is all.
    ///
    /// # Errors
    /// When the bucket cannot be read: what was read before is not read again.
    pub(super) async fn read(&mut self, chosen: &Chosen, sites: &[Name]) -> Result<bool, BucketError> {
        let sources = newest_days(chosen, sites).await?;
        self.seen.keep(&sources);
        let unseen: Vec<Source> = sources.iter().filter_map(|source| self.seen.unseen(source)).collect();
        let mut all = stream::iter(unseen).map(|source| fetch(chosen.bucket(), source)).buffered(CONCURRENCY);
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

    fn take(&mut self, fetched: &Fetched) {
        let Fetched { source, parts } = fetched;
        let is_met = self.seen.has(&source.object);
        for part in parts {
            let strange = self.take_part(part);
            // Those of an object that is read once more were counted in its deltas.
            self.missed.lines += if is_met && part.key.delta.is_none() { 0 } else { strange };
        }
        self.seen.note(source);
    }

    /// Returns how many lines are no alerts. What is damaged is read as far as it can be.
    fn take_part(&mut self, part: &Part) -> u64 {
        let (site, mut strange) = (&part.key.object.origin.site, 0);
        let taken = part.for_each_line(|line| {
            let row = match line {
                Line::Whole(record) => Row::read(site, record),
                Line::TooLong => None,
            };
            strange += u64::from(row.is_none());
            if let Some(row) = row.filter(|row| self.wanted.has(&row.alert))
                && self.known.meet(row.identity)
            {
                self.fresh.push(row);
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
    for day in &days[days.len().saturating_sub(DAYS_AGAIN)..] {
        found.extend(list_day(bucket, keys, Stream::Alerts, *day, sites).await?);
    }
    Ok(found)
}

/// The alerts that were met last.
#[derive(Default)]
struct Known {
    identities: HashSet<Identity>,
    oldest_first: VecDeque<Identity>,
}

impl Known {
    /// Whether it is met for the first time.
    fn meet(&mut self, identity: Identity) -> bool {
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

    fn identity(site: &str, uuid: &str, score: f64) -> Identity {
        let json = format!(r#"{{"detected_utc":"2026-11-23T08:00:00Z","score":{score},"uuid":"{uuid}"}}"#);
        Row::read(&site.parse().unwrap(), json.as_bytes()).unwrap().identity
    }

    #[test]
    fn an_alert_is_known_by_its_site_and_all_that_it_says() {
        let mut known = Known::default();
        let first = [identity("east", "a", 0.9), identity("west", "a", 0.9), identity("east", "a", 0.8)];
        assert!(first.iter().all(|identity| known.meet(*identity)));
        assert!(!first.iter().any(|identity| known.meet(*identity)));
    }

    #[test]
    fn no_more_are_known_than_there_is_room_for() {
        let mut known = Known::default();
        let numbered = |number: usize| identity("east", &number.to_string(), 0.9);
        assert!((0..=KNOWN).all(|number| known.meet(numbered(number))));
        assert_eq!((known.identities.len(), known.oldest_first.len()), (KNOWN, KNOWN));
        assert!(known.meet(numbered(0)) && !known.meet(numbered(KNOWN)));
    }
}
