//! What the reconciles of one scope share.

use std::sync::Arc;

use vedette_crds::{AnomalyPipelineStatus, ModelTrainingStatus};
use vedette_service::Backoff;
use vedette_streams::bucket::Bucket;

use super::all_pipelines::AllPipelines;
use super::apply::Applier;
use super::children::Stores;
use super::events::Announcer;
use super::health_watch::HealthWatch;
use super::memory::Remembered;
use super::metrics::Metrics;
use super::model_watch::ModelWatch;
use super::pace::Pace;
use super::per_object::{PerObject, Reference};
use super::reach::Reach;
use super::scope::Scope;
use super::seen::Seen;
use super::site_report::SiteReport;
use super::triggers::{GuardedPipeline, GuardedTraining};
use vedette_core::site::SiteFile;
use vedette_core::validate::{ValidatedPipeline, ValidatedTraining};

/// What the reconciles of one scope share.
pub(super) struct Context {
    /// Whose objects they are.
    pub scope: Scope,
    pub site: Arc<SiteFile>,
    /// Its bucket.
    pub bucket: Bucket,
    /// What the watches have seen.
    pub stores: Stores,
    /// Which of them work.
    pub reach: Reach,
    pub all_pipelines: Arc<AllPipelines>,
    pub pipelines_here: Seen<GuardedPipeline>,
    pub trainings_here: Seen<GuardedTraining>,
    /// Writes to the API server.
    pub applier: Arc<Applier>,
    /// Writes events.
    pub announcer: Arc<Announcer>,
    /// Looks up pointers.
    pub models: ModelWatch,
    /// Looks at what processes tell.
    pub health: HealthWatch,
    /// Tells the other sites.
    pub report: Arc<SiteReport>,
    /// What is counted.
    pub metrics: Metrics,
    /// The pauses of those that fail.
    pub failures: PerObject<Backoff>,
    /// How often the records of trainings are counted.
    pub counted: PerObject<Pace>,
    /// What is remembered of pipelines.
    pub pipelines: PerObject<Remembered<AnomalyPipelineStatus, ValidatedPipeline>>,
    /// What is remembered of trainings.
    pub trainings: PerObject<Remembered<ModelTrainingStatus, ValidatedTraining>>,
}

impl Context {
    /// An object of ours is gone.
    pub(super) fn forget(&self, object: &Reference) {
        self.report.end(object);
        self.let_go(object);
    }

    /// The namespace of an object of ours is not acted upon any more.
    pub(super) fn leave(&self, object: &Reference) {
        self.report.leave(object);
        self.let_go(object);
        self.applier.forget_namespace(&object.namespace);
    }

    fn let_go(&self, object: &Reference) {
        self.models.forget(object);
        self.health.forget(object);
        self.failures.forget(object);
        self.counted.forget(object);
        self.pipelines.forget(object);
        self.trainings.forget(object);
        self.metrics.objects.forget(object);
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::convert::Infallible;
    use std::time::Duration;

    use prometheus_client::registry::Registry;
    use vedette_service::{Readiness, Shutdown};

    use super::super::apply::SentObjects;
    use super::super::triggers::triggers;
    use super::super::watch::Watch;
    use super::*;

    const SITE: &str = "{site: {name: east}, kafka: {bootstrapServers: 'k:9092'}, bucket: {name: b, credentialsSecret: s}, images: {topics: t, generator: g, detector: d, archiver: a, trainer: t}}";

    /// The context of namespace `n`, where the API server never answers; and what counts there.
    pub(crate) fn context(bucket: &Bucket) -> (Arc<Context>, Registry) {
        let never = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            std::future::pending::<Result<http::Response<kube::client::Body>, Infallible>>().await
        });
        let (client, scope) = (kube::Client::new(never, "n"), Scope::Namespace("n".parse().unwrap()));
        let mut registry = Registry::default();
        let (metrics, sent) = (Metrics::register(&mut registry), Arc::new(SentObjects::default()));
        let (triggers, _requests) = triggers();
        let reach = Reach::new(Readiness::new(&[]), metrics.clone());
        let pipelines_here = Seen::new(kube::runtime::reflector::store().0);
        let watch = Watch {
            scope: scope.clone(),
            triggers: triggers.clone(),
            pipelines: pipelines_here.clone(),
            sent: Arc::clone(&sent),
            reach: reach.clone(),
        };
        let (stores, _watches) = Stores::watch(&client, &vedette_core::site::Needs::new(), &watch);
        let (often, term) = (Duration::from_millis(10), Shutdown::new());
        let context = Context {
            scope,
            site: Arc::new(SiteFile::parse(SITE).unwrap()),
            bucket: bucket.clone(),
            stores,
            reach,
            all_pipelines: Arc::default(),
            pipelines_here,
            trainings_here: Seen::new(kube::runtime::reflector::store().0),
            applier: Arc::new(Applier::new(client.clone(), metrics.clone(), sent)),
            announcer: Arc::new(Announcer::new(client, "a")),
            models: ModelWatch::new(bucket.clone(), often, metrics.clone(), triggers.clone(), term),
            health: HealthWatch::new(bucket.clone(), "east".parse().unwrap(), triggers.clone()),
            report: Arc::new(SiteReport::new(bucket.clone(), triggers)),
            metrics,
            failures: PerObject::default(),
            counted: PerObject::default(),
            pipelines: PerObject::default(),
            trainings: PerObject::default(),
        };
        (Arc::new(context), registry)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use vedette_contract::Name;
    use vedette_contract::keys::PipelineKeys;
    use vedette_contract::progress::SiteStatus;
    use vedette_core::site_status::SiteStatusUpdate;
    use vedette_crds::AnomalyPipeline;
    use vedette_service::Shutdown;
    use vedette_testing::TestBucket;

    use super::super::backoff::RETRY;
    use super::super::model_watch::TrainingKey;
    use super::*;

    fn is_empty<T>(states: &PerObject<T>) -> bool {
        states.choose(|_| Some(())).is_empty()
    }

    async fn remember_everything(context: &Context, object: &Reference) {
        context.failures.with_or(object, || RETRY, Backoff::failed);
        context.counted.with(object, |pace| pace.next(None, Instant::now()));
        context.pipelines.with(object, |_| ());
        context.trainings.with(object, |_| ());
        let (namespace, name): (Name, Name) = ("n".parse().unwrap(), "flows".parse().unwrap());
        let keys = PipelineKeys::new(&namespace, &name);
        context.metrics.objects.show(object, &AnomalyPipelineStatus::default());
        context.models.follow(object, TrainingKey { namespace, name }).await;
        let status = SiteStatus {
            site: "east".parse().unwrap(),
            training: None,
            model_version: None,
            rejected: Vec::new(),
            ready: true,
            topics: None,
            alert_budget_per_million: None,
            added_fields: Vec::new(),
            renamed_fields: None,
            deleted: false,
            updated_at: "2026-11-23T08:00:00Z".parse().unwrap(),
        };
        context.report.publish_site_status(object, SiteStatusUpdate { keys, status });
    }

    fn polled(registry: &Registry) -> String {
        line_of(registry, "vedette_operator_models_watched ")
    }

    fn line_of(registry: &Registry, metric: &str) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text.lines().find(|line| line.starts_with(metric)).unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn of_an_object_that_is_gone_nothing_is_remembered_looked_up_or_told() {
        let served = TestBucket::serve().await;
        let (context, registry) = testing::context(&served.bucket);
        let object = Reference::new::<AnomalyPipeline>("n", "flows");
        remember_everything(&context, &object).await;
        assert_eq!(polled(&registry), "vedette_operator_models_watched 1");
        assert!(line_of(&registry, "vedette_operator_object_info{").ends_with(" 1"));
        context.forget(&object);
        assert_eq!(line_of(&registry, "vedette_operator_object_info{"), "");
        assert!(is_empty(&context.failures) && is_empty(&context.counted));
        assert!(is_empty(&context.pipelines) && is_empty(&context.trainings));
        let over = Shutdown::new();
        over.cancel();
        context.report.run(&over).await;
        assert_eq!(served.json::<serde_json::Value>("n/flows/sites/east.json").await, None);
        let deadline = Instant::now() + Duration::from_secs(30);
        while polled(&registry) != "vedette_operator_models_watched 0" {
            assert!(Instant::now() < deadline, "the pointer is still looked up");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
