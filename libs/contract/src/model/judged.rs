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

/// What counts for nothing of what people made of alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uncounted {
    /// Why no verdict could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// How many objects among them are none, or were not given by the bucket.
    pub passed: usize,
    /// How many verdicts are older than the 10,000 that are read.
    pub older: usize,
    /// How many alerts of judged incidents may be among those that were judged by themselves, and are counted only there.
    pub alerts_of_incidents: u64,
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
