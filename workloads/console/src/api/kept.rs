//! Alerts and incidents that are kept, by their ids, and what people said of them.

use std::sync::Arc;

use vedette_contract::incident::{Incident, IncidentId};
use vedette_contract::verdict::JudgedKey;
use vedette_registry::verdicts::KeptVerdict;

use super::Served;
use super::problem::Problem;
use crate::alert::{Alert, AlertId};
use crate::owner::PipelineName;
use crate::view::VerdictView;

pub(super) fn kept_incident(served: &Served, id: &str) -> Result<Arc<Incident>, Problem> {
    let unknown = || Problem::not_found(format!("no incident {:?} is kept", id.chars().take(64).collect::<String>()));
    let id: IncidentId = id.parse().map_err(|_| unknown())?;
    served.store.state().incidents.get(id).cloned().ok_or_else(unknown)
}

pub(super) fn kept_alert(served: &Served, id: &str) -> Result<Arc<Alert>, Problem> {
    let unknown = || {
        Problem::not_found(format!(
            "no alert {:?} is kept; the archive has all",
            id.chars().take(64).collect::<String>()
        ))
    };
    let id = AlertId::read(id).ok_or_else(unknown)?;
    served.store.state().alerts.get(id).cloned().ok_or_else(unknown)
}

/// What somebody said last of an alert.
pub(super) fn verdict_of_alert(served: &Served, alert: &Alert) -> Option<VerdictView> {
    let uuid = alert.uuid.as_deref()?;
    verdict(served, &alert.owner.pipeline_name(), JudgedKey::Alert { site: &alert.owner.site, uuid })
}

/// What somebody said last of an incident.
pub(super) fn verdict_of_incident(served: &Served, incident: &Incident) -> Option<VerdictView> {
    verdict(served, &PipelineName::of(incident), JudgedKey::Incident(incident.id))
}

fn verdict(served: &Served, pipeline: &PipelineName, judged: JudgedKey<'_>) -> Option<VerdictView> {
    let state = served.store.state();
    state.people.get(pipeline)?.verdicts.standing_of(judged).map(VerdictView::of)
}

/// What stands in the bucket, but for blanks.
pub(super) fn verdict_json(kept: &KeptVerdict) -> Result<String, Problem> {
    serde_json::to_string(&kept.verdict).map_err(|error| {
        tracing::error!(%error, "a verdict could not be written");
        Problem::failed()
    })
}
