use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn observed(records: u64, now: &str) -> Observed<'static> {
    Observed {
        created_at: at("2026-11-23T08:00:00Z"),
        records: Some(records),
        request: None,
        is_changed: false,
        lacked_records: false,
        now: at(now),
    }
}

#[test]
fn two_runs_never_share_a_name() {
    let run = |second: &str| Run {
        job: "flows-1".to_owned(),
        started_at: at(second),
        finished_at: Some(at(second)),
        records: 100,
    };
    let state = ScheduleState { last_run: Some(run("2026-11-23T08:00:00Z")), ..ScheduleState::default() };
    let ask = |now: &'static str| Observed { request: Some("now"), ..observed(100, now) };
    let settings = by_data(10, None);
    assert_eq!(
        decide("flows", &settings, &state, &ask("2026-11-23T08:00:00.9Z")),
        Decision::WaitingUntil(at("2026-11-23T08:00:01Z"))
    );
    assert!(matches!(decide("flows", &settings, &state, &ask("2026-11-23T08:00:01Z")), Decision::Start { .. }));
}

fn by_data(minimum: u64, new: Option<u64>) -> ScheduleSettings {
    ScheduleSettings { schedule: None, minimum_records: minimum, new_records: new, suspend: false }
}

fn started(decision: Decision) -> (StartReason, ScheduleState) {
    match decision {
        Decision::Start { reason, state } => (reason, state),
        other => panic!("expected a start, got {other:?}"),
    }
}

#[test]
fn without_a_schedule_it_runs_once_the_data_is_there_and_again_after_new_records() {
    let settings = by_data(100, Some(50));
    let none = ScheduleState::default();
    assert_eq!(
        decide("t", &settings, &none, &observed(99, "2026-11-23T08:01:00Z")),
        Decision::WaitingForData { records: Some(99), needed: 100 }
    );
    let (reason, running) = started(decide("t", &settings, &none, &observed(100, "2026-11-23T08:02:00Z")));
    assert_eq!(reason, StartReason::FirstData);
    assert_eq!(running.last_run.as_ref().unwrap().job, "t-1795420920");
    assert_eq!(decide("t", &settings, &running, &observed(900, "2026-11-23T08:03:00Z")), Decision::Running);
    let done = finished(&running, false, at("2026-11-23T08:04:00Z"));
    assert_eq!(
        decide("t", &settings, &done, &observed(149, "2026-11-23T08:05:00Z")),
        Decision::WaitingForData { records: Some(149), needed: 150 }
    );
    assert_eq!(
        started(decide("t", &settings, &done, &observed(150, "2026-11-23T08:05:00Z"))).0,
        StartReason::NewRecords
    );
    assert_eq!(decide("t", &by_data(100, None), &done, &observed(999, "2026-11-23T08:05:00Z")), Decision::Done);
}

#[test]
fn a_schedule_runs_in_its_time_zone_and_does_not_catch_up() {
    let schedule = Some(Schedule::parse("0 3 * * *", "Europe/Berlin").unwrap());
    let settings = ScheduleSettings { schedule, ..by_data(1, None) };
    let none = ScheduleState::default();
    assert_eq!(
        decide("t", &settings, &none, &observed(5, "2026-11-23T09:00:00Z")),
        Decision::WaitingUntil(at("2026-11-24T02:00:00Z"))
    );
    let (reason, state) = started(decide("t", &settings, &none, &observed(5, "2026-11-30T02:30:00Z")));
    assert_eq!(reason, StartReason::Schedule);
    let done = finished(&state, false, at("2026-11-30T02:40:00Z"));
    assert_eq!(
        decide("t", &settings, &done, &observed(5, "2026-11-30T02:41:00Z")),
        Decision::WaitingUntil(at("2026-12-01T02:00:00Z"))
    );
}

#[test]
fn a_due_run_waits_for_its_data() {
    let schedule = Some(Schedule::parse("*/5 * * * *", "UTC").unwrap());
    let settings = ScheduleSettings { schedule, ..by_data(100, None) };
    let due = observed(99, "2026-11-23T08:05:01Z");
    assert_eq!(
        decide("t", &settings, &ScheduleState::default(), &due),
        Decision::WaitingForData { records: Some(99), needed: 100 }
    );
}

#[test]
fn a_request_runs_once_per_value() {
    let settings = by_data(100, None);
    let asked = Observed { request: Some("now"), ..observed(3, "2026-11-23T08:01:00Z") };
    let (reason, state) = started(decide("t", &settings, &ScheduleState::default(), &asked));
    assert_eq!(reason, StartReason::Request);
    let done = finished(&state, false, at("2026-11-23T08:02:00Z"));
    assert_eq!(decide("t", &settings, &done, &asked), Decision::Done);
}

#[test]
fn a_failed_run_is_retried_with_growing_pauses() {
    let settings = by_data(1, None);
    let (_, state) = started(decide("t", &settings, &ScheduleState::default(), &observed(5, "2026-11-23T08:00:00Z")));
    let failed = finished(&state, true, at("2026-11-23T08:01:00Z"));
    assert_eq!(
        decide("t", &settings, &failed, &observed(5, "2026-11-23T08:01:30Z")),
        Decision::WaitingUntil(at("2026-11-23T08:02:00Z"))
    );
    let (reason, again) = started(decide("t", &settings, &failed, &observed(5, "2026-11-23T08:02:00Z")));
    assert_eq!((reason, again.failures), (StartReason::Retry, 1));
    let twice = finished(&again, true, at("2026-11-23T08:03:00Z"));
    assert_eq!(
        decide("t", &settings, &twice, &observed(5, "2026-11-23T08:03:30Z")),
        Decision::WaitingUntil(at("2026-11-23T08:05:00Z"))
    );
}

#[test]
fn suspension_starts_nothing() {
    let settings = ScheduleSettings { suspend: true, ..by_data(1, Some(1)) };
    assert_eq!(
        decide("t", &settings, &ScheduleState::default(), &observed(5, "2026-11-23T08:00:00Z")),
        Decision::Suspended
    );
}

#[test]
fn a_wrong_schedule_says_what_is_wrong() {
    assert!(Schedule::parse("* * * *", "UTC").unwrap_err().to_string().contains("five fields"));
    assert!(Schedule::parse("61 * * * *", "UTC").is_err());
    assert!(Schedule::parse("0 3 * * *", "Mars/Olympus").is_err());
}

#[test]
fn a_mended_spec_is_tried_at_once() {
    let settings = by_data(1, None);
    let (_, state) = started(decide("t", &settings, &ScheduleState::default(), &observed(5, "2026-11-23T08:00:00Z")));
    let failed = finished(&state, true, at("2026-11-23T08:01:00Z"));
    let mended = Observed { is_changed: true, ..observed(5, "2026-11-23T08:01:30Z") };
    assert_eq!(started(decide("t", &settings, &failed, &mended)).0, StartReason::Retry);
    let well = finished(&state, false, at("2026-11-23T08:01:00Z"));
    assert_eq!(decide("t", &settings, &well, &mended), Decision::Done, "what did not fail needs no mending");
}

#[test]
fn a_run_that_lacked_records_comes_again_when_there_are_more() {
    let settings = by_data(100, None);
    let (_, state) = started(decide("t", &settings, &ScheduleState::default(), &observed(100, "2026-11-23T08:00:00Z")));
    let ended = finished(&state, false, at("2026-11-23T08:01:00Z"));
    let lacked = |records| Observed { lacked_records: true, ..observed(records, "2026-11-23T08:02:00Z") };
    let waiting = Decision::WaitingForData { records: Some(109), needed: 110 };
    assert_eq!(decide("t", &settings, &ended, &lacked(109)), waiting);
    assert_eq!(started(decide("t", &settings, &ended, &lacked(110))).0, StartReason::NewRecords);
    assert_eq!(decide("t", &settings, &ended, &observed(1_000, "2026-11-23T08:02:00Z")), Decision::Done);
}

#[test]
fn the_words_of_cron_jobs_are_schedules() {
    let next = |words: &str| Schedule::parse(words, "UTC").unwrap().next_after(at("2026-11-23T08:00:01Z")).unwrap();
    assert_eq!(next("@hourly"), at("2026-11-23T09:00:00Z"));
    assert_eq!(next("@daily"), at("2026-11-24T00:00:00Z"));
    assert_eq!(next("@weekly"), at("2026-11-29T00:00:00Z"));
    assert_eq!(next("@monthly"), at("2026-12-01T00:00:00Z"));
    assert_eq!(next("@yearly"), at("2027-01-01T00:00:00Z"));
    assert!(Schedule::parse("@reboot", "UTC").is_err());
}
