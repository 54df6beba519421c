//! What each route answers.

use std::sync::Arc;

use axum::extract::{Path, State};
use jiff::Timestamp;
use vedette_contract::incident::{Incident, IncidentStatus};

use super::Served;
use super::json::{Answer, Json, off_the_runtime};
use super::kept::{kept_alert, kept_incident, verdict_of_alert, verdict_of_incident};
use super::parameters::{AlertsAsked, Asked, IncidentsAsked, Nothing, some};
use super::problem::Problem;
use super::simulations::form;
use crate::alert::Alert;
use crate::history::{STEP_SECONDS, beginning};
use crate::query::{self, AlertFilter};
use crate::suggest;
use crate::view::{
    AlertView, AlertsView, HistogramView, HistoryView, IncidentRow, IncidentView, IncidentsView, OverviewView,
    ScoresView, SeriesView, TrainingsView,
};

pub(super) async fn overview(State(served): State<Served>, Asked(Nothing {}): Asked<Nothing>) -> Answer<OverviewView> {
    let now = Timestamp::now();
    let state = served.store.state();
    let series = state.sites.iter().map(|(owner, site)| SeriesView {
        namespace: site.namespace.clone(),
        pipeline: site.pipeline.clone(),
        site: site.site.clone(),
        alerts: state.history.of(owner, now),
    });
    let is_open = |incident: &Arc<Incident>| incident.status == IncidentStatus::Open;
    Ok(Json(OverviewView {
        // By the clock by which sites are heard of, and silences begin and end.
        now_utc: served.desk.now(),
        own_site: served.site.clone(),
        bucket: state.bucket.clone(),
        kafka: state.kafka.clone(),
        sites: state.sites.values().cloned().collect(),
        history: HistoryView { from_utc: beginning(now), step_seconds: STEP_SECONDS, series: series.collect() },
        open_incidents: state.incidents.newest().filter(|kept| is_open(&kept.value)).count(),
    }))
}

pub(super) async fn incidents(
    State(served): State<Served>,
    Asked(asked): Asked<IncidentsAsked>,
) -> Answer<IncidentsView> {
    let (filter, after, limit) = (asked.filter()?, asked.after()?, asked.limit()?);
    let all: Vec<_> = served.store.state().incidents.newest().map(|kept| Arc::clone(&kept.value)).collect();
    Ok(Json(query::incidents(&all, &filter, after, limit)))
}

pub(super) async fn incident(
    State(served): State<Served>,
    Path(id): Path<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Answer<IncidentView> {
    let incident = kept_incident(&served, &id)?;
    let example_id = query::example_id(&incident).filter(|id| served.store.state().alerts.get(*id).is_some());
    Ok(Json(IncidentView {
        row: IncidentRow::of(&incident),
        example: incident.example.alert.as_ref().map(|alert| alert.json().to_owned()),
        example_id: example_id.map(|id| id.to_string()),
        command: command(&incident),
        silenced_alerts: incident.silenced_alerts,
        silenced_by: incident.silenced_by.clone(),
        silence_match: suggest::of_incident(&incident),
        verdict: verdict_of_incident(&served, &incident),
    }))
}

/// What anybody with access to Kafka can do to see the same.
fn command(incident: &Incident) -> String {
    let origin = &incident.example.origin;
    format!(
        "kcat -C -t {} -p {} -o {} -c 1 -X isolation.level=read_committed",
        origin.topic, origin.partition, origin.offset
    )
}

pub(super) async fn alerts(State(served): State<Served>, Asked(asked): Asked<AlertsAsked>) -> Answer<AlertsView> {
    let limit = asked.limit()?;
    let (all, filter) = chosen(&served, &asked)?;
    off_the_runtime(move || query::alerts(&all, &filter, limit)).await
}

pub(super) async fn alert(
    State(served): State<Served>,
    Path(id): Path<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Answer<AlertView> {
    let alert = kept_alert(&served, &id)?;
    let verdict = verdict_of_alert(&served, &alert);
    Ok(Json(AlertView::of(&alert, verdict, form(&served, &alert))))
}

pub(super) async fn similar(
    State(served): State<Served>,
    Path(id): Path<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Answer<AlertsView> {
    let alert = kept_alert(&served, &id)?;
    let all = served.store.state().newest_alerts();
    off_the_runtime(move || query::similar(&all, &alert)).await
}

pub(super) async fn histogram(State(served): State<Served>, Asked(asked): Asked<AlertsAsked>) -> Answer<HistogramView> {
    let field = some(asked.field.as_ref()).unwrap_or_else(|| "duration".to_owned());
    let by = some(asked.by.as_ref()).unwrap_or_else(|| "service".to_owned());
    let sample_of = {
        let state = served.store.state();
        asked.sample(state.archived.keys().filter(|pipeline| state.shows(pipeline)))?
    };
    if let Some(of) = sample_of {
        let partitions = served.store.state().archived.get(&of.pipeline).cloned().unwrap_or_default();
        let sample = served.sampler.sample(of.clone(), &partitions).await?;
        return off_the_runtime(move || query::histogram_of_sample(&of, &sample, (&field, &by))).await;
    }
    let (all, filter) = chosen(&served, &asked)?;
    off_the_runtime(move || query::histogram(&matching(&all, &filter), &field, &by)).await
}

pub(super) async fn scores(State(served): State<Served>, Asked(asked): Asked<AlertsAsked>) -> Answer<ScoresView> {
    let (all, filter) = chosen(&served, &asked)?;
    off_the_runtime(move || query::scores(&matching(&all, &filter))).await
}

pub(super) async fn trainings(
    State(served): State<Served>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Answer<TrainingsView> {
    Ok(Json(TrainingsView {
        trainings: served.store.state().trainings.values().map(|known| known.view.clone()).collect(),
    }))
}

pub(super) async fn openapi() -> Json<serde_json::Value> {
    Json(super::document())
}

pub(super) fn chosen(served: &Served, asked: &AlertsAsked) -> Result<(Vec<Arc<Alert>>, AlertFilter), Problem> {
    let state = served.store.state();
    Ok((state.newest_alerts(), asked.filter(&state)?))
}

fn matching(all: &[Arc<Alert>], filter: &AlertFilter) -> Vec<Arc<Alert>> {
    all.iter().filter(|alert| filter.matches(alert)).cloned().collect()
}
