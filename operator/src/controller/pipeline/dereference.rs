//! Reads what a pipeline refers to: Secrets, the pointer, the artifact, and its own children as they are. It writes
//! nothing and decides nothing.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use sha2::{Digest, Sha256};
use vedette_contract::keys::ModelKeys;
use vedette_contract::{ModelVersion, Name};
use vedette_crds::AnomalyPipelineStatus;

use super::super::apply::{ApiError, Applier};
use super::super::children::get;
use super::super::context::Context;
use super::super::model_watch::TrainingKey;
use super::reference;
use crate::bucket_view::{self, PointerView};
use vedette_core::desired::labels::{self, Component, MANAGER};
use vedette_core::desired::{Live, LiveReplicas, names, topics_job_name};
use vedette_core::job_state::{JobState, job_state};
use vedette_core::roll::{Artifact, Pointer, Rollout};
use vedette_core::rollout::{Availability, availability, rollout, template_version};
use vedette_core::status::{self, BucketTrouble};
use vedette_core::validate::{Scale, ValidatedPipeline};

/// Everything that a step looks at.
#[derive(Debug)]
pub(super) struct Dereferenced {
    /// For the builders.
    pub(super) live: Live,
    /// Secrets that are not there.
    pub(super) missing_secrets: Vec<Name>,
    /// The training's pointer.
    pub(super) pointer: PointerView,
    /// The artifact of the wanted version, where it has to be looked at.
    pub(super) artifact: Option<Artifact>,
    /// What is wrong with the bucket.
    pub(super) bucket_trouble: Option<BucketTrouble>,
    /// The version of the live template, and its rollout.
    pub(super) template_version: Option<ModelVersion>,
    /// How the rollout of the live template stands.
    pub(super) rollout: Rollout,
    /// The detectors.
    pub(super) detector: Availability,
    /// Detector pods that there are.
    pub(super) detector_pods: i32,
    /// Label selector of the detector pods.
    pub(super) detector_selector: String,
    /// The archivers.
    pub(super) archiver: Availability,
    /// The topic Job.
    pub(super) topics_job: JobState,
    /// The last topic Job that completed, this one included.
    pub(super) completed_job: Option<String>,
}

pub(super) async fn dereference(
    valid: &ValidatedPipeline,
    before: &AnomalyPipelineStatus,
    context: &Context,
) -> Result<Dereferenced, ApiError> {
    let (pointer, artifact) = model(valid, before, context).await;
    let detectors = deployment(valid, Component::Detector, context);
    let archivers = deployment(valid, Component::Archiver, context);
    let (hash, missing_secrets) = secrets(&context.stores.secrets, &context.namespace);
    // A Secret that is gone rolls nothing: new pods could not start, and the old ones still run.
    let secrets_hash =
        if missing_secrets.is_empty() { Some(hash) } else { archivers.as_deref().and_then(secrets_hash_of) };
    let live_pods = |component| context.stores.pods_of(valid.name.as_str(), component);
    let (detector_pods, archiver_pods) = (live_pods(Component::Detector), live_pods(Component::Archiver));
    let topics_name = topics_job_name(valid, &context.site);
    let topics_job = topics_job(&topics_name, context);
    let completed_job = match topics_job {
        JobState::Complete => Some(topics_name),
        JobState::Absent | JobState::Running { .. } | JobState::Failed { .. } => {
            before.topics.as_ref().map(|topics| topics.completed_job.clone())
        }
    };
    let live = Live { secrets_hash, detector_replicas: live_replicas(valid, &context.applier).await? };
    Ok(Dereferenced {
        live,
        missing_secrets,
        bucket_trouble: bucket_trouble(valid, &pointer, artifact.as_ref(), context),
        pointer,
        artifact,
        template_version: detectors.as_deref().and_then(template_version),
        rollout: rollout(detectors.as_deref(), detector_pods.iter().map(Arc::as_ref)),
        detector: availability(detectors.as_deref(), detector_pods.iter().map(Arc::as_ref)),
        detector_pods: detectors
            .as_ref()
            .and_then(|deployment| deployment.status.as_ref()?.replicas)
            .unwrap_or_default(),
        detector_selector: labels::query(&labels::selector(valid.name.as_str(), Component::Detector)),
        archiver: availability(archivers.as_deref(), archiver_pods.iter().map(Arc::as_ref)),
        topics_job,
        completed_job,
    })
}

fn deployment(valid: &ValidatedPipeline, component: Component, context: &Context) -> Option<Arc<Deployment>> {
    get(&context.stores.children.deployments, &valid.namespace, &names::deployment(&valid.name, component))
}

fn topics_job(name: &str, context: &Context) -> JobState {
    let pods = context.stores.pods_of_job(name);
    let job = get(&context.stores.children.jobs, &context.namespace, name);
    job_state(job.as_deref(), pods.iter().map(Arc::as_ref))
}

/// A hash of the Secrets' content, and those that are missing. The UID is in it, so that nobody who reads only the hash
/// can try passwords on it.
fn secrets(stores: &[(Name, Store<Secret>)], namespace: &Name) -> (String, Vec<Name>) {
    let mut hash = Sha256::new();
    let mut missing = Vec::new();
    for (name, store) in stores {
        let Some(secret) = store.get(&ObjectRef::new(name.as_str()).within(namespace.as_str())) else {
            missing.push(name.clone());
            continue;
        };
        hash.update(name.as_str());
        hash.update(secret.uid().unwrap_or_default());
        for (key, value) in secret.data.iter().flatten() {
            for part in [key.as_bytes(), &value.0] {
                hash.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
                hash.update(part);
            }
        }
    }
    (hex::encode(hash.finalize())[..16].to_owned(), missing)
}

fn secrets_hash_of(deployment: &Deployment) -> Option<String> {
    deployment.spec.template.metadata.as_ref()?.annotations.as_ref()?.get(labels::SECRETS_HASH).cloned()
}

async fn model(
    valid: &ValidatedPipeline,
    before: &AnomalyPipelineStatus,
    context: &Context,
) -> (PointerView, Option<Artifact>) {
    let Some(training) = &valid.model.training else {
        context.models.forget(&reference(valid));
        return (PointerView::not_followed(), None);
    };
    let key = TrainingKey { namespace: valid.namespace.clone(), name: training.clone() };
    let view = context.models.follow(&reference(valid), key).await;
    let keys = ModelKeys::new(&valid.namespace, training);
    let state = status::roll_state(before, Some(training));
    let artifact = bucket_view::artifact_of_wanted(&context.bucket, &keys, &state, &valid.model.policy, &view).await;
    (view, artifact)
}

fn bucket_trouble(
    valid: &ValidatedPipeline,
    pointer: &PointerView,
    artifact: Option<&Artifact>,
    context: &Context,
) -> Option<BucketTrouble> {
    let trouble =
        |reason: &str, message: &str| BucketTrouble { reason: reason.to_owned(), message: message.to_owned() };
    match (&pointer.pointer, pointer.trouble, artifact) {
        (Pointer::Unreadable(message), Some(reason), _) => Some(trouble(reason, message)),
        (_, _, Some(Artifact::Unreadable(message))) => Some(trouble("BucketUnreadable", message)),
        _ => context.report.trouble(&reference(valid)),
    }
}

/// Who counts the detectors; asked past the caches, and only where it matters.
async fn live_replicas(valid: &ValidatedPipeline, applier: &Applier) -> Result<LiveReplicas, ApiError> {
    match valid.detector.scale {
        Scale::Fixed(_) => Ok(LiveReplicas::Absent),
        Scale::Automatic { .. } => {
            let name = names::deployment(&valid.name, Component::Detector);
            Ok(counted_by(applier.read::<Deployment>(valid.namespace.as_str(), &name).await?.as_ref()))
        }
    }
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
    use super::*;
    use serde_json::{Value, json};

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
}
