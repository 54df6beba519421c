//! How many detectors there are where their CPU decides, and how fast that number changes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const fn one() -> i32 {
    1
}

const fn default_target() -> i32 {
    80
}

/// Lets the number of detector pods follow their CPU (a HorizontalPodAutoscaler).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.minReplicas <= self.maxReplicas")
    .message("must not be over maxReplicas").field_path(".minReplicas"))]
pub struct Autoscaling {
    /// Never fewer pods.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    pub min_replicas: i32,
    /// Never more pods; at most `topics.sensorMessages.partitions`, as more would have nothing to do.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_replicas: i32,
    /// Mean CPU of the pods that is aimed at, in percent of what each requests.
    #[serde(default = "default_target", rename = "targetCPUUtilizationPercentage")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization_percentage: i32,
    /// How fast the number of pods changes. What is omitted is as Kubernetes has it: pods are added at once, at most as many again or 4
    /// within 15 seconds; they are taken away once fewer were enough for 5 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behavior: Option<ScalingBehavior>,
}

/// How fast the number of pods changes, each way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingBehavior {
    /// How pods are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<ScalingRules>,
    /// How pods are taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScalingRules>,
}

/// How fast the number of pods changes in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingRules {
    /// So far back the autoscaler looks, in seconds, before it changes anything: it adds the fewest, or takes away the fewest, of what it
    /// would have within that time. Where omitted: 0 for pods that are added, 300 for those that are taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: Option<i32>,
    /// Which of several policies counts: Max the one that changes most, Min the one that changes least; with Disabled none does, and the
    /// number never changes this way. Max where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<ScalingPolicySelection>,
    /// How many pods may come, or go, within a time. Where omitted, within 15 seconds: as many again or 4 come, all may go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub policies: Option<Vec<ScalingPolicy>>,
}

/// How many pods may come, or go, within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicy {
    /// What `value` counts: Pods, or Percent of the pods that there are.
    #[serde(rename = "type")]
    pub kind: ScalingPolicyType,
    /// So many of them at most.
    #[schemars(range(min = 1))]
    pub value: i32,
    /// Within so many seconds.
    #[schemars(range(min = 1, max = 1800))]
    pub period_seconds: i32,
}

/// What a policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScalingPolicyType {
    /// Pods.
    Pods,
    /// Percent of the pods that there are.
    Percent,
}

impl ScalingPolicyType {
    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pods => "Pods",
            Self::Percent => "Percent",
        }
    }
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScalingPolicySelection {
    /// The one that changes most.
    Max,
    /// The one that changes least.
    Min,
    /// None: the number never changes this way.
    Disabled,
}

impl ScalingPolicySelection {
    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Max => "Max",
            Self::Min => "Min",
            Self::Disabled => "Disabled",
        }
    }
}
