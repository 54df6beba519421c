//! Jobs that others hold: by a sidecar that never ends, or as Kueue does.

use serde_json::{Value, json};

use crate::api::Api;
use crate::cluster::{Cluster, version};

/// The topic Job of the pipeline `flows`, once it is there, and is not this one.
async fn topic_job(cluster: &Cluster, but: &Value) -> (String, Value) {
    let made = |api: &Api| {
        let name = api.names("jobs").into_iter().find(|name| name.starts_with("flows-topics-"))?;
        let uid = api.get("jobs", &name)?["metadata"]["uid"].clone();
        (uid != *but).then_some((name, uid))
    };
    cluster.api.until("a topic Job", made).await
}

/// The own container of a Job's pod ended; the pod runs on where a sidecar does.
fn ended(cluster: &Cluster, job: &str, (component, phase): (&str, &str), end: &Value) {
    let labels = json!({
        "app.kubernetes.io/managed-by": "vedette-operator", "app.kubernetes.io/name": "vedette",
        "app.kubernetes.io/instance": "flows", "app.kubernetes.io/component": component
    });
    let container = |name: &str, state: Value| json!({ "name": name, "image": "i", "imageID": "i", "restartCount": 0, "ready": false, "state": state });
    let containers = [container(component, json!({ "terminated": end })), container("proxy", json!({ "running": {} }))];
    let owners = cluster.owned_by_job(job);
    cluster.api.put(
        "pods",
        json!({
            "metadata": { "name": format!("{component}-1"), "labels": labels, "ownerReferences": owners },
            "status": { "phase": phase, "containerStatuses": containers }
        }),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_job_that_did_its_task_beside_a_sidecar_is_complete_and_makes_way() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    let (job, _) = topic_job(&cluster, &Value::Null).await;
    let report = json!({ "differs": ["alerts has 2 partitions"] }).to_string();
    let now = jiff::Timestamp::now().to_string();
    ended(&cluster, &job, ("topics", "Running"), &json!({ "exitCode": 0, "finishedAt": now, "message": report }));
    cluster.until_reason("anomalypipelines", "flows", "TopicsReady", "Differs").await;
    cluster.until_there("deployments", "flows-detector").await;
    cluster.api.until("no topic Job", |api| api.get("jobs", &job).is_none().then_some(())).await;
    cluster.pipeline("flows", json!({ "detector": { "replicas": 2 } }));
    cluster.reconciled("flows").await;
    assert_eq!(cluster.api.names("jobs"), [""; 0], "it is remembered");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_job_that_failed_beside_a_sidecar_is_made_anew() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    let (job, first) = topic_job(&cluster, &Value::Null).await;
    ended(&cluster, &job, ("topics", "Running"), &json!({ "exitCode": 1, "finishedAt": "2026-11-23T08:00:00Z" }));
    topic_job(&cluster, &first).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_run_that_a_sidecar_keeps_makes_way_and_one_that_nothing_keeps_stays() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let job = cluster.training_under_way("flows").await;
    cluster.publish_result("flows", &job, &version(1)).await;
    let end = json!({ "exitCode": 0, "finishedAt": jiff::Timestamp::now().to_string() });
    ended(&cluster, &job, ("trainer", "Succeeded"), &end);
    cluster.until_reason("modeltrainings", "flows", "Published", "Published").await;
    assert!(cluster.api.get("jobs", &job).is_some(), "its log is there to be read");
    ended(&cluster, &job, ("trainer", "Running"), &end);
    cluster.api.until("no Job", |api| api.get("jobs", &job).is_none().then_some(())).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_published_and_failed_beside_a_sidecar_is_published_and_its_job_makes_way() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let job = cluster.training_under_way("flows").await;
    cluster.publish_result("flows", &job, &version(1)).await;
    let end = json!({ "exitCode": 1, "finishedAt": jiff::Timestamp::now().to_string() });
    ended(&cluster, &job, ("trainer", "Running"), &end);
    cluster.until_reason("modeltrainings", "flows", "Published", "Published").await;
    cluster.api.until("no Job", |api| api.get("jobs", &job).is_none().then_some(())).await;
    operator.stop().await;
}

/// The controller of a Job tells that it cannot make a pod for it.
fn refused(cluster: &Cluster, job: &str, why: &str) {
    let uid = cluster.api.get("jobs", job).unwrap()["metadata"]["uid"].clone();
    let told = jiff::Timestamp::now().to_string();
    cluster.api.put(
        "events",
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": format!("{job}.1") },
            "regarding": { "kind": "Job", "name": job, "uid": uid }, "type": "Warning", "reason": "FailedCreate",
            "note": format!("Error creating: pods \"{job}-x\" is forbidden: {why}"), "deprecatedLastTimestamp": told
        }),
    );
    cluster.api.set_status("jobs", job, json!({ "startTime": "2026-11-23T08:00:00Z" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_a_quota_refuses_a_pod_says_so_be_it_of_a_pipeline_or_of_a_run() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let run = cluster.training_under_way("runs").await;
    refused(&cluster, &run, "exceeded quota: q, requested: pods=1");
    let held_up = cluster.until_reason("modeltrainings", "runs", "Ready", "RunHeldUp").await;
    let said = held_up["message"].as_str().unwrap();
    assert!(said.ends_with("is under way: it gets no pod: exceeded quota: q, requested: pods=1"), "{said}");
    cluster.pipeline("flows", json!({}));
    let (topics, _) = topic_job(&cluster, &Value::Null).await;
    refused(&cluster, &topics, "maximum cpu usage per Container is 1m");
    let waits = cluster.until_reason("anomalypipelines", "flows", "TopicsReady", "TopicJobWaiting").await;
    let said = waits["message"].as_str().unwrap();
    assert!(said.ends_with("it gets no pod: maximum cpu usage per Container is 1m"), "{said}");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_another_holds_is_not_fought_for() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    let (job, uid) = topic_job(&cluster, &Value::Null).await;
    let mut held = cluster.api.get("jobs", &job).unwrap();
    let holds = |suspend: bool, job: &mut Value| {
        job["spec"]["suspend"] = json!(suspend);
        job["metadata"]["managedFields"] =
            json!([{ "manager": "kueue", "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:suspend": {} } } }]);
    };
    holds(true, &mut held);
    cluster.api.put("jobs", held.clone());
    let waits = cluster.until_reason("anomalypipelines", "flows", "TopicsReady", "TopicJobWaiting").await;
    assert!(waits["message"].as_str().unwrap().contains("suspended by kueue"), "{waits}");
    cluster.pipeline("flows", json!({ "detector": { "replicas": 2 } }));
    cluster.reconciled("flows").await;
    holds(false, &mut held);
    cluster.api.put("jobs", held);
    cluster.until_reason("anomalypipelines", "flows", "TopicsReady", "TopicJobRunning").await;
    let of_the_job = cluster.api.writes().into_iter().filter(|write| write.ends_with(&job));
    assert_eq!(of_the_job.collect::<Vec<_>>(), [format!("PATCH jobs/{job}")], "it was made, and then left");
    assert_eq!(cluster.api.get("jobs", &job).unwrap()["metadata"]["uid"], uid);
    operator.stop().await;
}
