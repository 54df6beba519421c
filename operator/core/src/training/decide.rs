//! What has to be there because of a training: at most one Job, for as long as its run is under way.

use jiff::Timestamp;
use vedette_crds::ModelTrainingStatus;

use super::status::{last_outcome, with_result};
use super::{RunSeen, Start, TrainingPlan, TrainingSeen};
use crate::desired::{build_training_job, build_training_service_account};
use crate::job_state::Trouble;
use crate::run_result::{self, Ended};
use crate::schedule::{self, Decision, ScheduleState};
use crate::site::SiteFile;
use crate::status::schedule_state;
use crate::validate::ValidatedTraining;

pub(super) fn decide(
    object: &ValidatedTraining,
    site: &SiteFile,
    before: &ModelTrainingStatus,
    seen: TrainingSeen,
    now: Timestamp,
) -> TrainingPlan {
    let remembered = remembered(object, site, before, &seen, now);
    let step = |ending: Ending| Step::after(ending, object, object.runs_at(site), before, &seen, now);
    let Step { ended, state, settled, decision } = replaced(&remembered, &seen.run, now)
        .map(step)
        // A Job that hangs is ended only for another one.
        .filter(|step| matches!(step.decision, Some(Decision::Start { .. })))
        .unwrap_or_else(|| step(ending(&remembered, &seen.run, now)));
    TrainingPlan {
        start: decision.as_ref().and_then(|decision| start(object, site, &state, decision)),
        decision,
        settled,
        ended,
        state,
        seen,
        before: before.clone(),
        site: object.site.clone(),
        pipeline: object.data.pipeline.clone(),
        minimum_records: object.schedule.minimum_records,
        new_records: object.schedule.new_records,
    }
}

/// What is remembered of the runs, with what a spec that was changed or moved makes of it.
fn remembered(
    object: &ValidatedTraining,
    site: &SiteFile,
    before: &ModelTrainingStatus,
    seen: &TrainingSeen,
    now: Timestamp,
) -> ScheduleState {
    let mut state = schedule_state(before);
    let is_new = before.observed_generation.is_none();
    if !is_new && before.observed_generation != seen.generation {
        // What failed may be mended.
        state.failures = 0;
    }
    let in_effect = object.schedule.schedule.as_ref().filter(|_| object.runs_at(site) && !object.schedule.suspend);
    let since = if is_new { seen.created_at.unwrap_or(now) } else { now };
    schedule::follow(&mut state, in_effect, since);
    if object.runs_at(site) {
        state.last_run = state.last_run.or_else(|| seen.archive.last_published.clone());
    }
    state
}

/// How the run under way ended, if it has, and what that makes of the memory.
struct Ending {
    ended: Option<Ended>,
    state: ScheduleState,
}

/// A Job that hangs and would be made otherwise now ends the run, and counts for nothing.
fn replaced(remembered: &ScheduleState, seen: &RunSeen, now: Timestamp) -> Option<Ending> {
    let RunSeen::Outdated { trouble } = seen else {
        return None;
    };
    let run = remembered.last_run.as_ref().filter(|run| run.finished_at.is_none())?;
    let ended = run_result::replaced(run, trouble.as_ref().map(Trouble::text), now);
    Some(Ending { ended: Some(ended), state: schedule::finished(remembered, false, now) })
}

fn ending(remembered: &ScheduleState, seen: &RunSeen, now: Timestamp) -> Ending {
    let run = remembered.last_run.as_ref().filter(|run| run.finished_at.is_none());
    let ended = match (run, seen) {
        (Some(run), RunSeen::Seen { job, left }) => run_result::ended(run, job, left.as_deref(), now),
        (None, _) | (_, RunSeen::Unreadable | RunSeen::Outdated { .. } | RunSeen::None) => None,
    };
    let state = match &ended {
        Some(ended) => schedule::finished(remembered, ended.came_to_nothing(), now),
        None => remembered.clone(),
    };
    Ending { ended, state }
}

/// What follows from how the run under way stands.
struct Step {
    ended: Option<Ended>,
    state: ScheduleState,
    settled: ModelTrainingStatus,
    decision: Option<Decision>,
}

impl Step {
    fn after(
        Ending { ended, state }: Ending,
        object: &ValidatedTraining,
        runs_here: bool,
        before: &ModelTrainingStatus,
        seen: &TrainingSeen,
        now: Timestamp,
    ) -> Self {
        let settled = ended.as_ref().map_or_else(|| before.clone(), |ended| with_result(before, ended));
        if !runs_here {
            return Self { ended, state: elsewhere(state, seen), settled, decision: None };
        }
        let decision = next(object, &settled, &state, seen, now);
        Self { ended, state, settled, decision: Some(decision) }
    }
}

/// What its runs here came to counts for nothing once it ran elsewhere, nor does what somebody asked of the other site.
fn elsewhere(mut state: ScheduleState, seen: &TrainingSeen) -> ScheduleState {
    state.last_run.take_if(|run| run.finished_at.is_some());
    state.failures = 0;
    state.last_request = seen.request.clone().or(state.last_request);
    state
}

fn next(
    object: &ValidatedTraining,
    settled: &ModelTrainingStatus,
    state: &ScheduleState,
    seen: &TrainingSeen,
    now: Timestamp,
) -> Decision {
    let observed = schedule::Observed {
        last: last_outcome(settled, state),
        records: seen.archive.records.as_ref().ok().copied(),
        request: seen.request.as_deref(),
        now,
    };
    schedule::decide(object.name.as_str(), &object.schedule, state, &observed)
}

fn start(object: &ValidatedTraining, site: &SiteFile, before: &ScheduleState, decision: &Decision) -> Option<Start> {
    let Decision::Start { reason, state } = decision else {
        return None;
    };
    let run = state.last_run.clone()?;
    Some(Start {
        service_account: build_training_service_account(object),
        job: build_training_job(object, site, &run.job),
        run,
        last_run: before.last_run.clone(),
        reason: *reason,
        state: state.clone(),
    })
}

#[cfg(test)]
mod tests;
