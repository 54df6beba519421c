//! What has to be there because of a training: at most one Job, for as long as its run is under way.

use jiff::Timestamp;
use vedette_crds::ModelTrainingStatus;

use super::status::with_result;
use super::{RunSeen, Start, TrainingPlan, TrainingSeen};
use crate::desired::{build_training_job, build_training_service_account};
use crate::reason::Outcome;
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
    let mut state = schedule_state(before);
    state.last_run = state.last_run.or_else(|| seen.archive.last_published.clone());
    let ended = ended(&state, &seen.run, now);
    if let Some(ended) = &ended {
        state = schedule::finished(&state, ended.has_failed(), now);
    }
    let settled = ended.as_ref().map_or_else(|| before.clone(), |ended| with_result(before, ended));
    let decision = object.runs_at(site).then(|| next(object, &settled, &state, &seen, now));
    TrainingPlan {
        start: decision.as_ref().and_then(|decision| start(object, site, &state, decision)),
        decision,
        settled,
        ended,
        state,
        seen,
        before: before.clone(),
        site: object.site.to_string(),
        minimum_records: object.schedule.minimum_records,
        watches_records: object.schedule.new_records.is_some(),
    }
}

/// How the run under way ended, if it has.
fn ended(state: &ScheduleState, seen: &RunSeen, now: Timestamp) -> Option<Ended> {
    let run = state.last_run.as_ref().filter(|run| run.finished_at.is_none())?;
    match seen {
        RunSeen::Seen { job, left } => run_result::ended(run, job, left.as_deref(), now),
        RunSeen::Unreadable | RunSeen::None => None,
    }
}

fn next(
    object: &ValidatedTraining,
    settled: &ModelTrainingStatus,
    state: &ScheduleState,
    seen: &TrainingSeen,
    now: Timestamp,
) -> Decision {
    let last = settled.history.first().and_then(|result| Outcome::read(&result.outcome));
    let observed = schedule::Observed {
        is_changed: settled.observed_generation.is_some() && settled.observed_generation != seen.generation,
        lacked_records: last == Some(Outcome::NotEnoughData),
        created_at: seen.created_at.unwrap_or(now),
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
