//! What is sent to change something. A name that is none is refused by its name.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use vedette_contract::Name;
use vedette_contract::verdict::Finding;
use vedette_filters::{SilenceEnd, WantedSilence};

use crate::owner::PipelineName;

/// A silence that is to be added.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SilenceSent {
    #[schemars(with = "String")]
    pub(super) namespace: Name,
    #[schemars(with = "String")]
    pub(super) pipeline: Name,
    /// Of what alerts, as a CEL expression.
    #[serde(rename = "match")]
    pub(super) matches: String,
    /// From when on, RFC 3339; from now where omitted.
    #[schemars(with = "Option<String>")]
    pub(super) from: Option<Timestamp>,
    /// Before when, RFC 3339.
    #[schemars(with = "String")]
    pub(super) until: Timestamp,
    /// Why, in a line of 1 to 1000 bytes.
    pub(super) why: String,
    /// Whether no model learns from the records that match and were made in that time; not where omitted.
    pub(super) exclude_from_training: Option<bool>,
    /// Who wants it, in a line of 1 to 100 bytes: with a token, as a proxy says it itself.
    pub(super) by: Option<String>,
}

impl SilenceSent {
    pub(super) fn pipeline(&self) -> PipelineName {
        PipelineName { namespace: self.namespace.clone(), pipeline: self.pipeline.clone() }
    }

    /// What is wanted, in this name.
    pub(super) fn wanted(self, by: Option<String>) -> WantedSilence {
        let Self { namespace: _, pipeline: _, matches, from, until, why, exclude_from_training, by: _ } = self;
        let exclude_from_training = exclude_from_training.unwrap_or(false);
        WantedSilence { matches, from, end: Some(SilenceEnd::At(until)), by, why, exclude_from_training }
    }
}

/// Whose silence is to end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndSent {
    #[schemars(with = "String")]
    pub(super) namespace: Name,
    #[schemars(with = "String")]
    pub(super) pipeline: Name,
    /// Who ends it: with a token, as a proxy says it itself.
    pub(super) by: Option<String>,
}

/// A record that somebody made up, to see what becomes of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SimulationSent {
    #[schemars(with = "String")]
    pub(super) namespace: Name,
    #[schemars(with = "String")]
    pub(super) pipeline: Name,
    /// Its fields, as the JSON text of an object of at most 8 KiB, without those that the console or a detector adds.
    pub(super) record: String,
    /// Who sends it: with a token, as a proxy says it itself.
    pub(super) by: Option<String>,
}

/// A verdict on an alert or on all alerts of an incident.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictSent {
    /// The id of an alert, as `alerts` has it, or
    pub(super) alert: Option<String>,
    /// that of an incident.
    pub(super) incident: Option<String>,
    /// What it turned out to be.
    pub(super) verdict: Finding,
    /// Why, in a line of 1 to 1000 bytes.
    pub(super) why: String,
    /// Who says so, in a line of 1 to 100 bytes: with a token, as a proxy says it itself.
    pub(super) by: Option<String>,
}
