//! What one receiver was told of and what it waits for. Pure: incidents in the order of their topic in, what is to be told out.
//! It is made of the topic and of how far that was told, so nothing else is remembered across a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use vedette_contract::incident::{Incident, IncidentId, IncidentStatus, Severity};

use super::filter::Filter;

/// So much may wait; then the topic waits.
const MOST_WAITING: usize = 10_000;

/// Of what a receiver is told.
#[derive(Debug)]
pub(crate) struct Interest {
    pub(crate) minimum_severity: Severity,
    pub(crate) filter: Option<Filter>,
    /// What was quiet for longer when it was closed is history: it was written by who came late to old alerts.
    pub(crate) history_after: Duration,
}

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

/// What a receiver knows of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) news_revision: u64,
    /// As it was then.
    pub(crate) severity: Severity,
}

/// What waits to be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct News<'a> {
    pub(crate) incident: &'a Incident,
    /// What the receiver knows of it; nothing where it was not told yet.
    pub(crate) before: Option<Told>,
    pub(crate) since: Timestamp,
}

/// The receiver's ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    interest: Interest,
    standing: BTreeMap<IncidentId, Standing>,
    /// In the order in which they came.
    queue: BTreeMap<u64, IncidentId>,
    next: u64,
    /// The next offset of each partition.
    read: BTreeMap<i32, i64>,
}

#[derive(Debug)]
struct Standing {
    incident: Incident,
    told: Option<Told>,
    waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    number: u64,
    since: Timestamp,
    place: Place,
}

impl Ledger {
    pub(crate) fn new(interest: Interest) -> Self {
        Self { interest, standing: BTreeMap::new(), queue: BTreeMap::new(), next: 0, read: BTreeMap::new() }
    }

    /// Takes the next message of a partition.
    ///
    /// # Errors
    /// What is wrong with the filter, which lets the incident pass then.
    pub(crate) fn take(&mut self, incident: Incident, place: Place, when: When, now: Timestamp) -> Result<(), String> {
        self.passed(place);
        let (told, waiting) =
            self.standing.remove(&incident.id).map_or((None, None), |before| (before.told, before.waiting));
        let (is_wanted, trouble) = match told {
            Some(told) => (incident.news_revision > told.news_revision, Ok(())),
            None => self.is_wanted(&incident),
        };
        let is_over = incident.status == IncidentStatus::Closed;
        let told = if is_wanted && when == When::Before { Some(knows(&incident)) } else { told };
        let waiting = match when {
            When::Before => None,
            When::AtFirst if is_over => {
                waiting.iter().for_each(|waiting| self.dequeue(waiting));
                None
            }
            When::AtFirst | When::Now if is_wanted => {
                Some(waiting.unwrap_or_else(|| self.enqueue(incident.id, place, now)))
            }
            When::AtFirst | When::Now => waiting,
        };
        let is_known = told.is_some() && !is_over;
        if waiting.is_some() || is_known {
            self.standing.insert(incident.id, Standing { incident: kept(incident, waiting.is_some()), told, waiting });
        }
        trouble
    }

    /// A message was read that is none of its business.
    pub(crate) fn passed(&mut self, place: Place) {
        self.read.insert(place.partition, place.offset + 1);
    }

    /// What has waited longest.
    pub(crate) fn next(&self) -> Option<News<'_>> {
        let standing = self.standing.get(self.queue.values().next()?)?;
        let Standing { incident, told, waiting } = standing;
        Some(News { incident, before: *told, since: waiting.as_ref()?.since })
    }

    /// The receiver knows of an incident as it stands now, or does not want to.
    pub(crate) fn settled(&mut self, id: IncidentId) {
        let Some(mut standing) = self.standing.remove(&id) else { return };
        standing.waiting.take().iter().for_each(|waiting| self.dequeue(waiting));
        standing.told = Some(knows(&standing.incident));
        if standing.incident.status == IncidentStatus::Open {
            standing.incident = kept(standing.incident, false);
            self.standing.insert(id, standing);
        }
    }

    /// The incidents that are open as far as the receiver knows, as it was told of them.
    pub(crate) fn firing(&self) -> impl Iterator<Item = (&Incident, Told)> {
        let firing = self.standing.values().filter(|standing| standing.incident.status == IncidentStatus::Open);
        firing.filter_map(|standing| Some((&standing.incident, standing.told?)))
    }

    /// How much waits.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether so much waits that the topic is to wait, too.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= MOST_WAITING
    }

    /// Up to where each partition is dealt with: from there a successor is to be told.
    pub(crate) fn settled_positions(&self) -> BTreeMap<i32, i64> {
        let mut positions = self.read.clone();
        let waiting = self.queue.values().filter_map(|id| self.standing.get(id)?.waiting);
        for Waiting { place: Place { partition, offset }, .. } in waiting {
            positions.entry(partition).and_modify(|position| *position = offset.min(*position));
        }
        positions
    }

    fn is_wanted(&self, incident: &Incident) -> (bool, Result<(), String>) {
        let Interest { minimum_severity, filter, history_after } = &self.interest;
        if incident.severity < *minimum_severity || is_history(incident, *history_after) {
            return (false, Ok(()));
        }
        match filter.as_ref().map(|filter| filter.matches(incident)) {
            None => (true, Ok(())),
            Some(Ok(matches)) => (matches, Ok(())),
            // Rather one message too many than an incident that nobody hears of.
            Some(Err(trouble)) => (true, Err(trouble)),
        }
    }

    fn enqueue(&mut self, id: IncidentId, place: Place, since: Timestamp) -> Waiting {
        let number = self.next;
        self.next += 1;
        self.queue.insert(number, id);
        Waiting { number, since, place }
    }

    fn dequeue(&mut self, waiting: &Waiting) {
        self.queue.remove(&waiting.number);
    }
}

fn knows(incident: &Incident) -> Told {
    Told { news_revision: incident.news_revision, severity: incident.severity }
}

/// What was told needs its example no more.
fn kept(mut incident: Incident, is_waiting: bool) -> Incident {
    if !is_waiting {
        incident.example.alert = None;
    }
    incident
}

fn is_history(incident: &Incident, after: Duration) -> bool {
    let Some(closed) = incident.closed_utc else { return false };
    closed.duration_since(incident.last_utc).unsigned_abs() > after
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
