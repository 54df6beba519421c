use serde_json::json;
use vedette_contract::ModelVersion;
use vedette_contract::exit::Blame;
use vedette_contract::health::Health;

use super::super::tests::*;
use super::super::*;
use crate::desired::{LiveReplicas, labels, topics_job_name};
use crate::event::Event;
use crate::health::HealthSeen;
use crate::manifest::{self, ValidatedManifest};
use crate::roll::Fault;
use crate::status::{
    ARCHIVER_AVAILABLE, GENERATOR_AVAILABLE, NOTIFIER_AVAILABLE, READY, RECEIVERS_USABLE, STALLED, TOPICS_READY, find,
    is_true,
};
use crate::workload::PodSeen;

#[test]
fn a_data_set_that_was_walked_is_not_walked_again_unless_another_is_asked_for() {
    let state = |state: JobState| |seen: &mut PipelineSeen| seen.generator = GeneratorSeen::Job { state, pods: 0 };
    let step = |spec: &str, before: &AnomalyPipelineStatus, job: JobState| {
        let plan = plan_of(spec, before, state(job));
        (plan.generator, Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH).status)
    };
    let (first, running) = step(WALKS, &AnomalyPipelineStatus::default(), JobState::Running { trouble: None });
    assert_eq!((first, &running.generator), (GeneratorStep::Wanted, &None));
    let (_, complete) = step(WALKS, &running, JobState::Complete);
    let (again, deleted) = step(WALKS, &complete, JobState::Absent);
    assert_eq!((again, &deleted.generator), (GeneratorStep::Finished, &complete.generator));
    assert_eq!(find(&deleted.conditions, GENERATOR_AVAILABLE).unwrap().reason, "Finished");
    ready_is(&deleted, "Running");
    let other = WALKS.replace("a.csv", "b.csv");
    assert_eq!(step(&other, &deleted, JobState::Absent).0, GeneratorStep::Wanted);
    let (_, without) = step("{}", &deleted, JobState::Absent);
    assert_eq!(
        step(WALKS, &without, JobState::Absent).0,
        GeneratorStep::Wanted,
        "it was taken away and asked for anew"
    );
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
fn a_job_that_others_keep_makes_way_once_it_is_remembered() {
    let none = AnomalyPipelineStatus::default();
    let job = plan_of("{}", &none, |_| {}).children.topics_job.metadata.name.unwrap();
    let kept = |before: &AnomalyPipelineStatus| plan_of("{}", before, |seen| seen.left_over = vec![job.clone()]);
    let first = kept(&none);
    assert_eq!(first.left_over, [""; 0], "it would be made again");
    let Conclusion { status, again, .. } = Pipeline::conclude(&first, Ok(&()), Timestamp::UNIX_EPOCH);
    assert_eq!(again.as_secs(), 5);
    assert_eq!(kept(&status).left_over, [job.as_str()]);
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

/// What follows from a pipeline's topics at an hour of the day, and what is said of them.
fn topics_at(
    spec: &str,
    before: &AnomalyPipelineStatus,
    hour: i64,
    job: JobState,
    found: Option<TopicReport>,
) -> (TopicsStep, String, AnomalyPipelineStatus) {
    let now = Timestamp::from_second(hour * 3600).unwrap();
    let looked_at = (job == JobState::Complete).then_some(now);
    let seen = PipelineSeen { topics_looked_at: looked_at, topics_job: job, topic_report: found, ..seen(spec) };
    let plan = Pipeline::decide(&pipeline(spec), &site(), before, seen, now);
    let status = Pipeline::conclude(&plan, Ok(&()), now).status;
    let said = find(&status.conditions, crate::status::TOPICS_READY).unwrap();
    (plan.topics, format!("{}: {}", said.reason, said.message), status)
}

fn differs(sentences: &[&str]) -> TopicReport {
    TopicReport { differs: sentences.iter().map(ToString::to_string).collect(), blocks: Vec::new() }
}

#[test]
fn topics_that_differ_are_looked_at_again_after_hours_and_meanwhile_it_is_ready() {
    let step = |before: &AnomalyPipelineStatus, hour, job: JobState, found: Option<TopicReport>| {
        let (topics, said, status) = topics_at("{}", before, hour, job, found);
        ready_is(&status, "Running");
        (topics, said, status)
    };
    let none = AnomalyPipelineStatus::default();
    let (_, said, found) = step(&none, 0, JobState::Complete, Some(differs(&["alerts: 3 partitions"])));
    assert!(said.starts_with("Differs: ") && said.contains("found at 1970-01-01T00:00:00Z: alerts: 3"), "{said}");
    assert_eq!(step(&found, 5, JobState::Absent, None).0, TopicsStep::Done);
    assert_eq!(step(&found, 7, JobState::Absent, None).0, TopicsStep::Again);
    let (_, said, running) = step(&found, 7, JobState::Running { trouble: None }, None);
    assert!(said.starts_with("Differs: ") && !said.contains("fails"), "until something else is known: {said}");
    let (topics, said, mended) = step(&running, 8, JobState::Complete, Some(differs(&[])));
    assert_eq!(topics, TopicsStep::Done);
    assert!(said.starts_with("TopicsCreated: ") && said.ends_with("found at 1970-01-01T08:00:00Z"), "{said}");
    assert_eq!(step(&mended, 700, JobState::Absent, None).0, TopicsStep::Done, "it differs no more");
}

#[test]
fn what_is_stated_of_a_topic_is_looked_at_again_though_nothing_differed() {
    let none = AnomalyPipelineStatus::default();
    for spec in [
        "{topics: {alerts: {retentionMs: 1000}}}",
        "{topics: {sensorMessages: {partitions: 4}}}",
        "{incidents: {topic: {retentionMs: 90000000}}}",
    ] {
        let step = |before, hour, job, found| topics_at(spec, before, hour, job, found);
        let (_, _, found) = step(&none, 0, JobState::Complete, Some(differs(&[])));
        assert_eq!(step(&found, 5, JobState::Absent, None).0, TopicsStep::Done, "{spec}");
        assert_eq!(step(&found, 7, JobState::Absent, None).0, TopicsStep::Again, "{spec}");
        let (_, said, _) = step(&found, 7, JobState::Failed { cause: "no broker".to_owned() }, None);
        assert!(said.starts_with("TopicsCreated: ") && said.ends_with("; to look again fails: no broker"), "{said}");
        let (_, said, drifted) = step(&found, 7, JobState::Complete, Some(differs(&["alerts: 1 h"])));
        assert!(said.starts_with("Differs: ") && said.contains("alerts: 1 h"), "{said}");
        ready_is(&drifted, "Running");
    }
}

#[test]
fn pipelines_that_began_at_once_do_not_look_at_their_topics_at_once() {
    let due = |name: &str| {
        let text = format!(
            "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: {name}}}, spec: {{topics: {{alerts: {{partitions: 4}}}}}}}}"
        );
        let object = match manifest::load(&text, &"n".parse().unwrap(), &site()).unwrap().remove(0) {
            ValidatedManifest::Pipeline(pipeline) => *pipeline,
            ValidatedManifest::Training(_) => panic!("not a pipeline"),
        };
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let job = Some(topics_job_name(&object, &site()));
        let found = TopicsFound { completed_job: job.clone(), report: TopicReport::default(), looked_at: Some(at(0)) };
        let is_due = |minute: &i64| found.step(job.as_ref(), &object, at(*minute)) == TopicsStep::Again;
        (0..=420).find(is_due).expect("within seven hours")
    };
    let minutes: Vec<i64> = (0..64).map(|number| due(&format!("flows-{number}"))).collect();
    assert!(minutes.iter().all(|minute| (324..=397).contains(minute)), "{minutes:?}");
    let different = minutes.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(different > 32, "{minutes:?}");
}

#[test]
fn topics_that_records_cannot_pass_are_not_ready_and_are_looked_at_again_soon() {
    let none = AnomalyPipelineStatus::default();
    let blocks = TopicReport { differs: vec!["more".to_owned()], blocks: vec!["alerts is compacted".to_owned()] };
    let (_, said, found) = topics_at("{}", &none, 0, JobState::Complete, Some(blocks));
    assert!(said.starts_with("RecordsCannotPass: ") && said.contains("alerts is compacted; more"), "{said}");
    ready_is(&found, "RecordsCannotPass");
    assert!(is_true(&found.conditions, STALLED));
    let (topics, said, later) = topics_at("{}", &found, 1, JobState::Absent, None);
    assert_eq!((topics, &later.topics), (TopicsStep::Again, &found.topics));
    assert!(topics.lets_workloads_start() && said.starts_with("RecordsCannotPass: "), "{said}");
    let (_, _, mended) = topics_at("{}", &later, 1, JobState::Complete, Some(differs(&[])));
    ready_is(&mended, "Running");
}

#[test]
fn jobs_are_suspended_once_their_pods_have_ended() {
    let suspended = WALKS.replacen('{', "{suspend: true, ", 1);
    let with = |topics_pods: i32, generator_pods: i32| {
        concluded(&suspended, |seen| {
            (seen.topics_job, seen.topics_pods) = (JobState::Running { trouble: None }, topics_pods);
            seen.generator = GeneratorSeen::Job { state: JobState::Running { trouble: None }, pods: generator_pods };
        })
        .status
    };
    let reasons = |status: &AnomalyPipelineStatus| {
        [TOPICS_READY, GENERATOR_AVAILABLE].map(|kind| find(&status.conditions, kind).unwrap().reason.clone())
    };
    for (pods, ready, told) in [
        ((1, 0), "Stopping", ["Stopping", "Suspended"]),
        ((0, 1), "Stopping", ["Suspended", "Stopping"]),
        ((0, 0), "Suspended", ["Suspended", "Suspended"]),
    ] {
        let status = with(pods.0, pods.1);
        ready_is(&status, ready);
        assert_eq!(reasons(&status), told, "{pods:?}");
    }
    // Of a pipeline that runs they are no news.
    ready_is(&concluded(WALKS, |seen| seen.topics_pods = 1).status, "Running");
}

#[test]
fn an_object_that_was_applied_anew_takes_no_model_from_detectors_that_run_while_the_bucket_cannot_tell() {
    let version = |day: u8| format!("202611{day:02}T084210Z-1a2b3c4d").parse::<ModelVersion>().unwrap();
    let none = AnomalyPipelineStatus::default();
    let decided = |training: &str, pointer: Pointer, artifact: Option<Artifact>| {
        plan_of("{model: {training: flows}}", &none, |seen| {
            let live = seen.detector.deployment.as_mut().unwrap();
            (live.version, live.training) = (Some(version(22)), Some(training.to_owned()));
            seen.bucket = BucketSeen { pointer, artifact, answer: BucketAnswer::Answers };
        })
    };
    let carries = |plan: &PipelinePlan| {
        let detector = plan.children.detector.as_ref().unwrap();
        labels::model_version(detector.spec.template.metadata.as_ref().unwrap())
    };
    let current = |day: u8| Pointer::Current { version: version(day), generation: 3 };
    let away = || Pointer::Unreadable("no answer".to_owned());
    for (pointer, artifact) in [
        (away(), None),
        (current(22), Some(Artifact::Replicating)),
        (current(22), Some(Artifact::Unreadable("no answer".to_owned()))),
        (current(23), Some(Artifact::Replicating)),
    ] {
        let plan = decided("flows", pointer, artifact);
        assert_eq!(carries(&plan), Some(version(22)), "{:?}", plan.roll);
        assert_eq!(plan.roll.events, []);
    }
    let others = decided("other", away(), None);
    assert_eq!(carries(&others), None, "it is of another training");
    // What the bucket has is rolled and judged as ever.
    let known = decided("flows", current(22), Some(Artifact::Complete));
    assert_eq!(known.roll.state.target.as_ref().map(|target| &target.version), Some(&version(22)));
    let newer = decided("flows", current(23), Some(Artifact::Complete));
    assert_eq!((carries(&newer), &newer.roll.state.active), (Some(version(23)), &Some(version(22))));
}

#[test]
fn why_a_process_is_not_ready_stands_in_the_condition_of_its_component() {
    let health: Health = serde_json::from_value(json!({
        "site": "east", "pod": "flows-archiver-1", "component": "archiver", "started_at": "1970-01-01T00:00:00Z",
        "updated_at": "1970-01-01T00:00:00Z",
        "unready": [{ "condition": "broker", "reason": "grant the ACL: Write on topic alerts" }]
    }))
    .unwrap();
    let said = |health: Option<HealthSeen>, blamed: Option<Blame>| {
        let plan = plan_of("{}", &AnomalyPipelineStatus::default(), |seen| {
            let archiver = &mut seen.archiver;
            archiver.deployment.as_mut().unwrap().is_complete = false;
            let cause = "pod flows-archiver-1 runs and does not become ready".to_owned();
            let (name, fault) = (Some("flows-archiver-1".to_owned()), Some(Fault::Unready { blamed, cause }));
            archiver.pods[0] = PodSeen { name, is_ready: false, fault, ..archiver.pods[0].clone() };
            seen.health = health;
        });
        let status = Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH).status;
        find(&status.conditions, ARCHIVER_AVAILABLE).unwrap().message.clone()
    };
    let told = || Some(HealthSeen::new(std::slice::from_ref(&health), Timestamp::UNIX_EPOCH));
    let because = "is not ready: grant the ACL: Write on topic alerts";
    assert!(said(told(), None).ends_with(&format!("pod flows-archiver-1 {because}")));
    assert!(said(told(), Some(Blame::Unknown)).ends_with(&format!("does not become ready, and {because}")));
    assert!(said(None, None).ends_with("runs and does not become ready"), "the bucket is away");
}

#[test]
fn a_receiver_that_cannot_be_told_is_a_condition_of_its_own_and_what_keeps_the_notifier_from_being_ready_is_in_its_own()
{
    let spec = "{incidents: {receivers: [{name: chat, webhook: {urlSecret: {name: chat, key: url}}}]}}";
    let health: Health = serde_json::from_value(json!({
        "site": "east", "pod": "flows-notifier-1", "component": "notifier", "started_at": "1970-01-01T00:00:00Z",
        "updated_at": "1970-01-01T00:00:00Z",
        "unready": [{ "condition": "incidents", "reason": "another notifier of this pipeline acts" }],
        "notifier": { "unusable_files": [{ "receiver": "chat", "file": "/var/lib/vedette/vedette-receiver-chat-url/url" }] }
    }))
    .unwrap();
    let told = HealthSeen::new(&[health], Timestamp::UNIX_EPOCH);
    let concluded = |spec: &str, before: &AnomalyPipelineStatus| {
        let plan = plan_of(spec, before, |seen| seen.health = Some(told.clone()));
        Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH)
    };
    let lacking = concluded(spec, &AnomalyPipelineStatus::default());
    let condition = find(&lacking.status.conditions, RECEIVERS_USABLE).unwrap().clone();
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "ReceiverSecretMissing"));
    let named = "receiver chat lacks the key url of Secret chat in namespace n: create the Secret";
    assert!(condition.message.starts_with(named), "{}", condition.message);
    assert!(is_true(&lacking.status.conditions, READY), "its pod runs, and tells others");
    assert_eq!(lacking.events, [Event::Flipped(condition)]);
    let without = concluded("{incidents: {receivers: [{name: chat, webhook: {url: 'http://a'}}]}}", &lacking.status);
    assert_eq!(find(&without.status.conditions, RECEIVERS_USABLE), None);
    let none = concluded("{}", &lacking.status);
    assert_eq!(find(&none.status.conditions, RECEIVERS_USABLE), None);

    let plan = plan_of(spec, &AnomalyPipelineStatus::default(), |seen| {
        let notifier = &mut seen.notifier;
        notifier.deployment.as_mut().unwrap().is_complete = false;
        let cause = "pod flows-notifier-1 runs and does not become ready".to_owned();
        let (name, fault) = (Some("flows-notifier-1".to_owned()), Some(Fault::Unready { blamed: None, cause }));
        notifier.pods[0] = PodSeen { name, is_ready: false, fault, ..notifier.pods[0].clone() };
        seen.health = Some(told.clone());
    });
    let status = Pipeline::conclude(&plan, Ok(&()), Timestamp::UNIX_EPOCH).status;
    let said = &find(&status.conditions, NOTIFIER_AVAILABLE).unwrap().message;
    assert!(said.ends_with("is not ready: another notifier of this pipeline acts"), "{said}");
}
