//! The status of a pipeline.

use jiff::Timestamp;
use vedette_contract::Name;
use vedette_crds::{AnomalyPipelineStatus, TopicsStatus};

use super::{BucketTrouble, PipelinePlan};
use crate::desired::labels::{self, Component};
use crate::job_state::JobState;
use crate::platform::{ApplyFailure, Refused};
use crate::reason::{BucketReason, PodsReason, ReadyReason, TopicsReason};
use crate::refusal::Refusal;
use crate::roll::ModelCurrent;
use crate::rollout::Availability;
use crate::status::{
    ARCHIVER_AVAILABLE, BUCKET_REACHABLE, Conditions, DETECTOR_AVAILABLE, MODEL_CURRENT, READY, TOPICS_READY, Verdict,
    model_status,
};

/// The status of a pipeline that is in order; the failure is one that will stay.
pub(super) fn pipeline_status(
    plan: &PipelinePlan,
    failure: Option<&ApplyFailure>,
    now: Timestamp,
) -> AnomalyPipelineStatus {
    let PipelinePlan { seen, before, .. } = plan;
    let topics = topics_ready(plan);
    let detector = if plan.children.detector.is_none() {
        Verdict::fails(PodsReason::WaitingForModel, "no detector runs until the training has published a model")
    } else {
        available("detector", &seen.detector.availability, plan)
    };
    let archiver = available("archiver", &seen.archiver, plan);
    let ready = ready(plan, failure, [&topics, &detector, &archiver]);
    let selector = labels::query(&labels::selector(plan.name.as_str(), Component::Detector));
    AnomalyPipelineStatus {
        observed_generation: seen.generation,
        conditions: Conditions::from(&before.conditions, seen.generation, now)
            .with(READY, ready)
            .with(TOPICS_READY, topics)
            .with(BUCKET_REACHABLE, bucket_reachable(plan))
            .with(DETECTOR_AVAILABLE, detector)
            .with(ARCHIVER_AVAILABLE, archiver)
            .with(MODEL_CURRENT, model_current(plan))
            .into_vec(),
        site: Some(plan.site.to_string()),
        replicas: seen.detector.pods,
        selector: Some(selector),
        model: model_status(&plan.roll.state, plan.training.as_ref()),
        topics: plan.completed_job.clone().map(|completed_job| TopicsStatus { completed_job }),
    }
}

/// The status of a pipeline that is not acted upon: what runs because of it is left as it was.
pub(super) fn refused_pipeline_status(
    refused: &Refused<'_, AnomalyPipelineStatus>,
    refusal: Refusal,
    now: Timestamp,
) -> AnomalyPipelineStatus {
    let Refused { before, generation, site, jitter: _ } = refused;
    let Refusal { reason, message } = refusal;
    let conditions =
        Conditions::from(&before.conditions, *generation, now).with(READY, Verdict::fails(reason, message));
    AnomalyPipelineStatus {
        observed_generation: *generation,
        conditions: conditions.into_vec(),
        site: Some(site.site.name.to_string()),
        ..(*before).clone()
    }
}

fn bucket_reachable(plan: &PipelinePlan) -> Verdict {
    match &plan.seen.bucket.trouble {
        None => Verdict::holds(BucketReason::Reachable, "the bucket answers"),
        Some(BucketTrouble { reason, message }) => Verdict { holds: Some(false), reason, message: message.clone() },
    }
}

fn model_current(plan: &PipelinePlan) -> Verdict {
    let ModelCurrent { holds, reason, message } = &plan.roll.condition;
    if *holds { Verdict::holds(*reason, message) } else { Verdict::fails(*reason, message) }
}

fn topics_ready(plan: &PipelinePlan) -> Verdict {
    let name = plan.children.topics_job.metadata.name.as_deref().unwrap_or_default();
    if plan.completed_job.as_deref() == Some(name) {
        return Verdict::holds(TopicsReason::TopicsCreated, format!("Job {name} created the topics"));
    }
    match &plan.seen.topics_job {
        JobState::Complete => Verdict::holds(TopicsReason::TopicsCreated, format!("Job {name} created the topics")),
        JobState::Failed { cause } => Verdict::fails(
            TopicsReason::TopicJobFailed,
            format!("Job {name} failed: {cause}; mend the cause, then delete the Job to try again at once"),
        ),
        JobState::Running { trouble: Some(trouble) } => {
            Verdict::fails(TopicsReason::TopicJobRetrying, format!("Job {name} is tried again: {trouble}"))
        }
        JobState::Running { trouble: None } => {
            Verdict::fails(TopicsReason::TopicJobRunning, format!("Job {name} creates the topics{}", secrets(plan)))
        }
        JobState::Absent => {
            Verdict::fails(TopicsReason::TopicJobPending, format!("Job {name} is about to create the topics"))
        }
    }
}

fn available(what: &str, availability: &Availability, plan: &PipelinePlan) -> Verdict {
    match availability {
        _ if plan.suspend => Verdict::fails(ReadyReason::Suspended, format!("no {what} runs: spec.suspend is set")),
        Availability::Absent => Verdict::fails(
            PodsReason::NotStarted,
            format!("no {what} runs yet: the topics come first{}", secrets(plan)),
        ),
        Availability::ScaledToNothing => {
            Verdict::fails(PodsReason::ScaledToZero, format!("no {what} runs: replicas is 0"))
        }
        Availability::Available { ready } => {
            Verdict::holds(PodsReason::Available, format!("{ready} of {ready} {what} pods are ready"))
        }
        Availability::Short { ready, wanted, cause } => {
            let cause = cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
            let message = format!("{ready} of {wanted} {what} pods are ready{cause}{}", secrets(plan));
            Verdict::fails(PodsReason::PodsNotReady, message)
        }
    }
}

fn secrets(plan: &PipelinePlan) -> String {
    if plan.seen.missing_secrets.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = plan.seen.missing_secrets.iter().map(Name::as_str).collect();
    format!("; create Secret {} in this namespace", names.join(" and "))
}

/// What keeps the pipeline from being ready comes first; where pods are short for want of a Secret, that is the reason.
fn ready(plan: &PipelinePlan, failure: Option<&ApplyFailure>, parts: [&Verdict; 3]) -> Verdict {
    if let Some(failure) = failure {
        return Verdict::fails(ReadyReason::ApplyFailed, &failure.message);
    }
    if plan.suspend {
        return Verdict::fails(ReadyReason::Suspended, "nothing runs: spec.suspend is set");
    }
    match parts.into_iter().find(|verdict| verdict.holds != Some(true)) {
        Some(Verdict { message, .. }) if !plan.seen.missing_secrets.is_empty() => {
            Verdict::fails(ReadyReason::SecretMissing, message.clone())
        }
        Some(part) => Verdict { holds: Some(false), ..part.clone() },
        None => Verdict::holds(ReadyReason::Running, "topics, detectors and archivers are ready"),
    }
}
