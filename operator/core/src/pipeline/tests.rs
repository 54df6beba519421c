mod sites;

use super::*;
use crate::desired::{GeneratorChild, build_pipeline, labels};
use crate::job_state::Trouble;
use crate::manifest::{self, ValidatedManifest};
use crate::reason::{ModelReason, Reason};
use crate::site::Source;
use crate::status::{
    BUCKET_REACHABLE, DETECTOR_AVAILABLE, FEATURES_PRESENT, GENERATOR_AVAILABLE, MODEL_CURRENT, READY, RECONCILING,
    STALLED, STREAM_COMPLETE, TOPICS_READY, find, is_true,
};
use crate::workload::{LiveDeployment, PodSeen};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use vedette_contract::ModelVersion;
use vedette_crds::{ModelStatus, ModelTarget};

const SITE: &str = "{site: {name: east}, kafka: {bootstrapServers: 'k:9092'}, bucket: {name: b, credentialsSecret: s}, images: {topics: t, generator: g, detector: d, archiver: a, notifier: n, trainer: t}}";

pub(super) fn site() -> SiteFile {
    SiteFile::parse(SITE).unwrap()
}

pub(super) fn pipeline(spec: &str) -> ValidatedPipeline {
    let text =
        format!("{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}");
    match manifest::load(&text, &"n".parse().unwrap(), &site()).unwrap().remove(0) {
        ValidatedManifest::Pipeline(pipeline) => *pipeline,
        ValidatedManifest::Training(_) => panic!("not a pipeline"),
    }
}

/// Everything that a spec asks for is there and ready, without a model.
pub(super) fn seen(spec: &str) -> PipelineSeen {
    let children = build_pipeline(&pipeline(spec), &site(), None, &Live::default());
    PipelineSeen {
        generation: Some(3),
        live: Live::default(),
        retry_model: None,
        missing: Vec::new(),
        bucket: BucketSeen { pointer: Pointer::Absent, artifact: None, answer: BucketAnswer::Answers },
        health: Some(HealthSeen::default()),
        topics_job: JobState::Complete,
        topics_pods: 0,
        topic_report: None,
        topics_looked_at: None,
        trainings: None,
        left_over: Vec::new(),
        generator: match &children.generator {
            Some(GeneratorChild::Deployment(deployment)) => GeneratorSeen::Workload(ready(deployment)),
            Some(GeneratorChild::Job(_)) => GeneratorSeen::Job { state: JobState::Running { trouble: None }, pods: 1 },
            None => GeneratorSeen::Workload(Workload::default()),
        },
        detector: children.detector.as_ref().map(ready).unwrap_or_default(),
        uncounted: None,
        archiver: ready(&children.archiver),
        notifier: children.notifier.as_ref().map(ready).unwrap_or_default(),
        jitter: 1.0,
    }
}

fn ready(deployment: &Deployment) -> Workload {
    let count = deployment.spec.replicas.unwrap();
    let annotations = deployment.spec.template.metadata.as_ref().unwrap().annotations.as_ref().unwrap();
    let spec = Some(annotations[labels::SPEC_HASH].clone());
    let live = LiveDeployment {
        spec: spec.clone(),
        wanted: count,
        replicas: count,
        is_complete: true,
        ..LiveDeployment::default()
    };
    let pod = PodSeen { spec, is_ready: true, steps: 2, ..PodSeen::default() };
    Workload { deployment: Some(live), pods: vec![pod; usize::try_from(count).unwrap()], leaving: 0, ended: None }
}

/// One pod less is ready.
fn short(workload: &mut Workload) {
    workload.deployment.as_mut().unwrap().is_complete = false;
    workload.pods.pop();
}

pub(super) fn plan_of(
    spec: &str,
    before: &AnomalyPipelineStatus,
    change: impl FnOnce(&mut PipelineSeen),
) -> PipelinePlan {
    let mut seen = seen(spec);
    change(&mut seen);
    Pipeline::decide(&pipeline(spec), &site(), before, seen, Timestamp::UNIX_EPOCH)
}

const FOLLOWS: &str = "{model: {training: flows}}";

pub(super) fn concluded(spec: &str, change: impl FnOnce(&mut PipelineSeen)) -> Conclusion<AnomalyPipelineStatus> {
    let plan = plan_of(spec, &AnomalyPipelineStatus::default(), change);
    Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH)
}

pub(super) fn ready_is(status: &AnomalyPipelineStatus, reason: &str) {
    let ready = find(&status.conditions, READY).unwrap();
    assert_eq!(ready.reason, reason, "{}", ready.message);
    assert_eq!(ready.status == "True", ["Running", "Suspended", "ScaledToZero"].contains(&reason));
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
}

#[test]
fn a_pipeline_is_ready_when_its_parts_are_and_a_lack_of_bucket_or_model_does_not_unset_it() {
    let trouble = BucketTrouble { reason: "BucketUnreachable", message: "no answer".to_owned() };
    let Conclusion { status, .. } = concluded(FOLLOWS, |seen| seen.bucket.answer = BucketAnswer::Trouble(trouble));
    ready_is(&status, "Running");
    assert!(!is_true(&status.conditions, BUCKET_REACHABLE) && !is_true(&status.conditions, MODEL_CURRENT));
    assert_eq!(find(&status.conditions, BUCKET_REACHABLE).unwrap().reason, "BucketUnreachable");
    assert_eq!(find(&status.conditions, MODEL_CURRENT).unwrap().reason, ModelReason::NoModel.as_str());
}

#[test]
fn an_autoscaler_that_counts_nothing_is_said_beside_the_detectors_that_run() {
    let scaled = "{detector: {autoscaling: {maxReplicas: 2}}}";
    let said = |spec: &str| {
        let Conclusion { status, .. } = concluded(spec, |seen| seen.uncounted = Some("no metrics".to_owned()));
        ready_is(&status, "Running");
        find(&status.conditions, "DetectorAvailable").unwrap().message.clone()
    };
    assert_eq!(said(scaled), "1 of 1 detector pods are ready; their autoscaler counts nothing: no metrics");
    assert_eq!(said("{}"), "1 of 1 detector pods are ready", "it is about to go");
}

#[test]
fn a_bucket_that_nobody_has_asked_is_not_called_reachable_and_what_was_known_of_it_stands() {
    let answer = |answer: BucketAnswer| move |seen: &mut PipelineSeen| seen.bucket.answer = answer;
    let unasked = concluded("{}", answer(BucketAnswer::Unasked));
    let said = |status: &AnomalyPipelineStatus| {
        let condition = find(&status.conditions, BUCKET_REACHABLE).unwrap().clone();
        (condition.status, condition.reason)
    };
    assert_eq!(said(&unasked.status), ("Unknown".to_owned(), "NotAsked".to_owned()));
    ready_is(&unasked.status, "Running");
    let trouble = BucketTrouble { reason: "AccessDenied", message: "no".to_owned() };
    for answered in [BucketAnswer::Answers, BucketAnswer::Trouble(trouble)] {
        let before = concluded("{}", answer(answered)).status;
        let plan = plan_of("{}", &before, answer(BucketAnswer::Unasked));
        let restarted = Pipeline::conclude(&plan, Ok(&()), Timestamp::from_second(9).unwrap());
        assert_eq!((restarted.status, restarted.events), (before, vec![]));
    }
    let plan = plan_of("{}", &unasked.status, |_| ());
    let answers = Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH);
    assert_eq!(said(&answers.status), ("True".to_owned(), "Reachable".to_owned()));
    assert_eq!(answers.events, [], "everybody expects it");
}

#[test]
fn what_processes_told_before_stands_until_somebody_has_looked() {
    let told = serde_json::json!({
        "site": "east", "pod": "d", "component": "detector",
        "started_at": Timestamp::UNIX_EPOCH, "updated_at": Timestamp::UNIX_EPOCH,
        "gaps": [{ "topic": "t", "partition": 0, "start": 3, "end": 9, "found_at": Timestamp::UNIX_EPOCH }],
        "detector": { "threshold": 0.5, "model_version": "20261123T084210Z-1a2b3c4d", "recent": {
            "records": 50, "features": { "a": { "missing": 50, "usually_missing": 0.0 } } } }
    });
    let seen = HealthSeen::new(&[serde_json::from_value(told).unwrap()], Timestamp::UNIX_EPOCH);
    let before = concluded("{}", |pipeline| pipeline.health = Some(seen)).status;
    let reason = |kind: &str| find(&before.conditions, kind).unwrap().reason.clone();
    assert_eq!([reason(STREAM_COMPLETE), reason(FEATURES_PRESENT)], ["RecordsLost", "FieldsMissing"]);
    let plan = plan_of("{}", &before, |pipeline| pipeline.health = None);
    let restarted = Pipeline::conclude(&plan, Ok(&()), Timestamp::from_second(9).unwrap());
    assert_eq!((restarted.status, restarted.events), (before, vec![]));
    let first = concluded("{}", |pipeline| pipeline.health = None).status;
    assert_eq!(find(&first.conditions, STREAM_COMPLETE).unwrap().reason, "NotTold");
}

fn missing(secret: &str) -> Vec<Missing> {
    vec![Missing::Source(Source::Secret(secret.parse().unwrap()))]
}

#[test]
fn the_first_thing_that_is_missing_is_the_reason() {
    let failed = JobState::Failed { cause: "not authorized".to_owned() };
    ready_is(&concluded("{model: {training: t, missingModelPolicy: Wait}}", |_| ()).status, "WaitingForModel");
    let pending = |seen: &mut PipelineSeen| {
        short(&mut seen.detector);
        seen.topics_job = JobState::Absent;
    };
    ready_is(&concluded("{}", pending).status, "TopicJobPending");
    ready_is(&concluded("{}", |seen| seen.topics_job = failed).status, "TopicJobFailed");
    ready_is(&concluded("{}", |seen| short(&mut seen.detector)).status, "PodsNotReady");
    ready_is(&concluded("{}", |seen| seen.archiver = Workload::default()).status, "NotStarted");
    let stuck = |seen: &mut PipelineSeen| {
        short(&mut seen.archiver);
        seen.archiver.deployment.as_mut().unwrap().stuck = Some("exceeded quota".to_owned());
    };
    ready_is(&concluded("{}", stuck).status, "Stuck");
    assert!(is_true(&concluded("{}", stuck).status.conditions, STALLED));
    let without = concluded("{}", |seen| {
        short(&mut seen.archiver);
        let source = Source::ConfigMap("trust".parse().unwrap());
        seen.missing =
            [Missing::Key(source, "ca.crt".to_owned())].into_iter().chain(missing("vedette-kafka")).collect();
    });
    ready_is(&without.status, "SecretMissing");
    assert!(is_true(&without.status.conditions, RECONCILING));
    let ready = find(&without.status.conditions, READY).unwrap();
    let mend =
        "; add the key ca.crt to ConfigMap trust in this namespace and create Secret vedette-kafka in this namespace";
    assert!(ready.message.ends_with(mend), "{}", ready.message);
}

#[test]
fn what_was_ready_of_the_spec_before_does_not_make_a_new_one_ready() {
    let before = concluded("{}", |_| ()).status;
    ready_is(&before, "Running");
    for changed in ["{pod: {nodeSelector: {no: such}}}", "{detector: {replicas: 2}}", "{archiver: {replicas: 3}}"] {
        let plan = plan_of(changed, &before, |now| *now = PipelineSeen { generation: Some(3), ..seen("{}") });
        let status = Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH).status;
        assert!(!is_true(&status.conditions, READY) && is_true(&status.conditions, RECONCILING), "{changed}");
    }
    let plan = plan_of("{pod: {nodeSelector: {no: such}}}", &before, |now| *now = seen("{}"));
    let detector = Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH).status;
    let message = find(&detector.conditions, DETECTOR_AVAILABLE).unwrap().message.clone();
    assert_eq!(message, "0 of 1 detector pods are ready, 1 of an earlier spec go on");
}

#[test]
fn a_new_model_does_not_unset_what_alerts_meanwhile() {
    let rolling = |seen: &mut PipelineSeen| {
        seen.detector.deployment.as_mut().unwrap().is_complete = false;
        seen.detector.pods.push(PodSeen { is_ready: false, ..seen.detector.pods[0].clone() });
    };
    ready_is(&concluded(FOLLOWS, rolling).status, "Running");
}

#[test]
fn a_new_spec_is_rolled_out_before_a_new_version_is_even_where_both_come_at_once() {
    const CHANGED: &str = "{model: {training: flows}, pod: {nodeSelector: {no: such}}}";
    let version = |number: u8| format!("20261123T0842{number:02}Z-{number:08x}").parse::<ModelVersion>().unwrap();
    let model = |target| ModelStatus {
        training: Some("flows".to_owned()),
        active: Some(version(1).to_string()),
        target,
        ..ModelStatus::default()
    };
    let target = ModelTarget {
        version: version(2).to_string(),
        since: Time(Timestamp::UNIX_EPOCH),
        steps: 0,
        ready: 0,
        unmoved_since: None,
    };
    let rolls = |spec: &str, target: Option<ModelTarget>| {
        let before = AnomalyPipelineStatus { model: Some(model(target)), ..AnomalyPipelineStatus::default() };
        let plan = plan_of(spec, &before, |now| {
            *now = seen(FOLLOWS);
            now.detector.deployment.as_mut().unwrap().version = Some(version(1));
            now.detector.pods[0].version = Some(version(1));
            let pointer = Pointer::Current { version: version(2), generation: 2 };
            now.bucket = BucketSeen { pointer, artifact: Some(Artifact::Complete), answer: BucketAnswer::Answers };
        });
        let template = plan.children.detector.unwrap().spec.template.metadata.unwrap();
        (labels::model_version(&template), plan.roll.condition.reason)
    };
    assert_eq!(rolls(FOLLOWS, None), (Some(version(2)), ModelReason::Rolling));
    assert_eq!(rolls(CHANGED, None), (Some(version(1)), ModelReason::WaitingForSpec));
    assert_eq!(rolls(CHANGED, Some(target)), (Some(version(1)), ModelReason::WaitingForSpec));
}

#[test]
fn what_is_not_to_run_is_ready_once_it_does_not() {
    let left = |workload: &mut Workload| workload.deployment.as_mut().unwrap().replicas = 1;
    for (spec, reason) in [("{suspend: true}", "Suspended"), ("{detector: {replicas: 0}}", "ScaledToZero")] {
        ready_is(&concluded(spec, |_| ()).status, reason);
        ready_is(&concluded(spec, |seen| left(&mut seen.detector)).status, "Stopping");
    }
    ready_is(&concluded("{suspend: true}", |seen| left(&mut seen.archiver)).status, "Stopping");
    // It was suspended before anything ran.
    let nothing = |seen: &mut PipelineSeen| {
        (seen.detector, seen.archiver) = (Workload::default(), Workload::default());
        seen.topics_job = JobState::Absent;
    };
    let never_ran = concluded("{suspend: true}", nothing).status;
    ready_is(&never_ran, "Suspended");
    let topics = find(&never_ran.conditions, TOPICS_READY).unwrap();
    assert_eq!((topics.status.as_str(), topics.reason.as_str()), ("False", "Suspended"));
}

pub(super) const WALKS: &str = "{generator: {recordsPerSecond: 1, mode: Sequential, dataset: {object: {key: a.csv}}}}";

#[test]
fn a_generator_is_a_part_of_what_is_ready() {
    let generates = "{generator: {recordsPerSecond: 1}}";
    ready_is(&concluded(generates, |_| ()).status, "Running");
    let short_of_one = |seen: &mut PipelineSeen| match &mut seen.generator {
        GeneratorSeen::Workload(workload) => short(workload),
        GeneratorSeen::Job { .. } => panic!("no Job"),
    };
    ready_is(&concluded(generates, short_of_one).status, "PodsNotReady");
    let with = |state: JobState| concluded(WALKS, |seen| seen.generator = GeneratorSeen::Job { state, pods: 1 }).status;
    ready_is(&with(JobState::Running { trouble: None }), "Running");
    ready_is(&with(JobState::Complete), "Running");
    let trouble = Some(Trouble::Failed("no such object".to_owned()));
    ready_is(&with(JobState::Running { trouble }), "GeneratorJobRetrying");
    let trouble = Some(Trouble::Waits("no such volume".to_owned()));
    ready_is(&with(JobState::Running { trouble }), "GeneratorJobWaiting");
    let gave_up = with(JobState::Failed { cause: "no such object".to_owned() });
    ready_is(&gave_up, "GeneratorJobFailed");
    assert!(is_true(&gave_up.conditions, STALLED));
    let without = concluded("{}", |_| ()).status;
    assert_eq!(find(&without.conditions, GENERATOR_AVAILABLE), None);
}

#[test]
fn what_the_platform_refuses_for_good_or_again_and_again_is_said_and_what_passes_is_not() {
    let plan = plan_of("{}", &AnomalyPipelineStatus::default(), |_| ());
    let conclude = |is_lasting, times| {
        let failure = ApplyFailure { message: "quota".to_owned(), is_lasting, times };
        Pipeline::conclude(&plan, Err(failure), Timestamp::UNIX_EPOCH).status
    };
    ready_is(&conclude(true, 1), "ApplyFailed");
    ready_is(&conclude(false, 2), "Running");
    ready_is(&conclude(false, 3), "ApplyRetrying");
}

#[test]
fn a_secret_that_is_gone_does_not_unset_what_still_runs_and_is_said() {
    for (spec, reason) in [("{}", "Running"), ("{detector: {replicas: 0}}", "ScaledToZero")] {
        let status = concluded(spec, |seen| seen.missing = missing("vedette-kafka")).status;
        ready_is(&status, reason);
        let message = &find(&status.conditions, READY).unwrap().message;
        assert!(
            message.ends_with("; new pods cannot start; create Secret vedette-kafka in this namespace"),
            "{message}"
        );
    }
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
    assert_eq!((after.observed_generation, after.replicas, &after.topics), (Some(4), 1, &before.topics));
    assert_eq!(find(&after.conditions, READY).unwrap().reason, "Invalid");
    assert!(is_true(&after.conditions, DETECTOR_AVAILABLE));
    assert_eq!((events.len(), site_status, again.as_secs()), (1, None, 600));
}

#[test]
fn topics_that_are_not_as_the_spec_says_are_told_and_are_there_all_the_same() {
    let report = TopicReport { differs: vec!["alerts has 2 partitions".to_owned()], blocks: Vec::new() };
    let found = concluded("{}", |seen| seen.topic_report = Some(report)).status;
    ready_is(&found, "Running");
    let topics = find(&found.conditions, TOPICS_READY).unwrap();
    assert_eq!((topics.status.as_str(), topics.reason.as_str()), ("True", "Differs"));
    assert!(topics.message.contains("found: alerts has 2 partitions; it looks again"), "{}", topics.message);
    // The Job and its pods are gone.
    let later = plan_of("{}", &found, |seen| seen.topics_job = JobState::Absent);
    assert_eq!(Pipeline::conclude(&later, Ok(&()), Timestamp::UNIX_EPOCH).status.topics, found.topics);
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
    assert_eq!(again(&complete), 600, "nothing is to be judged yet");
    let begun = concluded(FOLLOWS, complete).status;
    let plan = plan_of(FOLLOWS, &begun, |seen| {
        complete(seen);
        let detectors = seen.detector.deployment.as_mut().unwrap();
        (detectors.is_complete, detectors.version) = (false, Some("20261123T084210Z-1a2b3c4d".parse().unwrap()));
    });
    let late = |second| Pipeline::conclude(&plan, Ok(&()), Timestamp::from_second(second).unwrap()).again.as_secs();
    assert_eq!((late(200), late(299), late(301)), (100, 5, 600), "not at the very moment, and once more after it");
}

#[test]
fn what_is_not_as_it_is_to_be_is_looked_at_again_soon_and_waits_or_is_tried_again() {
    let of = |trouble: Option<Trouble>| concluded("{}", |seen| seen.topics_job = JobState::Running { trouble });
    let said = |trouble: Trouble| find(&of(Some(trouble)).status.conditions, TOPICS_READY).unwrap().clone();
    assert_eq!(of(None).again.as_secs(), 30, "a pod may be late by then");
    assert_eq!(concluded("{}", |_| {}).again.as_secs(), 600);
    let failed = said(Trouble::Failed("no broker".to_owned()));
    assert_eq!(failed.reason, "TopicJobRetrying");
    assert!(failed.message.ends_with("is tried again: no broker"), "{}", failed.message);
    let waits = said(Trouble::Waits("pod p waits, ImagePullBackOff".to_owned()));
    assert_eq!(waits.reason, "TopicJobWaiting");
    assert!(waits.message.ends_with("is held up: pod p waits, ImagePullBackOff"), "{}", waits.message);
}

#[test]
fn a_training_that_is_not_here_and_has_published_nothing_is_said() {
    let said = |trainings: Option<&[&str]>, pointer: Pointer| {
        let trainings = trainings.map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
        let Conclusion { status, again, .. } = concluded(FOLLOWS, |seen| {
            (seen.trainings, seen.bucket.pointer) = (trainings, pointer);
        });
        ready_is(&status, "Running");
        let is_unknown = find(&status.conditions, MODEL_CURRENT).unwrap().reason == "UnknownTraining";
        assert_eq!(again.as_secs() == 30, is_unknown, "it may come later");
        find(&status.conditions, MODEL_CURRENT).unwrap().clone()
    };
    let misspelt = said(Some(&["folws"]), Pointer::Absent);
    assert_eq!((misspelt.status.as_str(), misspelt.reason.as_str()), ("False", "UnknownTraining"));
    assert!(misspelt.message.ends_with("those of this namespace are folws"), "{}", misspelt.message);
    assert_eq!(said(Some(&["flows"]), Pointer::Absent).reason, "NoModel");
    assert_eq!(said(None, Pointer::Absent).reason, "NoModel", "nobody could look");
    assert_eq!(said(Some(&[]), Pointer::Unreadable("no answer".to_owned())).reason, "PointerUnreadable");
}
