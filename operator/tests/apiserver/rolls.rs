//! What is a model version's fault and what is not, and what `Ready` is about, with pods in every state that a kubelet shows.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::json;
use vedette_contract::ModelVersion;
use vedette_core::status::is_true;
use vedette_crds::{AnomalyPipeline, ModelStatus};

use crate::kubelet::State;
use crate::site::{Operator, Site, version};

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_is_taken_back_once_while_the_old_pods_go_on() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(
        json!({ "detector": { "replicas": 2 }, "model": { "training": "flows", "progressDeadlineSeconds": 10 } }),
    )
    .await;
    site.objects.publish("vedette", "flows", &version(1), 1).await;
    site.until_condition("ModelCurrent", "Current").await;
    site.kubelet.show(version(2).as_str(), State::Crashed);
    site.objects.publish("vedette", "flows", &version(2), 2).await;
    site.until_condition("ModelCurrent", "Rolling").await;
    site.until_condition("ModelCurrent", "RolledBack").await;
    site.ready().await;
    let after = model(&site).await.unwrap();
    assert_eq!((after.active, after.rejected), (Some(version(1).to_string()), vec![version(2).to_string()]));
    let told = events(&site);
    let rolled_back: Vec<&str> = told.lines().filter(|line| line.starts_with("ModelRolledBack")).collect();
    assert!(matches!(rolled_back[..], [one] if one.contains("InvalidForest: the forest does not end")), "{told}");
    // Whatever it was is mended, and somebody says so.
    site.kubelet.show(version(2).as_str(), State::Ready);
    let name = format!("vedette.io/retry-model={}", version(2));
    site.plane.kubectl(&["annotate", "--overwrite", "apl/flows", &name]).unwrap();
    until_active(&site, &version(2)).await;
    assert!(events(&site).contains("ModelRetried"));
    // Killed for its memory, while those before it are not.
    site.kubelet.show(version(3).as_str(), State::OomKilled);
    site.objects.publish("vedette", "flows", &version(3), 3).await;
    site.until("version 3 to be taken back", || async {
        (model(&site).await?.rejected == [version(3).as_str()]).then_some(())
    })
    .await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_pod_waits_longer_than_the_deadline_is_active_once_it_runs() {
    let site = Site::new().await;
    let operator = with_a_model(&site).await;
    let second = version(2);
    site.kubelet.show(second.as_str(), State::Pending);
    site.objects.publish("vedette", "flows", &second, 2).await;
    until_said(&site, "is Pending: 0/3 nodes are available").await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    for (state, said) in [
        (State::ImagePullError, "ImagePullBackOff"),
        (State::Creating, "rolling to model version"),
        (State::Unready, "runs and does not become ready"),
    ] {
        site.kubelet.show(second.as_str(), state);
        until_said(&site, said).await;
    }
    // The second after the deadline, too.
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Its node throws it out, and another takes its place.
    site.kubelet.show(second.as_str(), State::Pending);
    site.kubelet.evict(&pods_of(&site, &second).await[0]);
    site.until("another pod", || async { (pods_of(&site, &second).await.len() == 2).then_some(()) }).await;
    assert_eq!(model(&site).await.unwrap().rejected, [""; 0]);
    let ready = site.api::<AnomalyPipeline>().get("flows").await.unwrap().status.unwrap().conditions;
    assert!(is_true(&ready, "Ready"), "the old pods alert all the time");
    site.kubelet.show(second.as_str(), State::Ready);
    until_active(&site, &second).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_whose_node_dies_is_not_ready_until_it_is_elsewhere() {
    let site = Site::new().await;
    let operator = with_a_model(&site).await;
    site.kubelet.show(version(1).as_str(), State::NodeLost);
    site.until_condition("Ready", "PodsNotReady").await;
    site.kubelet.show(version(1).as_str(), State::Ready);
    site.ready().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_published_during_a_suspension_has_its_time_after_it() {
    let site = Site::new().await;
    let operator = with_a_model(&site).await;
    let second = version(2);
    site.kubelet.show(version(1).as_str(), State::SlowToEnd);
    site.until("a pod that is slow to end", || async {
        pods_of(&site, &version(1)).await.first()?.metadata.finalizers.clone().filter(|held| !held.is_empty())
    })
    .await;
    site.pipeline(followed(true)).await;
    site.until_condition("Ready", "Stopping").await;
    site.kubelet.show(version(1).as_str(), State::Ready);
    site.until_condition("Ready", "Suspended").await;
    site.plane.kubectl(&["wait", "--for=condition=Ready", "apl/flows", "--timeout=240s"]).unwrap();
    site.kubelet.show(second.as_str(), State::Unready);
    site.objects.publish("vedette", "flows", &second, 2).await;
    site.until("version 2 in the template", || async {
        (model(&site).await?.target?.version == second.as_str()).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    site.pipeline(followed(false)).await;
    site.until_condition("Ready", "PodsNotReady").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(model(&site).await.unwrap().rejected, [""; 0]);
    site.kubelet.show(second.as_str(), State::Ready);
    until_active(&site, &second).await;
    site.ready().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_is_never_true_of_a_spec_whose_pods_cannot_run() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({})).await;
    site.ready().await;
    // Without the kubelet no new pod runs; the old ones go on.
    site.kubelet.stop();
    site.pipeline(json!({ "pod": { "nodeSelector": { "no": "such" } } })).await;
    site.until("the spec seen", || async {
        let seen = site.api::<AnomalyPipeline>().get("flows").await.ok()?.status?.observed_generation;
        (seen == Some(2)).then_some(())
    })
    .await;
    let ready = site.plane.kubectl(&["wait", "--for=condition=Ready", "apl/flows", "--timeout=5s"]);
    assert!(ready.is_err(), "{ready:?}");
    let status = site.api::<AnomalyPipeline>().get("flows").await.unwrap().status.unwrap();
    assert_eq!(status.observed_generation, Some(2));
    assert!(is_true(&status.conditions, "Reconciling"));
    operator.stop().await;
}

/// Version 1 runs on one replica, with the shortest deadline that there is.
async fn with_a_model(site: &Site) -> Operator {
    let operator = site.operator("a");
    site.pipeline(followed(false)).await;
    site.objects.publish("vedette", "flows", &version(1), 1).await;
    until_active(site, &version(1)).await;
    operator
}

fn followed(suspend: bool) -> serde_json::Value {
    json!({ "suspend": suspend, "model": { "training": "flows", "progressDeadlineSeconds": 10 } })
}

async fn model(site: &Site) -> Option<ModelStatus> {
    site.api::<AnomalyPipeline>().get("flows").await.ok()?.status?.model
}

async fn until_active(site: &Site, version: &ModelVersion) {
    site.until(&format!("{version}, active"), || async {
        let model = model(site).await?;
        (model.active? == version.as_str() && model.target.is_none()).then_some(())
    })
    .await;
}

/// The pods of a model version.
async fn pods_of(site: &Site, version: &ModelVersion) -> Vec<Pod> {
    let selector = ListParams::default().labels(&format!("vedette.io/model-version={version}"));
    site.api::<Pod>().list(&selector).await.unwrap().items
}

async fn until_said(site: &Site, part: &str) {
    site.until(part, || async {
        let status = site.api::<AnomalyPipeline>().get("flows").await.ok()?.status?;
        status.conditions.into_iter().find(|one| one.type_ == "ModelCurrent" && one.message.contains(part))
    })
    .await;
}

fn events(site: &Site) -> String {
    let template = "--output=jsonpath={range .items[*]}{.reason}: {.note}{\"\\n\"}{end}";
    site.plane.kubectl(&["get", "events.events.k8s.io", template]).unwrap()
}
