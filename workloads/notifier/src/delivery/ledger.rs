//! What one receiver was told of and what it waits for. Pure: incidents in the order of their topic in, what is to be told out.
//! It is made of the topic and of what is remembered of how far that was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use vedette_contract::incident::{Incident, IncidentId, IncidentStatus};
use vedette_service::Backoff;

use super::heard::{Heard, Told};
use super::interest::Interest;
use super::memory::{MOST_EXCEPTIONS, Position};
use crate::tally;

/// So much may wait; then the topic waits.
const MOST_WAITING: usize = 10_000;
/// When one is told again that a receiver did not take, while others are told.
const RETRY: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
/// What is refused for so long is passed, whatever becomes of others.
const REFUSED_FOR: Duration = Duration::from_secs(86_400);

/// How a message of the topic is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// It was dealt with before a restart.
    Before,
    /// It was there when the receiver was new: what is over is none of its business.
    AtFirst,
    /// It is news.
    Now,
}

/// Where a message stands in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// What was known when the ledger was opened.
#[derive(Debug, Default)]
pub(crate) struct Recollection {
    /// By what was decided of which incidents to tell, where that is another interest than now.
    pub(crate) interest: Option<Interest>,
    pub(crate) exceptions: BTreeMap<IncidentId, Heard>,
}

/// What waits to be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct News<'a> {
    pub(crate) incident: &'a Incident,
    /// What the receiver knows of it; nothing where it was not told yet.
    pub(crate) before: Option<Told>,
}

/// What becomes of a message that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is told again: maybe the receiver refuses all.
    Again,
    /// It is the message, as others are taken; or it was refused for a day.
    ForGood,
}

/// The receiver's ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    interest: Interest,
    recollection: Recollection,
    /// It is told again and again of what is open.
    repeats: bool,
    entries: BTreeMap<IncidentId, Entry>,
    queue: BTreeMap<Turn, IncidentId>,
    /// Those that are open and of which news was refused for good.
    given_up: BTreeSet<IncidentId>,
    next: u64,
    /// How many messages it took.
    taken: u64,
    /// The next offset of each partition.
    read: BTreeMap<i32, i64>,
}

#[derive(Debug)]
struct Entry {
    /// While it waits, or is repeated.
    incident: Option<Incident>,
    partition: i32,
    heard: Heard,
    waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    turn: Turn,
    since: Timestamp,
    place: Place,
    retry: Backoff,
    not_before: Option<Instant>,
    refused: Option<FirstRefusal>,
}

/// What failed less often comes first, then what came first: so nothing that fails again and again is in the way of anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    failures: u32,
    number: u64,
}

#[derive(Debug, Clone, Copy)]
struct FirstRefusal {
    at: Timestamp,
    /// So many messages had been taken.
    taken: u64,
}

impl Ledger {
    pub(crate) fn new(interest: Interest, recollection: Recollection, repeats: bool) -> Self {
        Self {
            interest,
            recollection,
            repeats,
            entries: BTreeMap::new(),
            queue: BTreeMap::new(),
            given_up: BTreeSet::new(),
            next: 0,
            taken: 0,
            read: BTreeMap::new(),
        }
    }

    /// Takes the next message of a partition.
    ///
    /// # Errors
    /// What is wrong with the filter, which lets the incident pass then.
    pub(crate) fn take(
        &mut self,
        incident: Incident,
        place: Place,
        when: When,
        written: Timestamp,
    ) -> Result<(), String> {
        self.passed(place);
        let exception = self.recollection.exceptions.get(&incident.id).copied();
        let (heard, waiting) = match self.entries.remove(&incident.id) {
            Some(Entry { heard, waiting, .. }) => (heard, waiting),
            None => (exception.unwrap_or_default(), None),
        };
        let (heard, when) = match when {
            When::Before if exception.is_some() => (heard, When::Now),
            When::Before => self.recalled(&incident, heard, written),
            When::AtFirst | When::Now => (heard, when),
        };
        let is_over = incident.status == IncidentStatus::Closed;
        let (waiting, trouble) = match when {
            When::AtFirst | When::Now if when == When::Now || !is_over => {
                let (is_news, trouble) = self.is_news(&incident, heard, written);
                let enqueue = || self.enqueue(incident.id, place, written);
                (waiting.or_else(|| is_news.then(enqueue)), trouble)
            }
            When::Before | When::AtFirst | When::Now => {
                waiting.iter().for_each(|waiting| self.dequeue(waiting));
                (None, Ok(()))
            }
        };
        self.keep(Entry { incident: Some(incident), partition: place.partition, heard, waiting });
        trouble
    }

    /// A message was read that is none of its business.
    pub(crate) fn passed(&mut self, place: Place) {
        self.read.insert(place.partition, place.offset + 1);
    }

    /// What is to be told next of what may be told now.
    pub(crate) fn next(&self, now: Instant) -> Option<News<'_>> {
        let mut waiting = self.queue.values().filter_map(|id| self.entries.get(id));
        let is_due = |Waiting { not_before, .. }: &Waiting| not_before.is_none_or(|at| at <= now);
        let Entry { incident, heard, .. } = waiting.find(|entry| entry.waiting.as_ref().is_some_and(is_due))?;
        Some(News { incident: incident.as_ref()?, before: heard.told })
    }

    /// Since when the oldest waits.
    pub(crate) fn waiting_since(&self) -> Option<Timestamp> {
        self.all_waiting().map(|(_, waiting)| waiting.since).min()
    }

    /// The receiver knows of an incident as it stands now.
    pub(crate) fn told(&mut self, id: IncidentId) {
        self.taken += 1;
        self.settle(id, |incident, _| Heard { told: Some(knows(incident)), passed: None });
    }

    /// The receiver did not take it: others come first, and it has a pause of its own.
    pub(crate) fn failed(&mut self, id: IncidentId, now: Instant) {
        let number = self.number();
        let Some(waiting) = self.entries.get_mut(&id).and_then(|entry| entry.waiting.as_mut()) else { return };
        self.queue.remove(&waiting.turn);
        waiting.not_before = Some(now + waiting.retry.failed());
        waiting.turn = Turn { failures: waiting.retry.failures(), number };
        self.queue.insert(waiting.turn, id);
    }

    /// The receiver refused it. What is passed then does not count as told.
    pub(crate) fn refused(&mut self, id: IncidentId, utc: Timestamp, now: Instant) -> Refused {
        let taken = self.taken;
        let first = self
            .entries
            .get_mut(&id)
            .and_then(|entry| entry.waiting.as_mut())
            .map(|waiting| *waiting.refused.get_or_insert(FirstRefusal { at: utc, taken }));
        let is_for_good =
            |first: FirstRefusal| taken > first.taken || utc.duration_since(first.at).unsigned_abs() >= REFUSED_FOR;
        if first.is_some_and(is_for_good) {
            self.settle(id, |incident, heard| Heard { passed: Some(incident.news_revision), ..heard });
            return Refused::ForGood;
        }
        self.failed(id, now);
        Refused::Again
    }

    /// The incidents that are open as far as the receiver knows, as it was told of them.
    pub(crate) fn firing(&self) -> impl Iterator<Item = (&Incident, Told)> {
        let firing =
            self.entries.values().filter_map(|Entry { incident, heard, .. }| Some((incident.as_ref()?, heard.told?)));
        firing.filter(|(incident, _)| incident.status == IncidentStatus::Open)
    }

    /// How much waits.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether so much waits that the topic is to wait, too.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= MOST_WAITING
    }

    /// From where each partition is read on.
    pub(crate) fn read_positions(&self) -> &BTreeMap<i32, i64> {
        &self.read
    }

    /// Up to where each partition is dealt with: what comes after is to be told by a successor, and what is excepted.
    pub(crate) fn positions(&self) -> BTreeMap<i32, Position> {
        let position =
            |(partition, offset): (&i32, &i64)| (*partition, Position { offset: *offset, exceptions: BTreeMap::new() });
        let mut positions: BTreeMap<_, _> = self.read.iter().map(position).collect();
        let mut waiting: Vec<_> = self.all_waiting().map(|(id, Waiting { place, .. })| (place.offset, id)).collect();
        waiting.sort_unstable();
        let waiting = waiting.into_iter().map(|(offset, id)| (Some(offset), id));
        for (offset, id) in waiting.chain(self.given_up.iter().map(|id| (None, *id))) {
            let Some(Entry { partition, heard, .. }) = self.entries.get(&id) else { continue };
            let Some(position) = positions.get_mut(partition) else { continue };
            if position.exceptions.len() < MOST_EXCEPTIONS {
                position.exceptions.insert(id, *heard);
            } else if let Some(offset) = offset {
                position.offset = offset.min(position.offset);
            }
        }
        positions
    }

    /// What is to be thought of an incident that was dealt with before a restart.
    fn recalled(&self, incident: &Incident, heard: Heard, written: Timestamp) -> (Heard, When) {
        let interest = self.recollection.interest.as_ref();
        if heard.told.is_some() || interest.unwrap_or(&self.interest).wants(incident, written).0 {
            return (Heard { told: Some(knows(incident)), ..heard }, When::Before);
        }
        // Who is interested in more by now is new to what is open.
        (heard, if interest.is_some() { When::AtFirst } else { When::Before })
    }

    fn is_news(&self, incident: &Incident, heard: Heard, written: Timestamp) -> (bool, Result<(), String>) {
        let Heard { told, passed } = heard;
        let known = told.map(|told| told.news_revision).max(passed);
        if known.is_some_and(|known| incident.news_revision <= known) {
            return (false, Ok(()));
        }
        if told.is_some() { (true, Ok(())) } else { self.interest.wants(incident, written) }
    }

    fn settle(&mut self, id: IncidentId, heard: impl FnOnce(&Incident, Heard) -> Heard) {
        let Some(mut entry) = self.entries.remove(&id) else { return };
        entry.waiting.take().iter().for_each(|waiting| self.dequeue(waiting));
        if let Some(incident) = &entry.incident {
            entry.heard = heard(incident, entry.heard);
        }
        self.keep(entry);
    }

    /// Keeps what is needed of an incident, if anything is.
    fn keep(&mut self, entry: Entry) {
        let Entry { incident, partition, heard, waiting } = entry;
        let Some(incident) = incident else { return };
        let (id, is_open) = (incident.id, incident.status == IncidentStatus::Open);
        let is_passed = is_open && heard.passed.is_some();
        if is_passed {
            self.given_up.insert(id)
        } else {
            self.given_up.remove(&id)
        };
        if waiting.is_some() {
            self.entries.insert(id, Entry { incident: Some(incident), partition, heard, waiting });
        } else if is_open && (heard.told.is_some() || is_passed) {
            let incident = self.repeats.then(|| short(incident));
            self.entries.insert(id, Entry { incident, partition, heard, waiting });
        }
    }

    fn all_waiting(&self) -> impl Iterator<Item = (IncidentId, &Waiting)> {
        self.queue.values().filter_map(|id| Some((*id, self.entries.get(id)?.waiting.as_ref()?)))
    }

    fn enqueue(&mut self, id: IncidentId, place: Place, since: Timestamp) -> Waiting {
        let turn = Turn { failures: 0, number: self.number() };
        self.queue.insert(turn, id);
        Waiting { turn, since, place, retry: RETRY, not_before: None, refused: None }
    }

    fn dequeue(&mut self, waiting: &Waiting) {
        self.queue.remove(&waiting.turn);
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

fn knows(incident: &Incident) -> Told {
    Told { news_revision: incident.news_revision, severity: incident.severity }
}

/// What is repeated needs no example, and of the reasons those that are told.
fn short(mut incident: Incident) -> Incident {
    incident.example.alert = None;
    incident.reasons.truncate(tally::LARGEST);
    incident
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
