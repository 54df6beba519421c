//! What a pipeline may say about all of its pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of all pods of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSettings {
    /// Labels of the pods, beside Vedette's own (`app.kubernetes.io/…` and `vedette.io/…`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods, beside Vedette's own (`vedette.io/…`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels of the nodes that may run the pods.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::common::embedded::<Vec<Toleration>>")]
    pub tolerations: Vec<Toleration>,
    /// Where the pods prefer, or refuse, to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::embedded::<Affinity>")]
    pub affinity: Option<Affinity>,
    /// Priority class of the pods; the cluster's default where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Service account of the pods; one of the pipeline's own where omitted. Its token is not mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
}
