//! What is told of a training once its plan was applied.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vedette_crds::ModelTrainingStatus;

use super::status::{AfterApply, last_outcome, refused_training_status, training_status};
use super::{RunSeen, Start, TrainingPlan};
use crate::event::{Event, flipped};
use crate::platform::{ApplyFailure, Conclusion, Refused};
use crate::reason::Outcome;
use crate::refusal::Refusal;
use crate::resync::RESYNC;
use crate::schedule::{Decision, Run, ScheduleState};

/// How soon a result that could not be read is looked for again.
const RESULT_AGAIN: Duration = Duration::from_secs(5);
/// How soon a run is looked at again that is held up, or has hardly begun: that it has no pod, or a late one, no watch tells.
const UNSETTLED: Duration = Duration::from_secs(30);
/// For how long a run has hardly begun.
const BEGINS_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// How soon a site or a pipeline that nobody has told of yet is looked for again.
const NAME_AGAIN: Duration = Duration::from_secs(30);

pub(super) fn conclude(
    plan: &TrainingPlan,
    applied: Result<&Option<Run>, ApplyFailure>,
    now: Timestamp,
) -> Conclusion<ModelTrainingStatus> {
    let (after, state, started) = outcome(plan, applied);
    let status = training_status(plan, &after, &state, now);
    let mut events: Vec<Event> = plan.ended.iter().cloned().map(Event::RunEnded).collect();
    events.extend(started.map(|start| Event::RunStarted { run: start.run.clone(), reason: start.reason }));
    events.extend(flipped(&plan.before.conditions, &status.conditions));
    Conclusion { status, events, site_status: None, again: again(plan, now) }
}

pub(super) fn refuse(
    refused: &Refused<'_, ModelTrainingStatus>,
    refusal: Refusal,
    now: Timestamp,
) -> Conclusion<ModelTrainingStatus> {
    let again = refusal.again().mul_f64(refused.jitter);
    let status = refused_training_status(refused, refusal, now);
    let events = flipped(&refused.before.conditions, &status.conditions);
    Conclusion { status, events, site_status: None, again }
}

/// How the training stands, what is remembered of its runs, and the run that was started, if one was.
fn outcome<'a>(
    plan: &'a TrainingPlan,
    applied: Result<&Option<Run>, ApplyFailure>,
) -> (AfterApply, ScheduleState, Option<&'a Start>) {
    let Some(decision) = plan.decision.clone() else {
        return (AfterApply::Elsewhere, plan.state.clone(), None);
    };
    match (&plan.start, applied) {
        // Nothing was to be applied.
        (None, _) => (AfterApply::Decided(decision), plan.state.clone(), None),
        (Some(_), Err(failure)) => (AfterApply::NotStarted(failure), plan.state.clone(), None),
        (Some(start), Ok(None)) => (AfterApply::Decided(decision), start.state.clone(), Some(start)),
        (Some(start), Ok(Some(found))) => {
            let state = ScheduleState { last_run: Some(found.clone()), ..start.state.clone() };
            (AfterApply::Decided(Decision::Running), state, None)
        }
    }
}

/// Whether records start the next run, too.
fn watches_records(plan: &TrainingPlan) -> bool {
    plan.new_records.is_some() || last_outcome(&plan.settled, &plan.state) == Some(Outcome::NotEnoughData)
}

fn is_unsettled(plan: &TrainingPlan, now: Timestamp) -> bool {
    let hardly_began = |started: Timestamp| now.duration_since(started) < BEGINS_WITHIN;
    let run = plan.start.as_ref().map(|start| &start.run).or(plan.state.last_run.as_ref());
    plan.seen.run.trouble().is_some() || run.is_some_and(|run| hardly_began(run.started_at))
}

fn again(plan: &TrainingPlan, now: Timestamp) -> Duration {
    let resync = RESYNC.mul_f64(plan.seen.jitter);
    let count = plan.seen.count_again.mul_f64(plan.seen.jitter);
    let name_again = NAME_AGAIN.mul_f64(plan.seen.jitter);
    let after = match &plan.decision {
        Some(Decision::WaitingForData { .. }) => count,
        Some(Decision::WaitingUntil(time)) => {
            let left = Duration::try_from(time.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1));
            let left = if watches_records(plan) { left.min(count) } else { left };
            if plan.unknown().is_some() { left.min(name_again) } else { left }
        }
        Some(Decision::Running) if plan.seen.run == RunSeen::Unreadable => RESULT_AGAIN,
        // Another takes its place as soon as one can start.
        Some(Decision::Running) if matches!(plan.seen.run, RunSeen::Outdated { .. }) => count,
        Some(Decision::Running | Decision::Start { .. }) if is_unsettled(plan, now) => {
            UNSETTLED.mul_f64(plan.seen.jitter)
        }
        None if plan.unknown().is_some() => name_again,
        Some(Decision::Suspended | Decision::Running | Decision::Start { .. } | Decision::Done) | None => resync,
    };
    after.min(resync)
}
