//! The status of a pipeline.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use vedette_contract::topic::TopicReport;
use vedette_crds::{AnomalyPipelineStatus, GeneratorStatus, TopicsStatus};

use super::topics::TopicsFound;
use super::{BucketAnswer, GeneratorSeen, PipelinePlan, TopicsStep};
use crate::desired::GeneratorChild;
use crate::desired::labels::{self, Component};
use crate::health::HealthSeen;
use crate::job_state::{JobState, Trouble};
use crate::platform::{ApplyFailure, Refused};
use crate::reason::{BucketReason, GeneratorReason, ModelReason, PodsReason, ReadyReason, Reason, TopicsReason};
use crate::refusal::Refusal;
use crate::roll::ModelCurrent;
use crate::rollout::{Availability, availability};
use crate::status::{
    ARCHIVER_AVAILABLE, BUCKET_REACHABLE, BUDGET_HELD, Conditions, DETECTOR_AVAILABLE, FEATURES_PRESENT, Finding,
    GENERATOR_AVAILABLE, MODEL_CURRENT, NOTIFIER_AVAILABLE, RECEIVERS_USABLE, SCORES_STABLE, STREAM_COMPLETE,
    TOPICS_READY, apply_failed, find, listed, model_status,
};

/// The status of a pipeline that is in order, with why its plan was not applied, if it was not.
pub(super) fn pipeline_status(
    plan: &PipelinePlan,
    failure: Option<&ApplyFailure>,
    now: Timestamp,
) -> AnomalyPipelineStatus {
    let PipelinePlan { seen, before, .. } = plan;
    let topics = topics_ready(plan);
    let generator = generator_available(plan);
    let detector = match &plan.children.detector {
        Some(wanted) => counted(available("detector", &availability(&seen.detector, wanted), plan), plan),
        None => {
            Finding::fails(PodsReason::WaitingForModel, "no detector runs until the training has published a model")
        }
    };
    let archiver = available("archiver", &availability(&seen.archiver, &plan.children.archiver), plan);
    let notifier = plan
        .children
        .notifier
        .as_ref()
        .map(|wanted| available("notifier", &availability(&seen.notifier, wanted), plan));
    let parts = [Some(&topics), generator.as_ref(), Some(&detector), Some(&archiver), notifier.as_ref()];
    let parts: Vec<&Finding> = parts.into_iter().flatten().collect();
    let ready = ready(plan, failure, &parts);
    let conditions = Conditions::from(&before.conditions, seen.generation, now)
        .with_ready(ready)
        .with(TOPICS_READY, topics)
        .with(DETECTOR_AVAILABLE, detector)
        .with(ARCHIVER_AVAILABLE, archiver)
        .with(MODEL_CURRENT, model_current(plan));
    let conditions = with_bucket(conditions, &seen.bucket.answer);
    let conditions = with_health(conditions, plan);
    let conditions = match generator {
        Some(generator) => conditions.with(GENERATOR_AVAILABLE, generator),
        None => conditions.without(GENERATOR_AVAILABLE),
    };
    let conditions = match notifier {
        Some(notifier) => conditions.with(NOTIFIER_AVAILABLE, notifier),
        None => conditions.without(NOTIFIER_AVAILABLE),
    };
    let selector = labels::query(&labels::selector(plan.name.as_str(), Component::Detector));
    AnomalyPipelineStatus {
        observed_generation: seen.generation,
        conditions: conditions.into_vec(),
        site: Some(plan.site.to_string()),
        replicas: seen.detector.replicas(),
        selector: Some(selector),
        model: model_status(&plan.roll.state, plan.training.as_ref()),
        topics: topics_status(&plan.topics_found),
        generator: plan.completed_generator.clone().map(|completed_job| GeneratorStatus { completed_job }),
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
    let conditions = Conditions::from(&before.conditions, *generation, now).with_ready(Finding::fails(reason, message));
    AnomalyPipelineStatus {
        observed_generation: *generation,
        conditions: conditions.into_vec(),
        site: Some(site.site.name.to_string()),
        ..(*before).clone()
    }
}

/// An operator that begins has asked nothing yet: what was known before stands until it has.
fn with_bucket(conditions: Conditions, answer: &BucketAnswer) -> Conditions {
    let (holds, message) = match answer {
        BucketAnswer::Unasked => {
            let finding = Finding::unknown(BucketReason::NotAsked, "the bucket has not answered anything yet");
            return conditions.kept_or(BUCKET_REACHABLE, finding);
        }
        BucketAnswer::Answers => (true, "the bucket answers"),
        BucketAnswer::Trouble(trouble) => (false, trouble.message.as_str()),
    };
    let finding = Finding { holds: Some(holds), reason: answer.reason(), message: message.to_owned() };
    conditions.with(BUCKET_REACHABLE, finding)
}

/// As with the bucket, an operator that begins knows nothing yet.
fn with_health(conditions: Conditions, plan: &PipelinePlan) -> Conditions {
    let Some(health) = &plan.seen.health else {
        return conditions.kept_or(STREAM_COMPLETE, HealthSeen::default().stream_complete());
    };
    let conditions = conditions.with(STREAM_COMPLETE, health.stream_complete());
    let was_shifted = find(&plan.before.conditions, SCORES_STABLE).is_some_and(|condition| condition.status == "False");
    let told = [
        (FEATURES_PRESENT, health.features_present()),
        (SCORES_STABLE, health.scores_stable(was_shifted)),
        (BUDGET_HELD, health.budget_held()),
        (RECEIVERS_USABLE, health.receivers_usable(&plan.receivers, &plan.namespace)),
    ];
    told.into_iter().fold(conditions, |conditions, (kind, finding)| match finding {
        Some(finding) => conditions.with(kind, finding),
        None => conditions.without(kind),
    })
}

fn model_current(plan: &PipelinePlan) -> Finding {
    if let Some(unknown) = unknown_training(plan) {
        return unknown;
    }
    let ModelCurrent { holds, reason, message } = &plan.roll.condition;
    if *holds { Finding::holds(*reason, message) } else { Finding::fails(*reason, message) }
}

/// A training that nobody published anything of and that is not here may be misspelt, or come later.
fn unknown_training(plan: &PipelinePlan) -> Option<Finding> {
    let (training, known) = plan.unknown_training_among()?;
    let known = listed(known);
    let message = format!(
        "training {training} has published no model, and this namespace has no ModelTraining of the name; see that spec.model.training is right: those of this namespace are {known}"
    );
    Some(Finding::fails(ModelReason::UnknownTraining, message))
}

fn topics_status(found: &TopicsFound) -> Option<TopicsStatus> {
    let TopicsFound { completed_job, report: TopicReport { differs, blocks }, looked_at } = found;
    Some(TopicsStatus {
        completed_job: completed_job.clone()?,
        differs: differs.clone(),
        blocks: blocks.clone(),
        looked_at: looked_at.map(Time),
    })
}

fn topics_ready(plan: &PipelinePlan) -> Finding {
    let name = plan.children.topics_job.metadata.name.as_deref().unwrap_or_default();
    if plan.suspend && plan.seen.topics_pods > 0 {
        return stopping("topic Job", plan.seen.topics_pods);
    }
    if plan.topics_found.completed_job.as_deref() == Some(name) {
        return topics_as_found(name, plan);
    }
    match &plan.seen.topics_job {
        JobState::Complete => topics_as_found(name, plan),
        JobState::Running { .. } | JobState::Absent if plan.suspend => {
            Finding::fails(ReadyReason::Suspended, format!("Job {name} creates no topics: spec.suspend is set"))
        }
        JobState::Failed { cause } => Finding::fails(
            TopicsReason::TopicJobFailed,
            format!("Job {name} failed: {cause}; mend the cause, then delete the Job to try again at once"),
        ),
        JobState::Running { trouble: Some(Trouble::Failed(cause)) } => {
            Finding::fails(TopicsReason::TopicJobRetrying, format!("Job {name} is tried again: {cause}"))
        }
        JobState::Running { trouble: Some(Trouble::Waits(what)) } => {
            Finding::fails(TopicsReason::TopicJobWaiting, format!("Job {name} is held up: {what}{}", secrets(plan)))
        }
        JobState::Running { trouble: None } => {
            Finding::fails(TopicsReason::TopicJobRunning, format!("Job {name} creates the topics{}", secrets(plan)))
        }
        JobState::Absent => {
            Finding::fails(TopicsReason::TopicJobPending, format!("Job {name} is about to create the topics"))
        }
    }
}

/// By the Job that completed; also while it cannot look again.
fn topics_as_found(job: &str, plan: &PipelinePlan) -> Finding {
    let TopicsFound { completed_job: _, report: TopicReport { differs, blocks }, looked_at } = &plan.topics_found;
    let at = looked_at.map(|time| format!(" at {time:.0}")).unwrap_or_default();
    let found = format!("as Job {job} found{at}");
    let trouble = if plan.topics == TopicsStep::Again { trouble(&plan.seen.topics_job) } else { None };
    let again = trouble.map(|cause| format!("; to look again fails: {cause}")).unwrap_or_default();
    let sentences = blocks.iter().chain(differs).map(String::as_str).collect::<Vec<_>>().join("; ");
    match (blocks.as_slice(), differs.as_slice()) {
        ([], []) => Finding::holds(TopicsReason::TopicsCreated, format!("the topics are there, {found}{again}")),
        ([], _) => Finding::holds(
            TopicsReason::Differs,
            format!(
                "the topics are there, and not as the spec says, {found}: {sentences}; it looks again some six hours later{again}"
            ),
        ),
        _ => Finding::fails(
            TopicsReason::RecordsCannotPass,
            format!(
                "records cannot pass, {found}: {sentences}; it looks again after an hour, or within minutes when that Job is deleted{again}"
            ),
        ),
    }
}

/// Why a Job that is to do its task does not.
fn trouble(job: &JobState) -> Option<&str> {
    match job {
        JobState::Failed { cause } => Some(cause),
        JobState::Running { trouble } => trouble.as_ref().map(Trouble::text),
        JobState::Absent | JobState::Complete => None,
    }
}

fn generator_available(plan: &PipelinePlan) -> Option<Finding> {
    if let Some(job) = &plan.completed_generator {
        return Some(Finding::holds(GeneratorReason::Finished, format!("Job {job} generated every record once")));
    }
    match (plan.children.generator.as_ref()?, &plan.seen.generator) {
        (GeneratorChild::Deployment(wanted), GeneratorSeen::Workload(workload)) => {
            Some(available("generator", &availability(workload, wanted), plan))
        }
        (GeneratorChild::Job(job), GeneratorSeen::Job { state, pods }) => {
            Some(generator_job(job.metadata.name.as_deref().unwrap_or_default(), state, *pods, plan))
        }
        // What is there is of another mode still.
        (_, GeneratorSeen::Workload(_) | GeneratorSeen::Job { .. }) => Some(not_started("generator", plan)),
    }
}

fn generator_job(name: &str, state: &JobState, pods: i32, plan: &PipelinePlan) -> Finding {
    match state {
        _ if plan.suspend && pods > 0 => stopping("generator", pods),
        _ if plan.suspend => suspended("generator"),
        JobState::Running { trouble: None } => {
            Finding::holds(GeneratorReason::Generating, format!("Job {name} walks the data set"))
        }
        JobState::Running { trouble: Some(Trouble::Failed(cause)) } => {
            Finding::fails(GeneratorReason::GeneratorJobRetrying, format!("Job {name} is tried again: {cause}"))
        }
        JobState::Running { trouble: Some(Trouble::Waits(what)) } => {
            Finding::fails(GeneratorReason::GeneratorJobWaiting, format!("Job {name} is held up: {what}"))
        }
        JobState::Failed { cause } => Finding::fails(
            GeneratorReason::GeneratorJobFailed,
            format!("Job {name} failed: {cause}; mend the cause, then delete the Job to begin anew"),
        ),
        // What completed is remembered, and said already.
        JobState::Absent | JobState::Complete => not_started("generator", plan),
    }
}

fn available(what: &str, availability: &Availability, plan: &PipelinePlan) -> Finding {
    match availability {
        Availability::Stopping { pods } => stopping(what, *pods),
        _ if plan.suspend => suspended(what),
        Availability::Absent => not_started(what, plan),
        Availability::ScaledToNothing => {
            Finding::holds(PodsReason::ScaledToZero, format!("no {what} runs: replicas is 0"))
        }
        Availability::Available { ready } => {
            Finding::holds(PodsReason::Available, format!("{ready} of {ready} {what} pods are ready"))
        }
        Availability::Short { ready, earlier, wanted, cause, is_stuck } => {
            let cause = cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
            let meanwhile = if *earlier > 0 { format!(", {earlier} of an earlier spec go on") } else { String::new() };
            let message = format!("{ready} of {wanted} {what} pods are ready{meanwhile}{cause}{}", secrets(plan));
            let reason = match (is_stuck, earlier) {
                (true, _) => PodsReason::Stuck,
                (false, 1..) => PodsReason::RollingOut,
                (false, _) => PodsReason::PodsNotReady,
            };
            Finding::fails(reason, message)
        }
    }
}

/// That nobody counts the detectors is said beside that they run.
fn counted(finding: Finding, plan: &PipelinePlan) -> Finding {
    let autoscaler = plan.children.autoscaler.as_ref().and(plan.seen.uncounted.as_deref());
    match autoscaler.filter(|_| finding.reason == PodsReason::Available.as_str()) {
        Some(cause) => {
            Finding { message: format!("{}; their autoscaler counts nothing: {cause}", finding.message), ..finding }
        }
        None => finding,
    }
}

fn stopping(what: &str, pods: i32) -> Finding {
    Finding::fails(PodsReason::Stopping, format!("{pods} {what} pods are left, and end"))
}

fn suspended(what: &str) -> Finding {
    Finding::holds(ReadyReason::Suspended, format!("no {what} runs: spec.suspend is set"))
}

fn not_started(what: &str, plan: &PipelinePlan) -> Finding {
    Finding::fails(PodsReason::NotStarted, format!("no {what} runs yet: the topics come first{}", secrets(plan)))
}

fn secrets(plan: &PipelinePlan) -> String {
    let mends: Vec<String> = plan.seen.missing.iter().map(ToString::to_string).collect();
    if mends.is_empty() { String::new() } else { format!("; {}", mends.join(" and ")) }
}

/// What keeps the pipeline from being ready comes first; where pods are short for want of a Secret, that is the reason.
fn ready(plan: &PipelinePlan, failure: Option<&ApplyFailure>, parts: &[&Finding]) -> Finding {
    if let Some(failed) = failure.and_then(|failure| apply_failed(failure, &plan.before.conditions)) {
        return failed;
    }
    let stops = |part: &&&Finding| part.reason == PodsReason::Stopping.as_str();
    if plan.suspend && !parts.iter().any(|part| stops(&part)) {
        return Finding::holds(ReadyReason::Suspended, "nothing runs: spec.suspend is set");
    }
    match parts.iter().filter(|part| !plan.suspend || stops(part)).find(|part| part.holds != Some(true)) {
        Some(Finding { message, .. }) if !plan.seen.missing.is_empty() => {
            // Some of the parts say so themselves.
            let mends = secrets(plan);
            let message = format!("{}{mends}", message.strip_suffix(mends.as_str()).unwrap_or(message));
            Finding::fails(ReadyReason::SecretMissing, message)
        }
        Some(part) => Finding { holds: Some(false), ..(*part).clone() },
        None => running(parts, plan),
    }
}

/// What runs, or is not to run. A Secret that is gone unsets nothing: what runs has what was in it, and what starts anew has not.
fn running(parts: &[&Finding], plan: &PipelinePlan) -> Finding {
    let part = parts.iter().find(|part| part.reason == PodsReason::ScaledToZero.as_str());
    let runs = || Finding::holds(ReadyReason::Running, "everything that the spec asks for is ready");
    let finding = part.map_or_else(runs, |part| (*part).clone());
    match secrets(plan) {
        mends if mends.is_empty() => finding,
        mends => Finding { message: format!("{}; new pods cannot start{mends}", finding.message), ..finding },
    }
}
