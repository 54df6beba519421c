//! What an autoscaler tells of itself.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

/// Kubernetes' word for an autoscaler that is not to count, as there are to be no pods.
const DISABLED: &str = "ScalingDisabled";

/// Why it counts nothing, in its own words; none where it counts, where it is not to, and before it has looked.
pub fn counts_nothing_because(autoscaler: &HorizontalPodAutoscaler) -> Option<String> {
    let conditions = autoscaler.status.as_ref()?.conditions.as_ref()?;
    let fails = conditions.iter().find(|condition| {
        ["AbleToScale", "ScalingActive"].contains(&condition.type_.as_str())
            && condition.status == "False"
            && condition.reason.as_deref() != Some(DISABLED)
    })?;
    fails.message.clone().filter(|message| !message.is_empty()).or_else(|| fails.reason.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn because(conditions: &Value) -> Option<String> {
        let autoscaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {},
            "spec": { "maxReplicas": 2, "scaleTargetRef": { "kind": "Deployment", "name": "flows-detector" } },
            "status": { "desiredReplicas": 1, "conditions": conditions }
        });
        counts_nothing_because(&serde_json::from_value(autoscaler).unwrap())
    }

    fn condition(kind: &str, status: &str, reason: &str) -> Value {
        json!({ "type": kind, "status": status, "reason": reason, "message": "no metrics returned" })
    }

    #[test]
    fn one_without_metrics_says_so_and_one_at_rest_does_not() {
        let able = condition("AbleToScale", "True", "SucceededGetScale");
        let blind = condition("ScalingActive", "False", "FailedGetContainerResourceMetric");
        assert_eq!(because(&json!([able, blind])).as_deref(), Some("no metrics returned"));
        let unable = condition("AbleToScale", "False", "FailedGetScale");
        assert_eq!(because(&json!([unable])).as_deref(), Some("no metrics returned"));
        let limited = condition("ScalingLimited", "False", "DesiredWithinRange");
        let counts = condition("ScalingActive", "True", "ValidMetricFound");
        assert_eq!(because(&json!([able, counts, limited])), None);
        assert_eq!(because(&json!([able, condition("ScalingActive", "False", "ScalingDisabled")])), None);
        assert_eq!(because(&json!([])), None);
    }
}
