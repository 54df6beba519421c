//! What the reconciles of one namespace share.

use std::sync::Arc;

use kube::Resource;
use kube::runtime::reflector::Store;
use serde::Serialize;
use vedette_contract::Name;
use vedette_crds::{AnomalyPipelineStatus, ModelTrainingStatus};
use vedette_streams::bucket::Bucket;

use super::apply::{ApiError, Applier};
use super::backoff::Backoff;
use super::children::Stores;
use super::events::{Announcer, Notice};
use super::memory::{Memory, Validations};
use super::metrics::Metrics;
use super::model_watch::ModelWatch;
use super::pace::Pace;
use super::site_report::SiteReport;
use super::triggers::{GuardedPipeline, PipelineRef};
use vedette_core::site::SiteFile;
use vedette_core::validate::{ValidatedPipeline, ValidatedTraining};

/// What the reconciles of one namespace share.
pub struct Context {
    /// The namespace.
    pub namespace: Name,
    /// The site.
    pub site: Arc<SiteFile>,
    /// Its bucket.
    pub bucket: Bucket,
    /// What the watches of the namespace have seen.
    pub stores: Stores,
    /// The pipelines of all namespaces, which share one Kafka.
    pub pipelines: Vec<Store<GuardedPipeline>>,
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
    /// How long what failed waits.
    pub backoff: Backoff,
    /// How often progress is looked up.
    pub pace: Pace,
    /// Statuses of pipelines.
    pub pipeline_memory: Memory<AnomalyPipelineStatus>,
    /// Statuses of trainings.
    pub training_memory: Memory<ModelTrainingStatus>,
    /// Pipelines whose specs are valid.
    pub valid_pipelines: Validations<ValidatedPipeline>,
    /// Trainings whose specs are valid.
    pub valid_trainings: Validations<ValidatedTraining>,
}

impl Context {
    /// Writes a status where it changed, remembers it, and tells of what is new.
    ///
    /// # Errors
    /// When the API server refuses it or cannot be reached.
    pub async fn write_status<K, S>(
        &self,
        object: &K,
        memory: &Memory<S>,
        (before, status): (&S, &S),
        notices: &[Notice],
    ) -> Result<(), ApiError>
    where
        K: Resource<DynamicType = ()>,
        S: Clone + PartialEq + Serialize,
    {
        if status == before {
            return Ok(());
        }
        let version = self.applier.status(object, status).await?;
        memory.wrote(object, version.as_deref(), status.clone());
        self.announcer.announce(&object.object_ref(&()), notices).await;
        Ok(())
    }

    /// A pipeline of this namespace is gone.
    pub fn forget_pipeline(&self, name: &str) {
        let pipeline = PipelineRef { namespace: self.namespace.to_string(), name: name.to_owned() };
        self.models.forget(&pipeline);
        self.report.forget(&pipeline);
        self.backoff.reset(&backoff_key("AnomalyPipeline", name));
        self.pipeline_memory.forget(&pipeline.namespace, name);
        self.valid_pipelines.forget(&pipeline.namespace, name);
    }

    /// A training of this namespace is gone.
    pub fn forget_training(&self, name: &str) {
        self.backoff.reset(&backoff_key("ModelTraining", name));
        self.pace.forget(name);
        self.training_memory.forget(self.namespace.as_str(), name);
        self.valid_trainings.forget(self.namespace.as_str(), name);
    }
}

/// Under which an object's failures are counted.
pub fn backoff_key(kind: &str, name: &str) -> String {
    format!("{kind} {name}")
}
