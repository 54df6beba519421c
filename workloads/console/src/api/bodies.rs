//! What is sent to change something. A name that is none is refused by its name.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use vedette_contract::Name;
use vedette_contract::console::SilenceSent;
use vedette_filters::{SilenceEnd, WantedSilence};

use super::problem::Problem;

/// What is wanted, in this name.
pub(super) fn wanted(sent: SilenceSent, by: Option<String>) -> Result<WantedSilence, Problem> {
    let SilenceSent {
        namespace: _,
        pipeline: _,
        matches,
        from,
        until,
        lasting_seconds,
        why,
        exclude_from_training,
        by: _,
    } = sent;
    let end = match (until, lasting_seconds) {
        (Some(until), None) => SilenceEnd::At(until),
        (None, Some(seconds)) => SilenceEnd::After(SignedDuration::from_secs(seconds.into())),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::invalid("a silence has an end: say until or lasting_seconds, one of them"));
        }
    };
    let exclude_from_training = exclude_from_training.unwrap_or(false);
    Ok(WantedSilence { matches, from, end: Some(end), by, why, exclude_from_training })
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
    /// Who sends it, in a line of 1 to 100 bytes: with a token, as a proxy says it itself.
    pub(super) by: Option<String>,
}
