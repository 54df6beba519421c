//! Builds what runs because of a manifest: pure, total and stable, so that the same input gives the same bytes. A cluster
//! applies the result, `vedette local` runs it; so a builder uses only what the supervisor of the latter knows.

mod access;
mod archiver;
mod arguments;
mod connection;
mod detector;
mod generator;
pub mod labels;
pub mod names;
mod network;
mod nodes;
mod notifier;
mod pod;
mod resources;
mod scaling;
mod spec_hash;
mod topics;
mod training;
mod volumes;

pub(crate) use self::spec_hash::model_training;

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use vedette_contract::ModelVersion;
use vedette_crds::MissingModelPolicy;

pub use detector::LiveReplicas;
pub(crate) use detector::detector_means;
pub use generator::GeneratorChild;
pub(crate) use notifier::receiver_file;
pub use training::{build_training_job, build_training_service_account};
pub(crate) use volumes::{OUR_DIRECTORY, is_our_volume};

use self::labels::Component;
use crate::site::SiteFile;
use crate::validate::{ValidatedModel, ValidatedPipeline};

/// What a builder has to know of the cluster; nothing of it where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// Hash of the Secrets that pods use.
    pub secrets_hash: Option<String>,
    /// Who counts the detectors.
    pub detector_replicas: LiveReplicas,
}

/// Everything that a pipeline consists of, in the order in which it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineChildren {
    /// Identity of the pods for which the pipeline names none.
    pub service_account: Option<ServiceAccount>,
    /// The accounts that it names: somebody else's, neither made nor deleted here, even where one was ours before.
    pub named_service_accounts: BTreeSet<String>,
    /// Creates the topics, before anything else runs.
    pub topics_job: Job,
    /// Where the metrics of each component are.
    pub services: Vec<Service>,
    /// What holds up a node's drain.
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// Generates records, where the pipeline wants that.
    pub generator: Option<GeneratorChild>,
    /// Enriches, scores and alerts; none while the pipeline waits for a model.
    pub detector: Option<Deployment>,
    /// Counts the detectors, where the pipeline wants that.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    /// Writes the archive.
    pub archiver: Deployment,
    /// Tells people, where the pipeline wants that.
    pub notifier: Option<Deployment>,
}

/// Builds the children of a pipeline whose detectors load this model version, or none.
pub fn build_pipeline(
    pipeline: &ValidatedPipeline,
    site: &SiteFile,
    model_version: Option<&ModelVersion>,
    live: &Live,
) -> PipelineChildren {
    let ValidatedPipeline {
        namespace,
        name,
        uid,
        suspend,
        topics,
        generator,
        detector,
        archiver,
        incidents,
        model,
        tags,
        pods,
    } = pipeline;
    let ValidatedModel { training, policy: _, missing_model_policy, progress_deadline } = model;
    let Live { secrets_hash, detector_replicas } = live;
    let owner = pod::Owner { kind: "AnomalyPipeline", namespace, name, uid: uid.as_deref(), tags };
    let account = names::pipeline_service_account(name);
    let named: BTreeSet<String> = pods.all().iter().filter_map(|pod| pod.service_account_name.clone()).collect();
    let is_ours = pods.all().iter().any(|pod| pod.service_account_name.is_none()) && !named.contains(&account);
    let service_account = is_ours.then(|| access::service_account(&owner, account.clone()));
    let pod = pod::PodContext { site, service_account: account, secrets_hash: secrets_hash.as_deref() };
    let context = PipelineContext { owner, site, topics, pods, pod, suspend: *suspend };
    // A version belongs to a training; without one there is nothing to load.
    let model = training.as_ref().zip(model_version);
    let waits = match missing_model_policy {
        MissingModelPolicy::Wait => model.is_none(),
        MissingModelPolicy::EnrichOnly => false,
    };
    let detectors =
        (!waits).then(|| detector::deployment(&context, detector, model, *progress_deadline, *detector_replicas));
    let generator = generator.as_ref().map(|generator| generator::child(&context, generator, detector.added_names()));
    let long_running = [
        matches!(generator, Some(GeneratorChild::Deployment(_))).then_some(Component::Generator),
        detectors.is_some().then_some(Component::Detector),
        Some(Component::Archiver),
        incidents.is_some().then_some(Component::Notifier),
    ];
    let serving = long_running.iter().flatten().copied();
    // Generated records need no protection, and of what is one pod a drain would wait for ever; what reads a stream does.
    let detectors_away = detectors.as_ref().and(detector.max_unavailable);
    let protected = [(Component::Detector, detectors_away), (Component::Archiver, archiver.max_unavailable)];
    let budgets =
        protected.iter().filter_map(|(component, away)| Some(scaling::disruption_budget(&owner, *component, (*away)?)));
    PipelineChildren {
        service_account,
        named_service_accounts: named,
        topics_job: topics::topics_job(&context, incidents.as_ref()),
        services: serving.map(|component| network::metrics_service(&owner, component)).collect(),
        disruption_budgets: budgets.collect(),
        generator,
        autoscaler: detectors.is_some().then(|| scaling::autoscaler(&owner, &detector.scale)).flatten(),
        detector: detectors,
        archiver: archiver::deployment(&context, archiver, incidents.as_ref()),
        notifier: incidents.as_ref().map(|incidents| notifier::deployment(&context, incidents)),
    }
}

/// Name of the Job that creates a pipeline's topics, for whoever has to look it up before anything is built.
pub fn topics_job_name(pipeline: &ValidatedPipeline, site: &SiteFile) -> String {
    topics::job_name(&pipeline.name, site, &pipeline.topics, pipeline.incidents.as_ref())
}

/// Name of the Job of a generator that walks its data set once; none where there is none.
pub fn generator_job_name(pipeline: &ValidatedPipeline) -> Option<String> {
    generator::job_name(&pipeline.name, &pipeline.topics, pipeline.generator.as_ref()?)
}

/// What the builders of a pipeline's children share.
struct PipelineContext<'a> {
    owner: pod::Owner<'a>,
    site: &'a SiteFile,
    topics: &'a crate::validate::ValidatedTopics,
    pods: &'a crate::validate::ComponentPods,
    pod: pod::PodContext<'a>,
    suspend: bool,
}

impl PipelineContext<'_> {
    fn replicas(&self, wanted: i32) -> i32 {
        if self.suspend { 0 } else { wanted }
    }
}
