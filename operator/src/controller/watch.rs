//! One watch of one kind: keeps a cache, and has the owners of what changes reconciled.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::controller::Controller;
use kube::runtime::reflector;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use vedette_crds::{AnomalyPipeline, ModelTraining};
use vedette_service::error_chain;

use super::apply::SentObjects;
use super::per_object::{Reference, kind_label};
use super::reach::Reach;
use super::scope::Scope;
use super::seen::Seen;
use super::triggers::{GuardedPipeline, Triggers};
use vedette_core::desired::labels::{self, Component};

/// What all watches of a scope share.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// Where they look.
    pub scope: Scope,
    /// Where requests go.
    pub triggers: Triggers,
    /// Who is concerned by a Secret.
    pub pipelines: Seen<GuardedPipeline>,
    /// What was sent, to be forgotten with what it was sent of.
    pub sent: Arc<SentObjects>,
    /// What is told of watches that break.
    pub reach: Reach,
}

/// Whose reconcile a change asks for.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Pipeline(String),
    Training(String),
}

/// Begins a watch; the future has to be run. What `trim` takes away is not kept.
pub(super) fn watch<K>(
    client: &Client,
    config: watcher::Config,
    context: &Watch,
    trim: fn(&mut K),
) -> (Seen<K>, BoxFuture<'static, ()>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let seen = Seen::new(store);
    let events = untyped(&context.scope, client, &ApiResource::erase::<K>(&()), config);
    let events = events.map(|event| event.and_then(typed::<K>)).modify(trim).reflect(writer);
    let task = follow(events, seen.clone(), context.clone()).boxed();
    (seen, task)
}

/// The events of a kind. A watch is a large machine, and this is one for all kinds.
fn untyped(
    scope: &Scope,
    client: &Client,
    resource: &ApiResource,
    config: watcher::Config,
) -> BoxStream<'static, Result<Event<DynamicObject>, watcher::Error>> {
    let events = watcher(scope.untyped_api(client, resource), config).default_backoff();
    events.modify(|object| object.managed_fields_mut().clear()).boxed()
}

fn typed<K>(event: Event<DynamicObject>) -> Result<Event<K>, watcher::Error>
where
    K: Resource + DeserializeOwned,
{
    let parsed = |object: DynamicObject| {
        let whole = serde_json::to_value(object).and_then(serde_json::from_value::<K>);
        whole.map_err(|source| watcher::Error::WatchFailed(kube::Error::SerdeError(source)))
    };
    Ok(match event {
        Event::Apply(object) => Event::Apply(parsed(object)?),
        Event::Delete(object) => Event::Delete(parsed(object)?),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(parsed(object)?),
        Event::InitDone => Event::InitDone,
    })
}

/// A controller of a kind, and what its watch has seen.
pub(super) fn controller<K>(api: Api<K>) -> (Controller<K>, Seen<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let seen = Seen::new(store.clone());
    let noted = seen.clone();
    let events = watcher(api, watcher::Config::default()).reflect(writer).inspect_ok(move |event| {
        if matches!(event, Event::InitDone) {
            noted.has_listed();
        }
    });
    (Controller::for_stream(events.touched_objects(), store), seen)
}

/// Has the owners of what changes reconciled, and what was sent of what is gone forgotten.
async fn follow<K>(events: impl Stream<Item = Result<Event<K>, watcher::Error>>, seen: Seen<K>, context: Watch)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let mut events = std::pin::pin!(events);
    let scope = context.scope.label();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if !matches!(event, Event::Init) {
                    context.reach.works(scope, kind_label::<K>());
                }
                if let Some(object) = touched(event, &seen, &context) {
                    ask(&context, &object).await;
                }
            }
            Err(error) => {
                let (kind, message) = (kind_label::<K>(), error_chain(&error));
                context.reach.broke(scope, kind, &message);
                tracing::warn!(scope, kind, error = message, "a watch broke and begins again");
            }
        }
    }
}

/// The object that an event is about. Objects that went while the watch was broken are told by their absence from its next
/// list.
fn touched<K>(event: Event<K>, seen: &Seen<K>, context: &Watch) -> Option<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    match event {
        Event::Apply(object) | Event::InitApply(object) => Some(object),
        Event::Delete(object) => {
            context.sent.forget(&Reference::of(&object));
            Some(object)
        }
        Event::InitDone => {
            seen.has_listed();
            let listed: BTreeSet<Reference> = seen.state().iter().map(|object| Reference::of(&**object)).collect();
            let is_watched =
                |object: &Reference| object.kind == kind_label::<K>() && context.scope.holds(&object.namespace);
            context.sent.keep(|object| !is_watched(object) || listed.contains(object));
            None
        }
        Event::Init => None,
    }
}

async fn ask<K: Resource<DynamicType = ()>>(context: &Watch, object: &K) {
    let namespace = object.meta().namespace.clone().unwrap_or_default();
    let triggers = &context.triggers;
    if [Secret::kind(&()), ConfigMap::kind(&())].contains(&K::kind(&())) {
        return triggers.pipelines(&context.pipelines.within(&namespace)).await;
    }
    match target(object.meta()) {
        Some(Target::Pipeline(name)) => {
            triggers.pipeline(&Reference::new::<AnomalyPipeline>(&namespace, &name)).await;
        }
        Some(Target::Training(name)) => triggers.training(&Reference::new::<ModelTraining>(&namespace, &name)).await,
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
    use super::super::metrics::Metrics;
    use super::*;
    use k8s_openapi::api::batch::v1::Job;
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

    #[test]
    fn what_a_watch_tells_of_a_kind_is_of_that_kind() {
        let told = |object: serde_json::Value| typed::<Job>(Event::Apply(serde_json::from_value(object).unwrap()));
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j", "namespace": "n", "uid": "u" },
            "spec": { "suspend": true, "template": {} }, "status": { "failed": 2 }
        });
        let Ok(Event::Apply(read)) = told(job.clone()) else { panic!("not read") };
        assert_eq!(json!(read), job);
        assert!(told(json!({ "metadata": { "name": "j" }, "spec": { "suspend": "maybe" } })).is_err());
        assert!(matches!(typed::<Job>(Event::InitDone), Ok(Event::InitDone)));
    }

    fn run(number: u32) -> Job {
        let metadata = json!({ "name": format!("flows-{number}"), "namespace": "n" });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn remembered(sent: &SentObjects) -> Vec<String> {
        sent.choose(|(object, _)| Some(object.name.clone()))
    }

    /// What is remembered as sent, one of two hundred runs after the other having come and gone like this.
    async fn after_many_runs(events_of: impl Fn(Job) -> Vec<Event<Job>>) -> Vec<String> {
        let (triggers, _requests) = crate::controller::triggers::triggers();
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        let sent = Arc::new(SentObjects::default());
        let reach = Reach::new(vedette_service::Readiness::new(&[]), metrics);
        let pipelines = Seen::new(reflector::store().0);
        let scope = Scope::Namespace("n".parse().unwrap());
        let watch = Watch { scope, triggers, pipelines, sent: Arc::clone(&sent), reach };
        sent.with(&Reference::new::<Job>("elsewhere", "flows-0"), |_| ());
        sent.with(&Reference::new::<Secret>("n", "flows-0"), |_| ());
        let (store, writer) = reflector::store();
        let events = futures::stream::iter(0..200).flat_map(|number| {
            sent.with(&Reference::of(&run(number)), |_| ());
            futures::stream::iter(events_of(run(number)).into_iter().map(Ok))
        });
        follow(events.reflect(writer), Seen::new(store), watch).await;
        remembered(&sent)
    }

    #[tokio::test]
    async fn what_was_sent_is_forgotten_with_the_object() {
        let seen = after_many_runs(|job| vec![Event::Apply(job.clone()), Event::Delete(job)]).await;
        assert_eq!(seen, ["flows-0", "flows-0"], "of another namespace and another kind");
        // Each went while the watch was broken.
        let unseen = after_many_runs(|_| vec![Event::Init, Event::InitDone]).await;
        assert_eq!(unseen, ["flows-0", "flows-0"]);
        let kept = after_many_runs(|job| vec![Event::Init, Event::InitApply(job), Event::InitDone]).await;
        assert_eq!(kept, ["flows-0", "flows-199", "flows-0"]);
    }
}
