//! Silences and verdicts, and who may write them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::silence::{SilenceId, SilenceKey, SilenceState};
use vedette_contract::verdict::{Finding, VerdictId};
use vedette_registry::silences::KeptSilence;
use vedette_registry::verdicts::KeptVerdict;

use crate::owner::PipelineName;

/// Whether whoever asks may write, and what the command line needs to do the same.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AccessView {
    /// Whether silences and verdicts are taken of this request.
    pub(crate) may_write: bool,
    /// Who asks, as the proxy says; null where nobody says it: then whoever writes gives a name.
    pub(crate) by: Option<String>,
    /// Whether a token is asked for.
    pub(crate) takes_token: bool,
    /// Why nothing is taken, and what to do; null where it is.
    pub(crate) why_not: Option<String>,
    /// The site that writes what is written here.
    #[schemars(with = "String")]
    pub(crate) site: Name,
    /// Options by which a command finds the bucket.
    pub(crate) place: Vec<String>,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SilenceView {
    #[schemars(with = "String")]
    pub(crate) id: SilenceId,
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    /// The site that alone writes it.
    #[schemars(with = "String")]
    pub(crate) site: Name,
    pub(crate) state: SilenceState,
    /// A CEL expression over an alert.
    #[serde(rename = "match")]
    pub(crate) matches: String,
    #[schemars(with = "String")]
    pub(crate) from_utc: Timestamp,
    #[schemars(with = "String")]
    pub(crate) until_utc: Timestamp,
    pub(crate) by: String,
    pub(crate) why: String,
    /// Whether no model learns from the records that it matches.
    pub(crate) exclude_from_training: bool,
}

impl SilenceView {
    pub(crate) fn of(pipeline: &PipelineName, kept: &KeptSilence, now: Timestamp) -> Self {
        let KeptSilence { key: SilenceKey { site, id }, silence } = kept;
        Self {
            id: id.clone(),
            namespace: pipeline.namespace.clone(),
            pipeline: pipeline.pipeline.clone(),
            site: site.clone(),
            state: silence.state(now),
            matches: silence.matches().to_owned(),
            from_utc: silence.from(),
            until_utc: silence.until(),
            by: silence.by().to_owned(),
            why: silence.why().to_owned(),
            exclude_from_training: silence.excludes_from_training(),
        }
    }
}

/// An object among the silences that is none.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PassedView {
    pub(crate) key: String,
    pub(crate) why: String,
}

/// Silences of pipelines.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SilencesView {
    /// Those in force first, then those to come, then those that are over; of each the newest first.
    pub(crate) silences: Vec<SilenceView>,
    /// How many match, listed or not.
    pub(crate) matching: usize,
    /// How many of these are in force.
    pub(crate) in_force: usize,
    /// Objects among them that silence nothing.
    pub(crate) passed: Vec<PassedView>,
}

/// What became of a silence that was to end.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndedView {
    /// As it stands now, or stood.
    pub(crate) silence: SilenceView,
    /// Whether it had not begun, and is deleted.
    pub(crate) is_deleted: bool,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct VerdictView {
    #[schemars(with = "String")]
    pub(crate) id: VerdictId,
    /// The site that wrote it.
    #[schemars(with = "String")]
    pub(crate) site: Name,
    pub(crate) verdict: Finding,
    pub(crate) by: String,
    pub(crate) why: String,
    #[schemars(with = "String")]
    pub(crate) given_utc: Timestamp,
}

impl VerdictView {
    pub(crate) fn of(kept: &KeptVerdict) -> Self {
        let KeptVerdict { key, sha256: _, verdict } = kept;
        Self {
            id: key.id.clone(),
            site: key.site.clone(),
            verdict: verdict.finding(),
            by: verdict.by().to_owned(),
            why: verdict.why().to_owned(),
            given_utc: verdict.at(),
        }
    }
}
