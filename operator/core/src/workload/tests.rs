use super::*;
use serde_json::{Value, json};

const VERSION: &str = "20261123T084210Z-1a2b3c4d";

fn deployment(status: Value) -> LiveDeployment {
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": { "name": "flows-detector", "generation": 2 },
        "spec": {
            "replicas": 2, "selector": {},
            "template": { "metadata": { "labels": { labels::MODEL_VERSION: VERSION }, "annotations": { labels::SPEC_HASH: "one" } } }
        },
        "status": status
    }))
    .unwrap();
    LiveDeployment::read(&deployment)
}

fn pod(status: Value) -> Pod {
    let labels = json!({ labels::MODEL_VERSION: VERSION, labels::COMPONENT: "detector" });
    serde_json::from_value(json!({ "metadata": { "name": "p-1", "labels": labels }, "status": status })).unwrap()
}

fn read(pod: &Pod) -> PodSeen {
    PodSeen::read(pod, Timestamp::UNIX_EPOCH)
}

fn container(name: &str, ready: bool, state: Value, last: Value) -> Value {
    json!({ "name": name, "image": "i", "imageID": "i", "restartCount": 0, "ready": ready, "state": state, "lastState": last })
}

fn detector(ready: bool, state: Value, last: Value) -> Pod {
    pod(json!({ "containerStatuses": [container("detector", ready, state, last)] }))
}

fn crashed() -> Value {
    let log = "{\"level\":\"INFO\",\"message\":\"started\"}\n{\"level\":\"ERROR\",\"message\":\"failed\",\"reason\":\"WrongHash\",\"blame\":\"model\",\"error\":\"forest.bin differs\"}\n";
    json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": log } })
}

#[test]
fn a_deployment_is_complete_when_its_controller_has_seen_it_and_nothing_old_is_left() {
    let done = json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
    let complete = deployment(done);
    assert!(complete.is_complete);
    assert_eq!((complete.spec.as_deref(), complete.wanted), (Some("one"), 2));
    for status in [
        json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 }),
        json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3 }),
        json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2 }),
        json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1 }),
    ] {
        assert!(!deployment(status.clone()).is_complete, "{status}");
    }
}

#[test]
fn a_deployment_that_cannot_go_on_says_why() {
    let told = |generation: i64, condition: Value| {
        deployment(json!({ "observedGeneration": generation, "conditions": [condition] })).stuck
    };
    let quota = json!({ "type": "ReplicaFailure", "status": "True", "message": "exceeded quota" });
    assert_eq!(told(2, quota.clone()).as_deref(), Some("exceeded quota"));
    assert_eq!(told(1, quota), None, "of an earlier template");
    let late =
        |reason: &str| json!({ "type": "Progressing", "status": "False", "reason": reason, "message": "timed out" });
    assert_eq!(told(2, late("ProgressDeadlineExceeded")).as_deref(), Some("timed out"));
    assert_eq!(told(2, late("FoundNewReplicaSet")), None);
}

#[test]
fn what_the_own_process_does_wrong_is_its_fault() {
    let looping = detector(false, json!({ "waiting": { "reason": "CrashLoopBackOff" } }), crashed());
    let cause = "pod p-1 ended with exit code 1: WrongHash: forest.bin differs".to_owned();
    let ended = |since| Some(Fault::Ended { since, blame: Blame::Model, cause: cause.clone() });
    assert_eq!(read(&looping).fault, ended(None));
    let mut of_a_node = looping;
    let scheduled = json!([{ "type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-23T07:00:00Z" }]);
    of_a_node.status.as_mut().unwrap().conditions = serde_json::from_value(scheduled).unwrap();
    assert_eq!(read(&of_a_node).fault, ended(Some("2026-11-23T07:00:00Z".parse().unwrap())));
    let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    let out_of_memory = read(&detector(false, killed, json!({}))).fault.unwrap();
    assert_eq!(out_of_memory.cause(), "pod p-1 ended with exit code 137 (OOMKilled)");
    let running = json!({ "running": { "startedAt": "2026-11-23T08:00:00Z" } });
    let unready = read(&detector(false, running, json!({})));
    let cause = "pod p-1 runs and does not become ready".to_owned();
    assert_eq!((unready.fault, unready.steps), (Some(Fault::Unready { blamed: None, cause }), 2));
}

#[test]
fn what_ended_and_runs_again_only_waits() {
    let again = read(&detector(false, json!({ "running": {} }), crashed())).fault;
    let cause = "pod p-1 ended with exit code 1: WrongHash: forest.bin differs; it runs again".to_owned();
    assert_eq!(again, Some(Fault::Unready { blamed: Some(Blame::Model), cause }));
}

#[test]
fn who_is_to_blame_is_what_the_process_says_or_what_kubernetes_knows() {
    let blamed = |code: i32, reason: &str, message: &str| {
        let last = json!({ "terminated": { "exitCode": code, "reason": reason, "message": message } });
        match read(&detector(false, json!({ "waiting": { "reason": "CrashLoopBackOff" } }), last)).fault {
            Some(Fault::Ended { blame, .. }) => blame,
            other => panic!("{other:?}"),
        }
    };
    let words = r#"{"level":"ERROR","message":"failed","reason":"StreamFailed","error":"the stream broke off"}"#;
    assert_eq!(blamed(1, "Error", words), Blame::Surroundings);
    for of_the_node in ["ContainerStatusUnknown", "StartError", "Unknown"] {
        assert_eq!(blamed(255, of_the_node, ""), Blame::Surroundings, "{of_the_node}");
    }
    assert_eq!(blamed(0, "Completed", ""), Blame::Surroundings, "its node had no time for its liveness");
    for (code, of_the_process) in [(101, "Error"), (139, "Error"), (137, "OOMKilled")] {
        assert_eq!(blamed(code, of_the_process, ""), Blame::Unknown);
    }
}

#[test]
fn what_a_pod_waits_for_and_what_stands_beside_it_is_not() {
    let waiting = |reason: &str| detector(false, json!({ "waiting": { "reason": reason } }), json!({}));
    let sidecar = |ready: bool, state: Value| {
        let own = container("detector", true, json!({ "running": {} }), json!({}));
        pod(json!({ "containerStatuses": [container("istio-proxy", ready, state, json!({})), own] }))
    };
    for (innocent, steps) in vec![
        (waiting("ErrImagePull"), 1),
        (waiting("ImagePullBackOff"), 1),
        (waiting("CreateContainerConfigError"), 1),
        (waiting("ContainerCreating"), 1),
        (detector(false, json!({ "waiting": { "reason": "ErrImagePull" } }), crashed()), 2),
        (detector(true, json!({ "running": {} }), crashed()), 2),
        (sidecar(false, json!({ "running": {} })), 2),
        (sidecar(false, crashed()), 2),
        (pod(json!({ "conditions": [{ "type": "PodScheduled", "status": "False" }] })), 0),
        (pod(json!({})), 0),
    ] {
        let seen = read(&innocent);
        assert_eq!((seen.fault, seen.steps), (None, steps), "{innocent:?}");
    }
}

#[test]
fn a_pod_of_a_dead_node_is_not_ready_though_its_containers_were_and_it_is_no_fault_of_its() {
    let of_a_node = |ready: &str, containers: &str| {
        let mut pod = detector(true, json!({ "running": {} }), json!({}));
        let conditions =
            json!([{ "type": "Ready", "status": ready }, { "type": "ContainersReady", "status": containers }]);
        pod.status.as_mut().unwrap().conditions = serde_json::from_value(conditions).unwrap();
        read(&pod)
    };
    for ready in ["False", "Unknown"] {
        let lost = of_a_node(ready, "True");
        assert_eq!((lost.is_ready, lost.fault), (false, None), "{ready}");
        assert!(lost.waits.is_some_and(|waits| waits.contains("its node does not answer")));
    }
    for (ready, containers) in [("True", "True"), ("False", "False")] {
        let seen = of_a_node(ready, containers);
        assert_eq!((seen.is_ready, seen.waits), (true, None), "one beside ours may be unready");
    }
}

#[test]
fn a_pod_that_leaves_does_not_count() {
    let mut leaving = detector(false, json!({ "running": {} }), json!({}));
    leaving.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
    let seen = Workload::read(None, [&leaving], Timestamp::UNIX_EPOCH);
    assert_eq!((seen.pods, seen.leaving), (Vec::new(), 1));
}

#[test]
fn why_the_cluster_ended_the_newest_pod_is_told() {
    let evicted = |created: &str, message: &str| {
        let mut pod = pod(json!({ "phase": "Failed", "reason": "Evicted", "message": message }));
        pod.metadata.creation_timestamp = serde_json::from_value(json!(created)).unwrap();
        pod
    };
    let newest =
        evicted("2026-11-23T09:00:00Z", "ephemeral local storage usage exceeds the total limit of containers 1Gi. ");
    let by_itself = pod(json!({ "phase": "Failed" }));
    let pods = [&newest, &evicted("2026-11-23T08:00:00Z", "older"), &by_itself];
    let ended = Workload::read(None, pods, Timestamp::UNIX_EPOCH).ended.unwrap();
    let expected =
        "pod p-1 was ended before, Evicted: ephemeral local storage usage exceeds the total limit of containers 1Gi.";
    assert_eq!(ended.cause, expected);
    assert_eq!(Workload::read(None, [&by_itself], Timestamp::UNIX_EPOCH).ended, None);
}

#[test]
fn a_pod_that_the_cluster_ended_does_not_count_however_long_it_is_there() {
    for phase in ["Failed", "Succeeded"] {
        let ended = container("detector", false, crashed(), json!({}));
        let evicted = pod(json!({ "phase": phase, "reason": "Evicted", "containerStatuses": [ended] }));
        let seen = Workload::read(None, [&evicted], Timestamp::UNIX_EPOCH);
        assert_eq!((seen.pods, seen.leaving), (Vec::new(), 0), "{phase}");
    }
}
