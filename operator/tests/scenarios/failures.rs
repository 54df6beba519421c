//! An API server that fails or forbids for long: what is said of it, and what goes on meanwhile.

use http::Method;
use serde_json::json;

use crate::api::{Api, Fault};
use crate::cluster::Cluster;

/// A webhook that is called for these does not answer.
fn fails(cluster: &Cluster, part: &'static str) {
    cluster.api.fault(Fault { method: Method::PATCH, part, status: Some(500), times: usize::MAX });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_and_again_is_said_and_what_is_no_longer_wanted_goes_all_the_same() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({ "generator": { "recordsPerSecond": 1 } }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    fails(&cluster, "services/");
    cluster.api.remove("services", "flows-archiver");
    let ready = cluster.until_reason("anomalypipelines", "flows", "Ready", "ApplyRetrying").await;
    assert!(ready["message"].as_str().unwrap().contains("cannot apply Service flows-archiver"), "{ready}");
    assert_eq!(cluster.condition("anomalypipelines", "flows", "Stalled"), None, "it passes");
    cluster.pipeline("flows", json!({}));
    let gone = |api: &Api| api.get("deployments", "flows-generator").is_none().then_some(());
    cluster.api.until("no generator", gone).await;
    cluster.api.mend();
    cluster.running("flows").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_goes_only_after_what_used_it() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    fails(&cluster, "deployments/");
    cluster.pipeline("flows", json!({ "pod": { "serviceAccountName": "theirs" } }));
    cluster.until_reason("anomalypipelines", "flows", "Ready", "ApplyRetrying").await;
    assert!(cluster.api.get("serviceaccounts", "flows-pipeline").is_some(), "pods of the earlier spec use it");
    cluster.api.mend();
    let gone = |api: &Api| api.get("serviceaccounts", "flows-pipeline").is_none().then_some(());
    cluster.api.until("no service account", gone).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_whose_job_cannot_be_made_says_so() {
    let cluster = Cluster::new().await;
    fails(&cluster, "jobs/");
    cluster.archive("flows", 150).await;
    cluster.training(
        "flows",
        json!({ "site": "east", "data": { "pipeline": "flows" }, "trigger": { "minRecords": 100 } }),
    );
    let operator = cluster.operator("a");
    let ready = cluster.until_reason("modeltrainings", "flows", "Ready", "ApplyRetrying").await;
    assert!(ready["message"].as_str().unwrap().contains("cannot apply Job flows-"), "{ready}");
    cluster.api.mend();
    cluster.until_reason("modeltrainings", "flows", "Ready", "Running").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_cannot_be_listed_is_said_of_every_object_of_the_namespace() {
    let cluster = Cluster::new().await;
    let part = "horizontalpodautoscalers";
    cluster.api.fault(Fault { method: Method::GET, part, status: Some(403), times: usize::MAX });
    cluster.pipeline("flows", json!({}));
    cluster.pipeline("wrong", json!({ "topics": "none" }));
    cluster.training("flows", json!({ "site": "east", "data": { "pipeline": "flows" } }));
    let operator = cluster.operator("a");
    for (plural, name) in [("anomalypipelines", "flows"), ("anomalypipelines", "wrong"), ("modeltrainings", "flows")] {
        let ready = cluster.until_reason(plural, name, "Ready", "NamespaceUnreachable").await;
        assert!(ready["message"].as_str().unwrap().contains("HorizontalPodAutoscaler: "), "{ready}");
    }
    assert_eq!(cluster.api.names("jobs"), [""; 0], "what runs is not known");
    cluster.api.mend();
    cluster.running("flows").await;
    cluster.until_reason("anomalypipelines", "wrong", "Ready", "Invalid").await;
    operator.stop().await;
}
