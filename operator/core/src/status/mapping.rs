//! The state machines' memory in the status of an object, and back. What somebody broke there is read as not there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use vedette_contract::Name;
use vedette_crds::{AnomalyPipelineStatus, ModelStatus, ModelTarget, ModelTrainingStatus, ScheduleStatus, TrainingRun};

use crate::roll::{Clock, RollState, Target};
use crate::schedule::{InEffect, Run, ScheduleState};

/// The model roll as a status remembers it; what it remembers of another training counts for nothing.
pub fn roll_state(status: &AnomalyPipelineStatus, followed: Option<&Name>) -> RollState {
    let Some(model) = &status.model else {
        return RollState::default();
    };
    let ModelStatus { training, active, previous, target, rejected, rejected_with, generation, pinned, retried } =
        model;
    if training.as_deref() != followed.map(Name::as_str) {
        return RollState::default();
    }
    RollState {
        active: active.as_ref().and_then(|version| version.parse().ok()),
        previous: previous.as_ref().and_then(|version| version.parse().ok()),
        target: target.as_ref().and_then(roll_target),
        rejected: rejected.iter().filter_map(|version| version.parse().ok()).collect(),
        rejected_with: rejected_with.clone(),
        generation: u64::try_from(*generation).unwrap_or_default(),
        pinned: pinned.as_ref().and_then(|version| version.parse().ok()),
        retried: retried.clone(),
    }
}

fn roll_target(target: &ModelTarget) -> Option<Target> {
    let ModelTarget { version, since, steps, ready, unmoved_since } = target;
    let clock = Clock { steps: *steps, ready: *ready, since: unmoved_since.as_ref().map(|time| time.0) };
    Some(Target { version: version.parse().ok()?, since: since.0, clock })
}

fn model_target(target: &Target) -> ModelTarget {
    let Target { version, since, clock: Clock { steps, ready, since: unmoved_since } } = target;
    ModelTarget {
        version: version.to_string(),
        since: Time(*since),
        steps: *steps,
        ready: *ready,
        unmoved_since: unmoved_since.map(Time),
    }
}

/// The model roll as a status shows it; none while there is nothing to remember.
pub(crate) fn model_status(state: &RollState, followed: Option<&Name>) -> Option<ModelStatus> {
    if *state == RollState::default() {
        return None;
    }
    let RollState { active, previous, target, rejected, rejected_with, generation, pinned, retried } = state;
    Some(ModelStatus {
        training: followed.map(ToString::to_string),
        active: active.as_ref().map(ToString::to_string),
        previous: previous.as_ref().map(ToString::to_string),
        target: target.as_ref().map(model_target),
        rejected: rejected.iter().map(ToString::to_string).collect(),
        rejected_with: rejected_with.clone(),
        generation: i64::try_from(*generation).unwrap_or(i64::MAX),
        pinned: pinned.as_ref().map(ToString::to_string),
        retried: retried.clone(),
    })
}

/// A training's runs as a status remembers them.
pub fn schedule_state(status: &ModelTrainingStatus) -> ScheduleState {
    let run = |TrainingRun { job, started_at, finished_at, records }: &TrainingRun| Run {
        job: job.clone(),
        started_at: started_at.0,
        finished_at: finished_at.as_ref().map(|time| time.0),
        records: u64::try_from(*records).unwrap_or_default(),
    };
    ScheduleState {
        last_schedule_time: status.last_schedule_time.as_ref().map(|time| time.0),
        in_effect: status
            .schedule
            .as_ref()
            .map(|ScheduleStatus { schedule, since }| InEffect { schedule: schedule.clone(), since: since.0 }),
        last_run: status.last_run.as_ref().map(run),
        last_request: status.last_request.clone(),
        failures: u32::try_from(status.failures).unwrap_or_default(),
    }
}

/// A schedule as a status shows it.
pub(crate) fn schedule_in_effect(known: &InEffect) -> ScheduleStatus {
    let InEffect { schedule, since } = known;
    ScheduleStatus { schedule: schedule.clone(), since: Time(*since) }
}

/// A run as a status shows it.
pub(crate) fn training_run(run: &Run) -> TrainingRun {
    let Run { job, started_at, finished_at, records } = run;
    TrainingRun {
        job: job.clone(),
        started_at: Time(*started_at),
        finished_at: finished_at.map(Time),
        records: i64::try_from(*records).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn version() -> impl Strategy<Value = vedette_contract::ModelVersion> {
        "20[0-9]{6}T[0-9]{6}Z-[0-9a-f]{8}".prop_map(|text| text.parse().unwrap())
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        (0..4_000_000_000_i64).prop_map(|second| Timestamp::from_second(second).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_roll_reads_back(
            active in proptest::option::of(version()),
            previous in proptest::option::of(version()),
            target in proptest::option::of((version(), time(), 0..9, 0..9, proptest::option::of(time()))),
            rejected in proptest::collection::vec(version(), 0..4),
            rejected_with in proptest::option::of("[0-9a-f]{16}"),
            generation in 0..1_000_u64,
            pinned in proptest::option::of(version()),
            retried in proptest::option::of("[a-z]{1,8}"),
        ) {
            let target = target.map(|(version, since, steps, ready, unmoved)| {
                Target { version, since, clock: Clock { steps, ready, since: unmoved } }
            });
            let state = RollState { active, previous, target, rejected, rejected_with, generation, pinned, retried };
            let training: Name = "flows".parse().unwrap();
            let model = model_status(&state, Some(&training));
            let status = AnomalyPipelineStatus { model, ..AnomalyPipelineStatus::default() };
            let text = serde_json::to_string(&status).unwrap();
            let status = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(roll_state(&status, Some(&training)), state);
            prop_assert_eq!(roll_state(&status, Some(&"other".parse().unwrap())), RollState::default());
        }

        #[test]
        fn runs_read_back(
            last_schedule_time in proptest::option::of(time()),
            since in proptest::option::of(time()),
            run in proptest::option::of((time(), proptest::option::of(time()), 0..1_000_000_u64)),
            last_request in proptest::option::of("[a-z]{1,8}"),
            failures in 0..20_u32,
        ) {
            let last_run = run.map(|(started_at, finished_at, records)| Run {
                job: "flows-1".to_owned(), started_at, finished_at, records,
            });
            let in_effect = since.map(|since| InEffect { schedule: "0 3 * * * UTC".to_owned(), since });
            let state = ScheduleState { last_schedule_time, in_effect, last_run, last_request, failures };
            let status = ModelTrainingStatus {
                last_schedule_time: state.last_schedule_time.map(Time),
                schedule: state.in_effect.as_ref().map(schedule_in_effect),
                last_run: state.last_run.as_ref().map(training_run),
                last_request: state.last_request.clone(),
                failures: i32::try_from(state.failures).unwrap(),
                ..ModelTrainingStatus::default()
            };
            let text = serde_json::to_string(&status).unwrap();
            prop_assert_eq!(schedule_state(&serde_json::from_str(&text).unwrap()), state);
        }
    }

    #[test]
    fn what_somebody_broke_is_not_there() {
        let model = ModelStatus { active: Some("newest".to_owned()), generation: -1, ..ModelStatus::default() };
        let status = AnomalyPipelineStatus { model: Some(model), ..AnomalyPipelineStatus::default() };
        assert_eq!(roll_state(&status, None), RollState::default());
    }
}
