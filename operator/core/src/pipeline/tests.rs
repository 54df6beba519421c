use super::*;
use crate::desired::LiveReplicas;
use crate::manifest::{self, ValidatedManifest};
use crate::reason::{ModelReason, Reason};
use crate::status::{BUCKET_REACHABLE, DETECTOR_AVAILABLE, MODEL_CURRENT, READY, find, is_true};

const SITE: &str = "{site: {name: east}, kafka: {bootstrapServers: 'k:9092'}, bucket: {name: b, credentialsSecret: s}, images: {topics: t, generator: g, detector: d, archiver: a, trainer: t}}";

fn site() -> SiteFile {
    SiteFile::parse(SITE).unwrap()
}

fn pipeline(spec: &str) -> ValidatedPipeline {
    let text =
        format!("{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}");
    match manifest::load(&text, &"n".parse().unwrap(), &site()).unwrap().remove(0) {
        ValidatedManifest::Pipeline(pipeline) => *pipeline,
        ValidatedManifest::Training(_) => panic!("not a pipeline"),
    }
}

/// Everything is there and ready, without a model.
fn seen() -> PipelineSeen {
    let available = Availability::Available { ready: 2 };
    PipelineSeen {
        generation: Some(3),
        live: Live::default(),
        missing_secrets: Vec::new(),
        bucket: BucketSeen { pointer: Pointer::Absent, artifact: None, trouble: None },
        topics_job: JobState::Complete,
        detector: DetectorSeen {
            template_version: None,
            rollout: Rollout::Complete,
            availability: available.clone(),
            pods: 2,
        },
        archiver: available,
        jitter: 1.0,
    }
}

fn plan_of(spec: &str, before: &AnomalyPipelineStatus, change: impl FnOnce(&mut PipelineSeen)) -> PipelinePlan {
    let mut seen = seen();
    change(&mut seen);
    Pipeline::decide(&pipeline(spec), &site(), before, seen, Timestamp::UNIX_EPOCH)
}

const FOLLOWS: &str = "{model: {training: flows}}";

fn concluded(spec: &str, change: impl FnOnce(&mut PipelineSeen)) -> Conclusion<AnomalyPipelineStatus> {
    let plan = plan_of(spec, &AnomalyPipelineStatus::default(), change);
    Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH)
}

fn ready_is(status: &AnomalyPipelineStatus, reason: &str) {
    let ready = find(&status.conditions, READY).unwrap();
    assert_eq!(ready.reason, reason, "{}", ready.message);
    assert_eq!(ready.status == "True", reason == "Running");
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
}

#[test]
fn a_pipeline_is_ready_when_its_parts_are_and_a_lack_of_bucket_or_model_does_not_unset_it() {
    let trouble = BucketTrouble { reason: "BucketUnreachable", message: "no answer".to_owned() };
    let Conclusion { status, .. } = concluded(FOLLOWS, |seen| seen.bucket.trouble = Some(trouble));
    ready_is(&status, "Running");
    assert!(!is_true(&status.conditions, BUCKET_REACHABLE) && !is_true(&status.conditions, MODEL_CURRENT));
    assert_eq!(find(&status.conditions, BUCKET_REACHABLE).unwrap().reason, "BucketUnreachable");
    assert_eq!(find(&status.conditions, MODEL_CURRENT).unwrap().reason, ModelReason::NoModel.as_str());
}

#[test]
fn the_first_thing_that_is_missing_is_the_reason() {
    let failed = JobState::Failed { cause: "not authorized".to_owned() };
    let short = Availability::Short { ready: 1, wanted: 2, cause: Some("pod p is Pending".to_owned()) };
    ready_is(&concluded("{suspend: true}", |_| ()).status, "Suspended");
    ready_is(&concluded("{model: {training: t, missingModelPolicy: Wait}}", |_| ()).status, "WaitingForModel");
    let pending =
        |seen: &mut PipelineSeen| (seen.detector.availability, seen.topics_job) = (short.clone(), JobState::Absent);
    ready_is(&concluded("{}", pending).status, "TopicJobPending");
    ready_is(&concluded("{}", |seen| seen.topics_job = failed).status, "TopicJobFailed");
    ready_is(&concluded("{}", |seen| seen.detector.availability = short.clone()).status, "PodsNotReady");
    ready_is(&concluded("{}", |seen| seen.archiver = Availability::ScaledToNothing).status, "ScaledToZero");
    let without = concluded("{}", |seen| {
        (seen.archiver, seen.missing_secrets) = (short, vec!["vedette-kafka".parse().unwrap()]);
    });
    ready_is(&without.status, "SecretMissing");
    let ready = find(&without.status.conditions, READY).unwrap();
    assert!(ready.message.ends_with("Secret vedette-kafka in this namespace"), "{}", ready.message);
}

#[test]
fn what_the_platform_refuses_for_good_is_said_and_what_passes_is_not() {
    let plan = plan_of("{}", &AnomalyPipelineStatus::default(), |_| ());
    let conclude = |is_lasting| {
        let failure = ApplyFailure { message: "quota".to_owned(), is_lasting };
        Pipeline::conclude(&plan, Err(failure), Timestamp::UNIX_EPOCH).status
    };
    ready_is(&conclude(true), "ApplyFailed");
    ready_is(&conclude(false), "Running");
}

#[test]
fn a_secret_that_is_gone_does_not_unset_what_still_runs() {
    let missing = |seen: &mut PipelineSeen| seen.missing_secrets = vec!["vedette-kafka".parse().unwrap()];
    ready_is(&concluded("{}", missing).status, "Running");
}

#[test]
fn other_sites_read_ready_as_the_condition_says_it() {
    let ready = |change: fn(&mut PipelineSeen)| concluded("{}", change).site_status.unwrap().status.ready;
    assert!(ready(|_| ()));
    // The detectors' rollout is complete, and the pipeline is not ready.
    assert!(!ready(|seen| seen.archiver = Availability::Short { ready: 0, wanted: 1, cause: None }));
    // A roll is under way, and the pipeline is ready.
    assert!(ready(|seen| seen.detector.rollout = Rollout::Progressing));
}

#[test]
fn a_refused_pipeline_keeps_what_it_had() {
    let before = concluded("{}", |_| ()).status;
    let site = site();
    let refused = Refused { before: &before, generation: Some(4), site: &site, jitter: 1.0 };
    let refusal = Refusal::unreadable("no");
    let Conclusion { status: after, events, site_status, again } =
        Pipeline::refuse(&refused, refusal, Timestamp::UNIX_EPOCH);
    let older: vedette_crds::AnomalyPipeline = serde_json::from_value(serde_json::json!({
        "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "metadata": { "name": "older" }, "spec": {}
    }))
    .unwrap();
    let conflict = Pipeline::refuse(&refused, Refusal::topic_conflict(&older, "alerts"), Timestamp::UNIX_EPOCH);
    assert_eq!(conflict.again.as_secs(), 30, "nobody tells when the older one goes");
    assert_eq!((after.observed_generation, after.replicas, &after.topics), (Some(4), 2, &before.topics));
    assert_eq!(find(&after.conditions, READY).unwrap().reason, "Invalid");
    assert!(is_true(&after.conditions, DETECTOR_AVAILABLE));
    assert_eq!((events.len(), site_status, again.as_secs()), (1, None, 600));
}

#[test]
fn nothing_that_uses_the_topics_starts_before_they_are_there() {
    let none = AnomalyPipelineStatus::default();
    let first = plan_of("{}", &none, |seen| seen.topics_job = JobState::Running { trouble: None });
    assert_eq!(first.topics, TopicsStep::First);
    assert!(first.topics.needs_job() && !first.topics.lets_workloads_start());
    let done = plan_of("{}", &none, |_| ());
    assert_eq!(done.topics, TopicsStep::Done);
    // The Job's time to live is over.
    let after = Pipeline::conclude(&done, Ok(&()), Timestamp::UNIX_EPOCH).status;
    let later = plan_of("{}", &after, |seen| seen.topics_job = JobState::Absent);
    assert_eq!(later.topics, TopicsStep::Done);
    // Other topics are wanted.
    let other = plan_of("{topics: {alerts: {name: other}}}", &after, |seen| seen.topics_job = JobState::Absent);
    assert_eq!(other.topics, TopicsStep::Again);
    assert!(other.topics.needs_job() && other.topics.lets_workloads_start());
}

#[test]
fn it_is_looked_at_again_when_time_alone_changes_something() {
    let again = |change: &dyn Fn(&mut PipelineSeen)| concluded(FOLLOWS, change).again.as_secs();
    assert_eq!(again(&|_| ()), 600);
    assert_eq!(again(&|seen| seen.jitter = 0.9), 540);
    let version = || Pointer::Current { version: "20261123T084210Z-1a2b3c4d".parse().unwrap(), generation: 1 };
    assert_eq!(
        again(&|seen| (seen.bucket.pointer, seen.bucket.artifact) = (version(), Some(Artifact::Replicating))),
        5
    );
    let complete =
        |seen: &mut PipelineSeen| (seen.bucket.pointer, seen.bucket.artifact) = (version(), Some(Artifact::Complete));
    assert_eq!(again(&complete), 300);
    let plan = plan_of(FOLLOWS, &AnomalyPipelineStatus::default(), complete);
    let late = |second| Pipeline::conclude(&plan, Ok(&()), Timestamp::from_second(second).unwrap()).again.as_secs();
    assert_eq!((late(200), late(299), late(301)), (100, 5, 600), "not at the very moment, and once more after it");
}

#[test]
fn a_count_is_left_to_whoever_set_it_only_where_an_autoscaler_counts() {
    let (fixed, automatic) =
        ("detector: {replicas: 2}", "detector: {resources: {requests: {cpu: '1'}}, autoscaling: {maxReplicas: 3}}");
    let held = format!("suspend: true, {automatic}");
    let (ours, kept) = (CountClaim::Ours, CountClaim::UntilSetByAnother);
    for (spec, live, expected) in [
        (fixed, LiveReplicas::Absent, ours),
        (fixed, LiveReplicas::Ours(2), ours),
        (fixed, LiveReplicas::Theirs, ours),
        (automatic, LiveReplicas::Absent, ours),
        (automatic, LiveReplicas::Ours(2), kept),
        (automatic, LiveReplicas::Theirs, ours),
        (&held, LiveReplicas::Absent, ours),
        (&held, LiveReplicas::Ours(2), ours),
        (&held, LiveReplicas::Theirs, ours),
    ] {
        let plan = plan_of(&format!("{{{spec}}}"), &AnomalyPipelineStatus::default(), |seen| {
            seen.live.detector_replicas = live;
        });
        assert_eq!(plan.count, expected, "{spec} of {live:?}");
    }
}
