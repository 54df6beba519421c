//! One term of a leader: the controllers of every namespace, their watches, and the writer of the site's statuses.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt, join_all};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};
use vedette_service::{Backoff, Readiness, Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

use super::apply::{ApiError, Applier, SentObjects};
use super::backoff::{RETRY, jittered};
use super::children::Stores;
use super::context::Context;
use super::events::Announcer;
use super::metrics::{Metrics, kind_label};
use super::model_watch::ModelWatch;
use super::per_object::{PerObject, Reference};
use super::site_report::SiteReport;
use super::triggers::{GuardedPipeline, GuardedTraining, Requests, triggers};
use super::watch::Watch;
use super::{pipeline, training};
use crate::settings::Settings;

/// Objects that are reconciled at once, of each kind and namespace.
const CONCURRENCY: u16 = 8;
/// Changes that come so close together are one.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// A reconcile that takes longer is given up, and counts as failed.
const RECONCILE: Duration = Duration::from_secs(90);

/// Runs until the term ends, and until what is under way is done.
pub(super) async fn run(
    settings: &Settings,
    client: &Client,
    bucket: &Bucket,
    metrics: &Metrics,
    readiness: &Readiness,
    term: &Shutdown,
) {
    let site = Arc::new(settings.site.clone());
    let secrets = settings.site.secrets();
    let sent = Arc::new(SentObjects::default());
    let applier = Arc::new(Applier::new(client.clone(), metrics.clone(), Arc::clone(&sent)));
    let announcer = Arc::new(Announcer::new(client.clone(), &settings.pod_name));
    let controllers: Vec<_> = settings
        .watch_namespaces
        .iter()
        .map(|namespace| {
            let pipelines = Api::<GuardedPipeline>::namespaced(client.clone(), namespace.as_str());
            let trainings = Api::<GuardedTraining>::namespaced(client.clone(), namespace.as_str());
            let config = watcher::Config::default;
            (namespace.clone(), Controller::new(pipelines, config()), Controller::new(trainings, config()))
        })
        .collect();
    let all_pipelines: Vec<_> = controllers.iter().map(|(_, pipelines, _)| pipelines.store()).collect();
    let mut watches: Vec<BoxFuture<'static, ()>> = Vec::new();
    let mut reports = Vec::new();
    let mut runs: Vec<BoxFuture<'static, ()>> = Vec::new();
    for (namespace, pipelines, trainings) in controllers {
        let (triggers, requests) = triggers();
        let watch = Watch {
            triggers: triggers.clone(),
            sent: Arc::clone(&sent),
            metrics: metrics.clone(),
            readiness: readiness.clone(),
        };
        let (stores, tasks) = Stores::watch(client, &namespace, &secrets, &watch);
        watches.extend(tasks);
        let interval = settings.model_poll_interval;
        let models = ModelWatch::new(bucket.clone(), interval, metrics.clone(), triggers.clone(), term.clone());
        let report = Arc::new(SiteReport::new(bucket.clone(), triggers));
        reports.push(Arc::clone(&report));
        let context = Arc::new(Context {
            namespace,
            site: Arc::clone(&site),
            bucket: bucket.clone(),
            stores,
            all_pipelines: all_pipelines.clone(),
            applier: Arc::clone(&applier),
            announcer: Arc::clone(&announcer),
            models,
            report,
            metrics: metrics.clone(),
            failures: PerObject::default(),
            counted: PerObject::default(),
            pipelines: PerObject::default(),
            trainings: PerObject::default(),
        });
        let Requests { pipelines: pipeline_requests, trainings: training_requests, all_pipelines } = requests;
        let pipelines = pipelines.reconcile_on(pipeline_requests).reconcile_all_on(all_pipelines);
        runs.push(to_end(pipelines, pipeline::reconcile, Arc::clone(&context), term.clone()).boxed());
        let trainings = trainings.reconcile_on(training_requests);
        runs.push(to_end(trainings, training::reconcile, context, term.clone()).boxed());
    }
    let beside = join_all(watches);
    let site_statuses = join_all(reports.iter().map(|report| report.run(term)));
    tokio::select! {
        _ = join_all(runs) => {}
        // The watches and the writers end with the term, or not at all; the reconciles under way come to an end first.
        _ = async { tokio::join!(beside, site_statuses) } => {}
    }
}

/// Runs one controller until the term ends.
async fn to_end<K, R, F>(
    controller: Controller<DeserializeGuard<K>>,
    reconcile: R,
    context: Arc<Context>,
    term: Shutdown,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    R: Fn(Arc<DeserializeGuard<K>>, Arc<Context>) -> F,
    F: Future<Output = Result<Action, ApiError>> + Send + 'static,
{
    let forgetful = Arc::clone(&context);
    controller
        .with_config(controller::Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE))
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
        })
        .await;
}

/// A reconcile with a limit, counted.
async fn measured<K: Resource<DynamicType = ()>, F: Future<Output = Result<Action, ApiError>>>(
    object: Arc<DeserializeGuard<K>>,
    context: Arc<Context>,
    reconcile: F,
) -> Result<Action, ApiError> {
    let began = Instant::now();
    let kind = kind_label::<K>();
    let outcome = timeout(RECONCILE, reconcile).await.unwrap_or_else(|_| {
        Err(ApiError::Timeout { verb: "reconcile", kind: kind.to_owned(), name: object.name_any() })
    });
    context.metrics.reconciled(kind, began.elapsed(), outcome.as_ref().err().map(ApiError::reason));
    if outcome.is_ok() {
        context.failures.forget(&Reference::of(&*object));
    }
    outcome
}

fn retry<K: Resource<DynamicType = ()>>(object: &DeserializeGuard<K>, error: &ApiError, context: &Context) -> Action {
    let (kind, name) = (kind_label::<K>(), object.name_any());
    let pause = jittered(context.failures.with_or(&Reference::of(object), || RETRY, Backoff::failed));
    tracing::warn!(
        kind,
        namespace = %context.namespace,
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
    ended: Result<(ObjectRef<K>, Action), controller::Error<ApiError, watcher::Error>>,
    context: &Context,
) {
    match ended {
        // The error policy has logged what failed.
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        Err(controller::Error::ObjectNotFound(object)) => {
            context.forget(&Reference::new::<K>(context.namespace.as_str(), &object.name));
        }
        Err(controller::Error::QueueError(error)) => {
            tracing::warn!(error = error_chain(&error), "a watch of our own kinds broke and begins again");
        }
        Err(controller::Error::RunnerError(error)) => {
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
        report::<GuardedPipeline>(Err(controller::Error::ObjectNotFound(Box::new(gone))), &context);
        assert!(context.failures.choose(|_| Some(())).is_empty());
    }
}
