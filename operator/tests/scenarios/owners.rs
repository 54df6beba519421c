//! What is deleted: what the operator made, does not want any more, and has seen as it is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::Api;
use crate::cluster::Cluster;

fn deletions(api: &Api) -> Vec<String> {
    api.writes().into_iter().filter(|write| write.starts_with("DELETE")).collect()
}

fn uids(api: &Api, plural: &str) -> BTreeMap<String, Value> {
    let uid = |name: &String| api.get(plural, name).map(|object| object["metadata"]["uid"].clone());
    api.names(plural).into_iter().filter_map(|name| Some((name.clone(), uid(&name)?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_with_another_owner_or_with_none_is_left_alone() {
    let cluster = Cluster::new().await;
    let labels = json!({ "app.kubernetes.io/managed-by": "vedette-operator" });
    let owner = json!({
        "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "name": "flows", "uid": "earlier", "controller": true
    });
    cluster.api.put("services", json!({ "metadata": { "name": "of-nobody", "labels": labels } }));
    let anothers = json!({ "name": "of-another", "labels": labels, "ownerReferences": [owner] });
    cluster.api.put("services", json!({ "metadata": anothers }));
    cluster.pipeline("flows", json!({ "generator": { "recordsPerSecond": 1 } }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.pipeline("flows", json!({}));
    let gone = |api: &Api| api.get("services", "flows-generator").is_none().then_some(());
    cluster.api.until("no service of the generator", gone).await;
    cluster.reconciled("flows").await;
    assert_eq!(deletions(&cluster.api), ["DELETE deployments/flows-generator", "DELETE services/flows-generator"]);
    assert!(cluster.api.get("services", "of-nobody").is_some() && cluster.api.get("services", "of-another").is_some());
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pipelines_in_one_namespace_keep_their_children() {
    let cluster = Cluster::new().await;
    let others = json!({ "enrichedData": { "name": "e" }, "alerts": { "name": "a" }, "deadLetters": { "name": "d" } });
    cluster.pipeline("flows", json!({}));
    cluster.pipeline("other", json!({ "topics": others }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.running("other").await;
    let before = uids(&cluster.api, "deployments");
    assert_eq!(before.len(), 4);
    cluster.pipeline("flows", json!({ "detector": { "replicas": 2 } }));
    cluster.pipeline("other", json!({ "topics": others, "detector": { "replicas": 2 } }));
    for pipeline in ["flows", "other"] {
        cluster.reconciled(pipeline).await;
    }
    assert_eq!(deletions(&cluster.api), [""; 0]);
    assert_eq!(uids(&cluster.api, "deployments"), before);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_took_the_place_of_what_was_seen_is_not_deleted() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({ "generator": { "recordsPerSecond": 1 } }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.api.silence("services");
    cluster.api.remove("services", "flows-generator");
    cluster.api.put("services", json!({ "metadata": { "name": "flows-generator" } }));
    cluster.pipeline("flows", json!({}));
    let tried = |api: &Api| deletions(api).contains(&"DELETE services/flows-generator".to_owned()).then_some(());
    cluster.api.until("an attempt to delete the service", tried).await;
    assert!(cluster.api.get("services", "flows-generator").is_some());
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_made_is_never_taken_over_and_the_pipeline_says_so() {
    let cluster = Cluster::new().await;
    let anothers = |name: &str| json!({ "metadata": { "name": name, "labels": { "team": "payments" } }, "spec": { "theirs": true } });
    for (plural, name) in [("serviceaccounts", "flows-pipeline"), ("services", "flows-detector")] {
        cluster.api.put(plural, anothers(name));
    }
    let before = [cluster.api.get("serviceaccounts", "flows-pipeline"), cluster.api.get("services", "flows-detector")];
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    let refused = cluster.until_reason("anomalypipelines", "flows", "Ready", "ApplyFailed").await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("ServiceAccount flows-pipeline exists and somebody else made it"), "{message}");
    let after = [cluster.api.get("serviceaccounts", "flows-pipeline"), cluster.api.get("services", "flows-detector")];
    assert_eq!(after, before);
    cluster.api.remove("serviceaccounts", "flows-pipeline");
    cluster.api.remove("services", "flows-detector");
    cluster.running("flows").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_that_the_manifest_names_is_used_as_it_is_and_never_deleted() {
    let cluster = Cluster::new().await;
    let named = json!({ "pod": { "serviceAccountName": "flows-pipeline" } });
    cluster
        .api
        .put("serviceaccounts", json!({ "metadata": { "name": "flows-pipeline", "annotations": { "role": "r" } } }));
    let theirs = cluster.api.get("serviceaccounts", "flows-pipeline");
    cluster.pipeline("flows", named.clone());
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    assert_eq!(cluster.api.get("serviceaccounts", "flows-pipeline"), theirs);
    // One that was the pipeline's own stays when it is named.
    let others = json!({ "enrichedData": { "name": "e" }, "alerts": { "name": "a" }, "deadLetters": { "name": "d" } });
    cluster.pipeline("own", json!({ "topics": others }));
    cluster.running("own").await;
    let own = cluster.api.get("serviceaccounts", "own-pipeline").unwrap();
    cluster.pipeline(
        "own",
        json!({ "topics": others, "pod": { "serviceAccountName": "own-pipeline" }, "detector": { "replicas": 2 } }),
    );
    cluster.reconciled("own").await;
    assert_eq!(deletions(&cluster.api), [""; 0]);
    assert_eq!(cluster.api.get("serviceaccounts", "own-pipeline"), Some(own));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_is_made_anew_makes_its_topics_anew() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    let job = |api: &Api| api.names("jobs").into_iter().find(|name| name.starts_with("flows-topics-"));
    let name = job(&cluster.api).unwrap();
    let first = uids(&cluster.api, "jobs")[&name].clone();
    // Nothing collects garbage here: what the first one made is there still.
    cluster.api.remove("anomalypipelines", "flows");
    cluster.pipeline("flows", json!({}));
    let anew = |api: &Api| uids(api, "jobs").get(&name).filter(|uid| **uid != first).map(|_| ());
    cluster.api.until("another topic Job", anew).await;
    cluster.until_reason("anomalypipelines", "flows", "TopicsReady", "TopicJobRunning").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_job_that_hangs_is_made_anew_when_its_cause_is_mended() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({ "pod": { "nodeSelector": { "no": "such" } } }));
    let operator = cluster.operator("a");
    let prefixed = |api: &Api| api.names("jobs").into_iter().find(|name| name.starts_with("flows-topics-"));
    let name = cluster.api.until("a topic Job", prefixed).await;
    let labels = json!({
        "app.kubernetes.io/managed-by": "vedette-operator", "app.kubernetes.io/name": "vedette",
        "app.kubernetes.io/instance": "flows", "app.kubernetes.io/component": "topics"
    });
    let unscheduled = json!([{ "type": "PodScheduled", "status": "False", "message": "no node has no: such" }]);
    let owners = cluster.owned_by_job(&name);
    cluster.api.put("pods", json!({
        "metadata": { "name": "topics-1", "labels": labels, "ownerReferences": owners }, "status": { "phase": "Pending", "conditions": unscheduled }
    }));
    let waits = cluster.until_reason("anomalypipelines", "flows", "TopicsReady", "TopicJobWaiting").await;
    assert!(waits["message"].as_str().unwrap().contains("no node has no: such"), "{waits}");
    cluster.pipeline("flows", json!({}));
    let mended = |api: &Api| {
        let selector = &api.get("jobs", &name)?["spec"]["template"]["spec"]["nodeSelector"];
        selector["no"].is_null().then_some(())
    };
    cluster.api.until("a topic Job without the node selector", mended).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_that_was_walked_is_not_walked_again_when_its_job_is_deleted() {
    let cluster = Cluster::new().await;
    let dataset = json!({ "object": { "key": "a.csv" } });
    cluster
        .pipeline("flows", json!({ "generator": { "recordsPerSecond": 1, "mode": "Sequential", "dataset": dataset } }));
    let operator = cluster.operator("a");
    cluster.complete_topics("flows").await;
    let prefixed = |api: &Api| api.names("jobs").into_iter().find(|name| name.starts_with("flows-generator-"));
    let job = cluster.api.until("the generator's Job", prefixed).await;
    cluster.api.set_status("jobs", &job, json!({ "conditions": [{ "type": "Complete", "status": "True" }] }));
    cluster.until_reason("anomalypipelines", "flows", "GeneratorAvailable", "Finished").await;
    cluster.api.remove("jobs", &job);
    // What comes after is seen by what it changes: a second spec was put into effect since.
    cluster.pipeline(
        "flows",
        json!({ "generator": { "recordsPerSecond": 1, "mode": "Sequential", "dataset": dataset }, "detector": { "replicas": 2 } }),
    );
    cluster.reconciled("flows").await;
    assert_eq!(prefixed(&cluster.api), None);
    let generator = cluster.condition("anomalypipelines", "flows", "GeneratorAvailable").unwrap();
    assert_eq!((&generator["reason"], &generator["status"]), (&json!("Finished"), &json!("True")));
    operator.stop().await;
}
