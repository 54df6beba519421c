//! How a run stands that somebody asked for, as the status of its training tells it.

use vedette_core::desired::labels::RUN_REQUEST;
use vedette_core::status::{READY, find};
use vedette_crds::{ModelTraining, TrainingPhase, TrainingResult};

/// A run that was asked for, and what is known of it.
#[derive(Debug, Default)]
pub(super) struct AskedRun {
    /// Its Job, once it has begun.
    job: Option<String>,
}

/// How it stands.
#[derive(Debug, PartialEq)]
pub(super) enum Stands {
    /// It has not begun, or not ended: what the operator says of it.
    UnderWay(String),
    /// No run begins.
    Rests(Rest),
    /// It ended.
    Ended(Box<TrainingResult>),
    /// It ended, and so many did since then that the status does not have it any more.
    Forgotten { job: String },
}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rest {
    Suspended,
    /// Its Jobs run at this site.
    Elsewhere {
        site: String,
    },
}

impl AskedRun {
    /// What this status, which is a later one than those before, says of it.
    pub(super) fn stands(&mut self, training: &ModelTraining) -> Stands {
        let Some(status) = &training.status else { return Stands::UnderWay(nobody_looked()) };
        let asked = training.metadata.annotations.as_ref().and_then(|annotations| annotations.get(RUN_REQUEST));
        // Whoever asked later asked for the same run; where it runs elsewhere, what is asked begins nothing.
        let is_acted_upon = asked.is_some() && status.last_request.as_ref() == asked && !is_elsewhere(training);
        if self.job.is_none() && is_acted_upon {
            self.job = status.last_run.as_ref().map(|run| run.job.clone());
        }
        let last = status.last_run.as_ref().map(|run| run.job.as_str());
        let Some(job) = &self.job else {
            return rest(training).map_or_else(|| Stands::UnderWay(told(training)), Stands::Rests);
        };
        match status.history.iter().find(|result| result.job == *job) {
            Some(result) => Stands::Ended(Box::new(result.clone())),
            None if last == Some(job) => Stands::UnderWay(told(training)),
            None => Stands::Forgotten { job: job.clone() },
        }
    }
}

/// Why a run that is asked for would not begin.
pub(super) fn rest(training: &ModelTraining) -> Option<Rest> {
    if training.spec.suspend {
        return Some(Rest::Suspended);
    }
    is_elsewhere(training).then(|| Rest::Elsewhere { site: training.spec.site.clone() })
}

fn is_elsewhere(training: &ModelTraining) -> bool {
    training.status.as_ref().and_then(|status| status.phase) == Some(TrainingPhase::RunsAtOtherSite)
}

/// What its operator says.
fn told(training: &ModelTraining) -> String {
    let conditions = training.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    find(conditions, READY).map_or_else(nobody_looked, |ready| ready.message.clone())
}

fn nobody_looked() -> String {
    "no operator has looked at it yet".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn training(request: &str, status: &Value) -> ModelTraining {
        serde_json::from_value(json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining",
            "metadata": { "name": "flows", "annotations": { "vedette.io/run": request } },
            "spec": { "site": "east", "data": { "pipeline": "flows" } },
            "status": status,
        }))
        .unwrap()
    }

    fn status(request: &str, job: &str, ended: &[&str]) -> Value {
        let history = ended.iter().map(|job| {
            json!({
                "job": job, "finishedAt": "2026-11-23T08:42:10Z", "outcome": "Published", "records": 7, "message": "done"
            })
        });
        json!({
            "observedGeneration": 1, "lastRequest": request, "history": history.collect::<Vec<_>>(),
            "lastRun": { "job": job, "startedAt": "2026-11-23T08:42:10Z", "records": 7 },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Running", "message": format!("Job {job} is under way"),
                "lastTransitionTime": "2026-11-23T08:42:10Z"
            }],
        })
    }

    #[test]
    fn a_run_is_the_one_that_began_because_of_the_request() {
        let mut run = AskedRun::default();
        let under_way = |job: &str| Stands::UnderWay(format!("Job {job} is under way"));
        assert_eq!(run.stands(&training("b", &Value::Null)), Stands::UnderWay(nobody_looked()));
        assert_eq!(run.stands(&training("b", &status("a", "flows-1", &[]))), under_way("flows-1"));
        assert_eq!(run.stands(&training("b", &status("a", "flows-1", &["flows-1"]))), under_way("flows-1"));
        assert_eq!(run.stands(&training("b", &status("b", "flows-2", &["flows-1"]))), under_way("flows-2"));
        // The next one has begun by itself meanwhile.
        let ended = run.stands(&training("b", &status("b", "flows-3", &["flows-2", "flows-1"])));
        assert!(matches!(ended, Stands::Ended(result) if result.job == "flows-2"));
        let forgotten = run.stands(&training("b", &status("b", "flows-20", &["flows-19"])));
        assert_eq!(forgotten, Stands::Forgotten { job: "flows-2".to_owned() });
    }

    #[test]
    fn a_training_that_is_suspended_or_of_another_site_does_not_run() {
        let mut suspended = training("b", &status("a", "flows-1", &[]));
        suspended.spec.suspend = true;
        assert_eq!(AskedRun::default().stands(&suspended), Stands::Rests(Rest::Suspended));
        let mut told = status("a", "flows-1", &[]);
        told["phase"] = json!("RunsAtOtherSite");
        let elsewhere = training("b", &told);
        assert_eq!(rest(&elsewhere), Some(Rest::Elsewhere { site: "east".to_owned() }));
        // One that is under way goes on.
        suspended.status.as_mut().unwrap().last_request = Some("b".to_owned());
        assert!(matches!(AskedRun::default().stands(&suspended), Stands::UnderWay(_)));
    }
}
