//! How a Job stands, by its own status and that of its pods.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

use crate::last_words::last_words;
use crate::workload::last_end;

/// How a Job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// There is none, or none any more.
    Absent,
    /// It is under way; with what went wrong so far, if anything did.
    Running {
        /// How its last pod failed.
        trouble: Option<String>,
    },
    /// It did its task.
    Complete,
    /// It gave up.
    Failed { cause: String },
}

/// Reads the state of a Job; the pods are its own.
pub fn job_state<'a>(job: Option<&Job>, pods: impl IntoIterator<Item = &'a Pod>) -> JobState {
    let Some(job) = job else {
        return JobState::Absent;
    };
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let held = |kind: &str| {
        conditions.clone().find(|condition| condition.type_ == kind && condition.status == "True").cloned()
    };
    if held("Complete").is_some() {
        return JobState::Complete;
    }
    let words = newest_failure(pods);
    if let Some(failed) = held("Failed") {
        let verdict = failed.message.or(failed.reason).unwrap_or_else(|| "the Job failed".to_owned());
        let cause = words.map_or_else(|| verdict.clone(), |words| format!("{words} ({verdict})"));
        return JobState::Failed { cause };
    }
    JobState::Running { trouble: words }
}

fn newest_failure<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Option<String> {
    let ends = pods.into_iter().filter_map(last_end).filter(|end| end.exit_code != 0);
    let newest = ends.max_by_key(|end| end.finished_at.as_ref().map(|time| time.0))?;
    let words = newest.message.as_deref().and_then(last_words);
    Some(words.unwrap_or_else(|| format!("its pod ended with exit code {}", newest.exit_code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(conditions: Value) -> Job {
        serde_json::from_value(json!({ "status": { "conditions": conditions } })).unwrap()
    }

    fn failed_pod(second: u8, words: &str) -> Pod {
        let labels = json!({ "app.kubernetes.io/component": "topics" });
        serde_json::from_value(json!({ "metadata": { "labels": labels }, "status": { "containerStatuses": [{
            "name": "topics", "image": "i", "imageID": "i", "restartCount": 0, "ready": false,
            "state": { "terminated": { "exitCode": 1, "message": words, "finishedAt": format!("2026-11-23T08:42:{second:02}Z") } }
        }] } }))
        .unwrap()
    }

    #[test]
    fn a_job_is_what_its_conditions_say() {
        assert_eq!(job_state(None, []), JobState::Absent);
        assert_eq!(job_state(Some(&job(json!([]))), []), JobState::Running { trouble: None });
        let complete = json!([{ "type": "Complete", "status": "True" }]);
        assert_eq!(job_state(Some(&job(complete)), []), JobState::Complete);
        let not_yet = json!([{ "type": "Complete", "status": "False" }]);
        assert_eq!(job_state(Some(&job(not_yet)), []), JobState::Running { trouble: None });
    }

    #[test]
    fn the_newest_failure_is_the_cause() {
        let pods = [failed_pod(1, "no broker"), failed_pod(9, "fewer partitions"), failed_pod(5, "no broker")];
        let failed = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit reached" }]);
        let cause = "fewer partitions (limit reached)".to_owned();
        assert_eq!(job_state(Some(&job(failed)), &pods), JobState::Failed { cause });
        let trouble = Some("fewer partitions".to_owned());
        assert_eq!(job_state(Some(&job(json!([]))), &pods), JobState::Running { trouble });
    }
}
