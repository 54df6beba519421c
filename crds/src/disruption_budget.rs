//! How many pods of a component a drain may take at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The disruption budget of a component's pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DisruptionBudget {
    /// Whether there is one. Without it as many pods as there are may be drained at once, unless another budget is for them:
    /// Kubernetes evicts no pod that two are for.
    pub enabled: bool,
    /// How many pods may be away at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_unavailable: i32,
}

impl Default for DisruptionBudget {
    fn default() -> Self {
        Self { enabled: true, max_unavailable: 1 }
    }
}
