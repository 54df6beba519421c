//! Alerts and incidents that match, as they were written.

use std::sync::Arc;

use vedette_contract::console::{WrittenAlert, WrittenAlertsView, WrittenIncidentsView};
use vedette_contract::incident::Incident;

use super::{AlertFilter, Cursor, IncidentFilter};
use crate::alert::Alert;

/// The newest that match of these, which are in order: so many, and all that were detected at the same time as the last of them.
pub(crate) fn written_alerts(all: &[Arc<Alert>], filter: &AlertFilter, limit: usize) -> WrittenAlertsView {
    let mut alerts: Vec<WrittenAlert> = Vec::new();
    let mut last = None;
    for alert in all.iter().filter(|alert| filter.matches(alert)) {
        if alerts.len() >= limit && last != Some(alert.detected) {
            break;
        }
        last = Some(alert.detected);
        alerts.push(WrittenAlert {
            id: alert.id.to_string(),
            site: alert.owner.site.clone(),
            json: alert.json.to_string(),
            is_whole: alert.is_whole(),
        });
    }
    WrittenAlertsView { alerts, kept: all.len(), oldest_utc: all.last().map(|alert| alert.detected) }
}

/// A page of the incidents that match, of these, which are in order: the newest first.
///
/// # Errors
/// When one is no JSON.
pub(crate) fn written_incidents(
    all: &[Arc<Incident>],
    filter: &IncidentFilter,
    after: Option<Cursor>,
    limit: usize,
) -> serde_json::Result<WrittenIncidentsView> {
    let place = |incident: &Incident| Cursor { last: incident.last_utc, id: incident.id };
    let comes = |incident: &&Arc<Incident>| {
        filter.matches(incident) && after.is_none_or(|after| place(incident).key() < after.key())
    };
    let mut rest = all.iter().filter(comes);
    let page: Vec<&Arc<Incident>> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last()).map(|last| place(last).to_string());
    let incidents = page.into_iter().map(|incident| serde_json::to_string(&**incident)).collect::<Result<_, _>>()?;
    Ok(WrittenIncidentsView { incidents, next })
}
