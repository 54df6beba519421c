//! Records that people make up: they send one, and ask what became of it.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use uuid::Uuid;
use vedette_contract::author;
use vedette_contract::fields::SIMULATED;
use vedette_contract::progress::{SiteStatus, SiteTopics};
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
    let Here { topics, added: _, renamed } =
        here(&served, &pipeline).map_err(|why| Problem::conflict(why.told(&served, &pipeline)))?;
    // Its time is by the clock of all that is written here.
    let record = MadeUp::of(&record, &renamed, served.desk.now());
    let record = record.map_err(|error| Problem::invalid(error.to_string()))?;
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

/// With what a simulation of the record of this alert begins, or why it cannot; nothing where none is sent from here to where it came from.
pub(super) fn form(served: &Served, alert: &Alert) -> Option<Result<SimulationFormView, String>> {
    let simulator = served.simulator.as_ref().filter(|_| alert.owner.site == served.site)?;
    let pipeline = alert.owner.pipeline_name();
    Some(here(served, &pipeline).map_err(|why| why.told(served, &pipeline)).and_then(|here| {
        let Here { topics, added, renamed } = here;
        let fields = own_fields(alert, &added, &renamed).map_err(|why| why.to_string())?;
        let field =
            |(name, raw): (String, &serde_json::value::RawValue)| FieldView { name, json: raw.get().to_owned() };
        Ok(SimulationFormView {
            topic: topics.sensor_messages.to_string(),
            bootstrap_servers: simulator.bootstrap_servers().to_owned(),
            fields: fields.into_iter().map(field).collect(),
        })
    }))
}

/// A pipeline at the site of this console, where a record can be simulated.
struct Here {
    topics: SiteTopics,
    /// Fields that its detectors look up and calculate.
    added: Vec<String>,
    /// The other name of each field that they rename.
    renamed: BTreeMap<String, String>,
}

/// Why none can: it would be told of, and learned from.
enum NotHere {
    NoTopics,
    OlderVersion,
    Renamed { other: String },
}

fn here(served: &Served, pipeline: &PipelineName) -> Result<Here, NotHere> {
    let status = served.store.state().own.get(pipeline).cloned().ok_or(NotHere::NoTopics)?;
    let SiteStatus { topics: Some(topics), added_fields, renamed_fields, .. } = status else {
        return Err(NotHere::NoTopics);
    };
    let renamed = renamed_fields.ok_or(NotHere::OlderVersion)?;
    match renamed.get(SIMULATED) {
        Some(other) => Err(NotHere::Renamed { other: other.clone() }),
        None => Ok(Here { topics, added: added_fields, renamed }),
    }
}

impl NotHere {
    fn told(&self, served: &Served, pipeline: &PipelineName) -> String {
        let (site, PipelineName { namespace, pipeline }) = (&served.site, pipeline);
        match self {
            Self::NoTopics => format!(
                "site {site}, whose console this is, tells of no topics of {namespace}/{pipeline}: send it at the console of a site where the pipeline runs"
            ),
            Self::OlderVersion => format!(
                "the operator of site {site} does not tell whether {namespace}/{pipeline} knows simulated records, as one of an older version does not: upgrade it first, or people are told of the record"
            ),
            Self::Renamed { other } => format!(
                "{namespace}/{pipeline} renames the field {SIMULATED} to {other} (spec.detector.renamedFields), so the record would be one like any other: people would be told of it, and models learn from it; nothing can be simulated while it does"
            ),
        }
    }
}

fn allowed(served: &Served) -> Result<&Simulator, Problem> {
    served.simulator.as_ref().ok_or_else(|| {
        Problem::forbidden(
            "this console sends no records that people make up: whoever runs it may allow that, with --allow-simulation (in the chart \
             console.simulation)",
        )
    })
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
        SimulateError::TooMany => Problem::busy(error.to_string(), 1),
        SimulateError::NoTopic { .. } => Problem::conflict(error.to_string()),
        SimulateError::Refused { .. } | SimulateError::Kafka(_) | SimulateError::Part(_) => {
            let error = error_chain(error);
            tracing::warn!(error, "a simulated record was not taken by Kafka");
            Problem::unavailable(error)
        }
    }
}
