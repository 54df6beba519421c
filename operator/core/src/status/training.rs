//! The status of a training.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use vedette_crds::{ModelTrainingStatus, TrainingPhase, TrainingResult};

use super::conditions::{Conditions, Verdict};
use super::mapping::training_run;
use super::{DATA_AVAILABLE, GATE_PASSED, PUBLISHED, READY, SUSPENDED, TRAINED};
use crate::run_result::{self, Ended};
use crate::schedule::{Decision, ScheduleState};

/// How many results are kept.
const HISTORY_LIMIT: usize = 10;

/// Everything that a training's status is made from.
#[derive(Debug, Clone)]
pub struct TrainingObservation<'a> {
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// The site that it runs at, where that is another one.
    pub other_site: Option<&'a str>,
    /// What is decided; none where it runs elsewhere.
    pub decision: Option<&'a Decision>,
    /// Records in the archive, or why they are not known.
    pub records: Result<u64, &'a str>,
    /// Records that a first run takes.
    pub minimum_records: u64,
    /// The runs.
    pub state: &'a ScheduleState,
    /// Why the spec could not be put into effect: reason and message.
    pub failure: Option<(&'static str, &'a str)>,
}

/// The status with the result of a run in its history.
pub fn with_result(before: &ModelTrainingStatus, ended: &Ended) -> ModelTrainingStatus {
    let mut status = before.clone();
    status.history.insert(0, ended.result.clone());
    status.history.truncate(HISTORY_LIMIT);
    if ended.result.outcome == run_result::PUBLISHED {
        status.model.clone_from(&ended.result.version);
        // As people read it; the history has every digit.
        status.score = ended.result.auroc.map(|auroc| (auroc * 1e4).round() / 1e4);
    }
    status
}

/// The status of a training that is in order.
pub fn training_status(
    before: &ModelTrainingStatus,
    observed: &TrainingObservation<'_>,
    now: Timestamp,
) -> ModelTrainingStatus {
    let ScheduleState { last_schedule_time, last_run, last_request, failures } = observed.state;
    ModelTrainingStatus {
        observed_generation: observed.generation,
        conditions: conditions(before, observed, now),
        phase: Some(phase(observed)),
        model: before.model.clone(),
        score: before.score,
        records: observed.records.ok().map_or(before.records, |records| i64::try_from(records).ok()),
        last_schedule_time: last_schedule_time.map(Time),
        last_run: last_run.as_ref().map(training_run),
        last_request: last_request.clone(),
        failures: i32::try_from(*failures).unwrap_or(i32::MAX),
        history: before.history.clone(),
    }
}

/// The status of a training that is not acted upon, for this reason.
pub fn refused_training_status(
    before: &ModelTrainingStatus,
    generation: Option<i64>,
    (reason, message): (&str, String),
    now: Timestamp,
) -> ModelTrainingStatus {
    let conditions = Conditions::from(&before.conditions, generation, now).with(READY, Verdict::fails(reason, message));
    ModelTrainingStatus { observed_generation: generation, conditions: conditions.into_vec(), ..before.clone() }
}

fn phase(observed: &TrainingObservation<'_>) -> TrainingPhase {
    match observed.decision {
        None => TrainingPhase::RunsAtOtherSite,
        Some(Decision::Suspended) => TrainingPhase::Suspended,
        Some(Decision::Running | Decision::Start { .. }) => TrainingPhase::Running,
        Some(Decision::WaitingForData { .. }) if observed.state.last_run.is_none() => TrainingPhase::WaitingForData,
        Some(Decision::WaitingUntil(_)) if observed.state.failures > 0 => TrainingPhase::Failed,
        Some(Decision::WaitingForData { .. } | Decision::WaitingUntil(_)) => TrainingPhase::Scheduled,
        Some(Decision::Done) => TrainingPhase::Done,
    }
}

fn conditions(before: &ModelTrainingStatus, observed: &TrainingObservation<'_>, now: Timestamp) -> Vec<Condition> {
    let conditions =
        Conditions::from(&before.conditions, observed.generation, now).with(READY, ready(before, observed));
    if observed.other_site.is_some() {
        return conditions.into_vec();
    }
    let last = before.history.first();
    conditions
        .with(DATA_AVAILABLE, data_available(observed))
        .with(TRAINED, trained(last))
        .with(GATE_PASSED, gate_passed(last))
        .with(PUBLISHED, published(last))
        .into_vec()
}

fn ready(before: &ModelTrainingStatus, observed: &TrainingObservation<'_>) -> Verdict {
    if let Some((reason, message)) = observed.failure {
        return Verdict::fails(reason, message);
    }
    let Some(decision) = observed.decision else {
        let site = observed.other_site.unwrap_or_default();
        return Verdict::holds("RunsAtOtherSite", format!("its Jobs run at site {site}, as spec.site says"));
    };
    match decision {
        Decision::Suspended => Verdict::fails(SUSPENDED, "no new run starts: spec.suspend is set"),
        Decision::Running | Decision::Start { .. } => {
            let job = observed.state.last_run.as_ref().map(|run| run.job.as_str()).unwrap_or_default();
            Verdict::holds("Running", format!("Job {job} is under way"))
        }
        Decision::WaitingUntil(time) if observed.state.failures > 0 => {
            let cause = before.history.first().map(|result| result.message.as_str()).unwrap_or_default();
            Verdict::fails("LastRunFailed", format!("the last run failed: {cause}; the next one starts at {time}"))
        }
        Decision::WaitingUntil(time) => Verdict::holds("Scheduled", format!("the next run starts at {time}")),
        Decision::WaitingForData { needed, .. } => {
            Verdict::holds("WaitingForData", format!("a run starts when {needed} records are archived"))
        }
        Decision::Done => {
            Verdict::holds("Done", "nothing more runs by itself; the annotation vedette.io/run asks for one")
        }
    }
}

fn data_available(observed: &TrainingObservation<'_>) -> Verdict {
    let needed = observed.minimum_records;
    match observed.records {
        Ok(records) if records >= needed => {
            Verdict::holds("EnoughRecords", format!("at least {needed} records are archived"))
        }
        Ok(records) => Verdict::fails("TooFewRecords", format!("{records} of {needed} records are archived")),
        Err(message) => Verdict::unknown("ProgressUnreadable", message),
    }
}

fn trained(last: Option<&TrainingResult>) -> Verdict {
    match last {
        None => Verdict::fails("NoRunYet", "no run has ended yet"),
        Some(result) if result.version.is_some() => {
            Verdict::holds("ModelTrained", format!("Job {} learned from {} records", result.job, result.records))
        }
        Some(result) => Verdict::fails(&result.outcome, format!("Job {}: {}", result.job, result.message)),
    }
}

fn gate_passed(last: Option<&TrainingResult>) -> Verdict {
    match last {
        Some(result) if result.outcome == run_result::PUBLISHED => {
            Verdict::holds("Passed", format!("the model of Job {} is good enough", result.job))
        }
        Some(result) if result.outcome == run_result::GATE_REFUSED => {
            Verdict::fails(run_result::GATE_REFUSED, format!("Job {}: {}", result.job, result.message))
        }
        Some(result) => Verdict::unknown("NoModel", format!("Job {} made no model", result.job)),
        None => Verdict::unknown("NoRunYet", "no run has ended yet"),
    }
}

fn published(last: Option<&TrainingResult>) -> Verdict {
    match last {
        Some(result) if result.outcome == run_result::PUBLISHED => {
            let version = result.version.as_deref().unwrap_or_default();
            Verdict::holds(run_result::PUBLISHED, format!("Job {} published version {version}", result.job))
        }
        Some(result) => Verdict::fails(&result.outcome, format!("Job {}: {}", result.job, result.message)),
        None => Verdict::fails("NoRunYet", "no run has ended yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Run;
    use crate::status::{find, is_true};

    fn ended(outcome: &str, version: Option<&str>) -> Ended {
        Ended {
            failed: outcome == run_result::FAILED,
            result: TrainingResult {
                job: "flows-1".to_owned(),
                finished_at: Time(Timestamp::UNIX_EPOCH),
                outcome: outcome.to_owned(),
                version: version.map(str::to_owned),
                auroc: version.map(|_| 0.9),
                records: 100,
                message: "because".to_owned(),
            },
        }
    }

    fn status(before: &ModelTrainingStatus, decision: Option<&Decision>, state: &ScheduleState) -> ModelTrainingStatus {
        let observed = TrainingObservation {
            generation: Some(1),
            other_site: decision.is_none().then_some("west"),
            decision,
            records: Ok(50),
            minimum_records: 100,
            state,
            failure: None,
        };
        training_status(before, &observed, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn at_another_site_it_says_so_and_nothing_else() {
        let status = status(&ModelTrainingStatus::default(), None, &ScheduleState::default());
        assert_eq!(status.phase, Some(TrainingPhase::RunsAtOtherSite));
        assert_eq!(status.conditions.len(), 1);
        assert_eq!(find(&status.conditions, READY).unwrap().reason, "RunsAtOtherSite");
    }

    #[test]
    fn the_conditions_are_those_of_the_last_run() {
        let version = Some("20261123T084210Z-1a2b3c4d");
        let table = [
            (ended(run_result::PUBLISHED, version), [true, true, true]),
            (ended(run_result::GATE_REFUSED, version), [true, false, false]),
            (ended(run_result::NOT_ENOUGH_DATA, None), [false, false, false]),
            (ended(run_result::FAILED, None), [false, false, false]),
        ];
        for (ended, expected) in table {
            let before = with_result(&ModelTrainingStatus::default(), &ended);
            let status = status(&before, Some(&Decision::Done), &ScheduleState::default());
            let held = [TRAINED, GATE_PASSED, PUBLISHED].map(|kind| is_true(&status.conditions, kind));
            assert_eq!(held, expected, "{}", ended.result.outcome);
            assert_eq!(status.model.is_some(), ended.result.outcome == run_result::PUBLISHED);
        }
    }

    #[test]
    fn a_run_that_failed_after_a_good_one_keeps_the_model() {
        let good = with_result(
            &ModelTrainingStatus::default(),
            &ended(run_result::PUBLISHED, Some("20261123T084210Z-1a2b3c4d")),
        );
        let bad = with_result(&good, &ended(run_result::FAILED, None));
        let run = Run { job: "j".to_owned(), started_at: Timestamp::UNIX_EPOCH, finished_at: None, records: 1 };
        let state = ScheduleState { failures: 1, last_run: Some(run), ..ScheduleState::default() };
        let status = status(&bad, Some(&Decision::WaitingUntil(Timestamp::UNIX_EPOCH)), &state);
        assert_eq!(status.phase, Some(TrainingPhase::Failed));
        assert!(status.model.is_some() && status.history.len() == 2);
        assert_eq!(find(&status.conditions, READY).unwrap().reason, "LastRunFailed");
    }

    #[test]
    fn the_history_is_bounded_and_the_newest_is_first() {
        let mut status = ModelTrainingStatus::default();
        for _ in 0..12 {
            status = with_result(&status, &ended(run_result::GATE_REFUSED, None));
        }
        status = with_result(&status, &ended(run_result::FAILED, None));
        assert_eq!((status.history.len(), status.history[0].outcome.as_str()), (10, run_result::FAILED));
    }
}
