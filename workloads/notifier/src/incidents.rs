//! The open incidents of a site: alerts in, changes out. Pure: what time it is, and what was read before, it is told. What it
//! holds is what it wrote last and what came since, so its messages are all that a successor needs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use vedette_contract::incident::{
    Example, Grouping, Incident, IncidentId, IncidentOwner, IncidentReason, IncidentStatus,
};

use crate::alert::Alert;
use crate::tally;

/// All examples together are not larger than this.
const EXAMPLES_BYTES: usize = 64 * 1024 * 1024;

/// When an alert joins an incident, and how many there are.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) owner: IncidentOwner,
    /// The quiet gap that closes one.
    pub(crate) window: Duration,
    /// So many are open at once; what goes beyond is one incident together.
    pub(crate) max_open: usize,
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Joined,
    Opened,
    /// There was no room for one more incident.
    Overflowed,
}

/// What makes an alert join.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Reason(String),
    /// Alerts that say nothing of why have that in common.
    NoReason,
    Group(Grouping),
}

/// The open incidents.
#[derive(Debug)]
pub(crate) struct Incidents {
    rules: Rules,
    open: BTreeMap<IncidentId, Incident>,
    /// Those that an alert of a cause may join.
    by_cause: BTreeMap<Cause, BTreeSet<IncidentId>>,
    examples_bytes: usize,
    /// What is to be written: the incident, and whether a person is told.
    changed: BTreeMap<IncidentId, News>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Growth,
    Told,
}

impl Incidents {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, open: BTreeMap::new(), by_cause: BTreeMap::new(), examples_bytes: 0, changed: BTreeMap::new() }
    }

    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Whether there is something to write.
    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes what a predecessor wrote; of each incident its last message, or all of them in order.
    pub(crate) fn restore(&mut self, incident: Incident) {
        if let Some(before) = self.open.remove(&incident.id) {
            self.forget(&before);
        }
        if incident.status == IncidentStatus::Open {
            self.remember(incident);
        }
    }

    /// An alert joins an incident or opens one.
    pub(crate) fn take(&mut self, alert: Alert) -> Taken {
        let causes = causes_of_alert(&alert);
        if let Some(id) = causes.iter().find_map(|cause| self.joinable(cause, alert.utc)) {
            self.join(id, alert);
            return Taken::Joined;
        }
        if self.open.len() < self.rules.max_open {
            self.open_with(alert);
            return Taken::Opened;
        }
        match self.joinable(&Cause::Group(Grouping::Overflow), alert.utc) {
            Some(id) => self.join(id, alert),
            None => self.open_with(Alert { grouping: Grouping::Overflow, ..alert }),
        }
        Taken::Overflowed
    }

    /// Closes what was quiet for a window when all alerts until then were read.
    pub(crate) fn close_quiet(&mut self, read_until: Timestamp) {
        let window = self.rules.window;
        let is_quiet = |incident: &&Incident| {
            incident.status == IncidentStatus::Open && later(incident.last_utc, window) <= read_until
        };
        let quiet: Vec<_> = self.open.values().filter(is_quiet).map(|incident| incident.id).collect();
        for id in quiet {
            let Some(mut incident) = self.open.remove(&id) else { continue };
            self.forget(&incident);
            (incident.status, incident.closed_utc) = (IncidentStatus::Closed, Some(read_until));
            self.note(id, News::Told);
            // It stays until it is written, and nothing finds it to join.
            self.examples_bytes += example_bytes(&incident);
            self.open.insert(id, incident);
        }
    }

    /// What is to be written, each incident once as it stands now. To be called where it will be written, or all is void.
    pub(crate) fn take_changes(&mut self) -> Vec<Incident> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|(id, news)| self.written(id, news)).collect()
    }

    fn written(&mut self, id: IncidentId, news: News) -> Option<Incident> {
        let incident = self.open.get_mut(&id)?;
        incident.revision += 1;
        if news == News::Told {
            incident.news_revision = incident.revision;
        }
        let written = incident.clone();
        if written.status == IncidentStatus::Closed {
            self.open.remove(&id);
            self.examples_bytes -= example_bytes(&written);
        }
        Some(written)
    }

    /// Of those of a cause that are not too early or late for it, that which grew last.
    fn joinable(&self, cause: &Cause, utc: Timestamp) -> Option<IncidentId> {
        let window = self.rules.window;
        let candidates = self.by_cause.get(cause)?.iter().filter_map(|id| self.open.get(id));
        let near = candidates
            .filter(|incident| utc <= later(incident.last_utc, window) && incident.first_utc <= later(utc, window));
        near.max_by_key(|incident| (incident.last_utc, incident.id)).map(|incident| incident.id)
    }

    fn open_with(&mut self, alert: Alert) {
        let Rules { owner, window: _, max_open: _ } = &self.rules;
        let Alert { origin, utc, severity, score, reasons, grouping, raw } = alert;
        let IncidentOwner { namespace, pipeline, site } = owner.clone();
        let id = IncidentId::of_first(owner, &grouping, &origin, utc);
        let incident = Incident {
            id,
            namespace,
            pipeline,
            site,
            status: IncidentStatus::Open,
            grouping,
            first_utc: utc,
            last_utc: utc,
            closed_utc: None,
            alerts: 1,
            severity,
            highest_score: score,
            reasons: tallied(Vec::new(), reasons),
            example: Example { origin, alert: raw },
            revision: 0,
            news_revision: 0,
        };
        self.remember(incident);
        self.note(id, News::Told);
    }

    fn join(&mut self, id: IncidentId, alert: Alert) {
        let Some(mut incident) = self.open.remove(&id) else { return };
        self.forget(&incident);
        let Alert { origin, utc, severity, score, reasons, grouping: _, raw } = alert;
        let news = if severity > incident.severity { News::Told } else { News::Growth };
        incident.alerts += 1;
        incident.first_utc = incident.first_utc.min(utc);
        incident.last_utc = incident.last_utc.max(utc);
        incident.severity = incident.severity.max(severity);
        incident.reasons = tallied(incident.reasons, reasons);
        if score > incident.highest_score {
            (incident.highest_score, incident.example) = (score, Example { origin, alert: raw });
        }
        self.remember(incident);
        self.note(id, news);
    }

    fn note(&mut self, id: IncidentId, news: News) {
        let noted = self.changed.entry(id).or_insert(news);
        *noted = news.max(*noted);
    }

    fn remember(&mut self, mut incident: Incident) {
        if self.examples_bytes + example_bytes(&incident) > EXAMPLES_BYTES {
            incident.example.alert = None;
        }
        self.examples_bytes += example_bytes(&incident);
        for cause in causes_of_incident(&incident) {
            self.by_cause.entry(cause).or_default().insert(incident.id);
        }
        self.open.insert(incident.id, incident);
    }

    fn forget(&mut self, incident: &Incident) {
        self.examples_bytes -= example_bytes(incident);
        for cause in causes_of_incident(incident) {
            let Some(ids) = self.by_cause.get_mut(&cause) else { continue };
            ids.remove(&incident.id);
            if ids.is_empty() {
                self.by_cause.remove(&cause);
            }
        }
    }
}

fn tallied(mut reasons: Vec<IncidentReason>, more: Vec<IncidentReason>) -> Vec<IncidentReason> {
    more.into_iter().for_each(|reason| tally::add(&mut reasons, reason));
    reasons
}

/// In the order in which an alert looks for an incident: its largest reason first.
fn causes_of_alert(alert: &Alert) -> Vec<Cause> {
    causes(&alert.grouping, &alert.reasons)
}

fn causes_of_incident(incident: &Incident) -> Vec<Cause> {
    causes(&incident.grouping, &incident.reasons)
}

fn causes(grouping: &Grouping, reasons: &[IncidentReason]) -> Vec<Cause> {
    match grouping {
        Grouping::Reasons if reasons.is_empty() => vec![Cause::NoReason],
        Grouping::Reasons => tally::largest(reasons).map(|field| Cause::Reason(field.to_owned())).collect(),
        Grouping::Fields { .. } | Grouping::Overflow => vec![Cause::Group(grouping.clone())],
    }
}

fn example_bytes(incident: &Incident) -> usize {
    incident.example.alert.as_ref().map_or(0, |alert| alert.json().len())
}

/// A time after another; the end of time where it would be beyond.
fn later(utc: Timestamp, by: Duration) -> Timestamp {
    utc.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
