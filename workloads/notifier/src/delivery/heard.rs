//! What a receiver heard of an incident, as it is remembered.

use serde::{Deserialize, Serialize};
use vedette_contract::incident::Severity;

/// What a receiver knows of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    #[serde(rename = "n")]
    pub(crate) news_revision: u64,
    /// As it was then.
    #[serde(rename = "s")]
    pub(crate) severity: Severity,
}

/// What became of the news of an incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// Nothing where the receiver took none.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<Told>,
    /// The last news that it refused for good.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) passed: Option<u64>,
}
