//! Which model the detectors of a pipeline use.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const fn default_progress_deadline_seconds() -> i32 {
    300
}

/// Which model the detectors use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.version) == (self.versionPolicy == 'Pinned')")
        .message("version goes with versionPolicy Pinned, and only with it").field_path(".version"),
    validation = Rule::new("has(self.training) || self.versionPolicy == 'Latest'")
        .message("versionPolicy Pinned needs the training whose version it is").field_path(".versionPolicy"),
    validation = Rule::new("has(self.training) || self.missingModelPolicy == 'EnrichOnly'")
        .message("without a training there is no model to wait for").field_path(".missingModelPolicy"),
)]
pub struct ModelSelection {
    /// Name of the training whose models are used: a name in the bucket, in this namespace's part, not a reference to an
    /// object here. Without it records are enriched only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 52), regex(pattern = crate::common::NAME_PATTERN))]
    pub training: Option<String>,
    /// Which of the training's versions: Latest follows the current one, Pinned stays at `version`.
    #[serde(default)]
    pub version_policy: VersionPolicy,
    /// The version of versionPolicy Pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = crate::common::VERSION_PATTERN))]
    pub version: Option<String>,
    /// What happens while there is no model: EnrichOnly publishes records without a score, Wait runs no detector and leaves
    /// the records in Kafka.
    #[serde(default)]
    pub missing_model_policy: MissingModelPolicy,
    /// How long a rollout of a version may take, in seconds, before pods that fail by themselves send it back to the last
    /// good version.
    #[serde(default = "default_progress_deadline_seconds")]
    #[schemars(range(min = 10, max = 86_400))]
    pub progress_deadline_seconds: i32,
}

impl Default for ModelSelection {
    fn default() -> Self {
        Self {
            training: None,
            version_policy: VersionPolicy::default(),
            version: None,
            missing_model_policy: MissingModelPolicy::default(),
            progress_deadline_seconds: default_progress_deadline_seconds(),
        }
    }
}

/// Which of a training's versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VersionPolicy {
    /// The current one, always.
    #[default]
    Latest,
    /// The one that `version` names.
    Pinned,
}

/// What happens while there is no model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MissingModelPolicy {
    /// Records are enriched and published without a score.
    #[default]
    EnrichOnly,
    /// No detector runs; Kafka keeps the records.
    Wait,
}
