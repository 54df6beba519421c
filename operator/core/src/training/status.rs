//! The status of a training.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use vedette_crds::{ModelTrainingStatus, TrainingPhase, TrainingResult};

use super::{TrainingPlan, Unknown};
use crate::platform::{ApplyFailure, Refused};
use crate::reason::{DataReason, Outcome, ReadyReason, RunReason, TrainingReason};
use crate::refusal::Refusal;
use crate::run_result::Ended;
use crate::schedule::{Decision, ScheduleState};
use crate::status::{
    Conditions, DATA_AVAILABLE, Finding, GATE_PASSED, PUBLISHED, TRAINED, apply_failed, listed, schedule_in_effect,
    training_run,
};

/// How many results are kept.
const HISTORY_LIMIT: usize = 10;

/// How a training stands, now that its plan was applied.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AfterApply {
    /// Its Jobs run at another site.
    Elsewhere,
    /// As it was decided.
    Decided(Decision),
    /// A run is due, and could not be started.
    NotStarted(ApplyFailure),
}

/// The status with the result of a run in its history.
pub(super) fn with_result(before: &ModelTrainingStatus, ended: &Ended) -> ModelTrainingStatus {
    let mut status = before.clone();
    status.history.insert(0, ended.result.clone());
    status.history.truncate(HISTORY_LIMIT);
    match ended.outcome {
        Outcome::Published => {
            status.model.clone_from(&ended.result.version);
            // As people read it; the history has every digit.
            status.score = ended.result.auroc.map(|auroc| (auroc * 1e4).round() / 1e4);
            status.candidate = None;
        }
        Outcome::GateRefused => status.candidate.clone_from(&ended.result.version),
        Outcome::NotEnoughData | Outcome::Failed => {}
    }
    status
}

/// The status of a training that is in order.
pub(super) fn training_status(
    plan: &TrainingPlan,
    after: &AfterApply,
    state: &ScheduleState,
    now: Timestamp,
) -> ModelTrainingStatus {
    let TrainingPlan { seen, settled, .. } = plan;
    let ScheduleState { last_schedule_time, in_effect, last_run, last_request, failures } = state;
    ModelTrainingStatus {
        observed_generation: seen.generation,
        conditions: conditions(plan, after, state, now),
        phase: Some(phase(plan, after, state)),
        model: settled.model.clone(),
        candidate: settled.candidate.clone(),
        score: settled.score,
        records: seen.archive.records.as_ref().map_or(settled.records, |records| i64::try_from(*records).ok()),
        last_schedule_time: last_schedule_time.map(Time),
        schedule: in_effect.as_ref().map(schedule_in_effect),
        last_run: last_run.as_ref().map(training_run),
        last_request: last_request.clone(),
        failures: i32::try_from(*failures).unwrap_or(i32::MAX),
        history: settled.history.clone(),
    }
}

/// The status of a training that is not acted upon: a run that is under way goes on.
pub(super) fn refused_training_status(
    refused: &Refused<'_, ModelTrainingStatus>,
    refusal: Refusal,
    now: Timestamp,
) -> ModelTrainingStatus {
    let Refused { before, generation, site: _, jitter: _ } = refused;
    let Refusal { reason, message } = refusal;
    let conditions = Conditions::from(&before.conditions, *generation, now).with_ready(Finding::fails(reason, message));
    ModelTrainingStatus { observed_generation: *generation, conditions: conditions.into_vec(), ..(*before).clone() }
}

/// How the last run ended, where that is known: while one is under way, that before it.
pub(super) fn last_outcome(settled: &ModelTrainingStatus, state: &ScheduleState) -> Option<Outcome> {
    let result = settled.history.first()?;
    let run = state.last_run.as_ref()?;
    // A run that another site made has no place in the history here.
    (run.finished_at.is_none() || run.job == result.job).then(|| outcome(result))
}

fn phase(plan: &TrainingPlan, after: &AfterApply, state: &ScheduleState) -> TrainingPhase {
    match after {
        AfterApply::Elsewhere => TrainingPhase::RunsAtOtherSite,
        AfterApply::Decided(Decision::Suspended) => TrainingPhase::Suspended,
        AfterApply::Decided(Decision::Running | Decision::Start { .. }) => TrainingPhase::Running,
        AfterApply::Decided(Decision::Done) => TrainingPhase::Done,
        AfterApply::NotStarted(_)
        | AfterApply::Decided(Decision::WaitingForData { .. } | Decision::WaitingUntil(_)) => {
            match last_outcome(&plan.settled, state) {
                Some(Outcome::Failed) => TrainingPhase::Failed,
                Some(Outcome::NotEnoughData) => TrainingPhase::WaitingForData,
                Some(Outcome::Published | Outcome::GateRefused) => TrainingPhase::Scheduled,
                None if state.last_run.is_some() => TrainingPhase::Scheduled,
                None => before_the_first_run(after),
            }
        }
    }
}

fn before_the_first_run(after: &AfterApply) -> TrainingPhase {
    match after {
        AfterApply::Decided(Decision::WaitingUntil(_)) => TrainingPhase::Scheduled,
        AfterApply::Decided(_) | AfterApply::NotStarted(_) | AfterApply::Elsewhere => TrainingPhase::WaitingForData,
    }
}

fn conditions(plan: &TrainingPlan, after: &AfterApply, state: &ScheduleState, now: Timestamp) -> Vec<Condition> {
    let ready = ready(plan, after, state);
    let conditions = Conditions::from(&plan.before.conditions, plan.seen.generation, now).with_ready(ready);
    if *after == AfterApply::Elsewhere {
        // What its runs here came to is no news of those there.
        let of_runs = [DATA_AVAILABLE, TRAINED, GATE_PASSED, PUBLISHED];
        return of_runs.into_iter().fold(conditions, Conditions::without).into_vec();
    }
    let last = plan.settled.history.first();
    conditions
        .with(DATA_AVAILABLE, data_available(plan))
        .with(TRAINED, trained(last))
        .with(GATE_PASSED, gate_passed(last))
        .with(PUBLISHED, published(last))
        .into_vec()
}

fn ready(plan: &TrainingPlan, after: &AfterApply, state: &ScheduleState) -> Finding {
    match after {
        AfterApply::Elsewhere => elsewhere(plan),
        AfterApply::NotStarted(failure) => {
            apply_failed(failure, &plan.before.conditions).unwrap_or_else(|| due(plan, state))
        }
        AfterApply::Decided(decision) => with_candidate(decided(plan, decision, state), decision, plan, state),
    }
}

/// That the gate refused a model is what a run should do, so the training is ready; whoever reads that is told where to look.
fn with_candidate(finding: Finding, decision: &Decision, plan: &TrainingPlan, state: &ScheduleState) -> Finding {
    let is_at_rest = match decision {
        Decision::Done | Decision::WaitingUntil(_) | Decision::WaitingForData { .. } => true,
        Decision::Suspended | Decision::Running | Decision::Start { .. } => false,
    };
    if !is_at_rest || last_outcome(&plan.settled, state) != Some(Outcome::GateRefused) {
        return finding;
    }
    let message =
        format!("{}; the model of the last run is a candidate: condition {GATE_PASSED} says why", finding.message);
    Finding { message, ..finding }
}

fn elsewhere(plan: &TrainingPlan) -> Finding {
    let there = format!("its Jobs run at site {}, as spec.site says", plan.site);
    match plan.unknown().map(|unknown| is_unknown(plan, unknown)) {
        None => Finding::holds(TrainingReason::RunsAtOtherSite, there),
        Some(finding) => Finding { message: format!("{there}; {}", finding.message), ..finding },
    }
}

/// A run is due whose start failed in a way that may pass at once: that is no news, so what is said is what was true before it was due.
fn due(plan: &TrainingPlan, state: &ScheduleState) -> Finding {
    let soon = "the next one starts as soon as it can";
    match last_outcome(&plan.settled, state) {
        Some(Outcome::Failed) => last_run_failed(plan, soon),
        Some(Outcome::NotEnoughData) => lacked_records(soon),
        Some(Outcome::Published | Outcome::GateRefused) => scheduled("as soon as it can"),
        None if state.last_run.is_some() => scheduled("as soon as it can"),
        None => waiting_for_data(plan.minimum_records),
    }
}

/// A training is ready where its last run did what it should, or none is due.
fn decided(plan: &TrainingPlan, decision: &Decision, state: &ScheduleState) -> Finding {
    let last = last_outcome(&plan.settled, state);
    match (decision, last) {
        (Decision::Suspended, _) => Finding::holds(ReadyReason::Suspended, "no new run starts: spec.suspend is set"),
        (Decision::Running | Decision::Start { .. }, _) => under_way(plan, decision, state),
        (Decision::WaitingUntil(time), Some(Outcome::Failed)) => {
            last_run_failed(plan, &format!("the next one starts at {time}"))
        }
        (Decision::WaitingForData { needed, .. }, Some(Outcome::Failed)) => {
            last_run_failed(plan, &format!("the next one starts when {needed} records are archived"))
        }
        (Decision::WaitingUntil(time), Some(Outcome::NotEnoughData)) => {
            lacked_records(&format!("the next one starts at {time}, or when there are many more"))
        }
        (Decision::WaitingUntil(time), _) => match plan.unknown() {
            Some(unknown) => is_unknown(plan, unknown),
            None => scheduled(&format!("at {time}")),
        },
        (Decision::WaitingForData { needed, .. }, _) => awaits_records(plan, *needed),
        (Decision::Done, _) => {
            let message = "nothing more runs by itself; the annotation vedette.io/run asks for one";
            Finding::holds(TrainingReason::Done, message)
        }
    }
}

fn under_way(plan: &TrainingPlan, decision: &Decision, state: &ScheduleState) -> Finding {
    let job = state.last_run.as_ref().map(|run| run.job.as_str()).unwrap_or_default();
    match (decision, plan.seen.run.trouble(), last_outcome(&plan.settled, state)) {
        (Decision::Running, Some(trouble), _) => {
            Finding::fails(TrainingReason::RunHeldUp, format!("Job {job} is under way: {trouble}"))
        }
        (_, _, Some(Outcome::Failed)) => last_run_failed(plan, &format!("Job {job} is the next one, and under way")),
        (_, _, Some(Outcome::Published | Outcome::GateRefused | Outcome::NotEnoughData) | None) => {
            Finding::holds(ReadyReason::Running, format!("Job {job} is under way"))
        }
    }
}

fn last_run_failed(plan: &TrainingPlan, next: &str) -> Finding {
    let cause = plan.settled.history.first().map(|result| result.message.as_str()).unwrap_or_default();
    Finding::fails(TrainingReason::LastRunFailed, format!("the last run failed: {cause}; {next}"))
}

fn lacked_records(next: &str) -> Finding {
    Finding::holds(TrainingReason::WaitingForData, format!("the last run found too few records; {next}"))
}

fn scheduled(when: &str) -> Finding {
    Finding::holds(TrainingReason::Scheduled, format!("the next run starts {when}"))
}

/// Nobody knows whether a run is due while the records cannot be counted.
fn awaits_records(plan: &TrainingPlan, needed: u64) -> Finding {
    match (&plan.seen.archive.records, plan.unknown()) {
        (Err(why), _) => {
            let message = format!("a run starts when {needed} records are archived, which cannot be counted: {why}");
            Finding::unknown(DataReason::ProgressUnreadable, message)
        }
        (Ok(_), Some(unknown)) => is_unknown(plan, unknown),
        (Ok(_), None) => waiting_for_data(needed),
    }
}

fn waiting_for_data(needed: u64) -> Finding {
    let message = format!("a run starts when {needed} records are archived");
    Finding::holds(TrainingReason::WaitingForData, message)
}

fn is_unknown(plan: &TrainingPlan, unknown: Unknown<'_>) -> Finding {
    let pipeline = &plan.pipeline;
    match unknown {
        Unknown::Site(known) => {
            let (site, known) = (&plan.site, listed(known));
            let message = format!(
                "no site {site} has told of pipeline {pipeline}, nor published a model; see that spec.site is right: sites that have are {known}"
            );
            Finding::unknown(TrainingReason::UnknownSite, message)
        }
        Unknown::Pipeline(known) => {
            let known = listed(known);
            let message = format!(
                "no site has told of pipeline {pipeline}, and no record of it is known; see that spec.data.pipeline is right: pipelines of this namespace are {known}"
            );
            Finding::unknown(TrainingReason::UnknownPipeline, message)
        }
    }
}

fn data_available(plan: &TrainingPlan) -> Finding {
    let needed = plan.minimum_records;
    match &plan.seen.archive.records {
        Ok(records) if *records >= needed => {
            Finding::holds(DataReason::EnoughRecords, format!("at least {needed} records are archived"))
        }
        Ok(records) => Finding::fails(DataReason::TooFewRecords, format!("{records} of {needed} records are archived")),
        Err(message) => Finding::unknown(DataReason::ProgressUnreadable, message),
    }
}

/// How a run ended; what somebody broke in a status is read as a failure.
fn outcome(result: &TrainingResult) -> Outcome {
    Outcome::read(&result.outcome).unwrap_or(Outcome::Failed)
}

fn of_job(result: &TrainingResult) -> String {
    format!("Job {}: {}", result.job, result.message)
}

fn trained(last: Option<&TrainingResult>) -> Finding {
    match last {
        None => Finding::fails(RunReason::NoRunYet, "no run has ended yet"),
        Some(result) if result.version.is_some() => {
            let message = format!("Job {} learned from {} records", result.job, result.records);
            Finding::holds(RunReason::ModelTrained, message)
        }
        Some(result) => Finding::fails(outcome(result), of_job(result)),
    }
}

fn gate_passed(last: Option<&TrainingResult>) -> Finding {
    let Some(result) = last else {
        return Finding::unknown(RunReason::NoRunYet, "no run has ended yet");
    };
    match outcome(result) {
        Outcome::Published => {
            Finding::holds(RunReason::Passed, format!("the model of Job {} is good enough", result.job))
        }
        Outcome::GateRefused => Finding::fails(Outcome::GateRefused, of_job(result)),
        Outcome::NotEnoughData | Outcome::Failed => {
            Finding::unknown(RunReason::NoModel, format!("Job {} made no model", result.job))
        }
    }
}

fn published(last: Option<&TrainingResult>) -> Finding {
    let Some(result) = last else {
        return Finding::fails(RunReason::NoRunYet, "no run has ended yet");
    };
    match outcome(result) {
        Outcome::Published => {
            let version = result.version.as_deref().unwrap_or_default();
            Finding::holds(Outcome::Published, format!("Job {} published version {version}", result.job))
        }
        other => Finding::fails(other, of_job(result)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    fn ended(outcome: Outcome) -> Ended {
        let version =
            matches!(outcome, Outcome::Published | Outcome::GateRefused).then_some("20261123T084210Z-1a2b3c4d");
        let result = TrainingResult {
            job: "flows-1".to_owned(),
            finished_at: Time(Timestamp::UNIX_EPOCH),
            outcome: outcome.as_str().to_owned(),
            version: version.map(str::to_owned),
            auroc: version.map(|_| 0.9),
            records: 100,
            report: None,
            search: None,
            message: "because".to_owned(),
        };
        Ended { outcome, result, left: None }
    }

    #[test]
    fn the_conditions_are_those_of_the_last_run() {
        let table = [
            (Outcome::Published, [true, true, true]),
            (Outcome::GateRefused, [true, false, false]),
            (Outcome::NotEnoughData, [false, false, false]),
            (Outcome::Failed, [false, false, false]),
        ];
        for (outcome, expected) in table {
            let status = with_result(&ModelTrainingStatus::default(), &ended(outcome));
            let last = status.history.first();
            let held = [trained(last), gate_passed(last), published(last)].map(|finding| finding.holds == Some(true));
            assert_eq!(held, expected, "{outcome:?}");
            assert_eq!(status.model.is_some(), outcome == Outcome::Published);
            assert_eq!(status.candidate.is_some(), outcome == Outcome::GateRefused);
        }
    }

    #[test]
    fn a_candidate_is_told_until_a_later_model_is_published() {
        let mut status = ModelTrainingStatus::default();
        let mut after = |outcome| {
            status = with_result(&status, &ended(outcome));
            (status.model.is_some(), status.candidate.is_some())
        };
        assert_eq!(after(Outcome::Published), (true, false));
        assert_eq!(after(Outcome::GateRefused), (true, true));
        assert_eq!(after(Outcome::Failed), (true, true));
        assert_eq!(after(Outcome::Published), (true, false));
    }

    #[test]
    fn the_history_is_bounded_and_the_newest_is_first() {
        let mut status = ModelTrainingStatus::default();
        for _ in 0..12 {
            status = with_result(&status, &ended(Outcome::GateRefused));
        }
        status = with_result(&status, &ended(Outcome::Failed));
        assert_eq!((status.history.len(), status.history[0].outcome.as_str()), (10, "Failed"));
    }
}
