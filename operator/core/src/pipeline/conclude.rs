//! What is told of a pipeline once its plan was applied.

use std::time::Duration;

use jiff::Timestamp;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;
use vedette_crds::AnomalyPipelineStatus;

use super::PipelinePlan;
use super::status::{pipeline_status, refused_pipeline_status};
use crate::event::{Event, flipped};
use crate::platform::{ApplyFailure, Conclusion, Refused};
use crate::refusal::Refusal;
use crate::resync::RESYNC;
use crate::site_status::SiteStatusUpdate;
use crate::status::{READY, is_true};

/// How soon files that are not there yet are looked for again.
const REPLICATION: Duration = Duration::from_secs(5);
/// How soon is looked again what is not as it is to be: a pod may be late by then, a Job be due to be made anew,
/// or a training be here.
const UNSETTLED: Duration = Duration::from_secs(30);

pub(super) fn conclude(
    plan: &PipelinePlan,
    failure: Option<ApplyFailure>,
    now: Timestamp,
) -> Conclusion<AnomalyPipelineStatus> {
    let status = pipeline_status(plan, failure.as_ref(), now);
    let mut events: Vec<Event> = plan.roll.events.iter().cloned().map(Event::Roll).collect();
    events.extend(flipped(&plan.before.conditions, &status.conditions));
    let site_status = Some(site_status(plan, &status, now));
    let again = again(plan, &status, now);
    Conclusion { status, events, site_status, again }
}

pub(super) fn refuse(
    refused: &Refused<'_, AnomalyPipelineStatus>,
    refusal: Refusal,
    now: Timestamp,
) -> Conclusion<AnomalyPipelineStatus> {
    let again = refusal.again();
    let status = refused_pipeline_status(refused, refusal, now);
    let events = flipped(&refused.before.conditions, &status.conditions);
    Conclusion { status, events, site_status: None, again: again.mul_f64(refused.jitter) }
}

/// What the other sites are told. Ready means the condition of that name.
fn site_status(plan: &PipelinePlan, status: &AnomalyPipelineStatus, now: Timestamp) -> SiteStatusUpdate {
    let status = SiteStatus {
        site: plan.site.clone(),
        training: plan.training.clone(),
        model_version: plan.roll.state.active.clone(),
        rejected: plan.roll.state.rejected.clone(),
        ready: is_true(&status.conditions, READY),
        topics: Some(plan.site_topics.clone()),
        alert_budget_per_million: plan.alert_budget_per_million,
        added_fields: plan.added_fields.clone(),
        renamed_fields: Some(plan.renamed_fields.clone()),
        deleted: false,
        updated_at: now,
    };
    SiteStatusUpdate { keys: PipelineKeys::new(&plan.namespace, &plan.name), status }
}

/// Watches ask for most reconciles; time itself ends a roll, and files may come late.
fn again(plan: &PipelinePlan, status: &AnomalyPipelineStatus, now: Timestamp) -> Duration {
    let PipelinePlan { roll, seen, progress_deadline, .. } = plan;
    let deadline = roll.state.target.as_ref().and_then(|target| {
        let left = target.clock.since?.saturating_add(*progress_deadline).ok()?.duration_since(now);
        // Not at the very moment, and once more after it: pods that only become overdue do not change.
        Duration::try_from(left).ok().map(|left| left.max(REPLICATION))
    });
    let soon = roll.condition.reason.passes_unseen().then(|| REPLICATION.mul_f64(seen.jitter));
    let resync = RESYNC.mul_f64(seen.jitter);
    let left_over = (!seen.left_over.is_empty()).then(|| REPLICATION.mul_f64(seen.jitter));
    // That it lasts is said too, and no watch tells of it.
    let is_unsettled = !is_true(&status.conditions, READY) || plan.unknown_training_among().is_some();
    let unsettled = is_unsettled.then(|| UNSETTLED.mul_f64(seen.jitter));
    [soon, left_over, unsettled, deadline].into_iter().flatten().min().unwrap_or(resync).min(resync)
}
