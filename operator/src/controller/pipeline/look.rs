//! Reads what a pipeline refers to: Secrets, the pointer, the artifact, and its own children as they are. It writes
//! nothing and decides nothing.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use kube::{Resource, ResourceExt};
use vedette_contract::keys::PipelineKeys;
use vedette_core::autoscaler::counts_nothing_because;
use vedette_core::desired::labels::{self, Component, MANAGER, RETRY_MODEL};
use vedette_core::desired::{Live, LiveReplicas, generator_job_name, names, topics_job_name};
use vedette_core::job_state::{completed_at, job_state, pods_left, topic_report};
use vedette_core::job_step::is_left_over;
use vedette_core::pipeline::{BucketSeen, GeneratorSeen, PipelineSeen};
use vedette_core::roll::Pointer;
use vedette_core::validate::{Scale, ValidatedPipeline};
use vedette_core::workload::Workload;
use vedette_crds::{AnomalyPipeline, AnomalyPipelineStatus};
use vedette_look as look;
use vedette_look::bucket_view::PointerView;

use super::super::apply::ApiError;
use super::super::backoff::jitter;
use super::super::context::Context;
use super::super::model_watch::TrainingKey;
use super::super::per_object::Reference;

pub(super) async fn look(
    pipeline: &AnomalyPipeline,
    valid: &ValidatedPipeline,
    before: &AnomalyPipelineStatus,
    context: &Context,
) -> Result<PipelineSeen, ApiError> {
    let reference = Reference::of(pipeline);
    let bucket = bucket(&reference, valid, before, context).await;
    let archivers = deployment(valid, Component::Archiver, context);
    let missing = context.stores.sources.missing(&valid.namespace);
    // What is gone rolls nothing: new pods could not start, and the old ones still run.
    let secrets_hash = match missing.as_slice() {
        [] => Some(context.stores.sources.hash(&valid.namespace)),
        _ => archivers.as_deref().and_then(secrets_hash_of),
    };
    let topics_job = own_job(&topics_job_name(valid, &context.site), valid, context).await?;
    let topics_pods = context.stores.pods_of_job(topics_job.as_deref());
    let topics_pods: Vec<_> = topics_pods.iter().map(Arc::as_ref).collect();
    let topics_refusal = context.applier.pod_refusal(topics_job.as_deref(), &topics_pods).await;
    let generator_job = match generator_job_name(valid) {
        Some(name) => own_job(&name, valid, context).await?,
        None => None,
    };
    let jobs = [&topics_job, &generator_job].into_iter().flatten();
    let left_over = jobs.filter(|job| {
        let pods = context.stores.pods_of_job(Some(job));
        is_left_over(job, &pods.iter().map(Arc::as_ref).collect::<Vec<_>>())
    });
    let left_over = left_over.map(|job| job.name_any()).collect();
    let [detector, archiver, notifier] = [Component::Detector, Component::Archiver, Component::Notifier]
        .map(|component| workload(valid, component, context));
    let is_at_rest = [&detector, &archiver, &notifier].iter().all(|workload| workload.pods.is_empty());
    let keys = PipelineKeys::new(&valid.namespace, &valid.name);
    Ok(PipelineSeen {
        generation: pipeline.metadata.generation,
        live: Live { secrets_hash, detector_replicas: live_replicas(valid, context).await? },
        retry_model: pipeline
            .metadata
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(RETRY_MODEL).cloned()),
        missing,
        bucket,
        health: context.health.watch(&reference, keys, is_at_rest),
        trainings: context.trainings_here.names(&valid.namespace),
        topics_looked_at: topics_job.as_deref().and_then(|job| completed_at(job, topics_pods.iter().copied())),
        topics_job: job_state(
            topics_job.as_deref(),
            topics_pods.iter().copied(),
            topics_refusal.as_deref(),
            Timestamp::now(),
        ),
        topics_pods: pods_left(topics_pods.iter().copied()),
        topic_report: topic_report(topics_pods.iter().copied()),
        left_over,
        generator: generator(valid, generator_job.as_deref(), context).await,
        detector,
        uncounted: autoscaler(valid, context).as_deref().and_then(counts_nothing_because),
        archiver,
        notifier,
        jitter: jitter(),
    })
}

async fn generator(valid: &ValidatedPipeline, job: Option<&Job>, context: &Context) -> GeneratorSeen {
    match generator_job_name(valid) {
        Some(_) => {
            let pods = context.stores.pods_of_job(job);
            let pods: Vec<_> = pods.iter().map(Arc::as_ref).collect();
            let refusal = context.applier.pod_refusal(job, &pods).await;
            GeneratorSeen::Job {
                state: job_state(job, pods.iter().copied(), refusal.as_deref(), Timestamp::now()),
                pods: pods_left(pods.iter().copied()),
            }
        }
        None => GeneratorSeen::Workload(workload(valid, Component::Generator, context)),
    }
}

fn workload(valid: &ValidatedPipeline, component: Component, context: &Context) -> Workload {
    let live = deployment(valid, component, context);
    let pods = context.stores.pods_of(&valid.namespace, &valid.name, component);
    Workload::read(live.as_deref(), pods.iter().map(Arc::as_ref), Timestamp::now())
}

/// The model, and how the bucket stands. That it has not answered for the pointer yet is nothing that is wrong with it: the first
/// looks at many pointers take their time, and one that fails has a reason of its own.
async fn bucket(
    reference: &Reference,
    valid: &ValidatedPipeline,
    before: &AnomalyPipelineStatus,
    context: &Context,
) -> BucketSeen {
    let known = pointer(reference, valid, context).await;
    let last_write = context.report.answer(reference);
    if let Some(view) = known {
        return look::model(&context.bucket, valid, before, view, last_write).await;
    }
    let unknown = Pointer::Unreadable("the bucket has not answered yet".to_owned());
    let view = PointerView { pointer: unknown, current: None, trouble: None };
    let seen = look::model(&context.bucket, valid, before, view, last_write.clone()).await;
    // Where it was asked for an artifact, it has answered.
    if seen.artifact.is_some() { seen } else { BucketSeen { answer: last_write, ..seen } }
}

/// The pointer that the pipeline follows, from now on; none where nothing is known of it yet.
async fn pointer(reference: &Reference, valid: &ValidatedPipeline, context: &Context) -> Option<PointerView> {
    match &valid.model.training {
        None => {
            context.models.forget(reference);
            Some(PointerView::not_followed())
        }
        Some(training) => {
            let key = TrainingKey { namespace: valid.namespace.clone(), name: training.clone() };
            context.models.follow(reference, key).await
        }
    }
}

fn deployment(valid: &ValidatedPipeline, component: Component, context: &Context) -> Option<Arc<Deployment>> {
    context.stores.children.deployments.get(&valid.namespace, &names::deployment(&valid.name, component))
}

fn autoscaler(valid: &ValidatedPipeline, context: &Context) -> Option<Arc<HorizontalPodAutoscaler>> {
    context.stores.children.autoscalers.get(&valid.namespace, &names::deployment(&valid.name, Component::Detector))
}

/// A Job of a pipeline; one of a predecessor that is not gone yet is none of its.
async fn own_job(name: &str, valid: &ValidatedPipeline, context: &Context) -> Result<Option<Arc<Job>>, ApiError> {
    let job = context.stores.children.jobs.get(&valid.namespace, name);
    let own = job.filter(|job| job.owner_references().iter().any(|owner| Some(&owner.uid) == valid.uid.as_ref()));
    context.applier.with_holder(own).await
}

fn secrets_hash_of(deployment: &Deployment) -> Option<String> {
    deployment.spec.template.metadata.as_ref()?.annotations.as_ref()?.get(labels::SECRETS_HASH).cloned()
}

/// Who counts the detectors; asked past the caches, and only where it matters. An autoscaler of somebody that aims at the
/// Deployment is heeded and not fought, as long as there are to be any; it counts none up from nothing.
async fn live_replicas(valid: &ValidatedPipeline, context: &Context) -> Result<LiveReplicas, ApiError> {
    let (namespace, name) = (valid.namespace.as_str(), names::deployment(&valid.name, Component::Detector));
    match valid.detector.scale {
        Scale::Fixed(count) => {
            let live = deployment(valid, Component::Detector, context).and_then(|live| live.spec.replicas);
            if !live.is_some_and(|live| live > 0 && count > 0 && live != count) {
                return Ok(LiveReplicas::Absent);
            }
            let autoscalers = context.applier.list::<HorizontalPodAutoscaler>(namespace, "").await?;
            let theirs =
                autoscalers.iter().any(|autoscaler| is_of_another(autoscaler, valid) && aims_at(autoscaler, &name));
            Ok(if theirs { LiveReplicas::Theirs } else { LiveReplicas::Absent })
        }
        Scale::Automatic { .. } => Ok(counted_by(context.applier.read::<Deployment>(namespace, &name).await?.as_ref())),
    }
}

fn is_of_another(autoscaler: &HorizontalPodAutoscaler, valid: &ValidatedPipeline) -> bool {
    !autoscaler.owner_references().iter().any(|owner| Some(&owner.uid) == valid.uid.as_ref())
}

fn aims_at(autoscaler: &HorizontalPodAutoscaler, deployment: &str) -> bool {
    let target = &autoscaler.spec.scale_target_ref;
    target.kind == Deployment::kind(&()) && target.name == deployment
}

fn counted_by(deployment: Option<&Deployment>) -> LiveReplicas {
    let Some(deployment) = deployment else {
        return LiveReplicas::Absent;
    };
    let theirs = deployment.managed_fields().iter().any(|entry| {
        let owns = entry.fields_v1.as_ref().is_some_and(|fields| !fields.0["f:spec"]["f:replicas"].is_null());
        owns && entry.manager.as_deref() != Some(MANAGER)
    });
    if theirs { LiveReplicas::Theirs } else { LiveReplicas::Ours(deployment.spec.replicas.unwrap_or(1)) }
}

#[cfg(test)]
mod tests {
    use super::super::super::context::testing;
    use super::*;
    use serde_json::{Value, json};
    use vedette_core::pipeline::BucketAnswer;
    use vedette_core::validate::validate_pipeline;
    use vedette_streams::bucket::Bucket;

    fn deployment(managers: Value) -> Deployment {
        serde_json::from_value(json!({
            "metadata": { "name": "d", "managedFields": managers },
            "spec": { "replicas": 6, "selector": {}, "template": {} }
        }))
        .unwrap()
    }

    fn entry(manager: &str, fields: Value) -> Value {
        json!({ "manager": manager, "operation": "Apply", "fieldsV1": fields })
    }

    #[test]
    fn replicas_are_counted_by_whoever_owns_the_field() {
        let replicas = || json!({ "f:spec": { "f:replicas": {} } });
        let other = json!({ "f:status": { "f:replicas": {} } });
        let ours = deployment(json!([entry(MANAGER, replicas()), entry("kube-controller-manager", other)]));
        assert_eq!(counted_by(Some(&ours)), LiveReplicas::Ours(6));
        let theirs = deployment(json!([entry(MANAGER, replicas()), entry("kube-controller-manager", replicas())]));
        assert_eq!(counted_by(Some(&theirs)), LiveReplicas::Theirs);
        assert_eq!(counted_by(None), LiveReplicas::Absent);
    }

    #[tokio::test]
    async fn a_bucket_that_has_not_answered_yet_is_not_said_to_be_wrong() {
        // Connections come about, and nobody takes them.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Bucket::new(&vedette_testing::bucket::arguments(silent.local_addr().unwrap()));
        let (context, _) = testing::context(&client);
        let pipeline: AnomalyPipeline = serde_json::from_value(json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "spec": { "model": { "training": "flows" } },
            "metadata": { "namespace": "n", "name": "flows", "uid": "u" }
        }))
        .unwrap();
        let valid = validate_pipeline(&pipeline, &context.site).unwrap();
        let reference = Reference::of(&pipeline);
        let seen = bucket(&reference, &valid, &AnomalyPipelineStatus::default(), &context).await;
        let pointer = Pointer::Unreadable("the bucket has not answered yet".to_owned());
        assert_eq!(seen, BucketSeen { pointer, artifact: None, answer: BucketAnswer::Unasked });
    }
}
