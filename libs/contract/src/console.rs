//! What a console answers, and what is sent to it, as far as programs beside its page ask: paths are below `api/v1` of its address. What
//! only the page reads is described by the console's own `openapi.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Name;
use crate::silence::{SilenceId, SilenceState};
use crate::verdict::{Finding, VerdictId};

/// Below the address of a console stands its API.
pub const API_PATH: &str = "/api/v1";
/// Alerts of one answer at most.
pub const MOST_ALERTS: usize = 1_000;
/// Incidents of one answer at most.
pub const MOST_INCIDENTS: usize = 200;
/// Silences of one answer at most.
pub const MOST_SILENCES: usize = 1_000;
/// Verdicts of a pipeline that are kept, the newest, and those of one answer at most.
pub const MOST_VERDICTS: usize = 2_000;

/// Whether whoever asks may write, and what the command line needs to do the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct AccessView {
    /// Whether silences and verdicts are taken of this request.
    pub may_write: bool,
    /// Who asks, as the proxy says; null where nobody says it: then whoever writes gives a name.
    pub by: Option<String>,
    /// Whether a token is asked for.
    pub takes_token: bool,
    /// Why nothing is taken, and what to do; null where it is.
    pub why_not: Option<String>,
    /// The site that writes what is written here.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub site: Name,
    /// Options by which a command finds the bucket.
    pub place: Vec<String>,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct SilenceView {
    /// Its id.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub id: SilenceId,
    /// Namespace of its pipeline.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub namespace: Name,
    /// The pipeline.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub pipeline: Name,
    /// The site that alone writes it.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub site: Name,
    /// How it stands now.
    pub state: SilenceState,
    /// A CEL expression over an alert.
    #[serde(rename = "match")]
    pub matches: String,
    /// From when on.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub from_utc: Timestamp,
    /// Before when.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub until_utc: Timestamp,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Whether no model learns from the records that it matches.
    pub exclude_from_training: bool,
}

/// An object among the silences that is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct PassedView {
    /// Its key in the bucket.
    pub key: String,
    /// Why it is none.
    pub why: String,
}

/// Silences of pipelines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct SilencesView {
    /// Those in force first, then those to come, then those that are over; of each the newest first.
    pub silences: Vec<SilenceView>,
    /// How many match, listed or not.
    pub matching: usize,
    /// How many of these are in force.
    pub in_force: usize,
    /// Objects among them that silence nothing, and what people wrote that the bucket does not give.
    pub passed: Vec<PassedView>,
}

/// What became of a silence that was to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct EndedView {
    /// As it stands now, or stood.
    pub silence: SilenceView,
    /// Whether it had not begun, and is deleted.
    pub is_deleted: bool,
}

/// A silence that is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SilenceSent {
    /// Namespace of the pipeline.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub namespace: Name,
    /// Whose alerts.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub pipeline: Name,
    /// Of what alerts, as a CEL expression.
    #[serde(rename = "match")]
    pub matches: String,
    /// From when on, RFC 3339; from now where omitted.
    #[cfg_attr(feature = "schemars", schemars(with = "Option<String>"))]
    pub from: Option<Timestamp>,
    /// Before when, RFC 3339: this or `lasting_seconds`.
    #[cfg_attr(feature = "schemars", schemars(with = "Option<String>"))]
    pub until: Option<Timestamp>,
    /// For how many seconds, by the clock of the bucket.
    pub lasting_seconds: Option<u32>,
    /// Why, in a line of 1 to 1000 bytes.
    pub why: String,
    /// Whether no model learns from the records that match and were made in that time; not where omitted.
    pub exclude_from_training: Option<bool>,
    /// Who wants it, in a line of 1 to 100 bytes: with a token, as a proxy says it itself.
    pub by: Option<String>,
}

/// Whose silence is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EndSent {
    /// Namespace of the pipeline.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub namespace: Name,
    /// The pipeline.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub pipeline: Name,
    /// Who ends it, in a line of 1 to 100 bytes: with a token, as a proxy says it itself.
    pub by: Option<String>,
}

/// A verdict on an alert or on all alerts of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VerdictSent {
    /// The id of an alert, as `alerts` has it, or
    pub alert: Option<String>,
    /// that of an incident.
    pub incident: Option<String>,
    /// What it turned out to be.
    pub verdict: Finding,
    /// Why, in a line of 1 to 1000 bytes.
    pub why: String,
    /// Who says so, in a line of 1 to 100 bytes: with a token, as a proxy says it itself.
    pub by: Option<String>,
}

/// Verdicts of a pipeline as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct WrittenVerdictsView {
    /// The newest first, also those whose place a later one took; at most 2000, as no more are kept.
    pub verdicts: Vec<WrittenVerdict>,
}

/// A verdict as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct WrittenVerdict {
    /// Its id.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub id: VerdictId,
    /// The site that wrote it.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub site: Name,
    /// Lower-case hexadecimal SHA-256 of its object.
    pub sha256: String,
    /// Its JSON text.
    pub json: String,
}

/// All trainings, as `vedette models list` has each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct ListedTrainingsView {
    /// The JSON text of each: its namespace and name, and its versions in a few figures.
    pub trainings: Vec<String>,
}

/// Alerts as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct WrittenAlertsView {
    /// The newest first; beyond the limit only those that were detected at the same time as the last one.
    pub alerts: Vec<WrittenAlert>,
    /// How many are kept, whether they match or not.
    pub kept: usize,
    /// When the oldest of these was detected.
    #[cfg_attr(feature = "schemars", schemars(with = "Option<String>"))]
    pub oldest_utc: Option<Timestamp>,
}

/// An alert as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct WrittenAlert {
    /// By what the console names it.
    pub id: String,
    /// Where it was detected.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub site: Name,
    /// Its JSON text.
    pub json: String,
    /// Whether that is all of it: of a long one it is the beginning.
    pub is_whole: bool,
}

/// A page of incidents as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct WrittenIncidentsView {
    /// The JSON text of how each stands, of those with the newest alert first.
    pub incidents: Vec<String>,
    /// What to ask for the next page with; null at the end.
    pub next: Option<String>,
}
