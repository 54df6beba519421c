//! One watch of one kind: keeps a cache, and has the owners of what changes reconciled.

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use vedette_service::{Readiness, error_chain};

use super::metrics::{Metrics, kind_label};
use super::triggers::{PipelineRef, Triggers};
use vedette_core::desired::labels::{self, Component};

/// Readiness condition: the watches run.
pub const WATCHES: &str = "watches";

/// What all watches share.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Where requests go.
    pub triggers: Triggers,
    /// What is counted.
    pub metrics: Metrics,
    /// What is told of watches that break.
    pub readiness: Readiness,
}

/// Whose reconcile a change asks for.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Pipeline(String),
    Training(String),
}

/// Begins a watch; the future has to be run. What `trim` takes away is not cached.
pub fn watch<K>(
    api: Api<K>,
    config: watcher::Config,
    context: &Watch,
    trim: fn(&mut K),
) -> (Store<K>, BoxFuture<'static, ()>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let context = context.clone();
    let stream = watcher(api, config)
        .default_backoff()
        .modify(move |object| {
            object.managed_fields_mut().clear();
            trim(object);
        })
        .reflect(writer)
        .touched_objects();
    let task = async move {
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            match event {
                Ok(object) => {
                    context.readiness.hold(WATCHES);
                    ask(&context.triggers, &object).await;
                }
                Err(error) => report(&context, kind_label::<K>(), &error),
            }
        }
    };
    (store, task.boxed())
}

fn report(context: &Watch, kind: &'static str, error: &watcher::Error) {
    let message = error_chain(error);
    context.readiness.fail(WATCHES, format!("{kind}: {message}"));
    context.metrics.watch_failed(kind);
    tracing::warn!(kind, error = message, "a watch broke and begins again");
}

async fn ask<K: Resource<DynamicType = ()>>(triggers: &Triggers, object: &K) {
    if K::kind(&()) == Secret::kind(&()) {
        return triggers.all_pipelines().await;
    }
    let namespace = object.meta().namespace.clone().unwrap_or_default();
    match target(object.meta()) {
        Some(Target::Pipeline(name)) => triggers.pipeline(PipelineRef { namespace, name }).await,
        Some(Target::Training(name)) => triggers.training(&namespace, &name).await,
        None => {}
    }
}

/// The owner, by reference; a pod's is two steps away, and told by its labels.
fn target(metadata: &ObjectMeta) -> Option<Target> {
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.api_version.starts_with("vedette.io/"));
    match owner.map(|owner| (owner.kind.as_str(), owner.name.clone())) {
        Some(("AnomalyPipeline", name)) => return Some(Target::Pipeline(name)),
        Some(("ModelTraining", name)) => return Some(Target::Training(name)),
        Some(_) | None => {}
    }
    let (instance, component) = labels::instance_and_component(metadata.labels.as_ref()?)?;
    Some(if component == Component::Trainer.as_str() {
        Target::Training(instance.to_owned())
    } else {
        Target::Pipeline(instance.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(value: serde_json::Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_owner_is_found_by_reference_or_by_labels() {
        let owned = json!({ "ownerReferences": [
            { "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining", "name": "t", "uid": "u" }
        ] });
        assert_eq!(target(&metadata(owned)), Some(Target::Training("t".to_owned())));
        let pod = |component| metadata(json!({ "labels": labels::labels("flows", component) }));
        assert_eq!(target(&pod(Component::Detector)), Some(Target::Pipeline("flows".to_owned())));
        assert_eq!(target(&pod(Component::Trainer)), Some(Target::Training("flows".to_owned())));
        assert_eq!(target(&metadata(json!({ "labels": { "app": "x" } }))), None);
    }
}
