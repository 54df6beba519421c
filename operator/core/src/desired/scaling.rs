//! What keeps enough pods: disruption budgets, and the autoscaler of the detectors.

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules,
    HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use vedette_crds::{ScalingBehavior, ScalingPolicy, ScalingRules};

use super::labels::{self, Component};
use super::names;
use super::pod::Owner;
use crate::validate::Scale;

/// Nodes are drained so many pods at a time; the others take over their partitions meanwhile.
pub(super) fn disruption_budget(owner: &Owner<'_>, component: Component, away: i32) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: owner.metadata(names::deployment(owner.name, component), component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(away)),
            // A pod that is not ready reads nothing: it must not hold up a drain.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            selector: Some(LabelSelector {
                match_labels: Some(labels::selector(owner.name.as_str(), component)),
                match_expressions: None,
            }),
            ..Default::default()
        }),
        status: None,
    }
}

pub(super) fn autoscaler(owner: &Owner<'_>, scale: &Scale) -> Option<HorizontalPodAutoscaler> {
    let Scale::Automatic { min_replicas, max_replicas, target_cpu_percentage, behavior } = scale else {
        return None;
    };
    let name = names::deployment(owner.name, Component::Detector);
    Some(HorizontalPodAutoscaler {
        metadata: owner.metadata(name.clone(), Component::Detector),
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name,
            },
            min_replicas: Some(*min_replicas),
            max_replicas: *max_replicas,
            metrics: Some(vec![MetricSpec {
                // Of our container: one that somebody puts beside it may have no request.
                type_: "ContainerResource".to_owned(),
                container_resource: Some(ContainerResourceMetricSource {
                    container: Component::Detector.as_str().to_owned(),
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(*target_cpu_percentage),
                        ..Default::default()
                    },
                }),
                ..Default::default()
            }]),
            behavior: behavior.as_ref().map(self::behavior),
        },
        status: None,
    })
}

fn behavior(said: &ScalingBehavior) -> HorizontalPodAutoscalerBehavior {
    let ScalingBehavior { scale_up, scale_down } = said;
    HorizontalPodAutoscalerBehavior {
        scale_up: scale_up.as_ref().map(rules),
        scale_down: scale_down.as_ref().map(rules),
    }
}

fn rules(said: &ScalingRules) -> HPAScalingRules {
    let ScalingRules { stabilization_window_seconds, select_policy, policies } = said;
    let policies = policies.as_ref().map(|policies| policies.iter().map(policy).collect());
    HPAScalingRules {
        policies,
        select_policy: select_policy.map(|policy| policy.as_str().to_owned()),
        stabilization_window_seconds: *stabilization_window_seconds,
        // Clusters before 1.33 refuse the field.
        tolerance: None,
    }
}

fn policy(said: &ScalingPolicy) -> HPAScalingPolicy {
    let ScalingPolicy { kind, value, period_seconds } = *said;
    HPAScalingPolicy { type_: kind.as_str().to_owned(), value, period_seconds }
}
