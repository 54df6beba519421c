//! Reads what a training refers to: the progress of its records, and the run under way. It writes and decides nothing.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use vedette_core::desired::build_training_job;
use vedette_core::desired::labels::RUN_REQUEST;
use vedette_core::job_state::job_state;
use vedette_core::training::{NamesSeen, RunSeen, TrainingSeen, run_under_way};
use vedette_core::validate::ValidatedTraining;
use vedette_crds::{ModelTraining, ModelTrainingStatus};
use vedette_look as look;

use super::super::apply::ApiError;
use super::super::backoff::jitter;
use super::super::context::Context;
use super::super::pace;
use super::super::per_object::Reference;

pub(super) async fn look(
    training: &ModelTraining,
    valid: &ValidatedTraining,
    before: &ModelTrainingStatus,
    context: &Context,
) -> Result<TrainingSeen, ApiError> {
    let runs_here = valid.runs_at(&context.site);
    let archive = look::archive(&context.bucket, valid, before, runs_here).await;
    let asks_for_sites = !runs_here || archive.records == Ok(0);
    let sites = if asks_for_sites { look::sites(&context.bucket, valid).await } else { None };
    let run = match run_under_way(before) {
        None => RunSeen::None,
        Some(run) => self::run(valid, &run.job, context).await?,
    };
    let records = archive.records.as_ref().ok().copied();
    let count_again = match run {
        RunSeen::None | RunSeen::Outdated { .. } => {
            context.counted.with(&Reference::of(training), |pace| pace.next(records, Instant::now()))
        }
        RunSeen::Unreadable | RunSeen::Seen { .. } => pace::SHORTEST,
    };
    let metadata = &training.metadata;
    Ok(TrainingSeen {
        generation: metadata.generation,
        created_at: metadata.creation_timestamp.as_ref().map(|time| time.0),
        request: metadata.annotations.as_ref().and_then(|annotations| annotations.get(RUN_REQUEST).cloned()),
        archive,
        names: NamesSeen { sites, pipelines: context.pipelines_here.names(&valid.namespace) },
        run,
        count_again,
        jitter: jitter(),
    })
}

/// How the run under way stands. A Job that the watch does not show is asked for, so that none is given up too early.
async fn run(valid: &ValidatedTraining, name: &str, context: &Context) -> Result<RunSeen, ApiError> {
    let live = match context.stores.children.jobs.get(&valid.namespace, name) {
        Some(job) => Some(job),
        None => context.applier.read::<Job>(valid.namespace.as_str(), name).await?.map(Arc::new),
    };
    let live = context.applier.with_holder(live).await?;
    let pods = context.stores.pods_of_job(live.as_deref());
    let pods: Vec<&Pod> = pods.iter().map(Arc::as_ref).collect();
    let now = Timestamp::now();
    let refusal = context.applier.pod_refusal(live.as_deref(), &pods).await;
    let state = job_state(live.as_deref(), pods.iter().copied(), refusal.as_deref(), now);
    let seen = look::run(&context.bucket, valid, name, state).await;
    let wanted = build_training_job(valid, &context.site, name);
    Ok(seen.beside(&wanted, live.as_deref(), &pods, now))
}
