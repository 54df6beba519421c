use k8s_openapi::api::batch::v1::Job;
use serde_json::json;
use vedette_contract::model::TrainingOutcome;
use vedette_crds::TrainingPhase;

use super::*;
use crate::event::Event;
use crate::manifest::{self, ValidatedManifest};
use crate::reason::Outcome;
use crate::status::{PUBLISHED, READY, RECONCILING, find, is_true};

const SITE: &str = "{site: {name: east}, kafka: {bootstrapServers: 'k:9092'}, bucket: {name: b, credentialsSecret: s}, images: {topics: t, generator: g, detector: d, archiver: a, trainer: t}}";

pub(super) fn site() -> SiteFile {
    SiteFile::parse(SITE).unwrap()
}

pub(super) fn training(at: &str) -> ValidatedTraining {
    training_with(at, "trigger: {minRecords: 100}")
}

pub(super) fn training_with(at: &str, more: &str) -> ValidatedTraining {
    let text = format!(
        "{{apiVersion: vedette.io/v1alpha1, kind: ModelTraining, metadata: {{name: flows}}, spec: {{site: {at}, data: {{pipeline: flows}}, {more}}}}}"
    );
    match manifest::load(&text, &"n".parse().unwrap(), &site()).unwrap().remove(0) {
        ValidatedManifest::Training(training) => ValidatedTraining { uid: Some("u".to_owned()), ..*training },
        ValidatedManifest::Pipeline(_) => panic!("not a training"),
    }
}

pub(super) fn seen(records: u64, run: RunSeen) -> TrainingSeen {
    TrainingSeen {
        generation: Some(1),
        created_at: Some(Timestamp::UNIX_EPOCH),
        request: None,
        archive: ArchiveSeen { records: Ok(records), last_published: None },
        names: NamesSeen::default(),
        run,
        count_again: Duration::from_secs(4),
        jitter: 1.0,
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// One step that is applied as it was planned.
pub(super) fn step(before: &ModelTrainingStatus, seen: TrainingSeen, second: i64) -> Conclusion<ModelTrainingStatus> {
    let plan = Training::decide(&training("east"), &site(), before, seen, at(second));
    Training::conclude(&plan, Ok(&None), at(second))
}

pub(super) fn running() -> ModelTrainingStatus {
    step(&ModelTrainingStatus::default(), seen(100, RunSeen::None), 50).status
}

pub(super) fn result() -> Box<TrainingResult> {
    result_of(TrainingOutcome::Published)
}

pub(super) fn result_of(outcome: TrainingOutcome) -> Box<TrainingResult> {
    Box::new(TrainingResult {
        job: "flows-50".to_owned(),
        finished_at: at(59),
        outcome,
        records: 100,
        version: Some("20261123T084210Z-1a2b3c4d".parse().unwrap()),
        metrics: None,
        baseline: None,
        report: None,
        search: None,
        message: "published".to_owned(),
    })
}

pub(super) fn reason(status: &ModelTrainingStatus) -> &str {
    &find(&status.conditions, READY).unwrap().reason
}

#[test]
fn a_run_starts_when_there_is_enough_data() {
    let waiting = step(&ModelTrainingStatus::default(), seen(99, RunSeen::None), 40);
    assert_eq!((waiting.status.phase, waiting.again.as_secs()), (Some(TrainingPhase::WaitingForData), 4));
    let started = step(&waiting.status, seen(100, RunSeen::None), 50);
    assert_eq!((started.status.phase, reason(&started.status)), (Some(TrainingPhase::Running), "Running"));
    assert_eq!(started.status.last_run.as_ref().unwrap().job, "flows-50");
    assert_eq!(started.events[0].reason(), "RunStarted");
}

#[test]
fn whether_a_run_is_due_is_not_known_while_the_records_cannot_be_counted() {
    let unreadable = |request: Option<&str>| TrainingSeen {
        request: request.map(str::to_owned),
        archive: ArchiveSeen { records: Err("AccessDenied".to_owned()), last_published: None },
        ..seen(0, RunSeen::None)
    };
    for request in [None, Some("now")] {
        let Conclusion { status, again, .. } = step(&ModelTrainingStatus::default(), unreadable(request), 40);
        let ready = find(&status.conditions, READY).unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("Unknown", "ProgressUnreadable"));
        assert!(ready.message.ends_with("cannot be counted: AccessDenied"), "{}", ready.message);
        assert_eq!(again.as_secs(), 4);
        let counted = step(&status, seen(99, RunSeen::None), 50).status;
        assert!(is_true(&counted.conditions, READY) && reason(&counted) == "WaitingForData");
    }
    let under_way = step(&running(), TrainingSeen { run: RunSeen::Unreadable, ..unreadable(None) }, 60).status;
    assert_eq!(reason(&under_way), "Running");
}

#[test]
fn a_result_in_the_bucket_is_a_success_whatever_became_of_the_job() {
    let failed = JobState::Failed { cause: "evicted".to_owned() };
    for job in [JobState::Complete, JobState::Absent, failed] {
        let run = RunSeen::Seen { job, left: Some(result()) };
        let Conclusion { status, events, .. } = step(&running(), seen(100, run), 60);
        assert_eq!((status.failures, status.phase), (0, Some(TrainingPhase::Done)));
        assert!(is_true(&status.conditions, PUBLISHED) && status.model.is_some());
        assert!(matches!(&events[0], Event::RunEnded(ended) if ended.outcome == Outcome::Published));
    }
}

#[test]
fn a_run_that_left_no_result_has_failed_and_is_tried_again() {
    let failed = JobState::Failed { cause: "out of memory".to_owned() };
    for job in [JobState::Complete, JobState::Absent, failed] {
        let run = RunSeen::Seen { job, left: None };
        let Conclusion { status, events, .. } = step(&running(), seen(100, run), 60);
        assert_eq!((status.failures, reason(&status)), (1, "LastRunFailed"));
        assert!(matches!(&events[0], Event::RunEnded(ended) if ended.has_failed()));
        let retried = step(&status, seen(100, RunSeen::None), 120);
        assert_eq!(retried.status.last_run.unwrap().job, "flows-120");
    }
}

#[test]
fn a_run_whose_result_cannot_be_read_has_not_ended() {
    let Conclusion { status, events, again, .. } = step(&running(), seen(100, RunSeen::Unreadable), 60);
    assert_eq!((reason(&status), events.len(), again.as_secs()), ("Running", 0, 5));
}

#[test]
fn a_model_that_is_there_already_is_not_learned_again() {
    let last = Run { job: "flows-7".to_owned(), started_at: at(7), finished_at: Some(at(7)), records: 100 };
    let mut first = seen(100, RunSeen::None);
    first.archive.last_published = Some(last);
    let Conclusion { status, .. } = step(&ModelTrainingStatus::default(), first, 50);
    assert_eq!(status.phase, Some(TrainingPhase::Done));
    let later = step(&status, seen(900, RunSeen::None), 60);
    assert_eq!(later.status.last_run.unwrap().job, "flows-7");
}

#[test]
fn a_start_that_was_refused_is_remembered_by_nobody() {
    let before = step(&ModelTrainingStatus::default(), seen(99, RunSeen::None), 40).status;
    let plan = Training::decide(&training("east"), &site(), &before, seen(100, RunSeen::None), at(50));
    assert!(plan.start.is_some());
    for (is_lasting, times, expected) in
        [(true, 1, "ApplyFailed"), (false, 2, "WaitingForData"), (false, 3, "ApplyRetrying")]
    {
        let failure = ApplyFailure { message: "quota".to_owned(), is_lasting, times };
        let Conclusion { status, events, .. } = Training::conclude(&plan, Err(failure), at(50));
        assert_eq!((reason(&status), status.last_run.as_ref()), (expected, None));
        assert!(events.iter().all(|event| event.reason() != "RunStarted"));
    }
}

/// What is told where everything is decided as with `more` in the spec, and no Job can be made for a while.
fn not_started(more: &str, before: &ModelTrainingStatus, seen: TrainingSeen) -> ModelTrainingStatus {
    let plan = Training::decide(&training_with("east", more), &site(), before, seen, at(200));
    assert!(plan.start.is_some(), "{:?}", plan.decision);
    let failure = ApplyFailure { message: "no answer".to_owned(), is_lasting: false, times: 1 };
    Training::conclude(&plan, Err(failure), at(200)).status
}

#[test]
fn a_run_that_could_not_be_started_is_not_under_way() {
    let (often, nothing) = ("trigger: {minRecords: 100, newRecords: 50}", ModelTrainingStatus::default());
    let first = not_started(often, &nothing, seen(100, RunSeen::None));
    assert_eq!((first.phase, reason(&first)), (Some(TrainingPhase::WaitingForData), "WaitingForData"));
    let published = RunSeen::Seen { job: JobState::Complete, left: Some(result()) };
    let next = not_started(often, &running(), seen(150, published));
    assert_eq!((next.phase, reason(&next)), (Some(TrainingPhase::Scheduled), "Scheduled"));
    assert!(is_true(&next.conditions, PUBLISHED) && next.last_run.unwrap().job == "flows-50");
    let lost = RunSeen::Seen { job: JobState::Absent, left: None };
    let failed = step(&running(), seen(100, lost), 60).status;
    let again = not_started(often, &failed, seen(100, RunSeen::None));
    assert_eq!((again.phase, reason(&again)), (Some(TrainingPhase::Failed), "LastRunFailed"));
    assert!(!is_true(&again.conditions, READY));
}

#[test]
fn a_training_that_goes_on_is_not_called_suspended_where_its_run_cannot_be_started() {
    let held = training_with("east", "suspend: true");
    let none = ModelTrainingStatus::default();
    let plan = Training::decide(&held, &site(), &none, seen(100, RunSeen::None), at(40));
    let suspended = Training::conclude(&plan, Ok(&None), at(40)).status;
    assert_eq!((suspended.phase, reason(&suspended)), (Some(TrainingPhase::Suspended), "Suspended"));
    let status = not_started("trigger: {minRecords: 100}", &suspended, seen(100, RunSeen::None));
    assert_eq!((status.phase, reason(&status)), (Some(TrainingPhase::WaitingForData), "WaitingForData"));
}

#[test]
fn it_is_looked_at_again_at_the_time_of_the_next_run_or_when_there_may_be_enough_records() {
    let again = |more: &str, second: i64, concluded: i64| {
        let none = ModelTrainingStatus::default();
        let plan = Training::decide(&training_with("east", more), &site(), &none, seen(100, RunSeen::None), at(second));
        Training::conclude(&plan, Ok(&None), at(concluded)).again.as_secs()
    };
    let (by_time, by_both) = ("schedule: '* * * * *'", "schedule: '* * * * *', trigger: {newRecords: 50}");
    assert_eq!(again(by_time, 50, 50), 10);
    assert_eq!((again(by_both, 50, 50), again(by_both, 58, 58)), (4, 2), "the earlier of the two");
    assert_eq!(again(by_time, 50, 70), 1, "the time came while it was decided");
}

#[test]
fn at_another_site_it_says_so_and_nothing_else() {
    let plan =
        Training::decide(&training("west"), &site(), &ModelTrainingStatus::default(), seen(100, RunSeen::None), at(50));
    assert_eq!((&plan.start, &plan.decision), (&None, &None));
    let Conclusion { status, .. } = Training::conclude(&plan, Ok(&None), at(50));
    assert_eq!((status.phase, status.conditions.len()), (Some(TrainingPhase::RunsAtOtherSite), 1));
    assert_eq!(reason(&status), "RunsAtOtherSite");
}

#[test]
fn a_job_that_was_started_and_not_remembered_is_the_run() {
    let job = |name: &str, uid: &str| -> Job {
        serde_json::from_value(json!({ "metadata": { "name": name, "ownerReferences": [
            { "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining", "name": "flows", "uid": uid }
        ] } }))
        .unwrap()
    };
    let none = ModelTrainingStatus::default();
    let plan = Training::decide(&training("east"), &site(), &none, seen(100, RunSeen::None), at(400));
    let start = plan.start.clone().unwrap();
    let jobs = [job("flows-100", "u"), job("flows-300", "another"), job("flows-200", "u"), job("flows-x", "u")];
    let found = forgotten_run(&training("east"), &start, &jobs).unwrap();
    assert_eq!((found.job.as_str(), found.started_at.as_second(), found.records), ("flows-200", 200, 100));
    let remembered = Start { last_run: Some(found.clone()), ..start.clone() };
    assert_eq!(forgotten_run(&training("east"), &remembered, &jobs), None);
    assert_eq!(forgotten_run(&training("east"), &start, &[]), None);
    let Conclusion { status, events, .. } = Training::conclude(&plan, Ok(&Some(found)), at(400));
    assert_eq!((status.last_run.unwrap().job.as_str(), status.phase), ("flows-200", Some(TrainingPhase::Running)));
    assert!(events.iter().all(|event| event.reason() != "RunStarted"));
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// What is told of a training at this site of which so many records are archived.
fn told(at_site: &str, records: u64, names: NamesSeen) -> Conclusion<ModelTrainingStatus> {
    told_of(&training(at_site), records, names)
}

fn told_of(training: &ValidatedTraining, records: u64, names: NamesSeen) -> Conclusion<ModelTrainingStatus> {
    let seen = TrainingSeen { names, ..seen(records, RunSeen::None) };
    let plan = Training::decide(training, &site(), &ModelTrainingStatus::default(), seen, at(50));
    Training::conclude(&plan, Ok(&None), at(50))
}

fn ready(status: &ModelTrainingStatus) -> (String, String) {
    let ready = find(&status.conditions, READY).unwrap();
    (ready.status.clone(), ready.reason.clone())
}

#[test]
fn a_site_that_has_told_nothing_is_said_and_looked_for_again() {
    let sites = |sites: &[&str]| NamesSeen { sites: Some(names(sites)), pipelines: Some(names(&["flows"])) };
    assert_eq!(reason(&told("west", 0, sites(&["east", "west"])).status), "RunsAtOtherSite");
    let Conclusion { status, again, .. } = told("wset", 0, sites(&["east", "west"]));
    assert_eq!((ready(&status), again.as_secs()), (("Unknown".to_owned(), "UnknownSite".to_owned()), 30));
    let message = &find(&status.conditions, READY).unwrap().message;
    assert!(message.ends_with("sites that have are east, west"), "{message}");
    assert_eq!(status.phase, Some(TrainingPhase::RunsAtOtherSite));
    assert!(is_true(&status.conditions, RECONCILING), "it may come by replication");
    for nobody_could_look in [NamesSeen::default(), NamesSeen { sites: None, ..sites(&[]) }] {
        assert_eq!(reason(&told("wset", 0, nobody_could_look).status), "RunsAtOtherSite");
    }
    assert_eq!(reason(&told("west", 0, sites(&[])).status), "RunsAtOtherSite", "this site has not told yet, either");
}

#[test]
fn a_pipeline_that_nobody_knows_is_said_at_the_other_sites_and_their_site_is_not_doubted() {
    let none_tells = NamesSeen { sites: Some(Vec::new()), pipelines: Some(names(&["logins"])) };
    let Conclusion { status, again, .. } = told("west", 0, none_tells);
    assert_eq!((ready(&status), again.as_secs()), (("Unknown".to_owned(), "UnknownPipeline".to_owned()), 30));
}

#[test]
fn a_pipeline_that_nobody_knows_is_said_until_somebody_does() {
    let known =
        |sites: &[&str], pipelines: &[&str]| NamesSeen { sites: Some(names(sites)), pipelines: Some(names(pipelines)) };
    let status = told("east", 0, known(&[], &["logins"])).status;
    let ready = find(&status.conditions, READY).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("Unknown", "UnknownPipeline"));
    assert!(ready.message.ends_with("pipelines of this namespace are logins"), "{}", ready.message);
    for (records, names) in [
        (0, known(&[], &["flows"])),
        (0, known(&["west"], &["logins"])),
        (1, known(&[], &["logins"])),
        (0, NamesSeen { sites: None, ..known(&[], &["logins"]) }),
        (0, NamesSeen { pipelines: None, ..known(&[], &[]) }),
    ] {
        assert_eq!(reason(&told("east", records, names.clone()).status), "WaitingForData", "{records} {names:?}");
    }
}

/// Not only at its first time.
#[test]
fn a_pipeline_that_nobody_knows_is_said_of_a_training_with_a_schedule_too() {
    let known = |pipelines: &[&str]| NamesSeen { sites: Some(Vec::new()), pipelines: Some(names(pipelines)) };
    let daily = training_with("east", "schedule: '@daily'");
    let Conclusion { status, again, .. } = told_of(&daily, 0, known(&["logins"]));
    assert_eq!((ready(&status), again.as_secs()), (("Unknown".to_owned(), "UnknownPipeline".to_owned()), 30));
    assert_eq!(reason(&told_of(&daily, 0, known(&["flows"])).status), "Scheduled");
    assert_eq!(reason(&told_of(&daily, 1, known(&["logins"])).status), "Scheduled", "there are records of it");
}
