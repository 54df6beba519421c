//! A pod whose node went away with its kubelet. Nobody is left who would say that its containers have ended, so it stays as it was
//! seen last until somebody deletes the Node, and a Job makes no other pod before that. What has long had to be gone counts as gone.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use crate::waits::is_ready;
use crate::workload::disrupted_at;

/// How long after the end of its grace period a pod may take to go.
const GOES_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// Kubernetes' own, where a pod has none.
const GRACE_SECONDS: i64 = 30;

/// What is said of a Job whose pod is lost with its node; none where its pods are as they should be. Another pod that has not
/// ended does its work.
pub(crate) fn lost_with_its_node<'a>(pods: impl IntoIterator<Item = &'a Pod>, now: Timestamp) -> Option<String> {
    let (lost, left): (Vec<&Pod>, Vec<&Pod>) =
        pods.into_iter().filter(|pod| !has_ended(pod)).partition(|pod| is_lost(pod, now));
    let pod = lost.first().filter(|_| left.is_empty())?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let node = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.as_deref())
        .map_or_else(String::new, |node| format!(" {node}"));
    Some(format!("pod {name} was to end and does not: its node{node} is gone"))
}

/// It was told to end, its time to do so is long over, and nobody says any more that it is ready.
fn is_lost(pod: &Pod, now: Timestamp) -> bool {
    !is_ready(pod) && ends_by(pod).is_some_and(|end| now.duration_since(end) >= GOES_WITHIN)
}

/// When it is to have ended. Kubernetes dates a deletion by the end of the grace period.
fn ends_by(pod: &Pod) -> Option<Timestamp> {
    let deleted = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    deleted.or_else(|| {
        let grace = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(GRACE_SECONDS);
        disrupted_at(pod)?.checked_add(SignedDuration::from_secs(grace)).ok()
    })
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pod(deleted: Option<i64>, conditions: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "p", "deletionTimestamp": deleted.map(|second| at(second).to_string()) },
            "spec": { "nodeName": "n", "terminationGracePeriodSeconds": 20, "containers": [] },
            "status": { "phase": "Running", "conditions": conditions }
        }))
        .unwrap()
    }

    fn unready() -> Value {
        json!({ "type": "Ready", "status": "False" })
    }

    #[test]
    fn a_pod_that_had_to_be_gone_a_minute_ago_is_lost_with_its_node() {
        let deleted = pod(Some(100), &json!([unready()]));
        let lost = |pod: &Pod, second: i64| lost_with_its_node([pod], at(second));
        assert_eq!(lost(&deleted, 159), None, "it may be on its way out");
        assert_eq!(lost(&deleted, 160).unwrap(), "pod p was to end and does not: its node n is gone");
        let disrupted =
            json!({ "type": "DisruptionTarget", "status": "True", "lastTransitionTime": at(100).to_string() });
        let disrupted = pod(None, &json!([unready(), disrupted]));
        assert_eq!(lost(&disrupted, 179), None, "it has its grace period");
        assert!(lost(&disrupted, 180).is_some());
    }

    #[test]
    fn one_that_still_works_or_has_ended_or_has_a_successor_is_not() {
        let ready = pod(Some(100), &json!([{ "type": "Ready", "status": "True" }]));
        assert_eq!(lost_with_its_node([&ready], at(900)), None, "its node answers");
        let lost = pod(Some(100), &json!([unready()]));
        let mut ended = lost.clone();
        ended.status.as_mut().unwrap().phase = Some("Failed".to_owned());
        assert_eq!(lost_with_its_node([&ended], at(900)), None);
        assert_eq!(lost_with_its_node([&lost, &pod(None, &json!([unready()]))], at(900)), None, "another is there");
        assert!(lost_with_its_node([&lost, &ended], at(900)).is_some());
        assert_eq!(lost_with_its_node([], at(900)), None);
    }
}
