//! Drift, upgrades, scaling, deletion, rolls and leaders.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::task::JoinHandle;
use vedette_crds::AnomalyPipeline;

use crate::control_plane::OPERATOR_USER;
use crate::site::{Operator, SITE, Site, version};

/// Whoever follows one that was killed waits for so long.
const SHORT_LEASE: Duration = Duration::from_secs(6);
/// Nobody waits so long: it is given up, or nobody follows.
const ENDLESS_LEASE: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_repaired_and_other_builders_roll_what_runs() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "generator": {
        "recordsPerSecond": 1, "mode": "Sequential", "dataset": { "object": { "key": "a.csv" } }
    } }))
    .await;
    site.ready().await;
    let deployments = site.api::<Deployment>();
    let drift =
        json!({ "spec": { "template": { "spec": { "containers": [{ "name": "detector", "image": "evil:1" }] } } } });
    deployments.patch("flows-detector", &PatchParams::default(), &Patch::Strategic(&drift)).await.unwrap();
    let image = |deployment: &Deployment| deployment.spec.template.spec.as_ref().unwrap().containers[0].image.clone();
    site.until("the own image", || async { (image(&site.detector().await)? == "detector:1").then_some(()) }).await;
    site.api::<Service>().delete("flows-detector", &DeleteParams::default()).await.unwrap();
    site.until("the service", || async { site.api::<Service>().get("flows-detector").await.ok() }).await;
    operator.stop().await;
    // An upgrade: every image is another, also that of Jobs, which cannot be changed.
    let operator = site.operator_at("b", &SITE.replace(":1'", ":2'"), Duration::from_millis(500));
    site.until("the new image", || async { (image(&site.detector().await)? == "detector:2").then_some(()) }).await;
    site.ready().await;
    let status = site.api::<AnomalyPipeline>().get("flows").await.unwrap().status.unwrap();
    let job = status.topics.unwrap().completed_job;
    assert!(site.api::<Job>().get(&job).await.unwrap().name_any().starts_with("flows-topics-"));
    let refused = site
        .plane
        .audit()
        .into_iter()
        .filter(|entry| entry["user"]["username"] == OPERATOR_USER && entry["responseStatus"]["code"] == 422);
    assert_eq!(refused.count(), 0);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_to_autoscaling_never_takes_pods_away() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "detector": { "replicas": 3 } })).await;
    site.ready().await;
    site.plane.kubectl(&["scale", "apl/flows", "--replicas=4"]).unwrap();
    site.until("four detectors", || async { (site.detector().await.status?.available_replicas? == 4).then_some(()) })
        .await;
    an_autoscaler_of_somebody_counts_while_it_is_there(&site, &operator).await;
    let lowest = tokio::spawn(lowest_count(site.api::<Deployment>()));
    let slowly = json!({ "scaleDown": { "stabilizationWindowSeconds": 900 } });
    let autoscaling = json!({ "minReplicas": 1, "maxReplicas": 4, "behavior": slowly });
    let mut scaled = json!({ "replicas": 1, "autoscaling": autoscaling, "resources": { "requests": { "cpu": "1" } } });
    site.pipeline(json!({ "detector": scaled })).await;
    until_stabilization(&site, Some(900)).await;
    scaled["autoscaling"] = json!({ "minReplicas": 1, "maxReplicas": 4 });
    site.pipeline(json!({ "detector": scaled })).await;
    until_stabilization(&site, None).await;
    site.look_again(&operator).await;
    // The autoscaler takes over; from now on the count is its own.
    let scale = json!({ "spec": { "replicas": 2 } });
    let by_autoscaler =
        PatchParams { field_manager: Some("kube-controller-manager".to_owned()), ..PatchParams::default() };
    assert_eq!(lowest_so_far(&lowest), 4);
    lowest.abort();
    site.api::<Deployment>().patch_scale("flows-detector", &by_autoscaler, &Patch::Merge(&scale)).await.unwrap();
    site.look_again(&operator).await;
    assert_eq!(site.detector().await.spec.replicas, Some(2));
    operator.stop().await;
}

/// How long the autoscaler waits before it takes pods away; its own default is that of the cluster, and no field.
async fn until_stabilization(site: &Site, seconds: Option<i32>) {
    site.until(&format!("an autoscaler with {seconds:?}"), || async {
        let autoscaler = site.api::<HorizontalPodAutoscaler>().get("flows-detector").await.ok()?;
        let rules = autoscaler.spec.behavior.and_then(|behavior| behavior.scale_down);
        (rules.and_then(|rules| rules.stabilization_window_seconds) == seconds).then_some(())
    })
    .await;
}

async fn an_autoscaler_of_somebody_counts_while_it_is_there(site: &Site, operator: &Operator) {
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "flows-detector" });
    let theirs = json!({ "metadata": { "name": "theirs" }, "spec": { "scaleTargetRef": target, "maxReplicas": 8 } });
    let theirs: HorizontalPodAutoscaler = serde_json::from_value(theirs).unwrap();
    site.api::<HorizontalPodAutoscaler>().create(&PostParams::default(), &theirs).await.unwrap();
    let by_autoscaler =
        PatchParams { field_manager: Some("kube-controller-manager".to_owned()), ..PatchParams::default() };
    for count in [6, 5] {
        let scale = Patch::Merge(json!({ "spec": { "replicas": count } }));
        site.api::<Deployment>().patch_scale("flows-detector", &by_autoscaler, &scale).await.unwrap();
        site.look_again(operator).await;
        assert_eq!(site.detector().await.spec.replicas, Some(count));
    }
    site.api::<HorizontalPodAutoscaler>().delete("theirs", &DeleteParams::default()).await.unwrap();
    site.look_again(operator).await;
    assert_eq!(site.detector().await.spec.replicas, Some(4), "the pipeline's own count");
    site.until("four detectors", || async { (site.detector().await.status?.available_replicas? == 4).then_some(()) })
        .await;
}

static LOWEST: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(i32::MAX);

async fn lowest_count(deployments: Api<Deployment>) {
    loop {
        if let Ok(deployment) = deployments.get("flows-detector").await {
            LOWEST.fetch_min(deployment.spec.replicas.unwrap_or(1), std::sync::atomic::Ordering::Relaxed);
        }
    }
}

fn lowest_so_far(_: &JoinHandle<()>) -> i32 {
    LOWEST.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pipeline_made_goes_with_it() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "generator": { "recordsPerSecond": 1 } })).await;
    site.ready().await;
    site.api::<AnomalyPipeline>().delete("flows", &DeleteParams::default()).await.unwrap();
    site.until("nothing", || async {
        let left = site.plane.kubectl(&[
            "get",
            "deploy,job,svc,pdb,sa,pod",
            "--selector=app.kubernetes.io/managed-by=vedette-operator",
            "--output=name",
        ]);
        left.unwrap().is_empty().then_some(())
    })
    .await;
    // Whatever the operator still did for this one is done by the time that another is ready.
    site.apply::<AnomalyPipeline>("next", json!({})).await.unwrap();
    site.plane.kubectl(&["wait", "--for=condition=Ready", "apl/next", "--timeout=240s"]).unwrap();
    let names = site.api::<Deployment>().list(&ListParams::default()).await.unwrap().items;
    let names: Vec<String> = names.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["next-archiver", "next-detector"]);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_at_any_point_of_a_roll_leaves_it_to_the_next() {
    let site = Site::new().await;
    site.pipeline(json!({ "detector": { "replicas": 2 }, "model": { "training": "flows" } })).await;
    let mut operator = site.operator_with_lease("p-0", SHORT_LEASE);
    site.ready().await;
    for round in 1..=5_u8 {
        site.objects.publish("vedette", "flows", &version(round), u64::from(round)).await;
        let wait = u64::from(round) * 317 % 900;
        tokio::time::sleep(Duration::from_millis(400 + wait)).await;
        operator.kill();
        operator = site.operator_with_lease(&format!("p-{round}"), SHORT_LEASE);
        site.until(&format!("version {round}"), || async {
            let status = site.api::<AnomalyPipeline>().get("flows").await.ok()?.status?;
            let model = status.model?;
            (model.active? == version(round).as_str() && model.target.is_none()).then_some(())
        })
        .await;
    }
    site.ready().await;
    let model = site.api::<AnomalyPipeline>().get("flows").await.unwrap().status.unwrap().model.unwrap();
    assert_eq!((model.previous, model.rejected.len()), (Some(version(4).to_string()), 0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_hold_one_lease() {
    let site = Site::new().await;
    let holder = || async {
        let leases: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(site.admin.clone(), "vedette");
        leases.get("vedette-operator").await.ok()?.spec?.holder_identity
    };
    let first = site.operator_with_lease("first", ENDLESS_LEASE);
    site.until("a leader", || async { (holder().await? == "first").then_some(()) }).await;
    let second = site.operator_with_lease("second", ENDLESS_LEASE);
    site.pipeline(json!({})).await;
    site.ready().await;
    assert_eq!(site.until("who holds the lease", holder).await, "first");
    // Who ends leaves the lease, however long that takes on a machine with better to do.
    first.stop().await;
    site.until("the second leader", || async { (holder().await? == "second").then_some(()) }).await;
    site.api::<Service>().delete("flows-archiver", &DeleteParams::default()).await.unwrap();
    site.until("the service", || async { site.api::<Service>().get("flows-archiver").await.ok() }).await;
    second.stop().await;
}
