//! What the API answers. The front end's types are made of these.

mod people;
mod simulation;
mod site;
mod training;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::incident::{Incident, IncidentReason, IncidentStatus, Severity};
use vedette_contract::silence::SilenceId;

use crate::alert::Alert;
use crate::suggest;

pub(crate) use people::{GivenView, VerdictView, silence_view};
pub(crate) use simulation::{FieldView, SimulationFormView, SimulationView};
pub(crate) use site::{SiteView, SourceView, TopicView, UnreadyView};
pub(crate) use training::{RunView, TrainingView, TrainingsView, VersionView};

/// All sites.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OverviewView {
    #[schemars(with = "String")]
    pub(crate) now_utc: Timestamp,
    /// The site whose Kafka the console reads.
    #[schemars(with = "String")]
    pub(crate) own_site: Name,
    pub(crate) bucket: SourceView,
    pub(crate) kafka: SourceView,
    pub(crate) sites: Vec<SiteView>,
    pub(crate) history: HistoryView,
    pub(crate) open_incidents: usize,
}

/// How many alerts there were within the last day.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HistoryView {
    /// When the first step begins.
    #[schemars(with = "String")]
    pub(crate) from_utc: Timestamp,
    pub(crate) step_seconds: i64,
    pub(crate) series: Vec<SeriesView>,
}

/// Those of a pipeline at a site.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SeriesView {
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    #[schemars(with = "String")]
    pub(crate) site: Name,
    /// Alerts of each step.
    pub(crate) alerts: Vec<u64>,
}

/// An alert in a list.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct AlertRow {
    pub(crate) id: String,
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    #[schemars(with = "String")]
    pub(crate) site: Name,
    #[schemars(with = "String")]
    pub(crate) detected_utc: Timestamp,
    pub(crate) severity: Severity,
    pub(crate) score: Option<f64>,
    pub(crate) text: String,
    /// Names of the largest reasons.
    pub(crate) reasons: Vec<String>,
    /// Whether somebody made its record up: then nobody is told of it, and it counts nowhere.
    pub(crate) simulated: bool,
}

impl AlertRow {
    pub(crate) fn of(alert: &Alert) -> Self {
        Self {
            id: alert.id.to_string(),
            namespace: alert.owner.namespace.clone(),
            pipeline: alert.owner.pipeline.clone(),
            site: alert.owner.site.clone(),
            detected_utc: alert.detected,
            severity: alert.severity,
            score: alert.score,
            text: alert.text.clone(),
            reasons: alert.largest_reasons().map(str::to_owned).collect(),
            simulated: alert.simulated,
        }
    }
}

/// One alert.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AlertView {
    #[serde(flatten)]
    pub(crate) row: AlertRow,
    pub(crate) threshold: Option<f64>,
    pub(crate) model_version: Option<String>,
    /// The fields behind it, the largest share first.
    pub(crate) reasons_in_full: Vec<vedette_contract::fields::Reason>,
    /// The alert as it was written, as JSON text.
    pub(crate) json: String,
    /// Whether that is all of it: of a long one it is the beginning.
    pub(crate) is_whole: bool,
    /// Bytes of the whole text.
    pub(crate) bytes: usize,
    /// Identity of its record; null where it has none by which a verdict can name it.
    pub(crate) uuid: Option<String>,
    /// A match by which a silence of it and its like could begin.
    pub(crate) silence_match: String,
    /// What somebody said it turned out to be, last.
    pub(crate) verdict: Option<VerdictView>,
    /// With what a simulation of its record begins; null where the console sends none, or not to where the record came from.
    pub(crate) simulation: Option<SimulationFormView>,
    /// Why nothing can be simulated that begins with its record; null where it can, or the console sends none to where it came from.
    pub(crate) not_simulated_because: Option<String>,
}

impl AlertView {
    pub(crate) fn of(
        alert: &Alert,
        verdict: Option<VerdictView>,
        simulation: Option<Result<SimulationFormView, String>>,
    ) -> Self {
        let (simulation, not_simulated_because) = match simulation {
            Some(Ok(form)) => (Some(form), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        Self {
            row: AlertRow::of(alert),
            threshold: alert.threshold,
            model_version: alert.model_version.clone(),
            reasons_in_full: alert.reasons.clone(),
            json: alert.json.to_string(),
            is_whole: alert.is_whole(),
            bytes: alert.bytes,
            uuid: alert.uuid.clone(),
            silence_match: suggest::of_alert(alert),
            verdict,
            simulation,
            not_simulated_because,
        }
    }
}

/// A list of alerts, and how many there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AlertsView {
    /// The newest first.
    pub(crate) alerts: Vec<AlertRow>,
    /// How many of those that are kept match.
    pub(crate) matching: usize,
    /// How many are kept.
    pub(crate) kept: usize,
    /// When the oldest of these was detected.
    #[schemars(with = "Option<String>")]
    pub(crate) oldest_utc: Option<Timestamp>,
}

/// An incident in a list.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct IncidentRow {
    pub(crate) id: String,
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    #[schemars(with = "String")]
    pub(crate) site: Name,
    pub(crate) status: IncidentStatus,
    pub(crate) severity: Severity,
    #[schemars(with = "String")]
    pub(crate) first_utc: Timestamp,
    #[schemars(with = "String")]
    pub(crate) last_utc: Timestamp,
    #[schemars(with = "Option<String>")]
    pub(crate) closed_utc: Option<Timestamp>,
    pub(crate) alerts: u64,
    pub(crate) highest_score: Option<f64>,
    /// What its alerts have in common, in words.
    pub(crate) common: String,
    /// Its reasons, those that weigh most first.
    pub(crate) reasons: Vec<IncidentReason>,
}

impl IncidentRow {
    pub(crate) fn of(incident: &Incident) -> Self {
        Self {
            id: incident.id.to_string(),
            namespace: incident.namespace.clone(),
            pipeline: incident.pipeline.clone(),
            site: incident.site.clone(),
            status: incident.status,
            severity: incident.severity,
            first_utc: incident.first_utc,
            last_utc: incident.last_utc,
            closed_utc: incident.closed_utc,
            alerts: incident.alerts,
            highest_score: incident.highest_score,
            common: incident.common(),
            reasons: incident.reasons.clone(),
        }
    }
}

/// A page of incidents.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IncidentsView {
    /// Those with the newest alert first.
    pub(crate) incidents: Vec<IncidentRow>,
    /// How many match.
    pub(crate) matching: usize,
    /// How many of these are open.
    pub(crate) open: usize,
    /// What to ask for the next page with; null at the end.
    pub(crate) next: Option<String>,
}

/// One incident.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IncidentView {
    #[serde(flatten)]
    pub(crate) row: IncidentRow,
    /// The alert with the highest score, as JSON text; null where it is large.
    pub(crate) example: Option<String>,
    /// Its id, where that alert is kept.
    pub(crate) example_id: Option<String>,
    /// The command that shows the same.
    pub(crate) command: String,
    /// How many of its alerts are silenced.
    pub(crate) silenced_alerts: u64,
    /// The silences that did it, the first twelve.
    #[schemars(with = "Vec<String>")]
    pub(crate) silenced_by: Vec<SilenceId>,
    /// A match by which a silence of its alerts could begin.
    pub(crate) silence_match: String,
    /// What somebody said all of its alerts turned out to be, last.
    pub(crate) verdict: Option<VerdictView>,
}

/// How often a numeric field has which values, by a categorical one.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct HistogramView {
    pub(crate) field: String,
    pub(crate) by: String,
    /// Bounds of the bins, one more than there are bins; each includes its lower one, and the last both.
    pub(crate) bounds: Vec<f64>,
    /// The most frequent categories first; the last may be of all others.
    pub(crate) series: Vec<HistogramSeries>,
    /// Alerts that were looked at, or records of the sample.
    pub(crate) alerts: usize,
    /// Those of them that have no number in the field.
    pub(crate) without: usize,
    /// Fields of them that hold numbers.
    pub(crate) numeric_fields: Vec<String>,
    /// Fields of them that hold texts.
    pub(crate) categorical_fields: Vec<String>,
    /// Of what records it is; null where it is of alerts.
    pub(crate) sample: Option<SampleView>,
}

/// A sample of the records that a pipeline archived within the last hour.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SampleView {
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    /// Sites of which it has records.
    pub(crate) sites_in_it: usize,
    /// Sites that archived records within the hour, of those that were asked for.
    pub(crate) sites: usize,
    /// When its oldest record was made; null where it has none.
    #[schemars(with = "Option<String>")]
    pub(crate) from_utc: Option<Timestamp>,
    /// When its newest record was made.
    #[schemars(with = "Option<String>")]
    pub(crate) to_utc: Option<Timestamp>,
    /// When it was read.
    #[schemars(with = "String")]
    pub(crate) read_utc: Timestamp,
}

/// One category.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct HistogramSeries {
    pub(crate) category: String,
    pub(crate) counts: Vec<u64>,
}

/// How the scores of alerts are distributed.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ScoresView {
    /// Bounds of the bins, one more than there are bins.
    pub(crate) bounds: Vec<f64>,
    pub(crate) counts: Vec<u64>,
    pub(crate) alerts: usize,
    /// Thresholds that were in force, by model version.
    pub(crate) thresholds: Vec<ThresholdView>,
}

/// The threshold of a model version, as its newest alert says it.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ThresholdView {
    pub(crate) model_version: String,
    pub(crate) threshold: f64,
}

/// What changed, as an event of the stream.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ChangesView {
    /// New alerts, the newest first.
    pub(crate) alerts: Vec<AlertRow>,
    /// Incidents that stand in another way, the newest first.
    pub(crate) incidents: Vec<IncidentRow>,
    /// Whether more changed than is said here, or what came before is not known: ask for everything anew.
    pub(crate) is_cut: bool,
    /// Whether a site stands in another way.
    pub(crate) sites: bool,
    /// Whether a silence or a verdict is new, or another.
    pub(crate) people: bool,
}
