//! What the operator does, against an API server in memory and a bucket: one scenario a test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod cluster;
mod failures;
mod jobs;
mod namespaces;
mod owners;
mod store;
mod truth;
mod unreadable;

use std::time::Duration;

use api::{Api, Fault};
use cluster::{Cluster, version};
use http::Method;
use serde_json::{Value, json};
use vedette_testing::bucket::Behaviour;

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_comes_up_in_order_and_then_nothing_is_written() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({ "generator": { "recordsPerSecond": 1 } }));
    let operator = cluster.operator("a");
    cluster.until_reason("anomalypipelines", "flows", "Ready", "TopicJobRunning").await;
    assert_eq!(cluster.api.names("deployments"), [""; 0], "nothing runs before the topics are there");
    cluster.running("flows").await;
    assert_eq!(cluster.api.names("deployments"), ["flows-archiver", "flows-detector", "flows-generator"]);
    assert_eq!(cluster.api.names("services"), ["flows-archiver", "flows-detector", "flows-generator"]);
    assert_eq!(cluster.api.names("poddisruptionbudgets"), ["flows-archiver", "flows-detector"]);
    assert_eq!(cluster.api.names("serviceaccounts"), ["flows-pipeline"]);
    let status = cluster.until_stored("n/flows/sites/east.json", |_| true).await;
    assert_eq!(status["site"], "east");
    // A topic Job whose time to live is over is not made again.
    let job = cluster.api.names("jobs").remove(0);
    cluster.api.remove("jobs", &job);
    cluster.api.until_still(Duration::from_secs(3)).await;
    assert_eq!(cluster.api.names("jobs"), [""; 0]);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_repaired_and_what_is_no_longer_wanted_goes() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({ "generator": { "recordsPerSecond": 1 } }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    let mut drifted = cluster.api.get("deployments", "flows-archiver").unwrap();
    drifted["spec"]["template"]["spec"]["containers"][0]["image"] = json!("another");
    cluster.api.put("deployments", drifted);
    cluster.api.remove("services", "flows-detector");
    cluster.until_there("services", "flows-detector").await;
    let image = |api: &Api| {
        api.get("deployments", "flows-archiver").unwrap()["spec"]["template"]["spec"]["containers"][0]["image"] == "a"
    };
    cluster.api.until("the archiver's own image", |api| image(api).then_some(())).await;
    cluster.pipeline("flows", json!({}));
    for plural in ["deployments", "services"] {
        cluster.api.until("no generator", |api| api.get(plural, "flows-generator").is_none().then_some(())).await;
    }
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_one_object_is_said_and_stops_no_other() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    let before = cluster.api.get("deployments", "flows-detector");
    cluster.pipeline(
        "flows",
        json!({ "detector": { "replicas": -1, "calculatedFields": [{ "name": "x", "expression": "1 +" }] } }),
    );
    cluster.pipeline("unreadable", json!({ "topics": "none" }));
    cluster.training("unreadable", json!({ "site": 7 }));
    let ready = cluster.until_reason("anomalypipelines", "flows", "Ready", "Invalid").await;
    let message = ready["message"].as_str().unwrap();
    assert!(
        message.contains("spec.detector.replicas") && message.contains("calculatedFields[0].expression"),
        "{message}"
    );
    for plural in ["anomalypipelines", "modeltrainings"] {
        let ready = cluster.until_reason(plural, "unreadable", "Ready", "Invalid").await;
        assert!(ready["message"].as_str().unwrap().contains("cannot be read"), "{ready}");
    }
    assert_eq!(cluster.api.get("deployments", "flows-detector"), before, "what runs stays as it was");
    let others = json!({ "enrichedData": { "name": "e" }, "alerts": { "name": "a" }, "deadLetters": { "name": "d" } });
    cluster.pipeline("other", json!({ "topics": others }));
    cluster.running("other").await;
    assert!(cluster.events().contains(&"Invalid".to_owned()));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_younger_of_two_pipelines_with_the_same_topics_is_refused() {
    let cluster = Cluster::new().await;
    cluster.pipeline("older", json!({}));
    let operator = cluster.operator("a");
    cluster.running("older").await;
    cluster.pipeline("younger", json!({}));
    let ready = cluster.until_reason("anomalypipelines", "younger", "Ready", "TopicConflict").await;
    assert!(ready["message"].as_str().unwrap().contains("n/older"), "{ready}");
    assert!(cluster.api.names("jobs").iter().all(|job| job.starts_with("older-")));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_and_servers_that_fail_are_tried_again() {
    let cluster = Cluster::new().await;
    for status in [409, 500, 429] {
        let part = "serviceaccounts";
        cluster.api.fault(Fault { method: Method::PATCH, part, status: Some(status), times: 1 });
    }
    cluster.api.fault(Fault { method: Method::PATCH, part: "/status", status: Some(409), times: 1 });
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_namespace_that_is_forbidden_stops_no_other() {
    let cluster = Cluster::new().await;
    let forbidden = |part| Fault { method: Method::GET, part, status: Some(403), times: usize::MAX };
    cluster.api.fault(forbidden("/namespaces/logins/"));
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator_of("a", &["logins", "n"]);
    cluster.running("flows").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_too_old_begins_again() {
    let cluster = Cluster::new().await;
    cluster.api.fault(Fault { method: Method::GET, part: "jobs?&watch=true", status: Some(410), times: 2 });
    cluster.api.fault(Fault { method: Method::GET, part: "deployments?&watch=true", status: Some(410), times: 2 });
    cluster.api.fault(Fault { method: Method::GET, part: "anomalypipelines?&watch=true", status: Some(410), times: 2 });
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    assert_eq!(cluster.api.faults_to_come(), 0);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_said_and_the_rest_is_applied() {
    let cluster = Cluster::new().await;
    cluster.api.fault(Fault { method: Method::PATCH, part: "poddisruptionbudgets", status: Some(403), times: 1000 });
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.complete_topics("flows").await;
    cluster.until_there("deployments", "flows-detector").await;
    let ready = cluster.until_reason("anomalypipelines", "flows", "Ready", "ApplyFailed").await;
    assert!(ready["message"].as_str().unwrap().contains("PodDisruptionBudget"), "{ready}");
    cluster.api.mend();
    cluster.running("flows").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_holds_up_no_other_object() {
    let cluster = Cluster::new().await;
    cluster.api.fault(Fault { method: Method::PATCH, part: "services/stuck-", status: None, times: 1000 });
    let others = json!({ "enrichedData": { "name": "e" }, "alerts": { "name": "a" }, "deadLetters": { "name": "d" } });
    cluster.pipeline("stuck", json!({ "topics": others }));
    let operator = cluster.operator("a");
    cluster.api.until("a stuck topic Job", |api| (!api.names("jobs").is_empty()).then_some(())).await;
    cluster.pipeline("flows", json!({}));
    cluster.running("flows").await;
    operator.task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_is_said_and_stops_nothing() {
    let cluster = Cluster::new().await;
    cluster.objects.behave(Behaviour::Refuses);
    cluster.pipeline("flows", json!({ "model": { "training": "flows" } }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.until_reason("anomalypipelines", "flows", "BucketReachable", "AccessDenied").await;
    let current = cluster.condition("anomalypipelines", "flows", "ModelCurrent").unwrap();
    assert_eq!(current["reason"], "PointerUnreadable");
    cluster.objects.behave(Behaviour::Honest);
    cluster.until_reason("anomalypipelines", "flows", "BucketReachable", "Reachable").await;
    cluster.until_reason("anomalypipelines", "flows", "ModelCurrent", "UnknownTraining").await;
    cluster.training("flows", json!({ "site": "east", "data": { "pipeline": "flows" } }));
    cluster.pipeline("flows", json!({ "model": { "training": "flows" } }));
    cluster.until_reason("anomalypipelines", "flows", "ModelCurrent", "NoModel").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_ignores_conditional_writes_is_said_and_gets_no_site_status() {
    let cluster = Cluster::new().await;
    cluster.objects.behave(Behaviour::IgnoresConditions);
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.until_reason("anomalypipelines", "flows", "BucketReachable", "ConditionalWritesIgnored").await;
    assert_eq!(cluster.objects.json::<Value>("n/flows/sites/east.json").await, None);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_not_there_are_named_and_taken_when_they_come() {
    let cluster = Cluster::new().await;
    cluster.secret.take();
    cluster.pipeline("flows", json!({ "model": { "training": "flows" } }));
    let operator = cluster.operator("a");
    cluster.until_reason("anomalypipelines", "flows", "BucketReachable", "NoCredentials").await;
    let said = cluster.condition("anomalypipelines", "flows", "BucketReachable").unwrap();
    let message = said["message"].as_str().unwrap();
    assert!(message.contains("create the Secret") && message.contains("accessKeyId"), "{message}");
    cluster.secret.give();
    cluster.until_reason("anomalypipelines", "flows", "BucketReachable", "Reachable").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_rolls_the_detectors_and_one_that_fails_is_taken_back_once() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({ "model": { "training": "flows", "progressDeadlineSeconds": 10 } }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.is_offered(1).await;
    cluster.ready("flows-detector").await;
    cluster.until_reason("anomalypipelines", "flows", "ModelCurrent", "Current").await;
    cluster.is_offered(2).await;
    // The new pod ends by itself; the old ones go on.
    let live = cluster.api.get("deployments", "flows-detector").unwrap();
    cluster.api.set_status("deployments", "flows-detector", json!({
        "observedGeneration": live["metadata"]["generation"], "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1
    }));
    let mut metadata = live["spec"]["template"]["metadata"].clone();
    metadata["name"] = json!("flows-detector-2");
    let words =
        r#"{"level":"ERROR","message":"failed","reason":"WrongHash","blame":"model","error":"forest.bin differs"}"#;
    let end = json!({ "exitCode": 1, "message": words });
    cluster.api.put(
        "pods",
        json!({
            "metadata": metadata,
            "status": { "containerStatuses": [{
                "name": "detector", "image": "i", "imageID": "i", "ready": false, "restartCount": 3,
                "state": { "waiting": { "reason": "CrashLoopBackOff" } }, "lastState": { "terminated": end }
            }] }
        }),
    );
    let said = |_: &Api| {
        let condition = cluster.condition("anomalypipelines", "flows", "ModelCurrent")?;
        condition["message"].as_str()?.contains("WrongHash: forest.bin differs").then_some(())
    };
    cluster.api.until("the last words of the pod", said).await;
    cluster.until_version("flows-detector", &version(1)).await;
    cluster.api.remove("pods", "flows-detector-2");
    let current = cluster.until_reason("anomalypipelines", "flows", "ModelCurrent", "RolledBack").await;
    assert!(current["message"].as_str().unwrap().contains("20261123T084202Z"), "{current}");
    let status = cluster.api.get("anomalypipelines", "flows").unwrap()["status"].clone();
    assert_eq!(status["model"]["rejected"], json!([version(2)]));
    assert_eq!(status["model"]["active"], json!(version(1)));
    cluster.ready("flows-detector").await;
    // Another leader remembers it, too.
    operator.stop().await;
    let before = cluster.api.writes().len();
    let operator = cluster.operator("b");
    // Whoever is new applies everything.
    let applied =
        |api: &Api| api.writes()[before..].contains(&"PATCH deployments/flows-detector".to_owned()).then_some(());
    cluster.api.until("the detectors of another leader", applied).await;
    let current = cluster.model_by_another_look("flows").await;
    assert_eq!(current["reason"], "RolledBack", "{current}");
    // Events are told after the status.
    operator.stop().await;
    assert!(cluster.arguments("flows-detector").contains(&format!("--model-version={}", version(1))));
    let rolled_back = cluster.events().into_iter().filter(|reason| reason == "ModelRolledBack").count();
    assert_eq!(rolled_back, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_runs_when_there_is_enough_data_and_its_result_is_remembered() {
    let cluster = Cluster::new().await;
    cluster.training(
        "flows",
        json!({ "site": "east", "data": { "pipeline": "flows" }, "trigger": { "minRecords": 100 } }),
    );
    cluster.training("elsewhere", json!({ "site": "west", "data": { "pipeline": "flows" } }));
    cluster.training("misspelt", json!({ "site": "wset", "data": { "pipeline": "flows" } }));
    cluster.training("nothing", json!({ "site": "east", "data": { "pipeline": "folws" } }));
    let west = json!({
        "site": "west", "training": null, "model_version": null, "ready": true, "updated_at": "2026-11-23T08:00:00Z"
    });
    cluster.objects.put_json("n/flows/sites/west.json", &west).await;
    let operator = cluster.operator("a");
    cluster.until_reason("modeltrainings", "elsewhere", "Ready", "RunsAtOtherSite").await;
    let unknown = cluster.until_reason("modeltrainings", "misspelt", "Ready", "UnknownSite").await;
    assert!(unknown["message"].as_str().unwrap().contains("sites that have are west"), "{unknown}");
    cluster.until_reason("modeltrainings", "nothing", "Ready", "UnknownPipeline").await;
    cluster.until_reason("modeltrainings", "flows", "DataAvailable", "TooFewRecords").await;
    cluster.archive("flows", 150).await;
    let job = cluster.api.until("a run", |api| api.names("jobs").into_iter().next()).await;
    cluster.until_reason("modeltrainings", "flows", "Ready", "Running").await;
    cluster.publish_result("flows", &job, &version(1)).await;
    cluster.api.set_status("jobs", &job, json!({ "conditions": [{ "type": "Complete", "status": "True" }] }));
    cluster.until_reason("modeltrainings", "flows", "Published", "Published").await;
    let status = cluster.api.get("modeltrainings", "flows").unwrap()["status"].clone();
    assert_eq!((&status["model"], &status["phase"]), (&json!(version(1)), &json!("Done")));
    // On demand, once for each value; a Job that somebody deletes has failed.
    let mut training = cluster.api.get("modeltrainings", "flows").unwrap();
    training["metadata"]["annotations"] = json!({ "vedette.io/run": "now" });
    cluster.api.put("modeltrainings", training);
    let second = cluster.api.until("a second run", |api| api.names("jobs").into_iter().find(|name| *name != job)).await;
    cluster.until_reason("modeltrainings", "flows", "Ready", "Running").await;
    cluster.api.remove("jobs", &second);
    cluster.until_reason("modeltrainings", "flows", "Ready", "LastRunFailed").await;
    let status = cluster.api.get("modeltrainings", "flows").unwrap()["status"].clone();
    assert_eq!((&status["failures"], &status["model"]), (&json!(1), &json!(version(1))));
    assert_eq!(status["history"].as_array().unwrap().len(), 2);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_one_acts_and_the_other_takes_over() {
    let cluster = Cluster::new().await;
    let first = cluster.operator("first");
    cluster
        .api
        .until("a leader", |api| {
            (api.get("leases", "vedette-operator")?["spec"]["holderIdentity"] == "first").then_some(())
        })
        .await;
    let second = cluster.operator("second");
    cluster.pipeline("flows", json!({}));
    cluster.running("flows").await;
    first.stop().await;
    cluster
        .api
        .until("another leader", |api| {
            (api.get("leases", "vedette-operator")?["spec"]["holderIdentity"] == "second").then_some(())
        })
        .await;
    cluster.api.remove("services", "flows-archiver");
    cluster.until_there("services", "flows-archiver").await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_authority_that_changes_rolls_the_pods_and_a_key_that_is_missing_is_named() {
    let cluster = Cluster::new().await;
    let trust = |key: &str, certificate: &str| {
        cluster.api.put("configmaps", json!({ "metadata": { "name": "trust" }, "data": { key: certificate } }));
    };
    trust("ca.pem", "one");
    cluster.pipeline("flows", json!({}));
    let site = cluster::SITE.replace("'kafka:9092'", "'kafka:9093', tls: { ca: { configMap: trust } }");
    let operator = cluster.operator_at(&site, "a", &["n"]);
    let ready = cluster.until_reason("anomalypipelines", "flows", "Ready", "SecretMissing").await;
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("add the key ca.crt to ConfigMap trust"), "{message}");
    trust("ca.crt", "one");
    cluster.running("flows").await;
    let hash = |api: &Api| {
        let archiver = api.get("deployments", "flows-archiver")?;
        archiver["spec"]["template"]["metadata"]["annotations"]["vedette.io/secrets-hash"].as_str().map(str::to_owned)
    };
    let before = cluster.api.until("a hash", hash).await;
    trust("ca.crt", "two");
    cluster.api.until("another hash", |api| hash(api).filter(|hash| *hash != before)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_rolls_the_pods_and_one_that_is_gone_does_not() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    let hash = |api: &Api| {
        let detector = api.get("deployments", "flows-detector").unwrap();
        detector["spec"]["template"]["metadata"]["annotations"]["vedette.io/secrets-hash"].as_str().unwrap().to_owned()
    };
    let before = hash(&cluster.api);
    cluster.api.remove("secrets", "vedette-bucket");
    let said = |_: &Api| {
        let condition = cluster.condition("anomalypipelines", "flows", "Ready")?;
        condition["message"].as_str()?.contains("create Secret vedette-bucket").then_some(())
    };
    // That is written when everything is applied.
    cluster.api.until("word of the Secret", said).await;
    assert_eq!(hash(&cluster.api), before);
    let data = json!({ "accessKeyId": "YQ==", "secretAccessKey": "Yw==" });
    cluster.api.put("secrets", json!({ "metadata": { "name": "vedette-bucket" }, "data": data }));
    cluster.api.until("another hash", |api| (hash(api) != before).then_some(())).await;
    operator.stop().await;
}
