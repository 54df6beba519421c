//! Builds what runs because of a manifest: pure, total and stable, so that the same input gives the same bytes. A cluster
//! applies the result, `vedette local` runs it; so a builder uses only what the supervisor of the latter knows.

mod archiver;
mod arguments;
mod detector;
mod generator;
pub mod labels;
pub mod names;
mod pod;
mod topics;
mod training;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use vedette_contract::ModelVersion;
use vedette_crds::MissingModelPolicy;

pub use generator::GeneratorChild;
pub use training::build_training_job;

use crate::site::SiteFile;
use crate::validate::{ValidatedModel, ValidatedPipeline};

/// Everything that runs for a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineChildren {
    /// Creates the topics, before anything else runs.
    pub topics_job: Job,
    /// Generates records, where the pipeline wants that.
    pub generator: Option<GeneratorChild>,
    /// Enriches, scores and alerts; none while the pipeline waits for a model.
    pub detector: Option<Deployment>,
    /// Writes the archive.
    pub archiver: Deployment,
}

/// Builds the children of a pipeline whose detectors load this model version, or none.
pub fn build_pipeline(
    pipeline: &ValidatedPipeline,
    site: &SiteFile,
    model_version: Option<&ModelVersion>,
) -> PipelineChildren {
    let ValidatedPipeline { namespace, name, uid, suspend, topics, generator, detector, archiver, model, pod } =
        pipeline;
    let ValidatedModel { training, policy: _, missing_model_policy, progress_deadline } = model;
    let owner = pod::Owner { kind: "AnomalyPipeline", namespace, name, uid: uid.as_deref() };
    let context = PipelineContext { owner, site, topics, pod_settings: pod, suspend: *suspend };
    // A version belongs to a training; without one there is nothing to load.
    let model = training.as_ref().zip(model_version);
    let waits = match missing_model_policy {
        MissingModelPolicy::Wait => model.is_none(),
        MissingModelPolicy::EnrichOnly => false,
    };
    PipelineChildren {
        topics_job: topics::topics_job(&context),
        generator: generator.as_ref().map(|generator| generator::child(&context, generator)),
        detector: (!waits).then(|| detector::deployment(&context, detector, model, *progress_deadline)),
        archiver: archiver::deployment(&context, archiver),
    }
}

/// What the builders of a pipeline's children share.
struct PipelineContext<'a> {
    owner: pod::Owner<'a>,
    site: &'a SiteFile,
    topics: &'a crate::validate::ValidatedTopics,
    pod_settings: &'a vedette_crds::PodSettings,
    suspend: bool,
}

impl PipelineContext<'_> {
    fn replicas(&self, wanted: i32) -> i32 {
        if self.suspend { 0 } else { wanted }
    }
}
