//! What a person does at a site, on a kind cluster with Apache Kafka and SeaweedFS in pods: the custom resources, the
//! operator, a pipeline and a training are applied, and everything else follows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;
use vedette_crds::{AnomalyPipeline, AnomalyPipelineStatus, ModelTraining, ModelTrainingStatus};
use vedette_e2e::cluster::{Look, wait_for};
use vedette_e2e::{Cluster, topic};
use vedette_streams::kafka::{Isolation, check_broker};

/// What the machine needs at most for one step while it builds something else.
const PATIENCE: Duration = Duration::from_secs(180);
const NAMESPACE: &str = "vedette";
const TOPICS: [&str; 4] = ["sensor_messages", "enriched_data", "alerts", "dead_letters"];

#[tokio::test]
async fn kafka_and_the_bucket_are_reached_from_outside_of_the_cluster() {
    let east = Cluster::connect("east").await.unwrap();
    check_broker(&east.kafka(), PATIENCE).unwrap();
    east.bucket().probe_conditional_writes("e2e/").await.unwrap();
}

#[tokio::test]
async fn a_pipeline_and_a_training_make_a_site_work_and_each_model_rolls_the_detectors() {
    let east = Cluster::connect("east").await.unwrap();
    begin_anew(&east).await;
    install_operator(&east);
    east.kubectl(&["apply", "--filename", "e2e/fixtures/kind.yaml"]).unwrap();
    let pipeline = || pipeline_status(&east);
    let training = || training_status(&east);

    wait_for("a Ready pipeline", PATIENCE, || look(pipeline(), |status| condition(status, "Ready"))).await.unwrap();
    wait_for("enriched records", PATIENCE, || async {
        let records = identities(&east, "enriched_data").map_err(|error| error.to_string());
        match records {
            Ok(records) if !records.is_empty() => Look::Holds(()),
            other => Look::NotYet(format!("{other:?}")),
        }
    })
    .await
    .unwrap();

    let first = wait_for("a first model", PATIENCE, || look(training(), |status| status.model.clone())).await.unwrap();
    wait_for("detectors with the first model", PATIENCE, || look(pipeline(), |status| runs(status, &first)))
        .await
        .unwrap();
    let alert = wait_for("an alert of the first model", PATIENCE, || async {
        let alerts = topic::read_to_end(&east.kafka(), "alerts", Isolation::ReadCommitted, json).unwrap();
        let seen = alerts.len();
        match alerts.into_iter().find(|alert| alert["model_version"] == first.as_str()) {
            Some(alert) => Look::Holds(alert),
            None => Look::NotYet(format!("{seen} other alerts")),
        }
    })
    .await
    .unwrap();
    assert_eq!(alert["site"], "east", "{alert}");
    assert!(alert["score"].as_f64().unwrap() > alert["threshold"].as_f64().unwrap(), "{alert}");
    assert!(!alert["reasons"].as_array().unwrap().is_empty(), "{alert}");

    let second = wait_for("a second model", PATIENCE, || {
        look(training(), |status| status.model.clone().filter(|version| *version != first))
    })
    .await
    .unwrap();
    let status = wait_for("detectors with the second model", PATIENCE, || {
        look(pipeline(), |status| runs(status, &second).map(|()| status.clone()))
    })
    .await
    .unwrap();
    assert_eq!(status.model.unwrap().previous.as_deref(), Some(first.as_str()));
    for pod in detector_pods(&east).await {
        assert_eq!(pod.metadata.labels.unwrap()["vedette.io/model-version"], second);
        let containers = pod.status.unwrap().container_statuses.unwrap();
        assert!(containers.iter().all(|container| container.restart_count == 0), "{containers:?}");
    }
    wait_for("the bucket's word for it", PATIENCE, || async {
        let site = site_object(&east).await;
        let version = site.as_ref().and_then(|site| site.model_version.as_ref()).map(ToString::to_string);
        if version.as_deref() == Some(&second) { Look::Holds(()) } else { Look::NotYet(format!("{site:?}")) }
    })
    .await
    .unwrap();

    nothing_is_lost_or_twice(&east).await;
    deletion_leaves_nothing_running(&east).await;
}

/// What an earlier run left goes first: the objects, then their topics and what is in the bucket.
async fn begin_anew(east: &Cluster) {
    east.kubectl(&["delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "120s"]).unwrap();
    topic::delete(&east.kafka(), &TOPICS).await.unwrap();
    let bucket = east.bucket();
    for object in bucket.list(&format!("{NAMESPACE}/"), None).await.unwrap() {
        bucket.delete(&object.key).await.unwrap();
    }
}

fn install_operator(east: &Cluster) {
    east.kubectl(&["apply", "--server-side", "--filename", "crds/yaml"]).unwrap();
    east.kubectl(&["wait", "--for", "condition=Established", "--timeout", "60s", "--filename", "crds/yaml"]).unwrap();
    east.kubectl(&["apply", "--filename", "e2e/kind/east.yaml"]).unwrap();
    let in_namespace = |arguments: &[&str]| east.kubectl(&[&["--namespace", NAMESPACE], arguments].concat()).unwrap();
    for file in ["role.yaml", "deployment.yaml"] {
        in_namespace(&["apply", "--filename", &format!("manifests/operator/{file}")]);
    }
    in_namespace(&["rollout", "status", "deployment/vedette-operator", "--timeout", "180s"]);
}

async fn pipeline_status(east: &Cluster) -> kube::Result<AnomalyPipelineStatus> {
    let api: Api<AnomalyPipeline> = Api::namespaced(east.client(), NAMESPACE);
    Ok(api.get("flows").await?.status.unwrap_or_default())
}

async fn training_status(east: &Cluster) -> kube::Result<ModelTrainingStatus> {
    let api: Api<ModelTraining> = Api::namespaced(east.client(), NAMESPACE);
    Ok(api.get("flows").await?.status.unwrap_or_default())
}

/// What is wanted of a status, or the whole status for whoever reads why it did not come.
async fn look<S: std::fmt::Debug, T>(
    status: impl Future<Output = kube::Result<S>>,
    wanted: impl Fn(&S) -> Option<T>,
) -> Look<T> {
    match status.await {
        Ok(status) => wanted(&status).map_or_else(|| Look::NotYet(format!("{status:?}")), Look::Holds),
        Err(error) => Look::NotYet(error.to_string()),
    }
}

fn condition(status: &AnomalyPipelineStatus, name: &str) -> Option<()> {
    status.conditions.iter().any(|condition| condition.type_ == name && condition.status == "True").then_some(())
}

fn runs(status: &AnomalyPipelineStatus, version: &str) -> Option<()> {
    let active = status.model.as_ref()?.active.as_deref()?;
    (active == version).then(|| condition(status, "ModelCurrent"))?
}

async fn detector_pods(east: &Cluster) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(east.client(), NAMESPACE);
    let labels = "app.kubernetes.io/instance=flows,app.kubernetes.io/component=detector";
    let pods = pods.list(&ListParams::default().labels(labels)).await.unwrap().items;
    // Pods of the version before may still be on their way out.
    let pods: Vec<Pod> = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
    assert_eq!(pods.len(), 2);
    pods
}

async fn site_object(east: &Cluster) -> Option<SiteStatus> {
    let keys = PipelineKeys::new(&NAMESPACE.parse().unwrap(), &"flows".parse().unwrap());
    let object = east.bucket().get(&keys.site(&"east".parse().unwrap())).await.unwrap()?;
    serde_json::from_slice(&object.bytes).ok()
}

/// Every record that is in the input now comes out of it, once.
async fn nothing_is_lost_or_twice(east: &Cluster) {
    let generated: HashSet<String> = identities(east, "sensor_messages").unwrap().into_iter().collect();
    let enriched = wait_for("every record to be enriched", PATIENCE, || async {
        let enriched = identities(east, "enriched_data").unwrap();
        let missing = generated.difference(&enriched.iter().cloned().collect()).count();
        if missing == 0 { Look::Holds(enriched) } else { Look::NotYet(format!("{missing} are missing")) }
    })
    .await
    .unwrap();
    let distinct: HashSet<&String> = enriched.iter().collect();
    assert_eq!(distinct.len(), enriched.len(), "records are twice");
    assert_eq!(identities(east, "dead_letters").unwrap(), Vec::<String>::new());
}

/// The children go with their owner.
async fn deletion_leaves_nothing_running(east: &Cluster) {
    east.kubectl(&["delete", "--filename", "e2e/fixtures/kind.yaml", "--timeout", "60s"]).unwrap();
    let pods: Api<Pod> = Api::namespaced(east.client(), NAMESPACE);
    let labels = ListParams::default().labels("app.kubernetes.io/instance=flows");
    wait_for("no pod", PATIENCE, || async {
        let names: Vec<_> = pods.list(&labels).await.unwrap().into_iter().map(|pod| pod.metadata.name).collect();
        if names.is_empty() { Look::Holds(()) } else { Look::NotYet(format!("{names:?}")) }
    })
    .await
    .unwrap();
}

fn identities(east: &Cluster, name: &str) -> Result<Vec<String>, topic::TopicError> {
    #[derive(Deserialize)]
    struct Identity {
        uuid: String,
    }
    topic::read_to_end(&east.kafka(), name, Isolation::ReadCommitted, |record| {
        serde_json::from_slice::<Identity>(record)
            .map_or_else(|_| String::from_utf8_lossy(record).into_owned(), |identity| identity.uuid)
    })
}

fn json(record: &[u8]) -> Value {
    serde_json::from_slice(record).unwrap()
}
