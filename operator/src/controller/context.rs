//! What the reconciles of one namespace share.

use std::sync::Arc;

use kube::runtime::reflector::Store;
use vedette_contract::Name;
use vedette_crds::{AnomalyPipelineStatus, ModelTrainingStatus};
use vedette_streams::bucket::Bucket;

use super::apply::Applier;
use super::children::Stores;
use super::events::Announcer;
use super::memory::Remembered;
use super::metrics::Metrics;
use super::model_watch::ModelWatch;
use super::pace::Pace;
use super::per_object::{PerObject, Reference};
use super::site_report::SiteReport;
use super::triggers::GuardedPipeline;
use vedette_core::site::SiteFile;
use vedette_core::validate::{ValidatedPipeline, ValidatedTraining};

/// What the reconciles of one namespace share.
pub(super) struct Context {
    /// The namespace.
    pub namespace: Name,
    pub site: Arc<SiteFile>,
    /// Its bucket.
    pub bucket: Bucket,
    /// What the watches of the namespace have seen.
    pub stores: Stores,
    /// The pipelines of all namespaces, which share one Kafka.
    pub all_pipelines: Vec<Store<GuardedPipeline>>,
    /// Writes to the API server.
    pub applier: Arc<Applier>,
    /// Writes events.
    pub announcer: Arc<Announcer>,
    /// Looks up pointers.
    pub models: ModelWatch,
    /// Tells the other sites.
    pub report: Arc<SiteReport>,
    /// What is counted.
    pub metrics: Metrics,
    /// Failures in a row.
    pub failures: PerObject<u32>,
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
        self.models.forget(object);
        self.report.forget(object);
        self.failures.forget(object);
        self.counted.forget(object);
        self.pipelines.forget(object);
        self.trainings.forget(object);
    }
}
