//! What the metadata of a model says of verdicts.

use serde::{Deserialize, Serialize};

use crate::ModelVersion;
use crate::verdict::VerdictKey;

/// A verdict that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadVerdict {
    /// Where it stands.
    #[serde(flatten)]
    pub key: VerdictKey,
    /// Lower-case hexadecimal SHA-256 of the object.
    pub sha256: String,
}

/// What people made of the alerts of a version, each counted once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgedVersion {
    /// The version that scored them; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ModelVersion>,
    /// How many have a verdict, their own or that of their incident: at least one.
    pub alerts: u64,
    /// How many of them are anomalies.
    pub anomalies: u64,
    /// Share of these, 0 to 1.
    pub precision: f64,
}
