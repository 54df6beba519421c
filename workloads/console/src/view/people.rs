//! Silences and verdicts, as they are told.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::console::SilenceView;
use vedette_contract::silence::SilenceKey;
use vedette_contract::verdict::{Finding, VerdictId};
use vedette_registry::silences::KeptSilence;
use vedette_registry::verdicts::KeptVerdict;

use crate::owner::PipelineName;

/// A silence as it is told.
pub(crate) fn silence_view(pipeline: &PipelineName, kept: &KeptSilence, now: Timestamp) -> SilenceView {
    let KeptSilence { key: SilenceKey { site, id }, silence } = kept;
    SilenceView {
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

/// A verdict that was given just now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GivenView {
    #[serde(flatten)]
    pub(crate) verdict: VerdictView,
    /// Lower-case hexadecimal SHA-256 of its object.
    pub(crate) sha256: String,
    /// Its JSON text, as it was written.
    pub(crate) json: String,
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
