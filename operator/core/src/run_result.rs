//! What came of a training run, for status, events and people: from the result in the bucket and the state of its Job.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use vedette_contract::Name;
use vedette_contract::model::{TrainingOutcome, TrainingResult};
use vedette_contract::search::{BestTrial, SearchSummary};
use vedette_crds::{SearchResult, SearchTrial, TrainingResult as RunStatus};

use crate::job_state::JobState;
use crate::reason::{Outcome, Reason};
use crate::schedule::Run;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// In one word; one that failed is tried again.
    pub outcome: Outcome,
    /// For the history.
    pub result: RunStatus,
    /// What it left in the bucket.
    pub left: Option<Box<TrainingResult>>,
}

impl Ended {
    /// Whether it left no result.
    pub fn has_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    /// Whether it is tried again after a pause that grows.
    pub(crate) fn came_to_nothing(&self) -> bool {
        match self.outcome {
            Outcome::Failed | Outcome::NotEnoughData => true,
            Outcome::Published | Outcome::GateRefused => false,
        }
    }
}

/// A run whose Job hangs, and makes place for another as it would be made otherwise now.
pub(crate) fn replaced(run: &Run, trouble: Option<&str>, now: Timestamp) -> Ended {
    let hung = trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default();
    failed(run, &format!("its Job hung and is made anew, as what it consists of has changed{hung}"), now)
}

/// How a run ended, if it has. Its result in the bucket is the truth, whatever became of its Job: one that fails after it
/// published has published. A Job that ended, or is gone, without one has failed.
pub(crate) fn ended(run: &Run, job: &JobState, left: Option<&TrainingResult>, now: Timestamp) -> Option<Ended> {
    match (job, left) {
        (JobState::Running { .. }, _) => None,
        (JobState::Complete | JobState::Absent | JobState::Failed { .. }, Some(left)) => Some(succeeded(left)),
        (JobState::Failed { cause }, None) => Some(failed(run, cause, now)),
        (JobState::Complete, None) => Some(failed(run, "the Job completed and left no result in the bucket", now)),
        (JobState::Absent, None) => Some(failed(run, "the Job is gone and left no result in the bucket", now)),
    }
}

fn failed(run: &Run, message: &str, now: Timestamp) -> Ended {
    let outcome = Outcome::Failed;
    let result = RunStatus {
        job: run.job.clone(),
        finished_at: Time(now),
        outcome: outcome.as_str().to_owned(),
        version: None,
        auroc: None,
        records: i64::try_from(run.records).unwrap_or(i64::MAX),
        report: None,
        search: None,
        message: message.to_owned(),
    };
    Ended { outcome, result, left: None }
}

fn succeeded(left: &TrainingResult) -> Ended {
    let TrainingResult { job, finished_at, outcome, records, version, metrics, baseline: _, report, search, message } =
        left;
    let outcome = match outcome {
        TrainingOutcome::Published => Outcome::Published,
        TrainingOutcome::GateRefused => Outcome::GateRefused,
        TrainingOutcome::NotEnoughData => Outcome::NotEnoughData,
    };
    let result = RunStatus {
        job: job.clone(),
        finished_at: Time(*finished_at),
        outcome: outcome.as_str().to_owned(),
        version: version.as_ref().map(ToString::to_string),
        auroc: metrics.as_ref().and_then(|metrics| metrics.auroc),
        records: i64::try_from(*records).unwrap_or(i64::MAX),
        report: report.clone(),
        search: search.as_ref().map(search_result),
        message: message.clone(),
    };
    Ended { outcome, result, left: Some(Box::new(left.clone())) }
}

fn search_result(summary: &SearchSummary) -> SearchResult {
    let SearchSummary { metric, trials, failed, best } = summary;
    let best = best.iter().map(|BestTrial { parameters, value }| {
        // As people read it; the metadata has every digit.
        SearchTrial { parameters: parameters.clone(), value: (value * 1e4).round() / 1e4 }
    });
    SearchResult {
        metric: metric.as_str().to_owned(),
        trials: i64::try_from(*trials).unwrap_or(i64::MAX),
        failed: i64::try_from(*failed).unwrap_or(i64::MAX),
        best: best.collect(),
    }
}

/// One line for a person.
pub fn sentence(training: &Name, result: &TrainingResult) -> String {
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let metrics = result.metrics.as_ref().map_or_else(String::new, |metrics| {
        let baseline = figure(result.baseline.as_ref().and_then(|baseline| baseline.auroc));
        format!(
            "; AUROC {} (2016 recipe {baseline}), recall {} and precision {} at {} alerts per million",
            figure(metrics.auroc),
            figure(metrics.recall_at_budget),
            figure(metrics.precision_at_budget),
            metrics.alert_budget_per_million
        )
    });
    format!("training {training}: {} of {} records: {}{metrics}", result.job, result.records, result.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        Run { job: "flows-1".to_owned(), started_at: Timestamp::UNIX_EPOCH, finished_at: None, records: 7 }
    }

    fn result() -> TrainingResult {
        TrainingResult {
            job: "flows-1".to_owned(),
            finished_at: Timestamp::UNIX_EPOCH,
            outcome: TrainingOutcome::Published,
            records: 9,
            version: Some("20261123T084210Z-1a2b3c4d".parse().unwrap()),
            metrics: None,
            baseline: None,
            report: None,
            search: None,
            message: "published".to_owned(),
        }
    }

    #[test]
    fn a_result_counts_whatever_became_of_the_job() {
        let now = Timestamp::UNIX_EPOCH;
        for job in [JobState::Absent, JobState::Complete, JobState::Failed { cause: "evicted".to_owned() }] {
            let ended = ended(&run(), &job, Some(&result()), now).unwrap();
            assert!(!ended.has_failed(), "{job:?}");
            assert_eq!((ended.outcome, ended.result.records), (Outcome::Published, 9));
        }
    }

    #[test]
    fn a_job_that_is_gone_without_a_result_has_failed_and_one_that_runs_has_not_ended() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(ended(&run(), &JobState::Running { trouble: None }, None, now), None);
        for job in [JobState::Absent, JobState::Complete, JobState::Failed { cause: "out of memory".to_owned() }] {
            let ended = ended(&run(), &job, None, now).unwrap();
            assert!(ended.has_failed() && ended.result.outcome == "Failed", "{job:?}");
        }
    }
}
