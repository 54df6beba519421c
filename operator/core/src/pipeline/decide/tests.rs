use super::super::tests::*;
use super::super::*;
use crate::desired::LiveReplicas;
use crate::status::{GENERATOR_AVAILABLE, find};

#[test]
fn a_data_set_that_was_walked_is_not_walked_again_unless_another_is_asked_for() {
    let state = |state: JobState| |seen: &mut PipelineSeen| seen.generator = GeneratorSeen::Job(state);
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

#[test]
fn topics_that_differ_are_looked_at_again_after_hours_and_meanwhile_it_is_ready() {
    let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
    let step = |before: &AnomalyPipelineStatus, hour, job: JobState, found: Option<&[&str]>| {
        let report = |found: &[&str]| TopicReport { differs: found.iter().map(ToString::to_string).collect() };
        let seen = PipelineSeen {
            topics_looked_at: (job == JobState::Complete).then(|| at(hour)),
            topics_job: job,
            topic_report: found.map(report),
            ..seen("{}")
        };
        let plan = Pipeline::decide(&pipeline("{}"), &site(), before, seen, at(hour));
        let status = Pipeline::conclude(&plan, Ok(&()), at(hour)).status;
        ready_is(&status, "Running");
        (plan.topics, find(&status.conditions, crate::status::TOPICS_READY).unwrap().reason.clone(), status)
    };
    let none = AnomalyPipelineStatus::default();
    let (_, reason, found) = step(&none, 0, JobState::Complete, Some(&["alerts: 3 partitions"]));
    assert_eq!(reason, "Differs");
    assert_eq!(step(&found, 5, JobState::Absent, None).0, TopicsStep::Done);
    assert_eq!(step(&found, 6, JobState::Absent, None).0, TopicsStep::Again);
    let (_, reason, running) = step(&found, 6, JobState::Running { trouble: None }, None);
    assert_eq!(reason, "Differs", "until something else is known");
    let (topics, reason, mended) = step(&running, 7, JobState::Complete, Some(&[]));
    assert_eq!((topics, reason.as_str()), (TopicsStep::Done, "TopicsCreated"));
    assert_eq!(step(&mended, 700, JobState::Absent, None).0, TopicsStep::Done, "it differs no more");
}
