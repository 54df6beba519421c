//! One term of a leader: the controllers, their watches, and the writer of the site's statuses.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{Stream, StreamExt};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config, Controller, Error as ControllerError};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};
use vedette_core::site::{SiteFile, Watched};
use vedette_service::{Backoff, Readiness, Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

use super::all_pipelines::AllPipelines;
use super::apply::{ApiError, Applier, SentObjects};
use super::backoff::{RETRY, jittered};
use super::children::Stores;
use super::context::Context;
use super::events::Announcer;
use super::health_watch::HealthWatch;
use super::metrics::Metrics;
use super::model_watch::ModelWatch;
use super::namespaces::namespaces;
use super::per_object::{PerObject, Reference, kind_label};
use super::reach::Reach;
use super::scope::Scope;
use super::seen::Seen;
use super::site_report::SiteReport;
use super::triggers::{GuardedPipeline, GuardedTraining, Triggers, triggers};
use super::watch::{Watch, controller};
use super::{pipeline, training};
use crate::settings::Settings;

/// Objects that are reconciled at once, of each kind and namespace.
const CONCURRENCY: u16 = 8;
/// The same, of each kind, in the whole cluster: one namespace where everything takes its time is not to hold up the others.
const CLUSTER_CONCURRENCY: u16 = 32;
/// Changes that come so close together are one.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// What is under way at the end of a term has so long to come to an end: a pod has half a minute, with the lease to give up.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// A reconcile that takes longer is given up, and counts as failed.
const RECONCILE: Duration = Duration::from_secs(90);

/// What all scopes share during a term.
struct Term<'a> {
    settings: &'a Settings,
    client: &'a Client,
    bucket: &'a Bucket,
    metrics: &'a Metrics,
    site: Arc<SiteFile>,
    reach: Reach,
    sent: Arc<SentObjects>,
    applier: Arc<Applier>,
    announcer: Arc<Announcer>,
    pipelines: Arc<AllPipelines>,
}

/// Runs until the term ends, and until what is under way is done, or takes too long.
pub(super) async fn run(
    settings: &Settings,
    client: &Client,
    bucket: &Bucket,
    metrics: &Metrics,
    readiness: &Readiness,
    over: &Shutdown,
) {
    let sent = Arc::new(SentObjects::default());
    let term = Term {
        settings,
        client,
        bucket,
        metrics,
        site: Arc::new(settings.site.clone()),
        reach: Reach::new(readiness.clone(), metrics.clone()),
        applier: Arc::new(Applier::new(client.clone(), metrics.clone(), Arc::clone(&sent))),
        sent,
        announcer: Arc::new(Announcer::new(client.clone(), &settings.pod_name)),
        pipelines: Arc::default(),
    };
    if let Watched::These(names) = &settings.watched {
        metrics.acts_upon(names.len());
    }
    let runs: Vec<_> = Scope::of(&settings.watched).into_iter().map(|scope| act_upon(&term, scope, over)).collect();
    let mut runs = pin!(join_all(runs));
    tokio::select! {
        _ = &mut runs => return,
        () = over.cancelled() => {}
    }
    if timeout(LAST_WORDS, runs).await.is_err() {
        tracing::warn!("reconciles that do not come to an end are given up");
    }
}

/// Acts upon what a scope holds until the term ends. Its controllers are there at once, so that each knows of the others.
fn act_upon<'a>(term: &'a Term<'_>, scope: Scope, over: &Shutdown) -> impl Future<Output = ()> + use<'a> {
    let (pipelines, pipelines_here) = controller(scope.api(term.client));
    let (trainings, trainings_here) = controller(scope.api(term.client));
    term.pipelines.add(&scope, pipelines_here.clone());
    term.reach.begin(scope.label());
    let (triggers, requests) = triggers();
    let watch = Watch {
        scope: scope.clone(),
        triggers: triggers.clone(),
        pipelines: pipelines_here.clone(),
        sent: Arc::clone(&term.sent),
        reach: term.reach.clone(),
    };
    let (stores, watches) = Stores::watch(term.client, &term.site.needs(), &watch);
    let here = (pipelines_here.clone(), trainings_here.clone());
    let context = term.context(scope, here, stores, triggers.clone(), over);
    let pipelines = pipelines.reconcile_on(requests.pipelines).reconcile_all_on(listed_late(&context));
    let pipelines = to_end(pipelines, pipelines_here, pipeline::reconcile, Arc::clone(&context), over.clone());
    let trainings = trainings.reconcile_on(requests.trainings).reconcile_all_on(listed_late(&context));
    let trainings = to_end(trainings, trainings_here, training::reconcile, Arc::clone(&context), over.clone());
    let over = over.clone();
    async move {
        let selected = follow_namespaces(term, &context, &triggers);
        tokio::select! {
            ((), ()) = async { tokio::join!(pipelines, trainings) } => {}
            // These end with the term, or not at all; the reconciles under way come to an end first.
            _ = async { tokio::join!(join_all(watches), selected, context.report.run(&over), context.health.run(&over)) } => {}
        }
        term.reach.end(context.scope.label());
    }
}

/// Has the objects of namespaces that come or go reconciled, where they are selected.
async fn follow_namespaces(term: &Term<'_>, context: &Context, triggers: &Triggers) {
    let selection = match &context.scope {
        Scope::Namespace(_) => return,
        Scope::Cluster(selection) => selection,
    };
    let mut changes = pin!(namespaces(term.client, &selection.selector, context.reach.clone()));
    while let Some(known) = changes.next().await {
        term.metrics.acts_upon(known.len());
        for namespace in selection.becomes(known) {
            tracing::info!(namespace, acted_upon = context.scope.holds(&namespace), "a namespace comes or goes");
            triggers.pipelines(&context.pipelines_here.within(&namespace)).await;
            triggers.trainings(&context.trainings_here.within(&namespace)).await;
        }
    }
}

/// Tells when everything was listed, where objects have said already that it was not.
fn listed_late(context: &Arc<Context>) -> impl Stream<Item = ()> + Send + use<> {
    let context = Arc::clone(context);
    futures::stream::once(async move {
        let was_late = !context.stores.ready_in_time().await;
        context.stores.ready().await;
        was_late.then_some(())
    })
    .filter_map(std::future::ready)
}

impl Term<'_> {
    fn context(
        &self,
        scope: Scope,
        (pipelines_here, trainings_here): (Seen<GuardedPipeline>, Seen<GuardedTraining>),
        stores: Stores,
        triggers: Triggers,
        over: &Shutdown,
    ) -> Arc<Context> {
        let interval = self.settings.model_poll_interval;
        let (bucket, metrics) = (self.bucket.clone(), self.metrics.clone());
        Arc::new(Context {
            scope,
            site: Arc::clone(&self.site),
            bucket: self.bucket.clone(),
            stores,
            reach: self.reach.clone(),
            all_pipelines: Arc::clone(&self.pipelines),
            pipelines_here,
            trainings_here,
            applier: Arc::clone(&self.applier),
            announcer: Arc::clone(&self.announcer),
            models: ModelWatch::new(bucket.clone(), interval, metrics.clone(), triggers.clone(), over.clone()),
            health: HealthWatch::new(bucket.clone(), self.site.site.name.clone(), triggers.clone()),
            report: Arc::new(SiteReport::new(bucket, triggers)),
            metrics,
            failures: PerObject::default(),
            counted: PerObject::default(),
            pipelines: PerObject::default(),
            trainings: PerObject::default(),
        })
    }
}

/// Runs one controller until the term ends.
async fn to_end<K, R, F>(
    controller: Controller<DeserializeGuard<K>>,
    seen: Seen<DeserializeGuard<K>>,
    reconcile: R,
    context: Arc<Context>,
    term: Shutdown,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    R: Fn(Arc<DeserializeGuard<K>>, Arc<Context>) -> F,
    F: Future<Output = Result<Action, ApiError>> + Send + 'static,
{
    let forgetful = Arc::clone(&context);
    let idle = never_began(seen, term.clone());
    let run = controller
        .with_config(Config::default().concurrency(concurrency(&forgetful.scope)).debounce(DEBOUNCE))
        .graceful_shutdown_on(term.cancelled_owned())
        .run(
            |object, context: Arc<Context>| {
                measured(Arc::clone(&object), Arc::clone(&context), reconcile(object, context))
            },
            |object, error, context| retry(&object, error, &context),
            context,
        )
        .for_each(|ended| {
            report(ended, &forgetful);
            std::future::ready(())
        });
    tokio::select! {
        () = run => {}
        () = idle => {}
    }
}

fn concurrency(scope: &Scope) -> u16 {
    match scope {
        Scope::Namespace(_) => CONCURRENCY,
        Scope::Cluster(_) => CLUSTER_CONCURRENCY,
    }
}

/// The term is over before the objects were listed once: a controller waits for that for ever, and has nothing under way.
async fn never_began<K: Resource<DynamicType = ()> + Clone + 'static>(seen: Seen<K>, term: Shutdown) {
    tokio::select! {
        biased;
        () = seen.listed() => std::future::pending().await,
        () = term.cancelled() => {}
    }
}

/// A reconcile with a limit, counted; none where the object's namespace is not acted upon.
async fn measured<K: Resource<DynamicType = ()>, F: Future<Output = Result<Action, ApiError>>>(
    object: Arc<DeserializeGuard<K>>,
    context: Arc<Context>,
    reconcile: F,
) -> Result<Action, ApiError> {
    let reference = Reference::of(&*object);
    if !context.scope.holds(&reference.namespace) {
        context.leave(&reference);
        return Ok(Action::await_change());
    }
    let began = Instant::now();
    let kind = kind_label::<K>();
    let outcome = timeout(RECONCILE, reconcile).await.unwrap_or_else(|_| {
        Err(ApiError::Timeout { verb: "reconcile", kind: kind.to_owned(), name: object.name_any() })
    });
    context.metrics.reconciled(kind, began.elapsed(), outcome.as_ref().err().map(ApiError::reason));
    if outcome.is_ok() {
        context.failures.forget(&reference);
    }
    outcome
}

fn retry<K: Resource<DynamicType = ()>>(object: &DeserializeGuard<K>, error: &ApiError, context: &Context) -> Action {
    let (kind, name) = (kind_label::<K>(), object.name_any());
    let pause = jittered(context.failures.with_or(&Reference::of(object), || RETRY, Backoff::failed));
    tracing::warn!(
        kind,
        namespace = object.namespace(),
        name,
        reason = error.reason(),
        error = error_chain(error),
        retry_seconds = pause.as_secs_f64(),
        "a reconcile failed"
    );
    Action::requeue(pause)
}

/// What a controller says of one round: an object that is gone is forgotten.
fn report<K: Resource<DynamicType = ()>>(
    ended: Result<(ObjectRef<K>, Action), ControllerError<ApiError, watcher::Error>>,
    context: &Context,
) {
    match ended {
        // The error policy has logged what failed.
        Ok(_) | Err(ControllerError::ReconcilerFailed(..)) => {}
        Err(ControllerError::ObjectNotFound(object)) => {
            context.forget(&Reference::new::<K>(object.namespace.as_deref().unwrap_or_default(), &object.name));
        }
        Err(ControllerError::QueueError(error)) => {
            tracing::warn!(error = error_chain(&error), "a watch of our own kinds broke and begins again");
        }
        Err(ControllerError::RunnerError(error)) => {
            tracing::error!(error = error_chain(&error), "a controller broke");
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_crds::AnomalyPipeline;
    use vedette_testing::TestBucket;

    use super::super::context::testing;
    use super::*;

    fn pipeline() -> Arc<GuardedPipeline> {
        let object = serde_json::json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline",
            "metadata": { "namespace": "n", "name": "flows" }, "spec": {}
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn failed() -> ApiError {
        ApiError::Timeout { verb: "apply", kind: "Job".to_owned(), name: "j".to_owned() }
    }

    #[tokio::test]
    async fn a_success_resets_the_pause_and_a_failure_does_not() {
        let served = TestBucket::serve().await;
        let (context, _) = testing::context(&served.bucket);
        let (object, reference) = (pipeline(), Reference::new::<AnomalyPipeline>("n", "flows"));
        let next_pause = || context.failures.with_known(&reference, |backoff| backoff.next_pause().as_secs());
        for doubled in [2, 4] {
            let outcome = measured(Arc::clone(&object), Arc::clone(&context), async { Err(failed()) }).await;
            retry(&object, &outcome.unwrap_err(), &context);
            assert_eq!(next_pause(), Some(doubled));
        }
        measured(object, Arc::clone(&context), async { Ok(Action::await_change()) }).await.unwrap();
        assert_eq!(next_pause(), None);
    }

    #[tokio::test]
    async fn an_object_that_is_gone_is_forgotten() {
        let served = TestBucket::serve().await;
        let (context, _) = testing::context(&served.bucket);
        retry(&pipeline(), &failed(), &context);
        let gone = ObjectRef::<AnomalyPipeline>::new("flows").within("n").erase();
        report::<GuardedPipeline>(Err(ControllerError::ObjectNotFound(Box::new(gone))), &context);
        assert!(context.failures.choose(|_| Some(())).is_empty());
    }
}
