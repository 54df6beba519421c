//! Alerts, incidents and verdicts as they were written, and models as they are listed, for programs that want all of them and not what the
//! page shows.

use std::sync::Arc;

use axum::extract::State;
use vedette_contract::console::{
    ListedTrainingsView, WrittenAlertsView, WrittenIncidentsView, WrittenVerdict, WrittenVerdictsView,
};
use vedette_registry::verdicts::KeptVerdict;

use super::Served;
use super::answers::chosen;
use super::json::{Answer, Json, off_the_runtime};
use super::kept::verdict_json;
use super::parameters::{AlertsAsked, Asked, IncidentsAsked, Nothing, VerdictsAsked};
use super::problem::Problem;
use crate::query;

pub(super) async fn alerts(
    State(served): State<Served>,
    Asked(asked): Asked<AlertsAsked>,
) -> Answer<WrittenAlertsView> {
    let limit = asked.limit()?;
    let (all, filter) = chosen(&served, &asked)?;
    off_the_runtime(move || query::written_alerts(&all, &filter, limit)).await
}

pub(super) async fn incidents(
    State(served): State<Served>,
    Asked(asked): Asked<IncidentsAsked>,
) -> Answer<WrittenIncidentsView> {
    let (filter, after, limit) = (asked.filter()?, asked.after()?, asked.limit()?);
    let all: Vec<_> = served.store.state().incidents.newest().map(|kept| Arc::clone(&kept.value)).collect();
    let page = query::written_incidents(&all, &filter, after, limit);
    Ok(Json(page.map_err(|error| {
        tracing::error!(%error, "an incident could not be written");
        Problem::failed()
    })?))
}

pub(super) async fn verdicts(
    State(served): State<Served>,
    Asked(asked): Asked<VerdictsAsked>,
) -> Answer<WrittenVerdictsView> {
    let pipeline = asked.of()?;
    let kept = served.store.state().people.get(&pipeline).map(|people| people.verdicts.all.clone());
    let written = |kept: KeptVerdict| {
        let json = verdict_json(&kept)?;
        Ok(WrittenVerdict { id: kept.key.id, site: kept.key.site, sha256: kept.sha256, json })
    };
    Ok(Json(WrittenVerdictsView { verdicts: kept.into_iter().flatten().map(written).collect::<Result<_, Problem>>()? }))
}

pub(super) async fn trainings(
    State(served): State<Served>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Answer<ListedTrainingsView> {
    let listings: Vec<_> = served.store.state().trainings.values().map(|known| known.listing.clone()).collect();
    let trainings = listings.iter().map(serde_json::to_string).collect::<Result<_, _>>();
    Ok(Json(ListedTrainingsView {
        trainings: trainings.map_err(|error| {
            tracing::error!(%error, "the versions of a training could not be written");
            Problem::failed()
        })?,
    }))
}
