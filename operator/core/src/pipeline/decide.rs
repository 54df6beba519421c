//! What has to be there because of a pipeline.

use jiff::{SignedDuration, Timestamp};
use vedette_crds::AnomalyPipelineStatus;

use super::{CountClaim, GeneratorSeen, GeneratorStep, PipelinePlan, PipelineSeen, TopicsStep};
use crate::desired::{GeneratorChild, LiveReplicas, PipelineChildren, build_pipeline, detector_means};
use crate::job_state::JobState;
use crate::roll::{self, RollStep};
use crate::rollout::{rollout, spec_rollout};
use crate::site::SiteFile;
use crate::status::roll_state;
use crate::validate::{Scale, ValidatedPipeline};

/// How long what differs of the topics is believed before it is looked at again.
const DIFFERS_AGAIN: SignedDuration = SignedDuration::from_hours(6);

pub(super) fn decide(
    object: &ValidatedPipeline,
    site: &SiteFile,
    before: &AnomalyPipelineStatus,
    seen: PipelineSeen,
    now: Timestamp,
) -> PipelinePlan {
    let roll = roll_step(object, site, before, &seen, now);
    let children = build_pipeline(object, site, roll.state.template_version(), &seen.live);
    let wanted_job = children.topics_job.metadata.name.clone();
    let completed_job = match seen.topics_job {
        JobState::Complete => wanted_job.clone(),
        JobState::Absent | JobState::Running { .. } | JobState::Failed { .. } => {
            before.topics.as_ref().map(|topics| topics.completed_job.clone())
        }
    };
    let remembered = before.topics.as_ref().filter(|topics| Some(&topics.completed_job) == completed_job.as_ref());
    let differs = match (&seen.topic_report, remembered) {
        (Some(report), _) if seen.topics_job == JobState::Complete => report.differs.clone(),
        (_, Some(topics)) => topics.differs.clone(),
        (_, None) => Vec::new(),
    };
    let topics_looked_at = seen
        .topics_looked_at
        .filter(|_| seen.topics_job == JobState::Complete)
        .or_else(|| remembered?.looked_at.as_ref().map(|time| time.0));
    let is_due = !differs.is_empty() && topics_looked_at.is_none_or(|then| now.duration_since(then) >= DIFFERS_AGAIN);
    let topics = match &completed_job {
        None => TopicsStep::First,
        Some(_) if completed_job == wanted_job && !is_due => TopicsStep::Done,
        Some(_) => TopicsStep::Again,
    };
    let completed_generator = completed_generator(&children, before, &seen.generator);
    PipelinePlan {
        children,
        topics,
        generator: if completed_generator.is_some() { GeneratorStep::Finished } else { GeneratorStep::Wanted },
        count: count_claim(object, seen.live.detector_replicas),
        roll,
        completed_job,
        completed_generator,
        differs,
        topics_looked_at,
        left_over: seen.left_over.iter().filter(|job| is_remembered(job, before)).cloned().collect(),
        seen,
        before: before.clone(),
        site: site.site.name.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        suspend: object.suspend,
        training: object.model.training.clone(),
        progress_deadline: progress_deadline(object),
    }
}

/// The wanted Job of a generator, if it completed, now or once. Another one is another walk, and what is not asked for any more
/// is forgotten.
fn completed_generator(
    children: &PipelineChildren,
    before: &AnomalyPipelineStatus,
    seen: &GeneratorSeen,
) -> Option<String> {
    let Some(GeneratorChild::Job(job)) = &children.generator else {
        return None;
    };
    let name = job.metadata.name.clone()?;
    let is_complete = *seen == GeneratorSeen::Job(JobState::Complete);
    let was_complete = before.generator.as_ref().is_some_and(|generator| generator.completed_job == name);
    (is_complete || was_complete).then_some(name)
}

/// Whether it is known for ever that this Job did its task: one that is not there would be made again.
fn is_remembered(job: &str, before: &AnomalyPipelineStatus) -> bool {
    before.topics.as_ref().is_some_and(|topics| topics.completed_job == job)
        || before.generator.as_ref().is_some_and(|generator| generator.completed_job == job)
}

fn roll_step(
    object: &ValidatedPipeline,
    site: &SiteFile,
    before: &AnomalyPipelineStatus,
    seen: &PipelineSeen,
    now: Timestamp,
) -> RollStep {
    let rollout = rollout(&seen.detector);
    let state = roll_state(before, object.model.training.as_ref());
    let without_roll = build_pipeline(object, site, state.active.as_ref(), &seen.live).detector;
    let observed = roll::Observed {
        policy: &object.model.policy,
        pointer: &seen.bucket.pointer,
        artifact: seen.bucket.artifact.as_ref(),
        rollout: (seen.detector.template_version(), &rollout),
        spec_rollout: spec_rollout(&seen.detector, without_roll.as_ref()),
        progress_deadline: progress_deadline(object),
        retry: seen.retry_model.as_deref(),
        means: &detector_means(object, site),
        now,
    };
    roll::step(&state, &observed)
}

fn progress_deadline(object: &ValidatedPipeline) -> SignedDuration {
    SignedDuration::try_from(object.model.progress_deadline).unwrap_or(SignedDuration::MAX)
}

/// Where an autoscaler may have set another count since it was read, that count wins.
fn count_claim(object: &ValidatedPipeline, replicas: LiveReplicas) -> CountClaim {
    match (object.detector.scale, replicas) {
        _ if object.suspend => CountClaim::Ours,
        (Scale::Automatic { .. }, LiveReplicas::Ours(_)) => CountClaim::UntilSetByAnother,
        (Scale::Automatic { .. } | Scale::Fixed(_), _) => CountClaim::Ours,
    }
}

#[cfg(test)]
mod tests;
