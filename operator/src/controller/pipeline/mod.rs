//! Reconciles an `AnomalyPipeline`, step by step.

mod apply;
mod dereference;
mod refuse;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;
use vedette_crds::{AnomalyPipeline, AnomalyPipelineStatus};

use self::dereference::Dereferenced;
use super::apply::ApiError;
use super::backoff::jittered;
use super::context::Context;
use super::events::{Notice, transitions};
use super::triggers::{GuardedPipeline, PipelineRef};
use super::{RESYNC, unreadable, whole_seconds};
use vedette_core::desired::{PipelineChildren, build_pipeline};
use vedette_core::roll::{self, RollState, RollStep};
use vedette_core::status::{self, PipelineObservation, is_true, pipeline_status};
use vedette_core::validate::ValidatedPipeline;

/// How soon files that are not there yet are looked for again.
const REPLICATION: Duration = Duration::from_secs(5);

/// One reconcile: dereference → validate → build → apply → status.
///
/// # Errors
/// What the API server refused; the status has it too, where it stays so.
pub async fn reconcile(object: Arc<GuardedPipeline>, context: Arc<Context>) -> Result<Action, ApiError> {
    context.stores.ready().await;
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = whole_seconds(Timestamp::now());
    let pipeline = match &object.0 {
        Ok(pipeline) => pipeline,
        Err(invalid) => {
            let forget = || context.forget_pipeline(&object.name_any());
            return unreadable::refuse::<_, AnomalyPipelineStatus>(&object, &invalid.error, &context, now, forget)
                .await;
        }
    };
    let before = context.pipeline_memory.newest(pipeline, pipeline.status.clone().unwrap_or_default());
    let valid = match refuse::validate(pipeline, &context) {
        Ok(valid) => valid,
        Err(refusal) => return refuse::refuse(pipeline, &before, refusal, &context, now).await,
    };
    let seen = dereference::dereference(&valid, &before, &context).await?;
    let step = roll_step(&valid, &before, &seen, now);
    let children = build_pipeline(&valid, &context.site, step.state.template_version(), &seen.live);
    let applied = apply::apply(&valid, &children, &seen, &context).await;
    let status = observe(pipeline, &valid, &before, &seen, &step, &children, applied.as_ref().err(), &context, now);
    tell(pipeline, &before, &status, &step, &context).await?;
    say(&valid, &status, &step.state, &context, now);
    applied.map(|()| Action::requeue(requeue_after(&valid, &step, now)))
}

fn roll_step(
    valid: &ValidatedPipeline,
    before: &AnomalyPipelineStatus,
    seen: &Dereferenced,
    now: Timestamp,
) -> RollStep {
    let observed = roll::Observed {
        policy: &valid.model.policy,
        pointer: &seen.pointer.pointer,
        artifact: seen.artifact.as_ref(),
        rollout: (seen.template_version.as_ref(), &seen.rollout),
        progress_deadline: progress_deadline(valid),
        now,
    };
    roll::step(&status::roll_state(before, valid.model.training.as_ref()), &observed)
}

fn progress_deadline(valid: &ValidatedPipeline) -> SignedDuration {
    SignedDuration::try_from(valid.model.progress_deadline).unwrap_or(SignedDuration::MAX)
}

#[allow(clippy::too_many_arguments)]
fn observe(
    pipeline: &AnomalyPipeline,
    valid: &ValidatedPipeline,
    before: &AnomalyPipelineStatus,
    seen: &Dereferenced,
    step: &RollStep,
    children: &PipelineChildren,
    failure: Option<&ApiError>,
    context: &Context,
    now: Timestamp,
) -> AnomalyPipelineStatus {
    let message = failure.map(|error| vedette_service::error_chain(error)).unwrap_or_default();
    // What will pass by itself is tried again, and is no news.
    let failure = failure.filter(|error| error.is_permanent()).map(|_| ("ApplyFailed", message.as_str()));
    let topics_job = children.topics_job.metadata.name.as_deref().unwrap_or_default();
    let observation = PipelineObservation {
        generation: pipeline.metadata.generation,
        site: &context.site.site.name,
        suspend: valid.suspend,
        waits_for_model: children.detector.is_none(),
        topics_job: (topics_job, &seen.topics_job),
        completed_job: seen.completed_job.as_deref(),
        detector: &seen.detector,
        archiver: &seen.archiver,
        replicas: seen.detector_pods,
        selector: seen.detector_selector.clone(),
        training: valid.model.training.as_ref(),
        roll: &step.state,
        model_current: &step.condition,
        bucket: seen.bucket_trouble.as_ref(),
        missing_secrets: &seen.missing_secrets,
        failure,
    };
    pipeline_status(before, &observation, now)
}

async fn tell(
    pipeline: &AnomalyPipeline,
    before: &AnomalyPipelineStatus,
    status: &AnomalyPipelineStatus,
    step: &RollStep,
    context: &Context,
) -> Result<(), ApiError> {
    let mut notices: Vec<Notice> = step.events.iter().map(Notice::from).collect();
    notices.extend(transitions(&before.conditions, &status.conditions));
    context.write_status(pipeline, &context.pipeline_memory, (before, status), &notices).await
}

/// Tells the other sites.
fn say(
    valid: &ValidatedPipeline,
    status: &AnomalyPipelineStatus,
    state: &RollState,
    context: &Context,
    now: Timestamp,
) {
    let word = SiteStatus {
        site: context.site.site.name.clone(),
        training: valid.model.training.clone(),
        model_version: state.active.clone(),
        ready: is_true(&status.conditions, status::READY),
        updated_at: now,
    };
    context.report.say(&reference(valid), PipelineKeys::new(&valid.namespace, &valid.name), word);
}

fn reference(valid: &ValidatedPipeline) -> PipelineRef {
    PipelineRef { namespace: valid.namespace.to_string(), name: valid.name.to_string() }
}

/// Watches and the model watch ask for most reconciles; time itself ends a roll, and files may come late.
fn requeue_after(valid: &ValidatedPipeline, step: &RollStep, now: Timestamp) -> Duration {
    let deadline = step.state.target.as_ref().and_then(|target| {
        let left = target.since.saturating_add(progress_deadline(valid)).ok()?.duration_since(now);
        Duration::try_from(left).ok()
    });
    let soon = match step.condition.reason {
        "Replicating" | "BucketUnreadable" => Some(jittered(REPLICATION)),
        _ => None,
    };
    let resync = jittered(RESYNC);
    // An overdue roll whose pods do not fail yet is looked at again, though nothing may change.
    let deadline = deadline.map(|left| left.max(REPLICATION));
    [soon, deadline].into_iter().flatten().min().unwrap_or(resync).min(resync)
}
