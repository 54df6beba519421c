//! Reconciles a `ModelTraining`, step by step.

mod dereference;
mod refuse;
mod start;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use vedette_crds::{ModelTraining, ModelTrainingStatus};

use self::dereference::Dereferenced;
use super::apply::ApiError;
use super::backoff::jittered;
use super::context::Context;
use super::events::{Notice, transitions};
use super::triggers::GuardedTraining;
use super::{RESYNC, unreadable, whole_seconds};
use vedette_core::desired::labels::RUN_REQUEST;
use vedette_core::run_result::{self, Ended};
use vedette_core::schedule::{self, Decision, ScheduleState, StartReason};
use vedette_core::status::{self, TrainingObservation, listed, training_status, with_result};
use vedette_core::validate::{ValidatedTraining, validate_training};

/// How soon a result that could not be read is looked for again.
const RESULT_AGAIN: Duration = Duration::from_secs(5);

/// One reconcile: dereference → validate → build → apply → status.
///
/// # Errors
/// What the API server refused; the status has it too, where it stays so.
pub async fn reconcile(object: Arc<GuardedTraining>, context: Arc<Context>) -> Result<Action, ApiError> {
    context.stores.ready().await;
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = whole_seconds(Timestamp::now());
    let training = match &object.0 {
        Ok(training) => training,
        Err(invalid) => {
            let forget = || context.forget_training(&object.name_any());
            return unreadable::refuse::<_, ModelTrainingStatus>(&object, &invalid.error, &context, now, forget).await;
        }
    };
    let before = context.training_memory.newest(training, training.status.clone().unwrap_or_default());
    let valid = match context.valid_trainings.of(training, || validate_training(training, &context.site)) {
        Ok(valid) => valid,
        Err(errors) => return refuse::refuse(training, &before, listed(&errors), &context, now).await,
    };
    if !valid.runs_here {
        return elsewhere(training, &before, &context, now).await;
    }
    let seen = dereference::dereference(training, &valid, &before, &context).await?;
    let (settled, state, ended) = settle(&before, &seen, now);
    let decision = decide(training, &valid, &state, &seen, now);
    let started = start::start(&valid, decision, state, seen.request.as_deref(), &context).await;
    let (outcome, decision, state) = started.into_parts();
    let status = observe(training, &settled, &valid, &seen, &decision, &state, outcome.as_ref().err(), now);
    tell(training, (&before, &status), ended.as_ref(), &decision, &context).await?;
    outcome.map(|()| Action::requeue(requeue_after(&valid, &decision, &seen, &context, now)))
}

/// The run under way, ended if it has.
fn settle(
    before: &ModelTrainingStatus,
    seen: &Dereferenced,
    now: Timestamp,
) -> (ModelTrainingStatus, ScheduleState, Option<Ended>) {
    let state = seen.state.clone();
    let Some(run) = state.last_run.as_ref().filter(|run| run.finished_at.is_none()) else {
        return (before.clone(), state, None);
    };
    let Some((job, result)) = &seen.run else {
        return (before.clone(), state, None);
    };
    match run_result::ended(run, job, result.as_deref(), now) {
        None => (before.clone(), state, None),
        Some(ended) => {
            let state = schedule::finished(&state, ended.failed, now);
            (with_result(before, &ended), state, Some(ended))
        }
    }
}

fn decide(
    training: &ModelTraining,
    valid: &ValidatedTraining,
    state: &ScheduleState,
    seen: &Dereferenced,
    now: Timestamp,
) -> Decision {
    let created_at = training.metadata.creation_timestamp.as_ref().map_or(now, |time| time.0);
    let observed = schedule::Observed {
        created_at,
        records: seen.records.as_ref().ok().copied(),
        request: seen.request.as_deref(),
        now,
    };
    schedule::decide(valid.name.as_str(), &valid.schedule, state, &observed)
}

#[allow(clippy::too_many_arguments)]
fn observe(
    training: &ModelTraining,
    settled: &ModelTrainingStatus,
    valid: &ValidatedTraining,
    seen: &Dereferenced,
    decision: &Decision,
    state: &ScheduleState,
    failure: Option<&ApiError>,
    now: Timestamp,
) -> ModelTrainingStatus {
    let message = failure.map(|error| vedette_service::error_chain(error)).unwrap_or_default();
    let observation = TrainingObservation {
        generation: training.metadata.generation,
        other_site: None,
        decision: Some(decision),
        records: seen.records.as_ref().copied().map_err(String::as_str),
        minimum_records: valid.schedule.minimum_records,
        state,
        failure: failure.filter(|error| error.is_permanent()).map(|_| ("ApplyFailed", message.as_str())),
    };
    training_status(settled, &observation, now)
}

async fn elsewhere(
    training: &ModelTraining,
    before: &ModelTrainingStatus,
    context: &Context,
    now: Timestamp,
) -> Result<Action, ApiError> {
    let observation = TrainingObservation {
        generation: training.metadata.generation,
        other_site: Some(&training.spec.site),
        decision: None,
        records: before.records.and_then(|records| u64::try_from(records).ok()).ok_or(""),
        minimum_records: 0,
        state: &status::schedule_state(before),
        failure: None,
    };
    let status = training_status(before, &observation, now);
    write(training, before, &status, Vec::new(), context).await?;
    Ok(Action::requeue(jittered(RESYNC)))
}

async fn tell(
    training: &ModelTraining,
    (before, status): (&ModelTrainingStatus, &ModelTrainingStatus),
    ended: Option<&Ended>,
    decision: &Decision,
    context: &Context,
) -> Result<(), ApiError> {
    let mut notices = Vec::new();
    notices.extend(ended.map(|ended| Notice {
        warning: ended.result.outcome != run_result::PUBLISHED,
        reason: format!("Run{}", ended.result.outcome),
        message: format!("Job {}: {}", ended.result.job, ended.result.message),
    }));
    if let Decision::Start { reason, state } = decision {
        notices.extend(state.last_run.as_ref().map(|run| Notice {
            warning: *reason == StartReason::Retry,
            reason: "RunStarted".to_owned(),
            message: format!("Job {} starts: {}; {} records are archived", run.job, reason.as_str(), run.records),
        }));
    }
    write(training, before, status, notices, context).await
}

/// Writes the status, and tells of these and of what is new in it.
async fn write(
    training: &ModelTraining,
    before: &ModelTrainingStatus,
    status: &ModelTrainingStatus,
    mut notices: Vec<Notice>,
    context: &Context,
) -> Result<(), ApiError> {
    notices.extend(transitions(&before.conditions, &status.conditions));
    context.write_status(training, &context.training_memory, (before, status), &notices).await
}

fn requeue_after(
    valid: &ValidatedTraining,
    decision: &Decision,
    seen: &Dereferenced,
    context: &Context,
    now: Timestamp,
) -> Duration {
    let resync = jittered(RESYNC);
    let watches_records = valid.schedule.new_records.is_some();
    let records = || jittered(context.pace.next(valid.name.as_str(), seen.records.as_ref().ok().copied()));
    let after = match decision {
        Decision::WaitingForData { .. } => records(),
        Decision::WaitingUntil(time) => {
            let left = Duration::try_from(time.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1));
            if watches_records { left.min(records()) } else { left }
        }
        Decision::Running if seen.result_unreadable => RESULT_AGAIN,
        Decision::Suspended | Decision::Running | Decision::Start { .. } | Decision::Done => resync,
    };
    after.min(resync)
}

fn request(training: &ModelTraining) -> Option<String> {
    training.metadata.annotations.as_ref()?.get(RUN_REQUEST).cloned()
}
