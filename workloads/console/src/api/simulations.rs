//! Records that people make up: they send one, and ask what became of it.

use axum::extract::{Path, State};
use uuid::Uuid;
use vedette_contract::progress::SiteStatus;
use vedette_contract::{Name, author};
use vedette_service::error_chain;

use super::Served;
use super::acting::Acting;
use super::actions::{shown, to_its_end};
use super::bodies::SimulationSent;
use super::json::{Answer, Json};
use super::parameters::{Asked, Nothing};
use super::problem::Problem;
use crate::alert::Alert;
use crate::owner::PipelineName;
use crate::simulate::{MadeUp, SimulateError, Simulation, Simulator, own_fields};
use crate::view::{FieldView, SimulationFormView, SimulationView};

pub(super) async fn send(
    State(served): State<Served>,
    Acting { writer, sent }: Acting<SimulationSent>,
) -> Answer<SimulationView> {
    let SimulationSent { namespace, pipeline, record, by } = sent;
    // It stands in the log alone.
    let by = author(writer.name(by)?).map_err(|error| Problem::invalid(error.whole()))?;
    allowed(&served)?;
    let pipeline = shown(&served, PipelineName { namespace, pipeline })?;
    let topics = own(&served, &pipeline).and_then(|status| status.topics);
    let topics = topics.ok_or_else(|| nothing_here(&served.site, &pipeline))?;
    // Its time is by the clock of all that is written here.
    let record = MadeUp::of(&record, served.desk.now()).map_err(|error| Problem::invalid(error.to_string()))?;
    to_its_end(async move {
        let sent = allowed(&served)?.send(pipeline.at(&served.site), topics, &record).await;
        let sent = sent.map_err(|error| refused(&error))?;
        served.metrics.actions.inc();
        let (uuid, by) = (sent.uuid.to_string(), by.as_str());
        tracing::info!(uuid, by, namespace = %pipeline.namespace, pipeline = %pipeline.pipeline, "a simulated record was sent");
        Ok(Json(view(&served, &sent)))
    })
    .await
}

pub(super) async fn one(
    State(served): State<Served>,
    Path(id): Path<String>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Answer<SimulationView> {
    let unknown = || {
        let id: String = id.chars().take(64).collect();
        Problem::not_found(format!(
            "this console has sent no record {id:?} that it still knows of; another of its pods may have"
        ))
    };
    let simulation = Uuid::try_parse(&id).ok().and_then(|uuid| allowed(&served).ok()?.get(uuid)).ok_or_else(unknown)?;
    Ok(Json(view(&served, &simulation)))
}

/// With what a simulation of the record of this alert begins; none where nothing can be sent.
pub(super) fn form(served: &Served, alert: &Alert) -> Option<SimulationFormView> {
    let simulator = served.simulator.as_ref().filter(|_| alert.owner.site == served.site)?;
    let SiteStatus { topics, added_fields, .. } = own(served, &alert.owner.pipeline_name())?;
    let field = |(name, raw): (String, &serde_json::value::RawValue)| FieldView { name, json: raw.get().to_owned() };
    Some(SimulationFormView {
        topic: topics?.sensor_messages.to_string(),
        bootstrap_servers: simulator.bootstrap_servers().to_owned(),
        fields: own_fields(alert, &added_fields)?.into_iter().map(field).collect(),
    })
}

fn own(served: &Served, pipeline: &PipelineName) -> Option<SiteStatus> {
    served.store.state().own.get(pipeline).cloned()
}

fn allowed(served: &Served) -> Result<&Simulator, Problem> {
    served.simulator.as_ref().ok_or_else(|| {
        Problem::forbidden(
            "this console sends no records that people make up: whoever runs it may allow that, with --allow-simulation (in the chart \
             console.simulation)",
        )
    })
}

fn nothing_here(site: &Name, pipeline: &PipelineName) -> Problem {
    let PipelineName { namespace, pipeline } = pipeline;
    Problem::conflict(format!(
        "site {site}, whose console this is, tells of no topics of {namespace}/{pipeline}: send it at the console of a site where the pipeline runs"
    ))
}

fn view(served: &Served, simulation: &Simulation) -> SimulationView {
    SimulationView::of(simulation, |uuid| {
        let state = served.store.state();
        let mut alerts = state.alerts.newest().map(|kept| &kept.value);
        let found = alerts.find(|alert| alert.owner == simulation.owner && alert.uuid.as_deref() == Some(uuid));
        found.map(|alert| alert.id.to_string())
    })
}

fn refused(error: &SimulateError) -> Problem {
    match error {
        SimulateError::TooMany => Problem::busy(error.to_string()),
        SimulateError::NoTopic { .. } => Problem::conflict(error.to_string()),
        SimulateError::Refused { .. } | SimulateError::Kafka(_) | SimulateError::Part(_) => {
            let error = error_chain(error);
            tracing::warn!(error, "a simulated record was not taken by Kafka");
            Problem::unavailable(error)
        }
    }
}
