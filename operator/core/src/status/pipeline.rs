//! The status of a pipeline.

use jiff::Timestamp;
use vedette_contract::Name;
use vedette_crds::{AnomalyPipelineStatus, TopicsStatus};

use super::conditions::{Conditions, Verdict};
use super::mapping::model_status;
use super::{ARCHIVER_AVAILABLE, BUCKET_REACHABLE, DETECTOR_AVAILABLE, MODEL_CURRENT, READY, SUSPENDED, TOPICS_READY};
use crate::job_state::JobState;
use crate::roll::{ModelCurrent, RollState};
use crate::rollout::Availability;

/// What is wrong with the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketTrouble {
    /// One word.
    pub reason: String,
    /// What was attempted, and what to do.
    pub message: String,
}

/// Everything that a pipeline's status is made from.
#[derive(Debug, Clone)]
pub struct PipelineObservation<'a> {
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// This site.
    pub site: &'a Name,
    /// Nothing is to run.
    pub suspend: bool,
    /// No detector is to run while there is no model.
    pub waits_for_model: bool,
    /// The topic Job: its name, and how it stands.
    pub topics_job: (&'a str, &'a JobState),
    /// The last topic Job that completed.
    pub completed_job: Option<&'a str>,
    /// The detectors.
    pub detector: &'a Availability,
    /// The archivers.
    pub archiver: &'a Availability,
    /// Detector pods that there are.
    pub replicas: i32,
    /// Label selector of the detector pods.
    pub selector: String,
    /// The training that is followed.
    pub training: Option<&'a Name>,
    /// The model roll.
    pub roll: &'a RollState,
    /// What the roll says of itself.
    pub model_current: &'a ModelCurrent,
    /// What is wrong with the bucket, if anything is.
    pub bucket: Option<&'a BucketTrouble>,
    /// Secrets that the pods need and that are not there.
    pub missing_secrets: &'a [Name],
    /// Why the spec could not be put into effect: reason and message.
    pub failure: Option<(&'static str, &'a str)>,
}

/// The status of a pipeline that is in order.
pub fn pipeline_status(
    before: &AnomalyPipelineStatus,
    observed: &PipelineObservation<'_>,
    now: Timestamp,
) -> AnomalyPipelineStatus {
    let topics = topics_ready(observed);
    let detector = if observed.waits_for_model {
        Verdict::fails("WaitingForModel", "no detector runs until the training has published a model")
    } else {
        available("detector", observed.detector, observed)
    };
    let archiver = available("archiver", observed.archiver, observed);
    let bucket = match observed.bucket {
        None => Verdict::holds("Reachable", "the bucket answers"),
        Some(BucketTrouble { reason, message }) => Verdict::fails(reason, message.clone()),
    };
    let ModelCurrent { holds, reason, message } = observed.model_current;
    let model = Verdict { holds: Some(*holds), reason: (*reason).to_owned(), message: message.clone() };
    let ready = ready(observed, [&topics, &detector, &archiver]);
    AnomalyPipelineStatus {
        observed_generation: observed.generation,
        conditions: Conditions::from(&before.conditions, observed.generation, now)
            .with(READY, ready)
            .with(TOPICS_READY, topics)
            .with(BUCKET_REACHABLE, bucket)
            .with(DETECTOR_AVAILABLE, detector)
            .with(ARCHIVER_AVAILABLE, archiver)
            .with(MODEL_CURRENT, model)
            .into_vec(),
        site: Some(observed.site.to_string()),
        replicas: observed.replicas,
        selector: Some(observed.selector.clone()),
        model: model_status(observed.roll, observed.training),
        topics: observed.completed_job.map(|job| TopicsStatus { completed_job: job.to_owned() }),
    }
}

/// The status of a pipeline that is not acted upon, for this reason: what runs because of it is left as it was.
pub fn refused_pipeline_status(
    before: &AnomalyPipelineStatus,
    generation: Option<i64>,
    site: &Name,
    (reason, message): (&str, String),
    now: Timestamp,
) -> AnomalyPipelineStatus {
    let conditions = Conditions::from(&before.conditions, generation, now).with(READY, Verdict::fails(reason, message));
    AnomalyPipelineStatus {
        observed_generation: generation,
        conditions: conditions.into_vec(),
        site: Some(site.to_string()),
        ..before.clone()
    }
}

fn topics_ready(observed: &PipelineObservation<'_>) -> Verdict {
    let (name, state) = observed.topics_job;
    if observed.completed_job == Some(name) {
        return Verdict::holds("TopicsCreated", format!("Job {name} created the topics"));
    }
    match state {
        JobState::Complete => Verdict::holds("TopicsCreated", format!("Job {name} created the topics")),
        JobState::Failed { reason } => Verdict::fails(
            "TopicJobFailed",
            format!("Job {name} failed: {reason}; mend the cause, then delete the Job to try again at once"),
        ),
        JobState::Running { trouble: Some(trouble) } => {
            Verdict::fails("TopicJobRetrying", format!("Job {name} is tried again: {trouble}"))
        }
        JobState::Running { trouble: None } => {
            Verdict::fails("TopicJobRunning", format!("Job {name} creates the topics{}", secrets(observed)))
        }
        JobState::Absent => Verdict::fails("TopicJobPending", format!("Job {name} is about to create the topics")),
    }
}

fn available(what: &str, availability: &Availability, observed: &PipelineObservation<'_>) -> Verdict {
    match availability {
        _ if observed.suspend => Verdict::fails(SUSPENDED, format!("no {what} runs: spec.suspend is set")),
        Availability::Absent => {
            Verdict::fails("NotStarted", format!("no {what} runs yet: the topics come first{}", secrets(observed)))
        }
        Availability::ScaledToNothing => Verdict::fails("ScaledToZero", format!("no {what} runs: replicas is 0")),
        Availability::Available { ready } => {
            Verdict::holds("Available", format!("{ready} of {ready} {what} pods are ready"))
        }
        Availability::Short { ready, wanted, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let message = format!("{ready} of {wanted} {what} pods are ready{reason}{}", secrets(observed));
            Verdict::fails("PodsNotReady", message)
        }
    }
}

fn secrets(observed: &PipelineObservation<'_>) -> String {
    if observed.missing_secrets.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = observed.missing_secrets.iter().map(Name::as_str).collect();
    format!("; create Secret {} in this namespace", names.join(" and "))
}

/// What keeps the pipeline from being ready comes first; where pods are short for want of a Secret, that is the reason.
fn ready(observed: &PipelineObservation<'_>, parts: [&Verdict; 3]) -> Verdict {
    if let Some((reason, message)) = observed.failure {
        return Verdict::fails(reason, message);
    }
    if observed.suspend {
        return Verdict::fails(SUSPENDED, "nothing runs: spec.suspend is set");
    }
    match parts.into_iter().find(|verdict| verdict.holds != Some(true)) {
        Some(Verdict { message, .. }) if !observed.missing_secrets.is_empty() => {
            Verdict::fails("SecretMissing", message.clone())
        }
        Some(Verdict { reason, message, .. }) => Verdict::fails(reason, message.clone()),
        None => Verdict::holds("Running", "topics, detectors and archivers are ready"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{find, is_true};

    struct Base {
        site: Name,
        roll: RollState,
        current: ModelCurrent,
        available: Availability,
    }

    fn base() -> Base {
        Base {
            site: "east".parse().unwrap(),
            roll: RollState::default(),
            current: ModelCurrent { holds: false, reason: "NoModel", message: "no model yet".to_owned() },
            available: Availability::Available { ready: 2 },
        }
    }

    /// The status of a pipeline in which everything is ready but what is changed.
    fn status<'a>(base: &'a Base, change: impl FnOnce(&mut PipelineObservation<'a>)) -> AnomalyPipelineStatus {
        let mut observation = PipelineObservation {
            generation: Some(3),
            site: &base.site,
            suspend: false,
            waits_for_model: false,
            topics_job: ("flows-topics-1", &JobState::Absent),
            completed_job: Some("flows-topics-1"),
            detector: &base.available,
            archiver: &base.available,
            replicas: 2,
            selector: "a=b".to_owned(),
            training: None,
            roll: &base.roll,
            model_current: &base.current,
            bucket: None,
            missing_secrets: &[],
            failure: None,
        };
        change(&mut observation);
        pipeline_status(&AnomalyPipelineStatus::default(), &observation, Timestamp::UNIX_EPOCH)
    }

    fn ready_is(status: &AnomalyPipelineStatus, reason: &str) {
        let ready = find(&status.conditions, READY).unwrap();
        assert_eq!(ready.reason, reason, "{}", ready.message);
        assert_eq!(ready.status == "True", reason == "Running");
        assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
    }

    #[test]
    fn a_pipeline_is_ready_when_its_parts_are_and_a_lack_of_bucket_or_model_does_not_unset_it() {
        let trouble = BucketTrouble { reason: "BucketUnreachable".to_owned(), message: "no answer".to_owned() };
        let base = base();
        let status = status(&base, |observation| observation.bucket = Some(&trouble));
        ready_is(&status, "Running");
        assert!(!is_true(&status.conditions, BUCKET_REACHABLE) && !is_true(&status.conditions, MODEL_CURRENT));
    }

    #[test]
    fn the_first_thing_that_is_missing_is_the_reason() {
        let failed = JobState::Failed { reason: "not authorized".to_owned() };
        let short = Availability::Short { ready: 1, wanted: 2, reason: Some("pod p is Pending".to_owned()) };
        let secrets = ["vedette-kafka".parse().unwrap()];
        let base = base();
        ready_is(&status(&base, |o| o.suspend = true), "Suspended");
        ready_is(&status(&base, |o| o.waits_for_model = true), "WaitingForModel");
        ready_is(&status(&base, |o| (o.detector, o.completed_job) = (&short, Some("other"))), "TopicJobPending");
        ready_is(&status(&base, |o| (o.topics_job.1, o.completed_job) = (&failed, None)), "TopicJobFailed");
        ready_is(&status(&base, |o| o.detector = &short), "PodsNotReady");
        ready_is(&status(&base, |o| o.archiver = &Availability::ScaledToNothing), "ScaledToZero");
        ready_is(&status(&base, |o| o.failure = Some(("ApplyFailed", "quota"))), "ApplyFailed");
        let without = status(&base, |o| (o.archiver, o.missing_secrets) = (&short, &secrets));
        ready_is(&without, "SecretMissing");
        let ready = find(&without.conditions, READY).unwrap();
        assert!(ready.message.ends_with("Secret vedette-kafka in this namespace"), "{}", ready.message);
    }

    #[test]
    fn a_secret_that_is_gone_does_not_unset_what_still_runs() {
        let secrets = ["vedette-kafka".parse().unwrap()];
        ready_is(&status(&base(), |o| o.missing_secrets = &secrets), "Running");
    }

    #[test]
    fn a_refused_pipeline_keeps_what_it_had() {
        let base = base();
        let before = status(&base, |_| ());
        let refusal = ("Invalid", "spec.detector.alerting: set either".to_owned());
        let after = refused_pipeline_status(&before, Some(4), &base.site, refusal, Timestamp::UNIX_EPOCH);
        assert_eq!((after.observed_generation, after.replicas, &after.topics), (Some(4), 2, &before.topics));
        assert_eq!(find(&after.conditions, READY).unwrap().reason, "Invalid");
        assert!(is_true(&after.conditions, DETECTOR_AVAILABLE));
    }
}
