use super::*;
use serde_json::{Value, json};

const SCHEDULED: &str = "2026-11-23T08:00:00Z";

/// What is said so many seconds after the pod has a node.
fn said(seconds: i64, mut status: Value) -> Option<String> {
    let scheduled = json!([{ "type": "PodScheduled", "status": "True", "lastTransitionTime": SCHEDULED }]);
    status["conditions"] = if status["conditions"].is_null() { scheduled } else { status["conditions"].take() };
    let pod = serde_json::from_value(json!({ "metadata": { "name": "p" }, "status": status })).unwrap();
    waits_for(&pod, SCHEDULED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds))
}

fn container(name: &str, state: Value) -> Value {
    json!({ "name": name, "image": "i", "imageID": "i", "restartCount": 7, "ready": false, "state": state })
}

fn waiting(reason: &str) -> Value {
    json!({ "waiting": { "reason": reason, "message": "no such image" } })
}

#[test]
fn a_pod_that_has_no_node_or_no_image_says_so_at_once() {
    let unscheduled = json!([{ "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available" }]);
    let pending = said(0, json!({ "conditions": unscheduled }));
    assert_eq!(pending.as_deref(), Some("pod p is Pending: 0/1 nodes are available"));
    let pulling = said(0, json!({ "containerStatuses": [container("detector", waiting("ImagePullBackOff"))] }));
    assert_eq!(pulling.as_deref(), Some("pod p waits, ImagePullBackOff: no such image"));
}

#[test]
fn a_pod_that_does_not_begin_says_so_after_a_while_and_where_the_cause_is_told() {
    for reason in ["ContainerCreating", "PodInitializing"] {
        let of = |seconds| said(seconds, json!({ "containerStatuses": [container("detector", waiting(reason))] }));
        assert_eq!(of(29), None);
        let late = of(30).unwrap();
        assert!(late.contains(reason) && late.contains("volume") && late.contains("kubectl describe pod p"), "{late}");
    }
}

#[test]
fn an_init_container_comes_before_what_waits_for_it() {
    let of = |seconds, state: Value| {
        said(
            seconds,
            json!({
                "initContainerStatuses": [container("istio-init", state)],
                "containerStatuses": [container("detector", waiting("PodInitializing"))]
            }),
        )
    };
    let looping = of(0, waiting("CrashLoopBackOff"));
    assert_eq!(looping.as_deref(), Some("pod p waits for its init container istio-init: CrashLoopBackOff"));
    let failed = of(0, json!({ "terminated": { "exitCode": 3 } }));
    assert_eq!(failed.as_deref(), Some("pod p waits for its init container istio-init: ended with exit code 3"));
    let running = json!({ "running": {} });
    assert_eq!(of(29, running.clone()), None);
    assert_eq!(of(30, running).as_deref(), Some("pod p waits for its init container istio-init: runs still"));
    let done = of(30, json!({ "terminated": { "exitCode": 0 } })).unwrap();
    assert!(done.starts_with("pod p waits, PodInitializing"), "{done}");
}

#[test]
fn a_sidecar_of_kubernetes_own_holds_nothing_up() {
    let mut sidecar = container("istio-proxy", json!({ "running": {} }));
    (sidecar["started"], sidecar["ready"]) = (json!(true), json!(true));
    let own = container("detector", waiting("ImagePullBackOff"));
    let waits = said(60, json!({ "initContainerStatuses": [sidecar], "containerStatuses": [own] }));
    assert_eq!(waits.as_deref(), Some("pod p waits, ImagePullBackOff: no such image"));
}
