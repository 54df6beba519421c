//! An operator that acts upon namespaces as they come and go: what it watches, and whose pipelines it heeds.

use http::Method;
use serde_json::{Value, json};

use crate::api::{Api, Fault};
use crate::cluster::Cluster;

/// Pipelines, trainings, six kinds of children, pods, the Secret of the bucket; and the namespaces.
const WATCHES: usize = 11;

/// A namespace with the Secret that the site asks for.
fn namespace(cluster: &Cluster, name: &str, labels: &Value) {
    cluster.api.put_in("", "namespaces", json!({ "metadata": { "name": name, "labels": labels } }));
    let data = json!({ "accessKeyId": "YQ==", "secretAccessKey": "Yg==" });
    cluster.api.put_in(name, "secrets", json!({ "metadata": { "name": "vedette-bucket" }, "data": data }));
}

/// A pipeline with topics of its own; the longer its namespace's name, the older.
fn pipeline(cluster: &Cluster, namespace: &str) {
    let created = format!("{}-11-23T08:00:00Z", 2026 - namespace.len());
    let topic = |stream: &str| json!({ "name": format!("{namespace}-{stream}") });
    let topics = json!({ "enrichedData": topic("e"), "alerts": topic("a"), "deadLetters": topic("d") });
    cluster.api.put_in(
        namespace,
        "anomalypipelines",
        json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline",
            "metadata": { "name": "flows", "creationTimestamp": created },
            "spec": { "topics": topics }
        }),
    );
}

fn ready(api: &Api, namespace: &str) -> Option<Value> {
    let pipeline = api.get_in(namespace, "anomalypipelines", "flows")?;
    pipeline["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Ready").cloned()
}

async fn until_reason(cluster: &Cluster, namespace: &str, reason: &str) -> Value {
    let what = format!("{reason} in {namespace}");
    cluster.api.until(&what, |api| ready(api, namespace).filter(|condition| condition["reason"] == reason)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_namespaces_cost_one_watch_of_a_kind_however_many_they_are() {
    let cluster = Cluster::new().await;
    let all = json!({});
    (0..50).for_each(|number| namespace(&cluster, &format!("tenant-{number}"), &all));
    pipeline(&cluster, "tenant-7");
    pipeline(&cluster, "tenant-42");
    let operator = cluster.operator_of_selected("");
    until_reason(&cluster, "tenant-7", "TopicJobRunning").await;
    until_reason(&cluster, "tenant-42", "TopicJobRunning").await;
    let watching =
        cluster.api.until("all watches", |api| Some(api.watching()).filter(|all| all.len() >= WATCHES)).await;
    assert_eq!(watching.len(), WATCHES, "{watching:#?}");
    namespace(&cluster, "tenant-50", &all);
    pipeline(&cluster, "tenant-50");
    until_reason(&cluster, "tenant-50", "TopicJobRunning").await;
    // A Secret concerns its own namespace.
    cluster.api.remove_in("tenant-7", "secrets", "vedette-bucket");
    until_reason(&cluster, "tenant-7", "SecretMissing").await;
    until_reason(&cluster, "tenant-42", "TopicJobRunning").await;
    assert_eq!(cluster.api.watching().len(), WATCHES);
    operator.stop().await;
    assert_eq!(cluster.api.watching(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_acted_upon_as_long_as_it_has_the_label() {
    let cluster = Cluster::new().await;
    let (with, without) = (json!({ "vedette": "enabled" }), json!({}));
    for (name, labels) in [("payments", &with), ("logins", &without)] {
        namespace(&cluster, name, labels);
        pipeline(&cluster, name);
    }
    let operator = cluster.operator_of_selected("vedette=enabled");
    until_reason(&cluster, "payments", "TopicJobRunning").await;
    assert_eq!(ready(&cluster.api, "logins"), None);
    namespace(&cluster, "logins", &with);
    until_reason(&cluster, "logins", "TopicJobRunning").await;
    let told = "payments/flows/sites/east.json";
    cluster.until_stored(told, |_| true).await;
    namespace(&cluster, "payments", &without);
    // What payments has is left as it is; that this was heeded is seen by logins, which takes a topic of payments.
    let mut taken = cluster.api.get_in("payments", "anomalypipelines", "flows").unwrap();
    taken["metadata"] = json!({ "name": "flows" });
    cluster.api.put_in("logins", "anomalypipelines", taken);
    let takes =
        |api: &Api| api.all_in("logins", "jobs").iter().any(|job| job.to_string().contains("payments-e")).then_some(());
    cluster.api.until("a topic Job of logins with the topics of payments", takes).await;
    let seen = |plural| cluster.api.all_in("payments", plural);
    let before = seen("anomalypipelines");
    cluster.api.remove_in("payments", "services", "flows-archiver");
    cluster.api.remove_in("payments", "secrets", "vedette-bucket");
    // One watch tells of both namespaces: who acts upon logins has heard of payments.
    cluster.api.remove_in("logins", "services", "flows-archiver");
    cluster.api.until("the Service of logins", |api| api.get_in("logins", "services", "flows-archiver")).await;
    cluster.api.remove_in("logins", "secrets", "vedette-bucket");
    until_reason(&cluster, "logins", "SecretMissing").await;
    // By the end of one more reconcile of logins, one of payments would be over that was asked for before it.
    namespace(&cluster, "logins", &with);
    until_reason(&cluster, "logins", "TopicJobRunning").await;
    assert_eq!(seen("anomalypipelines"), before);
    assert_eq!(seen("services").len(), 1, "that of the detector is left, that of the archiver is not made again");
    // A namespace that is being deleted is not acted upon either, and what was in it is to be silent to nobody.
    cluster.api.remove_in("payments", "anomalypipelines", "flows");
    cluster.until_stored(told, |status| status["deleted"] == true).await;
    operator.stop().await;
    assert_eq!(seen("services").len(), 1, "what was under way has ended by now, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_forbidden_in_the_cluster_is_said_everywhere() {
    let cluster = Cluster::new().await;
    let part = "/v1/poddisruptionbudgets";
    cluster.api.fault(Fault { method: Method::GET, part, status: Some(403), times: usize::MAX });
    for name in ["payments", "logins"] {
        namespace(&cluster, name, &json!({}));
        pipeline(&cluster, name);
    }
    let operator = cluster.operator_of_selected("");
    for name in ["payments", "logins"] {
        let ready = until_reason(&cluster, name, "NamespaceUnreachable").await;
        let message = ready["message"].as_str().unwrap();
        assert!(message.contains("PodDisruptionBudget: ") && message.contains("ClusterRole"), "{message}");
    }
    cluster.api.mend();
    until_reason(&cluster, "logins", "TopicJobRunning").await;
    operator.stop().await;
}
