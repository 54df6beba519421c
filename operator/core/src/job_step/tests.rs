use super::*;
use serde_json::{Value, json};

const ENDED: &str = "2026-11-23T08:00:00Z";

fn later(seconds: i64) -> Timestamp {
    ENDED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn job(suspend: bool) -> Job {
    serde_json::from_value(json!({ "metadata": { "name": "j" }, "spec": { "suspend": suspend, "template": {} } }))
        .unwrap()
}

/// A pod whose sidecar runs on after its own process has ended.
fn beside_a_sidecar(exit_code: i32) -> Pod {
    let status = |name: &str, state: Value| json!({ "name": name, "image": "i", "imageID": "i", "restartCount": 0, "ready": false, "state": state });
    let own = json!({ "terminated": { "exitCode": exit_code, "finishedAt": ENDED } });
    serde_json::from_value(json!({
        "metadata": { "name": "p", "labels": { "app.kubernetes.io/component": "topics" } },
        "status": { "phase": "Running", "containerStatuses": [status("topics", own), status("istio-proxy", json!({ "running": {} }))] }
    }))
    .unwrap()
}

#[test]
fn a_job_whose_process_failed_beside_a_sidecar_is_made_anew_after_a_pause() {
    let (wanted, failed) = (job(false), beside_a_sidecar(1));
    let step = |pod: &Pod, seconds: i64| job_step(Some(&wanted), &wanted, &[pod], OnLostNode::MakeAnew, later(seconds));
    assert_eq!([29, 30].map(|seconds| step(&failed, seconds)), [JobStep::Leave, JobStep::Replace]);
    assert_eq!(step(&beside_a_sidecar(0), 30), JobStep::Leave, "it did its task");
    let mut ended = failed.clone();
    ended.status.as_mut().unwrap().phase = Some("Failed".to_owned());
    assert_eq!(step(&ended, 30), JobStep::Leave, "Kubernetes makes another pod");
    let mut leaving = wanted.clone();
    leaving.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(later(0)));
    let step = |live: Option<&Job>, pods: &[&Pod]| job_step(live, &wanted, pods, OnLostNode::MakeAnew, later(30));
    assert_eq!(step(Some(&leaving), &[&failed]), JobStep::Leave, "it goes already");
    assert_eq!(step(None, &[]), JobStep::Make);
}

#[test]
fn a_job_that_did_its_task_is_left_over_while_others_keep_it() {
    assert!(is_left_over(&job(false), &[&beside_a_sidecar(0)]));
    assert!(!is_left_over(&job(false), &[&beside_a_sidecar(1)]));
    assert!(is_kept_by_others(&job(false), &[&beside_a_sidecar(1)]));
    let mut alone = beside_a_sidecar(0);
    alone.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
    assert!(!is_left_over(&job(false), &[&alone]), "it is called complete soon, and its log is there to be read");
    let mut at_work = beside_a_sidecar(0);
    let containers = at_work.status.as_mut().unwrap().container_statuses.as_mut().unwrap();
    containers[0].state = serde_json::from_value(json!({ "running": {} })).unwrap();
    assert!(!is_kept_by_others(&job(false), &[&at_work]));
    let mut complete = job(false);
    complete.status =
        serde_json::from_value(json!({ "conditions": [{ "type": "Complete", "status": "True" }] })).unwrap();
    assert!(!is_left_over(&complete, &[&beside_a_sidecar(0)]), "its time to live is over some time");
}

#[test]
fn a_job_is_held_and_let_go_and_what_another_holds_is_left() {
    let managed = |suspend: bool, manager: &str| {
        let mut job = job(suspend);
        let fields = json!([{ "manager": manager, "time": ENDED, "fieldsV1": { "f:spec": { "f:suspend": {} } } }]);
        job.metadata.managed_fields = serde_json::from_value(fields).unwrap();
        job
    };
    let step = |live: &Job, wanted: bool, seconds| {
        job_step(Some(live), &job(wanted), &[], OnLostNode::MakeAnew, later(seconds))
    };
    let (by_us, by_kueue) = (Some("vedette-operator"), Some("kueue"));
    for (suspended, by, wanted, expected) in [
        (false, None, true, JobStep::Suspend(true)),
        (true, by_us, false, JobStep::Suspend(false)),
        (true, by_us, true, JobStep::Leave),
        (false, None, false, JobStep::Leave),
        (true, by_kueue, false, JobStep::Leave),
        (true, None, false, JobStep::Leave),
        (true, by_kueue, true, JobStep::Leave),
    ] {
        let live = by.map_or_else(|| job(suspended), |by| managed(suspended, by));
        assert_eq!(step(&live, wanted, 600), expected, "{live:?} {wanted}");
    }
    let let_go = managed(false, "kueue");
    assert_eq!([59, 60].map(|seconds| step(&let_go, true, seconds)), [JobStep::Leave, JobStep::Suspend(true)]);
}

#[test]
fn a_job_whose_pod_is_lost_with_its_node_is_made_anew_unless_records_would_come_twice() {
    // The node's controller says that the pod is not ready; what its kubelet said last stands.
    let lost: Pod = serde_json::from_value(json!({
        "metadata": {
            "name": "p", "labels": { "app.kubernetes.io/component": "topics" }, "deletionTimestamp": ENDED
        },
        "status": {
            "phase": "Running",
            "conditions": [
                { "type": "Ready", "status": "False" }, { "type": "ContainersReady", "status": "True" },
                { "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager" }
            ],
            "containerStatuses": [{
                "name": "topics", "image": "i", "imageID": "i", "restartCount": 0, "ready": true,
                "state": { "running": {} }
            }]
        }
    }))
    .unwrap();
    let wanted = job(false);
    let step = |on_lost_node, seconds| job_step(Some(&wanted), &wanted, &[&lost], on_lost_node, later(seconds));
    assert_eq!([59, 60].map(|seconds| step(OnLostNode::MakeAnew, seconds)), [JobStep::Leave, JobStep::Replace]);
    assert_eq!(step(OnLostNode::Leave, 600), JobStep::Leave);
}
