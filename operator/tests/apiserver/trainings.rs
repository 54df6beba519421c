//! What counts of a training's run: what it left in the bucket, whatever became of its Job and of what its pod went through.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::LimitRange;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};
use vedette_crds::{AnomalyPipeline, ModelTraining, ModelTrainingStatus, TrainingPhase};

use crate::kubelet::State;
use crate::site::{Site, version};

#[tokio::test(flavor = "multi_thread")]
async fn a_published_result_counts_whatever_became_of_its_job_and_a_training_that_moves_waits_for_new_records() {
    let site = Site::new().await;
    let operator = site.operator("a");
    archive(&site, 150).await;
    site.kubelet.show_component("trainer", State::ConfigError);
    train(&site, "east").await;
    until_said(&site, "Ready", "RunHeldUp", "waits, CreateContainerConfigError: as the test says").await;
    site.kubelet.show_component("trainer", State::InitCrashed);
    until_said(&site, "Ready", "RunHeldUp", "waits for its init container prepare: CrashLoopBackOff").await;
    site.kubelet.show_component("trainer", State::Unready);
    until_said(&site, "Ready", "Running", "is under way").await;

    // It published, and then its process failed; what runs beside it goes on, so that Kubernetes does not call the Job over.
    let job = jobs(&site).await.pop().unwrap();
    publish(&site, 1, &job).await;
    site.kubelet.show_component("trainer", State::FailedBesideSidecar);
    until_said(&site, "Published", "Published", version(1).as_str()).await;
    let status = status(&site).await;
    assert_eq!((status.failures, status.phase), (0, Some(TrainingPhase::Scheduled)), "{status:?}");

    let west = json!({
        "site": "west", "training": null, "model_version": null, "ready": true, "updated_at": "2026-11-23T08:00:00Z"
    });
    site.objects.put_json("vedette/flows/sites/west.json", &west).await;
    train(&site, "west").await;
    until_said(&site, "Ready", "RunsAtOtherSite", "site west").await;
    train(&site, "east").await;
    until_said(&site, "Ready", "WaitingForData", "a run starts when 250 records are archived").await;
    assert_eq!(jobs(&site).await.iter().filter(|name| **name != job).count(), 0, "what is known was learned");
    site.kubelet.show_component("trainer", State::Unready);
    archive(&site, 250).await;
    until_said(&site, "Ready", "Running", "is under way").await;

    // Its Job fails for good, with nothing beside it.
    let second = jobs(&site).await.into_iter().find(|name| *name != job).unwrap();
    publish(&site, 2, &second).await;
    site.kubelet.show_component("trainer", State::Failed);
    site.until("a Job that failed", || async {
        let conditions = site.api::<Job>().get(&second).await.ok()?.status?.conditions?;
        conditions.into_iter().find(|condition| condition.type_ == "Failed")
    })
    .await;
    until_said(&site, "Published", "Published", version(2).as_str()).await;
    assert_eq!(self::status(&site).await.failures, 0);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_gets_no_pod_says_why_and_a_process_that_ended_once_and_runs_again_is_there() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.kubelet.show_component("archiver", State::Crashed);
    let limits = json!({ "metadata": { "name": "small" }, "spec": { "limits": [{ "type": "Container", "max": { "cpu": "1m" } }] } });
    let limits: LimitRange = serde_json::from_value(limits).unwrap();
    site.api::<LimitRange>().create(&PostParams::default(), &limits).await.unwrap();
    site.pipeline(json!({})).await;
    site.until("what refuses a pod", || async {
        let conditions = site.api::<AnomalyPipeline>().get("flows").await.ok()?.status?.conditions;
        let topics = conditions.into_iter().find(|condition| condition.reason == "TopicJobWaiting")?;
        topics.message.contains("it gets no pod: maximum cpu usage per Container is 1m").then_some(())
    })
    .await;
    site.api::<LimitRange>().delete("small", &DeleteParams::default()).await.unwrap();
    site.until_condition("ArchiverAvailable", "PodsNotReady").await;
    site.kubelet.show_component("archiver", State::RunsAgain);
    site.ready().await;
    operator.stop().await;
}

/// A training of the pipeline `flows` that runs at this site, and again after so many new records.
async fn train(site: &Site, at: &str) {
    let trigger = json!({ "minRecords": 100, "newRecords": 100 });
    let spec = json!({ "site": at, "data": { "pipeline": "flows" }, "trigger": trigger, "job": { "backoffLimit": 0 } });
    site.apply::<ModelTraining>("flows", spec).await.unwrap();
}

async fn archive(site: &Site, records: u64) {
    let progress = json!({
        "stream": "enriched_data", "records": records, "closed_records": records, "end": records, "last_object": null,
        "last_utc": null, "updated_at": "2026-11-23T08:00:00Z"
    });
    site.objects.put_json("vedette/flows/progress/east/enriched_data-0.json", &progress).await;
}

/// What a run leaves that has published a version.
async fn publish(site: &Site, number: u8, job: &str) {
    site.objects.publish("vedette", "flows", &version(number), u64::from(number)).await;
    site.objects.describe("vedette", "flows", &version(number), job).await;
    let result: Value = json!({
        "job": job, "finished_at": "2026-11-23T08:00:09Z", "outcome": "published", "records": 150,
        "version": version(number), "metrics": null, "baseline": null, "message": "published"
    });
    site.objects.put_json(&format!("vedette/models/flows/results/{job}.json"), &result).await;
}

async fn jobs(site: &Site) -> Vec<String> {
    let trainers = ListParams::default().labels("app.kubernetes.io/component=trainer");
    site.api::<Job>().list(&trainers).await.unwrap().iter().map(ResourceExt::name_any).collect()
}

async fn status(site: &Site) -> ModelTrainingStatus {
    site.api::<ModelTraining>().get("flows").await.unwrap().status.unwrap()
}

async fn until_said(site: &Site, kind: &str, reason: &str, part: &str) {
    site.until(&format!("{kind} {reason}: {part}"), || async {
        let conditions = site.api::<ModelTraining>().get("flows").await.ok()?.status?.conditions;
        let is_said = |condition: &&_| {
            let k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition { type_, reason: why, message, .. } =
                condition;
            type_ == kind && why == reason && message.contains(part)
        };
        conditions.iter().find(is_said).map(drop)
    })
    .await;
}
