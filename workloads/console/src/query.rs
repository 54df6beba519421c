//! What is asked of the alerts and incidents that are kept: filters, pages and counts from one pass.

mod histogram;
mod scores;
mod written;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use vedette_contract::Name;
use vedette_contract::incident::{Grouping, Incident, IncidentId, IncidentStatus, Severity};
use vedette_records::Scalar;

use crate::alert::{Alert, AlertId};
use crate::view::{AlertRow, AlertsView, IncidentRow, IncidentsView};

pub(crate) use histogram::{histogram, histogram_of_sample};
pub(crate) use scores::scores;
pub(crate) use written::{written_alerts, written_incidents};

/// How far from an alert others are similar.
const SIMILAR_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Similar alerts that are told.
pub(crate) const SIMILAR: usize = 50;

/// Which alerts.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlertFilter {
    pub(crate) namespace: Option<Name>,
    pub(crate) pipeline: Option<Name>,
    pub(crate) site: Option<Name>,
    /// Those that are at least so bad.
    pub(crate) severity: Option<Severity>,
    /// A field among the three largest reasons.
    pub(crate) reason: Option<String>,
    /// What stands in the JSON text, letter by letter.
    pub(crate) text: Option<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    /// Those of this incident.
    pub(crate) incident: Option<Arc<Incident>>,
}

impl AlertFilter {
    pub(crate) fn matches(&self, alert: &Alert) -> bool {
        let Self { namespace, pipeline, site, severity, reason, text, from, to, incident } = self;
        namespace.as_ref().is_none_or(|namespace| *namespace == alert.owner.namespace)
            && pipeline.as_ref().is_none_or(|pipeline| *pipeline == alert.owner.pipeline)
            && site.as_ref().is_none_or(|site| *site == alert.owner.site)
            && severity.is_none_or(|severity| alert.severity >= severity)
            && from.is_none_or(|from| alert.detected >= from)
            && to.is_none_or(|to| alert.detected <= to)
            && reason.as_ref().is_none_or(|reason| alert.largest_reasons().any(|field| field == reason))
            && incident.as_ref().is_none_or(|incident| is_of(alert, incident))
            && text.as_ref().is_none_or(|text| alert.json.contains(text.as_str()))
    }
}

/// Whether an alert belongs to an incident, as far as the two tell.
fn is_of(alert: &Alert, incident: &Incident) -> bool {
    let owner = &alert.owner;
    let is_near = !alert.simulated
        && owner.namespace == incident.namespace
        && owner.pipeline == incident.pipeline
        && owner.site == incident.site
        && (incident.first_utc..=incident.last_utc).contains(&alert.detected);
    is_near
        && match &incident.grouping {
            Grouping::Reasons => {
                alert.largest_reasons().any(|field| incident.reasons.iter().any(|reason| reason.field == field))
            }
            Grouping::Fields { values } => {
                let fields = alert.fields();
                values.iter().all(|value| text_of(fields.get(&value.field).map(|raw| raw.get())) == value.value)
            }
            Grouping::Overflow => true,
        }
}

/// A value of a record as incidents have it: texts without quotes, nothing where it is no scalar.
pub(crate) fn text_of(json: Option<&str>) -> Option<String> {
    Scalar::of_json(json?).category().map(Cow::into_owned)
}

/// The newest that match, at most so many, of these.
pub(crate) fn alerts(all: &[Arc<Alert>], filter: &AlertFilter, limit: usize) -> AlertsView {
    let mut matching = 0;
    let mut rows = Vec::new();
    for alert in all.iter().filter(|alert| filter.matches(alert)) {
        matching += 1;
        if rows.len() < limit {
            rows.push(AlertRow::of(alert));
        }
    }
    AlertsView { alerts: rows, matching, kept: all.len(), oldest_utc: all.last().map(|alert| alert.detected) }
}

/// Alerts of the same pipeline within an hour whose largest reason is the same, those of all sites.
pub(crate) fn similar(all: &[Arc<Alert>], to: &Alert) -> AlertsView {
    let [from, until] = [to.detected.checked_sub(SIMILAR_WITHIN), to.detected.checked_add(SIMILAR_WITHIN)];
    let filter = AlertFilter {
        namespace: Some(to.owner.namespace.clone()),
        pipeline: Some(to.owner.pipeline.clone()),
        from: from.ok(),
        to: until.ok(),
        ..AlertFilter::default()
    };
    let largest = to.largest_reasons().next();
    let is_other =
        |alert: &&Arc<Alert>| alert.id != to.id && largest.is_some() && alert.largest_reasons().next() == largest;
    let others: Vec<_> = all.iter().filter(is_other).cloned().collect();
    AlertsView {
        kept: all.len(),
        oldest_utc: all.last().map(|alert| alert.detected),
        ..alerts(&others, &filter, SIMILAR)
    }
}

/// Which incidents.
#[derive(Debug, Clone, Default)]
pub(crate) struct IncidentFilter {
    pub(crate) namespace: Option<Name>,
    pub(crate) pipeline: Option<Name>,
    pub(crate) site: Option<Name>,
    /// Those that are at least so bad.
    pub(crate) severity: Option<Severity>,
    pub(crate) status: Option<IncidentStatus>,
}

impl IncidentFilter {
    fn matches(&self, incident: &Incident) -> bool {
        let Self { namespace, pipeline, site, severity, status } = self;
        namespace.as_ref().is_none_or(|namespace| *namespace == incident.namespace)
            && pipeline.as_ref().is_none_or(|pipeline| *pipeline == incident.pipeline)
            && site.as_ref().is_none_or(|site| *site == incident.site)
            && severity.is_none_or(|severity| incident.severity >= severity)
            && status.is_none_or(|status| incident.status == status)
    }
}

/// A place in the order of the incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    last: Timestamp,
    id: IncidentId,
}

impl Cursor {
    /// To the microsecond, as its text has it.
    fn key(self) -> (i64, IncidentId) {
        (self.last.as_microsecond(), self.id)
    }

    /// As [`Self::to_string`] has it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (last, id) = text.split_once('_')?;
        Some(Self { last: Timestamp::from_microsecond(last.parse().ok()?).ok()?, id: id.parse().ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}_{}", self.last.as_microsecond(), self.id)
    }
}

/// A page of the incidents that match, of these, which are in order: the newest first.
pub(crate) fn incidents(
    all: &[Arc<Incident>],
    filter: &IncidentFilter,
    after: Option<Cursor>,
    limit: usize,
) -> IncidentsView {
    let mut view = IncidentsView { incidents: Vec::new(), matching: 0, open: 0, next: None };
    let place = |incident: &Incident| Cursor { last: incident.last_utc, id: incident.id };
    let mut last = None;
    for incident in all.iter().filter(|incident| filter.matches(incident)) {
        view.matching += 1;
        view.open += usize::from(incident.status == IncidentStatus::Open);
        if after.is_some_and(|after| place(incident).key() >= after.key()) {
            continue;
        }
        if view.incidents.len() < limit {
            view.incidents.push(IncidentRow::of(incident));
            last = Some(place(incident));
        } else if view.next.is_none() {
            view.next = last.as_ref().map(Cursor::to_string);
        }
    }
    view
}

/// The alert that an incident has as its example, where it is kept.
pub(crate) fn example_id(incident: &Incident) -> Option<AlertId> {
    let json = incident.example.alert.as_ref()?.json();
    let owner = crate::owner::Owner {
        namespace: incident.namespace.clone(),
        pipeline: incident.pipeline.clone(),
        site: incident.site.clone(),
    };
    Alert::read(owner, json.as_bytes()).map(|alert| alert.id)
}

#[cfg(test)]
mod tests;
