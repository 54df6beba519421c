use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use vedette_contract::model::{TrainingOutcome, TrainingResult};
use vedette_crds::TrainingPhase;

use super::super::tests::*;
use super::super::*;
use crate::event::Event;
use crate::job_state::{Trouble, job_state};
use crate::status::{PUBLISHED, READY, find, is_true};

/// A run that left no result.
fn failed() -> ModelTrainingStatus {
    step(&running(), seen(100, RunSeen::Seen { job: JobState::Absent, left: None }), 60).status
}

/// Another spec, of generation 2.
fn changed(records: u64, run: RunSeen) -> TrainingSeen {
    TrainingSeen { generation: Some(2), ..seen(records, run) }
}

/// One step of a training that has this beside its data in its spec.
fn step_with(
    more: &str,
    before: &ModelTrainingStatus,
    seen: TrainingSeen,
    second: i64,
) -> Conclusion<ModelTrainingStatus> {
    let plan = Training::decide(&training_with("east", more), &site(), before, seen, at(second));
    Training::conclude(&plan, Ok(&None), at(second))
}

#[test]
fn a_mended_spec_is_tried_at_once_also_where_its_run_cannot_start_in_that_very_reconcile() {
    let failed = failed();
    let mended = Training::decide(&training("east"), &site(), &failed, changed(100, RunSeen::None), at(61));
    assert!(mended.start.is_some());
    let failure = ApplyFailure { message: "no answer".to_owned(), is_lasting: false, times: 1 };
    let refused = Training::conclude(&mended, Err(failure), at(61)).status;
    let unreadable = {
        let mut unreadable = changed(0, RunSeen::None);
        unreadable.archive.records = Err("the bucket is away".to_owned());
        step(&failed, unreadable, 61).status
    };
    for before in [refused, unreadable] {
        assert_eq!((reason(&before), before.phase), ("LastRunFailed", Some(TrainingPhase::Failed)));
        let next = step(&before, changed(100, RunSeen::None), 62).status;
        assert_eq!(next.last_run.unwrap().job, "flows-62");
    }
    let same = step(&failed, seen(100, RunSeen::None), 61).status;
    assert_eq!(same.last_run.unwrap().job, "flows-50", "a spec that is as it was waits");
}

fn hangs() -> RunSeen {
    RunSeen::Outdated { trouble: Some(Trouble::Waits("pod p waits, ImagePullBackOff".to_owned())) }
}

#[test]
fn a_job_that_hangs_and_would_be_made_otherwise_makes_place_for_another_and_counts_for_nothing() {
    let Conclusion { status, events, .. } = step(&running(), seen(100, hangs()), 60);
    assert_eq!(status.last_run.as_ref().unwrap().job, "flows-60");
    assert_eq!((status.failures, status.history[0].job.as_str()), (0, "flows-50"));
    assert!(status.history[0].message.contains("ImagePullBackOff"), "{}", status.history[0].message);
    let told: Vec<String> = events.iter().map(Event::reason).collect();
    assert!(told.starts_with(&["RunFailed".to_owned(), "RunStarted".to_owned()]), "{told:?}");
    // The other one could not be made: it is tried again at once.
    let plan = Training::decide(&training("east"), &site(), &running(), seen(100, hangs()), at(60));
    let failure = ApplyFailure { message: "no answer".to_owned(), is_lasting: false, times: 1 };
    let refused = Training::conclude(&plan, Err(failure), at(60)).status;
    assert_eq!(step(&refused, seen(100, RunSeen::None), 61).status.last_run.unwrap().job, "flows-61");
}

#[test]
fn a_job_that_hangs_goes_on_where_no_other_can_start() {
    for more in ["suspend: true", "trigger: {minRecords: 1000}"] {
        let Conclusion { status, again, .. } = step_with(more, &running(), seen(100, hangs()), 60);
        assert_eq!(again.as_secs(), 4, "another may start soon");
        assert_eq!((reason(&status), status.last_run.as_ref().unwrap().job.as_str()), ("RunHeldUp", "flows-50"));
        assert_eq!(status.history, []);
    }
}

#[test]
fn only_a_job_that_hangs_and_left_nothing_is_outdated() {
    let wanted =
        Training::decide(&training("east"), &site(), &running(), seen(100, hangs()), at(60)).start.unwrap().job;
    let mut live = wanted.clone();
    let annotations = live.metadata.annotations.as_mut().unwrap();
    annotations.insert("vedette.io/spec-hash".to_owned(), "another".to_owned());
    let under_way = || RunSeen::Seen { job: JobState::Running { trouble: None }, left: None };
    let outdated = RunSeen::Outdated { trouble: None };
    assert_eq!(under_way().beside(&wanted, Some(&live), &[], at(60)), outdated);
    assert_eq!(under_way().beside(&wanted, Some(&wanted), &[], at(60)), under_way());
    let running: Pod = serde_json::from_value(json!({
        "metadata": { "name": "p", "labels": { "app.kubernetes.io/component": "trainer" } },
        "status": { "containerStatuses": [{ "name": "trainer", "image": "i", "imageID": "i", "restartCount": 0,
            "ready": false, "state": { "running": {} } }] }
    }))
    .unwrap();
    assert_eq!(under_way().beside(&wanted, Some(&live), &[&running], at(60)), under_way(), "it is at work");
    let published = RunSeen::Seen { job: JobState::Running { trouble: None }, left: Some(result()) };
    let gave_up = RunSeen::Seen { job: JobState::Failed { cause: "because".to_owned() }, left: None };
    for seen in [published, gave_up, RunSeen::Unreadable, RunSeen::None] {
        assert_eq!(seen.clone().beside(&wanted, Some(&live), &[], at(60)), seen);
    }
}

#[test]
fn a_run_that_is_held_up_or_has_hardly_begun_is_looked_at_again_soon() {
    let again = |trouble: Option<&str>, second: i64| {
        let trouble = trouble.map(|what| Trouble::Waits(what.to_owned()));
        let run = RunSeen::Seen { job: JobState::Running { trouble }, left: None };
        step(&running(), seen(100, run), second).again.as_secs()
    };
    assert_eq!((again(None, 60), again(None, 300)), (30, 600));
    assert_eq!(again(Some("it gets no pod: exceeded quota: q"), 300), 30);
}

#[test]
fn what_a_run_left_counts_however_its_process_ended_beside_a_sidecar() {
    let started = step(&ModelTrainingStatus::default(), seen(100, RunSeen::None), 50);
    let job =
        Training::decide(&training("east"), &site(), &ModelTrainingStatus::default(), seen(100, RunSeen::None), at(50));
    let job = job.start.unwrap().job;
    let pod = |state: serde_json::Value| -> Pod {
        let container = |name: &str, state: serde_json::Value| json!({ "name": name, "image": "i", "imageID": "i", "restartCount": 0, "ready": false, "state": state });
        serde_json::from_value(json!({
            "metadata": { "name": "p", "labels": { "app.kubernetes.io/component": "trainer" } },
            "status": { "phase": "Running", "containerStatuses": [
                container("istio-proxy", json!({ "running": {} })), container("trainer", state)
            ] }
        }))
        .unwrap()
    };
    let outcome = |pod: &Pod, left: Option<Box<TrainingResult>>| {
        let state = job_state(Some(&job), [pod], None, at(60));
        let run = RunSeen::Seen { job: state, left }.beside(&job, Some(&job), &[pod], at(60));
        step(&started.status, seen(100, run), 60).status
    };
    for exit_code in [0, 1, 137] {
        let ended = pod(json!({ "terminated": { "exitCode": exit_code } }));
        let status = outcome(&ended, Some(result()));
        assert!(is_true(&status.conditions, PUBLISHED) && status.failures == 0, "{exit_code}: {status:?}");
        assert_eq!(outcome(&ended, None).failures, 1, "{exit_code}: it left nothing");
    }
    let at_work = pod(json!({ "running": {} }));
    assert_eq!(reason(&outcome(&at_work, Some(result()))), "Running", "it removes old versions still");
}

#[test]
fn only_jobs_of_earlier_runs_that_are_not_over_are_replaced() {
    let job = |name: &str, uid: &str, status: serde_json::Value| -> Job {
        serde_json::from_value(json!({ "metadata": { "name": name, "ownerReferences": [
            { "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining", "name": "flows", "uid": uid }
        ] }, "status": status }))
        .unwrap()
    };
    let start = Training::decide(&training("east"), &site(), &running(), seen(100, hangs()), at(60)).start.unwrap();
    let over = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
    let jobs = [
        job("flows-50", "u", json!({})),
        job("flows-40", "u", over),
        job("flows-50", "another", json!({})),
        job("flows-60", "u", json!({})),
        job("flows-x", "u", json!({})),
    ];
    let replaced = replaced_jobs(&training("east"), &start, &jobs);
    assert_eq!(replaced, [&jobs[0]]);
    assert_eq!(replaced_jobs(&training("east"), &Start { last_run: None, ..start }, &jobs), [&jobs[0]; 0]);
}

#[test]
fn a_last_run_that_failed_is_told_also_while_there_are_too_few_records_for_another() {
    let status = step(&failed(), seen(40, RunSeen::None), 500).status;
    assert_eq!((reason(&status), status.phase), ("LastRunFailed", Some(TrainingPhase::Failed)));
    assert!(!is_true(&status.conditions, READY));
}

#[test]
fn a_training_is_ready_where_its_last_run_did_what_it_should_or_none_is_due() {
    let often = "trigger: {minRecords: 100, newRecords: 50}";
    let ended = |outcome| RunSeen::Seen { job: JobState::Complete, left: Some(result_of(outcome)) };
    for (outcome, more, expected, phase) in [
        (TrainingOutcome::Published, "trigger: {minRecords: 100}", "Done", TrainingPhase::Done),
        (TrainingOutcome::Published, often, "WaitingForData", TrainingPhase::Scheduled),
        (TrainingOutcome::GateRefused, often, "WaitingForData", TrainingPhase::Scheduled),
        (TrainingOutcome::GateRefused, "trigger: {minRecords: 100}", "Done", TrainingPhase::Done),
        (TrainingOutcome::NotEnoughData, often, "WaitingForData", TrainingPhase::WaitingForData),
    ] {
        let status = step_with(more, &running(), seen(100, ended(outcome)), 60).status;
        assert_eq!((reason(&status), status.phase), (expected, Some(phase)), "{outcome:?}");
        assert!(is_true(&status.conditions, READY));
        assert_eq!(is_true(&status.conditions, PUBLISHED), outcome == TrainingOutcome::Published);
        let says_candidate = find(&status.conditions, READY).unwrap().message.contains("is a candidate");
        assert_eq!(says_candidate, outcome == TrainingOutcome::GateRefused);
    }
    let failed = failed();
    assert_eq!((is_true(&failed.conditions, READY), failed.phase), (false, Some(TrainingPhase::Failed)));
    let retried = step(&failed, seen(100, RunSeen::None), 120).status;
    assert_eq!((reason(&retried), retried.phase), ("LastRunFailed", Some(TrainingPhase::Running)));
    assert!(!is_true(&retried.conditions, READY), "not before the next run did better");
}

#[test]
fn a_run_that_lacked_records_is_counted_often_and_comes_again() {
    let lacked = RunSeen::Seen { job: JobState::Complete, left: Some(result_of(TrainingOutcome::NotEnoughData)) };
    for more in ["trigger: {minRecords: 100}", "trigger: {minRecords: 100}, schedule: '0 3 * * *'"] {
        let before =
            step_with("trigger: {minRecords: 100}", &ModelTrainingStatus::default(), seen(100, RunSeen::None), 50);
        let Conclusion { status, again, .. } = step_with(more, &before.status, seen(100, lacked.clone()), 60);
        assert_eq!((status.failures, again.as_secs()), (1, 4));
        assert!(find(&status.conditions, READY).unwrap().message.contains("too few records"));
        let more_came = step_with(more, &status, seen(110, RunSeen::None), 120).status;
        assert_eq!(more_came.last_run.unwrap().job, "flows-120");
    }
}

#[test]
fn moved_here_it_goes_on_from_what_the_bucket_says_and_not_from_what_ran_here_once() {
    let often = "trigger: {minRecords: 100, newRecords: 50}";
    let west = training_with("west", often);
    let published = RunSeen::Seen { job: JobState::Complete, left: Some(result()) };
    let ran_here = step_with(often, &running(), seen(100, published), 60).status;
    for before in [ran_here, failed(), ModelTrainingStatus::default()] {
        let asked = TrainingSeen { request: Some("now".to_owned()), ..changed(900, RunSeen::None) };
        let plan = Training::decide(&west, &site(), &before, asked.clone(), at(70));
        let away = Training::conclude(&plan, Ok(&None), at(70)).status;
        assert_eq!((&away.last_run, away.phase), (&None, Some(TrainingPhase::RunsAtOtherSite)));
        let last = Run { job: "flows-900".to_owned(), started_at: at(80), finished_at: Some(at(81)), records: 900 };
        let mut back = TrainingSeen { generation: Some(3), ..asked };
        back.archive.last_published = Some(last);
        let status = step_with(often, &away, back, 90).status;
        assert_eq!((reason(&status), status.last_run.as_ref().unwrap().job.as_str()), ("WaitingForData", "flows-900"));
        assert!(find(&status.conditions, READY).unwrap().message.contains("950 records"));
    }
}

#[test]
fn a_run_under_way_here_is_seen_to_its_end_when_the_training_moves() {
    let west = training_with("west", "trigger: {minRecords: 100}");
    let conclude = |before: &ModelTrainingStatus, run: RunSeen| {
        let plan = Training::decide(&west, &site(), before, changed(100, run), at(70));
        Training::conclude(&plan, Ok(&None), at(70))
    };
    let goes_on = RunSeen::Seen { job: JobState::Running { trouble: None }, left: None };
    let moved = conclude(&running(), goes_on).status;
    assert_eq!(moved.last_run.as_ref().unwrap().job, "flows-50");
    let ended = conclude(&moved, RunSeen::Seen { job: JobState::Complete, left: Some(result()) });
    assert_eq!((ended.status.last_run, ended.events[0].reason()), (None, "RunPublished".to_owned()));
}

#[test]
fn a_schedule_that_is_new_changed_or_in_effect_again_counts_from_the_change() {
    let (none, day) = (ModelTrainingStatus::default(), 86_400);
    let at_three = "trigger: {minRecords: 1}, schedule: '0 3 * * *'";
    let step_at = |more: &str, before: &ModelTrainingStatus, generation: i64, second: i64| {
        let seen = TrainingSeen { generation: Some(generation), ..seen(100, RunSeen::None) };
        step_with(more, before, seen, second).status
    };
    let starts = |status: &ModelTrainingStatus| status.phase == Some(TrainingPhase::Running);
    // It was created at 0 and is seen for the first time at noon: the operator was away.
    assert!(starts(&step_at(at_three, &none, 1, day / 2)));
    let earlier = step_at("trigger: {minRecords: 1}, schedule: '0 2 * * *', suspend: true", &none, 1, 60);
    let held = step_at(&format!("{at_three}, suspend: true"), &none, 1, 60);
    let of_two = step_at("trigger: {minRecords: 1}, schedule: '0 2 * * *'", &none, 1, 60);
    for before in [earlier, held, of_two] {
        let noon = step_at(at_three, &before, 2, day / 2);
        assert_eq!(noon.phase, Some(TrainingPhase::Scheduled), "{before:?}");
        assert!(find(&noon.conditions, READY).unwrap().message.contains("1970-01-02T03:00:00Z"));
        assert!(starts(&step_at(at_three, &noon, 2, day + 4 * 3_600)));
    }
}

#[test]
fn a_run_whose_process_failed_beside_a_sidecar_has_failed_and_its_job_makes_way() {
    let wanted =
        Training::decide(&training("east"), &site(), &running(), seen(100, hangs()), at(60)).start.unwrap().job;
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": "p", "labels": { "app.kubernetes.io/component": "trainer" } },
        "status": { "phase": "Running", "containerStatuses": [{ "name": "trainer", "image": "i", "imageID": "i",
            "restartCount": 0, "ready": false, "state": { "terminated": { "exitCode": 1 } } }] }
    }))
    .unwrap();
    let tried = RunSeen::Seen { job: job_state(Some(&wanted), [&pod], None, at(60)), left: None };
    let failed = tried.beside(&wanted, Some(&wanted), &[&pod], at(60));
    let cause = "its pod ended with exit code 1".to_owned();
    assert_eq!(failed, RunSeen::Seen { job: JobState::Failed { cause }, left: None });
    let plan = Training::decide(&training("east"), &site(), &running(), seen(100, failed), at(60));
    assert_eq!(plan.ended_job(), Some("flows-50"));
    let failure = ApplyFailure { message: "no answer".to_owned(), is_lasting: false, times: 1 };
    let told = Training::conclude(&plan, Err(failure), at(60)).status;
    let next = Training::decide(&training("east"), &site(), &told, seen(100, RunSeen::None), at(61));
    assert_eq!(next.ended_job(), Some("flows-50"), "it could not be deleted");
}

#[test]
fn a_run_whose_node_is_gone_has_failed_and_is_tried_again_unless_it_left_a_result() {
    let wanted =
        Training::decide(&training("east"), &site(), &running(), seen(100, hangs()), at(60)).start.unwrap().job;
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": "p", "deletionTimestamp": at(360).to_string() },
        "spec": { "nodeName": "n", "containers": [] },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "False" }] }
    }))
    .unwrap();
    let beside = |left: Option<Box<TrainingResult>>, second: i64| {
        let job = job_state(Some(&wanted), [&pod], None, at(second));
        RunSeen::Seen { job, left }.beside(&wanted, Some(&wanted), &[&pod], at(second))
    };
    let waits = step(&running(), seen(100, beside(None, 419)), 419);
    assert_eq!(waits.status.history, [], "it may still end by itself");
    let lost = step(&running(), seen(100, beside(None, 420)), 420);
    let last = &lost.status.history[0];
    assert!(last.outcome == "Failed" && last.message.contains("its node n is gone"), "{last:?}");
    assert_eq!(lost.status.failures, 1);
    let retried = step(&lost.status, seen(100, RunSeen::None), 480);
    assert!(retried.events.iter().any(|event| matches!(event, Event::RunStarted { .. })), "after the pause");
    let published = step(&running(), seen(100, beside(Some(result()), 420)), 420);
    assert_eq!((published.status.history[0].outcome.as_str(), published.status.failures), ("Published", 0));
}
