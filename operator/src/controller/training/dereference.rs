//! Reads what a training refers to: the progress of its records, and the run under way. It writes and decides nothing.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::model::TrainingResult;
use vedette_crds::{ModelTraining, ModelTrainingStatus};
use vedette_service::error_chain;

use super::super::apply::ApiError;
use super::super::children::get;
use super::super::context::Context;
use crate::bucket_view::{self, ResultView};
use vedette_core::job_state::{JobState, job_state};
use vedette_core::schedule::{Run, ScheduleState};
use vedette_core::status;
use vedette_core::validate::ValidatedTraining;

/// Everything that a step looks at.
#[derive(Debug)]
pub(super) struct Dereferenced {
    /// The runs so far.
    pub(super) state: ScheduleState,
    /// The value of the run annotation.
    pub(super) request: Option<String>,
    /// Records in the archive, or why they are not known.
    pub(super) records: Result<u64, String>,
    /// The run under way: its Job, and its result where there is one; none where the result cannot be read.
    pub(super) run: Option<(JobState, Option<Box<TrainingResult>>)>,
    /// The Job ended, and how is not known yet.
    pub(super) result_unreadable: bool,
}

pub(super) async fn dereference(
    training: &ModelTraining,
    valid: &ValidatedTraining,
    before: &ModelTrainingStatus,
    context: &Context,
) -> Result<Dereferenced, ApiError> {
    let mut state = status::schedule_state(before);
    let mut records = records(valid, context).await;
    if before.observed_generation.is_none() && state.last_run.is_none() {
        let keys = ModelKeys::new(&valid.namespace, &valid.name);
        match bucket_view::last_published(&context.bucket, &keys).await {
            Ok(run) => state.last_run = run.map(whole),
            // Without it the same records could be learned again.
            Err(error) => records = Err(error),
        }
    }
    let run = match state.last_run.as_ref().filter(|run| run.finished_at.is_none()) {
        None => None,
        Some(run) => Some((job(&run.job, context).await?, result(valid, &run.job, context).await)),
    };
    let result_unreadable = matches!(&run, Some((_, Err(_))));
    if let Some((_, Err(error))) = &run {
        tracing::warn!(training = %valid.name, error, "a training's result cannot be read yet");
    }
    Ok(Dereferenced {
        state,
        request: super::request(training),
        records,
        run: run.and_then(|(job, result)| Some((job, result.ok()?))),
        result_unreadable,
    })
}

async fn records(valid: &ValidatedTraining, context: &Context) -> Result<u64, String> {
    let keys = PipelineKeys::new(&valid.namespace, &valid.data.pipeline);
    let records = bucket_view::archived_records(&context.bucket, &keys, &valid.data.sites).await;
    records.map_err(|error| error_chain(&error))
}

/// A status has whole seconds.
fn whole(run: Run) -> Run {
    let second = |time: Timestamp| super::super::whole_seconds(time);
    Run { started_at: second(run.started_at), finished_at: run.finished_at.map(second), ..run }
}

/// The state of a Job; one that the watch does not show is asked for, so that none is given up too early.
async fn job(name: &str, context: &Context) -> Result<JobState, ApiError> {
    let live = match get(&context.stores.children.jobs, &context.namespace, name) {
        Some(job) => Some(job),
        None => context.applier.read::<Job>(context.namespace.as_str(), name).await?.map(Arc::new),
    };
    let pods = context.stores.pods_of_job(name);
    Ok(job_state(live.as_deref(), pods.iter().map(Arc::as_ref)))
}

async fn result(
    valid: &ValidatedTraining,
    job: &str,
    context: &Context,
) -> Result<Option<Box<TrainingResult>>, String> {
    let keys = ModelKeys::new(&valid.namespace, &valid.name);
    match bucket_view::training_result(&context.bucket, &keys, job).await {
        Ok(ResultView::Absent) => Ok(None),
        Ok(ResultView::Found(result)) => Ok(Some(result)),
        Ok(ResultView::Damaged(message)) => {
            tracing::warn!(message, "a training's result counts as none");
            Ok(None)
        }
        Err(error) => Err(error_chain(&error)),
    }
}
