//! Alerts and incidents as they were written, for programs that want all of them and not what the page shows.

use std::sync::Arc;

use axum::extract::State;
use vedette_contract::console::{WrittenAlertsView, WrittenIncidentsView};

use super::Served;
use super::answers::chosen;
use super::json::{Answer, Json, off_the_runtime};
use super::parameters::{AlertsAsked, Asked, IncidentsAsked};
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
