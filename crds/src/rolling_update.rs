//! How the pods of a component give way to those of another template.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How a Deployment's pods are replaced, as Kubernetes calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.maxSurge > 0 || self.maxUnavailable > 0")
    .message("must not be 0 where maxUnavailable is 0: no pod could ever be replaced").field_path(".maxSurge"))]
pub struct RollingUpdate {
    /// How many pods more than wanted may be there meanwhile. 0, with `maxUnavailable: 1`, where a quota or the nodes have no room for one
    /// more, which would stay Pending and hold up every change and every new model.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10_000))]
    pub max_surge: i32,
    /// How many pods fewer than wanted may be ready meanwhile.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_000))]
    pub max_unavailable: i32,
}

const fn one() -> i32 {
    1
}

impl Default for RollingUpdate {
    fn default() -> Self {
        Self { max_surge: one(), max_unavailable: 0 }
    }
}
