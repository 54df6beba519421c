//! What each site tells the others through the bucket. Every object has one writing site.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::archive::Stream;
use crate::{ModelVersion, Name};

/// How far one partition is archived; written by the archiver that owns the partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which stream the topic carries.
    pub stream: Stream,
    /// Records that can be read: in closed objects and in the open tail.
    pub records: u64,
    /// Records in closed objects.
    pub closed_records: u64,
    /// Offset after the last record that can be read.
    pub end: i64,
    /// Full key of the last closed object that `closed_records` counts.
    pub last_object: Option<String>,
    /// `utc` of the last record, as it stands there.
    pub last_utc: Option<String>,
    /// When this was written.
    pub updated_at: Timestamp,
}

/// What a site says of itself; written by its operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// The site.
    pub site: Name,
    /// The training whose models the pipeline follows.
    pub training: Option<Name>,
    /// The version that its detectors run.
    pub model_version: Option<ModelVersion>,
    /// Whether the pipeline is Ready there.
    pub ready: bool,
    /// When this was written.
    pub updated_at: Timestamp,
}
