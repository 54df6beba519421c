//! The archiver of a pipeline: writes the enriched records and the alerts to the bucket.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::Resources;
use crate::disruption_budget::DisruptionBudget;
use crate::pod::PodSettings;
use crate::rolling_update::RollingUpdate;

/// Writes the enriched records and the alerts to the bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Archiver {
    /// Number of pods; more than the topics' partitions have nothing to do.
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// When an archive object closes: at the size, at the age, or when a later day comes.
    pub rolling: Rolling,
    /// How many pods a drain of nodes may take at once.
    pub disruption_budget: DisruptionBudget,
    /// How pods are replaced by those of another spec; one more is started before one of before is stopped.
    pub rolling_update: RollingUpdate,
    /// CPU and memory of each pod.
    pub resources: Resources,
    /// Settings of these pods, over those of `spec.pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::pod::overriding")]
    pub pod: Option<PodSettings>,
}

impl Default for Archiver {
    fn default() -> Self {
        Self {
            replicas: 1,
            rolling: Rolling::default(),
            disruption_budget: DisruptionBudget::default(),
            rolling_update: RollingUpdate::default(),
            resources: Resources::default(),
            pod: None,
        }
    }
}

/// When an archive object closes. What is still open is readable within 5 s of its arrival all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Rolling {
    /// Uncompressed bytes of an object, a quantity such as `128Mi`.
    #[schemars(schema_with = "crate::common::quantity")]
    pub max_bytes: Quantity,
    /// Age of an object, a duration such as `15m`; at least `1s`.
    #[schemars(regex(pattern = crate::common::DURATION_PATTERN))]
    pub max_age: String,
}

impl Default for Rolling {
    fn default() -> Self {
        Self { max_bytes: Quantity("128Mi".to_owned()), max_age: "15m".to_owned() }
    }
}
