//! The kinds that the operator makes, in one list: what is in it is watched, cached, pruned and in the Role.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodSpec, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::watcher;
use kube::{Client, Resource, ResourceExt};
use tokio::time::{Instant, timeout_at};
use vedette_contract::Name;

use super::apply::{ApiError, Applier};
use super::child::Child;
use super::seen::Seen;
use super::sources::Sources;
use super::watch::{Watch, watch};
use vedette_core::desired::labels;
use vedette_core::site::Needs;

/// How long the first lists may take before objects say that they are missing.
const LISTS: Duration = Duration::from_secs(10);

/// Kinds and names of what is wanted.
pub(super) type Wanted = BTreeSet<(Cow<'static, str>, String)>;

macro_rules! child_kinds {
    ($($(#[$doc:meta])* $field:ident: $kind:ident,)*) => {
        /// What the watches have seen of the children.
        #[derive(Debug)]
        pub(super) struct Children {
            $($(#[$doc])* pub $field: Seen<$kind>,)*
        }

        impl Children {
            /// Begins to watch all kinds.
            fn watch(client: &Client, context: &Watch) -> (Self, Vec<BoxFuture<'static, ()>>) {
                let mut tasks = Vec::new();
                $(let $field = {
                    let (seen, task) = watch::<$kind>(client, ours(), context, |_| ());
                    tasks.push(task);
                    seen
                };)*
                (Self { $($field,)* }, tasks)
            }

            /// Comes when every kind was listed once.
            async fn listed(&self) {
                $(self.$field.listed().await;)*
            }

            /// Deletes what this owner has and no longer wants.
            ///
            /// # Errors
            /// The first thing that could not be deleted.
            pub(super) async fn prune(&self, applier: &Applier, owner: &str, wanted: &Wanted) -> Result<(), ApiError> {
                $(for surplus in self.$field.filter(|child| is_surplus(child, owner, wanted)) {
                    applier.delete(&*surplus).await?;
                })*
                Ok(())
            }
        }

        /// Group and plural of every kind, for the Role.
        pub(crate) fn child_resources() -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
            vec![$(($kind::group(&()), $kind::plural(&())),)*]
        }
    };
}

child_kinds! {
    /// Generators, detectors, archivers.
    deployments: Deployment,
    /// Topics, trainings, generators that end.
    jobs: Job,
    /// Where metrics are.
    services: Service,
    /// Identities of pods.
    service_accounts: ServiceAccount,
    /// What holds up a drain.
    disruption_budgets: PodDisruptionBudget,
    /// Who counts detectors.
    autoscalers: HorizontalPodAutoscaler,
}

fn ours() -> watcher::Config {
    watcher::Config::default().labels(&labels::managed())
}

fn is_of_job(pod: &Pod, uid: &str) -> bool {
    pod.owner_references().iter().any(|owner| owner.kind == Job::kind(&()) && owner.uid == uid)
}

fn is_surplus<K: Child>(child: &K, owner: &str, wanted: &Wanted) -> bool {
    child.meta().deletion_timestamp.is_none()
        && child.owner_references().iter().any(|reference| reference.uid == owner && reference.controller == Some(true))
        && !wanted.contains(&(K::kind(&()), child.name_any()))
}

/// What the watches of one scope have seen.
#[derive(Debug)]
pub(super) struct Stores {
    /// The children.
    pub children: Children,
    /// Their pods, without their specs.
    pub pods: Seen<Pod>,
    /// What the site's pods need, each by its own watch, as the Role allows no more.
    pub sources: Sources,
    /// Until when all of it should have been listed.
    expected: Instant,
}

impl Stores {
    /// Begins to watch; the tasks have to be run.
    pub(super) fn watch(client: &Client, needs: &Needs, context: &Watch) -> (Self, Vec<BoxFuture<'static, ()>>) {
        let (children, mut tasks) = Children::watch(client, context);
        let (pods, task) = watch::<Pod>(client, ours(), context, |pod| pod.spec = pod.spec.take().map(kept));
        tasks.push(task);
        let (sources, of_sources) = Sources::watch(client, needs, context);
        tasks.extend(of_sources);
        (Self { children, pods, sources, expected: Instant::now() + LISTS }, tasks)
    }

    /// Returns when everything was listed once.
    pub(super) async fn ready(&self) {
        let Self { children, pods, sources, expected: _ } = self;
        tokio::join!(children.listed(), pods.listed(), sources.listed());
    }

    /// Whether everything was listed once; waits for it, but not for ever: one kind that is forbidden is never listed.
    pub(super) async fn ready_in_time(&self) -> bool {
        timeout_at(self.expected, self.ready()).await.is_ok()
    }

    /// The pods of one component.
    pub(super) fn pods_of(&self, namespace: &Name, instance: &Name, component: labels::Component) -> Vec<Arc<Pod>> {
        let wanted = (instance.as_str(), component.as_str());
        self.pods.filter(|pod| {
            pod.metadata.namespace.as_deref() == Some(namespace.as_str())
                && pod.metadata.labels.as_ref().and_then(labels::instance_and_component) == Some(wanted)
        })
    }

    /// The pods of one Job; those of an earlier one of its name are none of its.
    pub(super) fn pods_of_job(&self, job: Option<&Job>) -> Vec<Arc<Pod>> {
        let Some(uid) = job.and_then(|job| job.metadata.uid.as_deref()) else {
            return Vec::new();
        };
        self.pods.filter(|pod| is_of_job(pod, uid))
    }
}

/// What is kept of what a pod is to be: on which node it is, and how long it may take to end.
fn kept(PodSpec { node_name, termination_grace_period_seconds, .. }: PodSpec) -> PodSpec {
    PodSpec { node_name, termination_grace_period_seconds, ..PodSpec::default() }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::future::join_all;
    use kube::client::Body;
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};
    use vedette_core::site::Source;
    use vedette_service::Readiness;

    use super::super::metrics::Metrics;
    use super::super::reach::Reach;
    use super::super::scope::Scope;
    use super::super::triggers::triggers;
    use super::*;

    fn service(owners: Value, deleted: Value) -> Service {
        let metadata = json!({ "name": "s", "ownerReferences": owners, "deletionTimestamp": deleted });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn owner(uid: &str, controller: bool) -> Value {
        json!([{ "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "name": "p", "uid": uid, "controller": controller }])
    }

    /// Has an empty list of every kind, and tells of no change.
    fn empty_cluster() -> Client {
        let answer = tower::service_fn(|request: http::Request<Body>| async move {
            if request.uri().query().unwrap_or_default().contains("watch=true") {
                std::future::pending::<()>().await;
            }
            let list =
                json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": [] });
            Ok::<_, Infallible>(http::Response::new(Body::from(serde_json::to_vec(&list).unwrap())))
        });
        Client::new(answer, "n")
    }

    #[tokio::test]
    async fn all_that_wait_for_the_first_lists_go_on() {
        let (triggers, _requests) = triggers();
        let reach = Reach::new(Readiness::new(&[]), Metrics::register(&mut Registry::default()));
        let pipelines = Seen::new(kube::runtime::reflector::store().0);
        let scope = Scope::Namespace("n".parse().unwrap());
        let context = Watch { scope, triggers, pipelines, sent: Arc::default(), reach };
        let needs = Needs::from([(Source::Secret("bucket".parse().unwrap()), BTreeSet::new())]);
        let (stores, watches) = Stores::watch(&empty_cluster(), &needs, &context);
        let stores = Arc::new(stores);
        let waiting =
            [0; 3].map(|_| Arc::clone(&stores)).map(|stores| tokio::spawn(async move { stores.ready().await }));
        tokio::task::yield_now().await;
        let watches = tokio::spawn(join_all(watches));
        for waiter in waiting {
            tokio::time::timeout(Duration::from_secs(20), waiter).await.unwrap().unwrap();
        }
        watches.abort();
    }

    #[test]
    fn a_pod_is_of_the_job_that_owns_it_whatever_its_name() {
        let owner = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u" }]);
        let labels = json!({ "batch.kubernetes.io/job-name": "j" });
        let pod = |owners: Value| -> Pod {
            serde_json::from_value(json!({ "metadata": { "labels": labels, "ownerReferences": owners } })).unwrap()
        };
        assert!(is_of_job(&pod(owner.clone()), "u"));
        assert!(!is_of_job(&pod(owner), "v"), "of one of the same name before it");
        assert!(!is_of_job(&pod(json!([])), "u"));
    }

    #[test]
    fn only_what_its_controller_has_and_does_not_want_is_surplus() {
        let (none, wanted) = (Wanted::new(), Wanted::from([(Service::kind(&()), "s".to_owned())]));
        let own = service(owner("u", true), Value::Null);
        assert!(is_surplus(&own, "u", &none));
        assert!(!is_surplus(&own, "u", &wanted));
        assert!(!is_surplus(&own, "v", &none), "of another of the kind");
        assert!(!is_surplus(&service(owner("u", false), Value::Null), "u", &none), "not its controller");
        assert!(!is_surplus(&service(json!([]), Value::Null), "u", &none), "of nobody");
        let leaving = service(owner("u", true), json!("2026-11-23T08:00:00Z"));
        assert!(!is_surplus(&leaving, "u", &none), "deleted already");
    }
}
