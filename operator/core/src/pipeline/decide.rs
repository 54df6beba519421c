//! What has to be there because of a pipeline.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::Name;
use vedette_contract::progress::SiteTopics;
use vedette_crds::AnomalyPipelineStatus;

use super::topics::TopicsFound;
use super::{CountClaim, GeneratorSeen, GeneratorStep, PipelinePlan, PipelineSeen};
use crate::desired::{GeneratorChild, LiveReplicas, PipelineChildren, build_pipeline, detector_means};
use crate::job_state::JobState;
use crate::roll::{self, Artifact, RollState, RollStep};
use crate::rollout::{rollout, spec_rollout};
use crate::site::SiteFile;
use crate::status::roll_state;
use crate::validate::{Scale, ValidatedPipeline, ValidatedTopics};

pub(super) fn decide(
    object: &ValidatedPipeline,
    site: &SiteFile,
    before: &AnomalyPipelineStatus,
    mut seen: PipelineSeen,
    now: Timestamp,
) -> PipelinePlan {
    let PipelineSeen { detector, archiver, notifier, health, .. } = &mut seen;
    detector.told(health.as_ref());
    archiver.told(health.as_ref());
    notifier.told(health.as_ref());
    let roll = roll_step(object, site, before, &seen, now);
    let children = build_pipeline(object, site, roll.state.template_version(), &seen.live);
    let wanted_job = children.topics_job.metadata.name.clone();
    let topics_found = TopicsFound::new(wanted_job.as_ref(), before.topics.as_ref(), &seen);
    let topics = topics_found.step(wanted_job.as_ref(), object, now);
    let completed_generator = completed_generator(&children, before, &seen.generator);
    PipelinePlan {
        children,
        topics,
        generator: if completed_generator.is_some() { GeneratorStep::Finished } else { GeneratorStep::Wanted },
        count: count_claim(object, seen.live.detector_replicas),
        roll,
        topics_found,
        completed_generator,
        left_over: seen.left_over.iter().filter(|job| is_remembered(job, before)).cloned().collect(),
        seen,
        before: before.clone(),
        site: site.site.name.clone(),
        site_topics: site_topics(object),
        alert_budget_per_million: object.detector.alerting.budget_per_million(),
        added_fields: object.detector.added_names(),
        renamed_fields: object.detector.other_names(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        suspend: object.suspend,
        training: object.model.training.clone(),
        receivers: object.incidents.as_ref().map(|incidents| incidents.receivers.clone()).unwrap_or_default(),
        progress_deadline: progress_deadline(object),
    }
}

fn site_topics(object: &ValidatedPipeline) -> SiteTopics {
    let ValidatedTopics { sensor_messages, enriched_data, alerts, dead_letters, max_output_message_bytes: _ } =
        &object.topics;
    SiteTopics {
        sensor_messages: sensor_messages.name.clone(),
        enriched_data: enriched_data.name.clone(),
        alerts: alerts.name.clone(),
        incidents: object.incidents.as_ref().map(|incidents| incidents.topic.name.clone()),
        dead_letters: dead_letters.name.clone(),
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
    let is_complete = matches!(seen, GeneratorSeen::Job { state: JobState::Complete, pods: _ });
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
    let state = known_state(object, before, seen);
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

/// What is remembered of the roll. An object that was applied anew remembers nothing: detectors that run a version of its training
/// go on with it, unless the bucket says that it is the one to be had; then it is rolled, and judged, as any other.
fn known_state(object: &ValidatedPipeline, before: &AnomalyPipelineStatus, seen: &PipelineSeen) -> RollState {
    let training = object.model.training.as_ref();
    let state = roll_state(before, training);
    let live = seen.detector.deployment.as_ref().filter(|_| state == RollState::default());
    let runs = live.filter(|live| training.is_some() && live.training.as_deref() == training.map(Name::as_str));
    let Some(version) = runs.and_then(|live| live.version.as_ref()) else { return state };
    let wanted = roll::wanted(&state, &object.model.policy, &seen.bucket.pointer);
    let is_to_be_had = wanted.as_ref() == Some(version) && seen.bucket.artifact == Some(Artifact::Complete);
    if is_to_be_had { state } else { RollState { active: Some(version.clone()), ..state } }
}

fn progress_deadline(object: &ValidatedPipeline) -> SignedDuration {
    SignedDuration::try_from(object.model.progress_deadline).unwrap_or(SignedDuration::MAX)
}

/// Where an autoscaler may have set another count since it was read, that count wins.
fn count_claim(object: &ValidatedPipeline, replicas: LiveReplicas) -> CountClaim {
    match (&object.detector.scale, replicas) {
        _ if object.suspend => CountClaim::Ours,
        (Scale::Automatic { .. }, LiveReplicas::Ours(_)) => CountClaim::UntilSetByAnother,
        (Scale::Automatic { .. } | Scale::Fixed(_), _) => CountClaim::Ours,
    }
}

#[cfg(test)]
mod tests;
