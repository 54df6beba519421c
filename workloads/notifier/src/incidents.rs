//! The open incidents of a site: alerts in, changes out. Pure: what time it is, and what was read before, it is told. What it
//! holds is what it wrote last and what came since, so its messages are all that a successor needs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use vedette_contract::incident::{
    Example, Grouping, Incident, IncidentId, IncidentOwner, IncidentReason, IncidentStatus, MOST_SILENCES,
};
use vedette_contract::silence::SilenceId;

use crate::alert::Alert;
use crate::silences::Silences;
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

/// So many are written at once, lest a transaction takes too long.
const MOST_WRITTEN: usize = 1_000;
/// Growth by less than this part is no hurry.
const SMALL_PART: u64 = 10;
/// Whatever is read later than this is late.
const LATE: Duration = Duration::from_secs(1);

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
    /// What is to be written.
    changed: BTreeMap<IncidentId, Change>,
    /// It is not to wait.
    is_due: bool,
    /// When the last alert of an incident was read, where that was later than it was detected.
    read_late: BTreeMap<IncidentId, Timestamp>,
}

/// What has changed since an incident was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    /// Whether a person is told.
    news: News,
    /// How many alerts were written of it; none where there are no more by now.
    written_alerts: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Growth,
    Told,
}

impl Incidents {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            open: BTreeMap::new(),
            by_cause: BTreeMap::new(),
            examples_bytes: 0,
            changed: BTreeMap::new(),
            is_due: false,
            read_late: BTreeMap::new(),
        }
    }

    /// The quiet gap that closes one.
    pub(crate) fn window(&self) -> Duration {
        self.rules.window
    }

    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Whether something is to be written without delay: news, an incident that has grown by a tenth, or much. What grows for hours
    /// is written often while it is small, and seldom when it is large.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due || self.changed.len() >= MOST_WRITTEN
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

    /// An alert joins an incident or opens one. `read` is when, where all that there was before had been read: what is late then, as
    /// a clock or Kafka is, keeps its incident open as long as what is not.
    pub(crate) fn take(&mut self, alert: Alert, read: Option<Timestamp>, silences: &Silences) -> Taken {
        let late = read.filter(|read| *read > later(alert.utc, LATE));
        let (id, taken) = self.take_in_time(alert, silences);
        match late {
            Some(read) => self.read_late.insert(id, read),
            None => self.read_late.remove(&id),
        };
        taken
    }

    fn take_in_time(&mut self, alert: Alert, silences: &Silences) -> (IncidentId, Taken) {
        let causes = causes_of_alert(&alert);
        if let Some(id) = causes.iter().find_map(|cause| self.joinable(cause, alert.utc)) {
            self.join(id, alert, silences);
            return (id, Taken::Joined);
        }
        if self.open.len() < self.rules.max_open {
            let grouping = alert.grouping.clone();
            return (self.open_with(alert, grouping, silences), Taken::Opened);
        }
        let Some(id) = self.joinable(&Cause::Group(Grouping::Overflow), alert.utc) else {
            return (self.open_with(alert, Grouping::Overflow, silences), Taken::Overflowed);
        };
        self.join(id, alert, silences);
        (id, Taken::Overflowed)
    }

    /// Closes what was quiet for a window when all alerts until then were read.
    pub(crate) fn close_quiet(&mut self, read_until: Timestamp) {
        let (window, read_late) = (self.rules.window, &self.read_late);
        let is_quiet = |incident: &&Incident| {
            let last = read_late.get(&incident.id).map_or(incident.last_utc, |read| incident.last_utc.max(*read));
            incident.status == IncidentStatus::Open && later(last, window) <= read_until
        };
        let quiet: Vec<_> = self.open.values().filter(is_quiet).map(|incident| incident.id).collect();
        for id in quiet {
            let Some(mut incident) = self.open.remove(&id) else { continue };
            self.forget(&incident);
            (incident.status, incident.closed_utc) = (IncidentStatus::Closed, Some(read_until));
            self.read_late.remove(&id);
            self.note(id, News::Told, None);
            // It stays until it is written, and nothing finds it to join.
            self.examples_bytes += example_bytes(&incident);
            self.open.insert(id, incident);
        }
    }

    /// What is to be written, each incident once as it stands now. To be called where it will be written, or all is void. All that
    /// has to be written with how far alerts were read is among it; of what only closes, as much as one transaction is to have.
    pub(crate) fn take_changes(&mut self) -> Vec<Incident> {
        let changed = std::mem::take(&mut self.changed);
        let (mut now, mut closed): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|(_, change)| change.written_alerts.is_some());
        let room = MOST_WRITTEN.saturating_sub(now.len()).min(closed.len());
        self.changed = closed.split_off(room).into_iter().collect();
        self.is_due = !self.changed.is_empty();
        now.append(&mut closed);
        now.into_iter().filter_map(|(id, Change { news, .. })| self.written(id, news)).collect()
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

    fn open_with(&mut self, alert: Alert, grouping: Grouping, silences: &Silences) -> IncidentId {
        let owner = &self.rules.owner;
        let id = IncidentId::of_first(owner, &grouping, &alert.origin, alert.utc);
        // By the fields of its own group, also where it shares an incident with others.
        let silenced_by = silenced_by(owner, id, 1, &alert, silences);
        let alert = Alert { grouping, ..alert };
        let silenced_alerts = u64::from(!silenced_by.is_empty());
        let incident = Incident { silenced_alerts, silenced_by, ..alone(owner, id, alert) };
        self.remember(incident);
        self.note(id, News::Told, Some(0));
        id
    }

    fn join(&mut self, id: IncidentId, alert: Alert, silences: &Silences) {
        let Some(mut incident) = self.open.remove(&id) else { return };
        self.forget(&incident);
        let silenced_by = silenced_by(&self.rules.owner, id, incident.alerts + 1, &alert, silences);
        let Alert { origin, utc, severity, score, reasons, grouping: _, raw, is_severity_strange: _, is_simulated: _ } =
            alert;
        let (was_silenced, is_silenced) = (incident.is_silenced(), !silenced_by.is_empty());
        // It speaks for the incident where it is not silenced, or nothing else does; and the first that is not does so alone.
        let speaks = was_silenced || !is_silenced;
        let is_first_to_speak = was_silenced && !is_silenced;
        let is_news = is_first_to_speak || (speaks && severity > incident.severity);
        let before = incident.alerts;
        incident.alerts += 1;
        incident.silenced_alerts += u64::from(is_silenced);
        note_silences(&mut incident.silenced_by, silenced_by);
        incident.first_utc = incident.first_utc.min(utc);
        incident.last_utc = incident.last_utc.max(utc);
        incident.reasons = tallied(incident.reasons, reasons);
        if is_news {
            incident.severity = severity;
        }
        if is_first_to_speak || (speaks && score > incident.highest_score) {
            (incident.highest_score, incident.example) = (score, Example { origin, alert: raw });
        }
        self.remember(incident);
        self.note(id, if is_news { News::Told } else { News::Growth }, Some(before));
    }

    /// `before` is how many alerts it had, where it has one more.
    fn note(&mut self, id: IncidentId, news: News, before: Option<u64>) {
        let noted = self.changed.entry(id).or_insert(Change { news, written_alerts: before });
        noted.news = news.max(noted.news);
        let grown =
            noted.written_alerts.zip(before).map(|(written, before)| (before + 1 - written) * SMALL_PART >= written);
        self.is_due |= noted.news == News::Told || grown.unwrap_or_default();
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

/// An incident of this alert and no other.
fn alone(owner: &IncidentOwner, id: IncidentId, alert: Alert) -> Incident {
    let IncidentOwner { namespace, pipeline, site } = owner.clone();
    let Alert { origin, utc, severity, score, reasons, grouping, raw, is_severity_strange: _, is_simulated: _ } = alert;
    Incident {
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
        silenced_alerts: 0,
        silenced_by: Vec::new(),
        severity,
        highest_score: score,
        reasons: tallied(Vec::new(), reasons),
        example: Example { origin, alert: raw },
        revision: 0,
        news_revision: 0,
    }
}

/// The silences that match an alert of an incident that has so many with it.
fn silenced_by(
    owner: &IncidentOwner,
    id: IncidentId,
    alerts: u64,
    alert: &Alert,
    silences: &Silences,
) -> Vec<SilenceId> {
    // Of most alerts nobody has to ask more.
    if !silences.is_any_in_force(alert.utc) {
        return Vec::new();
    }
    silences.matching(&Incident { alerts, ..alone(owner, id, alert.clone()) })
}

fn note_silences(known: &mut Vec<SilenceId>, more: Vec<SilenceId>) {
    for id in more {
        if known.len() < MOST_SILENCES && !known.contains(&id) {
            known.push(id);
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
