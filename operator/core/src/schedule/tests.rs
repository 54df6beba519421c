use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn observed(records: u64, now: &str) -> Observed<'static> {
    Observed { records: Some(records), request: None, last: None, now: at(now) }
}

/// As observed where the last run ended like this.
fn ended(last: Outcome, records: u64, now: &str) -> Observed<'static> {
    Observed { last: Some(last), ..observed(records, now) }
}

/// Settings with this schedule, and what is remembered where it is in effect since then.
fn scheduled(expression: &str, time_zone: &str, since: &str) -> (ScheduleSettings, ScheduleState) {
    let schedule = Schedule::parse(expression, time_zone).unwrap();
    let mut state = ScheduleState::default();
    follow(&mut state, Some(&schedule), at(since));
    (ScheduleSettings { schedule: Some(schedule), ..by_data(1, None) }, state)
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
    let (settings, none) = scheduled("0 3 * * *", "Europe/Berlin", "2026-11-23T08:00:00Z");
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
fn a_time_that_was_missed_for_minutes_or_for_days_counts_once() {
    let (settings, none) = scheduled("0 * * * *", "UTC", "2026-11-23T08:30:00Z");
    for seen_at in ["2026-11-23T09:07:00Z", "2026-11-26T09:07:00Z"] {
        let (reason, state) = started(decide("t", &settings, &none, &observed(5, seen_at)));
        assert_eq!((reason, state.last_schedule_time), (StartReason::Schedule, Some(at(seen_at))));
        let done = finished(&state, false, at(seen_at));
        let later = Observed { now: after(at(seen_at), SignedDuration::from_mins(1)), ..observed(5, seen_at) };
        let next = after(at(seen_at), SignedDuration::from_mins(53));
        assert_eq!(decide("t", &settings, &done, &later), Decision::WaitingUntil(next));
    }
}

#[test]
fn times_before_a_schedule_was_changed_added_or_in_effect_again_do_not_count() {
    let (settings, since_six) = scheduled("0 3 * * *", "UTC", "2026-11-23T06:00:00Z");
    let noon = "2026-11-24T12:00:00Z";
    let is_due = |state: &ScheduleState| match decide("t", &settings, state, &observed(5, noon)) {
        Decision::Start { .. } => true,
        Decision::WaitingUntil(time) => {
            assert_eq!(time, at("2026-11-25T03:00:00Z"));
            false
        }
        other => panic!("{other:?}"),
    };
    assert!(is_due(&since_six), "it was missed");
    let schedule = settings.schedule.as_ref();
    let (_, of_another_zone) = scheduled("0 3 * * *", "Europe/Berlin", "2026-11-23T06:00:00Z");
    let (_, of_another_time) = scheduled("0 4 * * *", "UTC", "2026-11-23T06:00:00Z");
    let mut suspended = since_six.clone();
    follow(&mut suspended, None, at("2026-11-23T07:00:00Z"));
    for before in [of_another_zone, of_another_time, suspended, ScheduleState::default()] {
        let mut state = before;
        follow(&mut state, schedule, at("2026-11-24T11:59:00Z"));
        assert!(!is_due(&state), "{state:?}");
        follow(&mut state, schedule, at(noon));
        assert_eq!(state.in_effect.unwrap().since, at("2026-11-24T11:59:00Z"), "it did not change since");
    }
}

#[test]
fn a_due_run_waits_for_its_data() {
    let (settings, none) = scheduled("*/5 * * * *", "UTC", "2026-11-23T08:00:00Z");
    let settings = ScheduleSettings { minimum_records: 100, ..settings };
    let due = observed(99, "2026-11-23T08:05:01Z");
    assert_eq!(decide("t", &settings, &none, &due), Decision::WaitingForData { records: Some(99), needed: 100 });
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
    let fails = |now: &str| ended(Outcome::Failed, 5, now);
    assert_eq!(
        decide("t", &settings, &failed, &fails("2026-11-23T08:01:30Z")),
        Decision::WaitingUntil(at("2026-11-23T08:02:00Z"))
    );
    let (reason, again) = started(decide("t", &settings, &failed, &fails("2026-11-23T08:02:00Z")));
    assert_eq!((reason, again.failures), (StartReason::Retry, 1));
    let twice = finished(&again, true, at("2026-11-23T08:03:00Z"));
    assert_eq!(
        decide("t", &settings, &twice, &fails("2026-11-23T08:03:30Z")),
        Decision::WaitingUntil(at("2026-11-23T08:05:00Z"))
    );
}

#[test]
fn a_scheduled_time_in_the_pause_of_a_failed_run_starts_one_and_one_during_it_does_not() {
    let (settings, none) = scheduled("0 * * * *", "UTC", "2026-11-23T08:30:00Z");
    let (_, running) = started(decide("t", &settings, &none, &observed(5, "2026-11-23T09:00:00Z")));
    let failed = |ended: &str| ScheduleState { failures: 9, ..finished(&running, true, at(ended)) };
    let next = |state: &ScheduleState, now: &str| decide("t", &settings, state, &ended(Outcome::Failed, 5, now));
    let pauses = failed("2026-11-23T09:20:00Z");
    assert_eq!(next(&pauses, "2026-11-23T09:59:59Z"), Decision::WaitingUntil(at("2026-11-23T10:00:00Z")));
    let (reason, again) = started(next(&pauses, "2026-11-23T10:00:00Z"));
    assert_eq!((reason, again.last_schedule_time), (StartReason::Schedule, Some(at("2026-11-23T10:00:00Z"))));
    assert_eq!(finished(&again, true, at("2026-11-23T10:01:00Z")).failures, 10, "the pauses grow on");
    assert_eq!(finished(&again, false, at("2026-11-23T10:01:00Z")).failures, 0);
    let slow = failed("2026-11-23T10:01:00Z");
    assert_eq!(next(&slow, "2026-11-23T10:01:01Z"), Decision::WaitingUntil(at("2026-11-23T11:00:00Z")), "no hot loop");
    let retried = ScheduleState { failures: 1, ..slow };
    let (reason, again) = started(next(&retried, "2026-11-23T10:02:00Z"));
    assert_eq!(reason, StartReason::Retry);
    let well = finished(&again, false, at("2026-11-23T10:03:00Z"));
    let then = decide("t", &settings, &well, &ended(Outcome::Published, 5, "2026-11-23T10:04:00Z"));
    assert_eq!(then, Decision::WaitingUntil(at("2026-11-23T11:00:00Z")), "the time that passed is made up for");
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
fn a_run_that_failed_and_does_not_count_is_tried_at_once() {
    let settings = by_data(1, None);
    let (_, state) = started(decide("t", &settings, &ScheduleState::default(), &observed(5, "2026-11-23T08:00:00Z")));
    let mended = ScheduleState { failures: 0, ..finished(&state, true, at("2026-11-23T08:01:00Z")) };
    for last in [Outcome::Failed, Outcome::NotEnoughData] {
        let (reason, _) = started(decide("t", &settings, &mended, &ended(last, 5, "2026-11-23T08:01:01Z")));
        assert!(matches!(reason, StartReason::Retry | StartReason::LackedRecords), "{reason:?}");
    }
    let well = ended(Outcome::Published, 5, "2026-11-23T08:01:01Z");
    assert_eq!(decide("t", &settings, &mended, &well), Decision::Done, "what did not fail needs no mending");
}

/// A run that found too few of the 100 records that there were, at 08:01, for the first time.
fn lacked(settings: &ScheduleSettings) -> ScheduleState {
    let asked = Observed { request: Some("x"), ..observed(100, "2026-11-23T08:00:00Z") };
    let state = ScheduleState { in_effect: None, ..ScheduleState::default() };
    let (_, state) = started(decide("t", settings, &state, &asked));
    finished(&state, true, at("2026-11-23T08:01:00Z"))
}

#[test]
fn a_run_that_lacked_records_comes_again_with_time_and_the_pauses_grow() {
    let settings = by_data(100, None);
    let lacks = |now: &str| ended(Outcome::NotEnoughData, 100, now);
    let first = lacked(&settings);
    let until = |state: &ScheduleState, now: &str| decide("t", &settings, state, &lacks(now));
    assert_eq!(until(&first, "2026-11-23T08:01:59Z"), Decision::WaitingUntil(at("2026-11-23T08:02:00Z")));
    let (reason, again) = started(until(&first, "2026-11-23T08:02:00Z"));
    assert_eq!(reason, StartReason::LackedRecords);
    let twice = finished(&again, true, at("2026-11-23T08:02:30Z"));
    assert_eq!(until(&twice, "2026-11-23T08:03:40Z"), Decision::WaitingUntil(at("2026-11-23T08:04:30Z")));
}

#[test]
fn many_more_records_end_the_pause_of_a_run_that_lacked_them_and_not_within_a_minute() {
    let with_new = by_data(100, Some(1_000_000));
    let (weekly, _) = scheduled("0 3 * * 0", "UTC", "2026-11-23T08:00:00Z");
    for settings in [by_data(100, None), with_new, ScheduleSettings { minimum_records: 100, ..weekly }] {
        let often = ScheduleState { failures: 9, ..lacked(&settings) };
        let at_records = |records, now| decide("t", &settings, &often, &ended(Outcome::NotEnoughData, records, now));
        assert!(matches!(at_records(109, "2026-11-23T08:03:00Z"), Decision::WaitingUntil(_)));
        assert_eq!(started(at_records(110, "2026-11-23T08:03:00Z")).0, StartReason::LackedRecords);
        assert!(matches!(at_records(1_000_000, "2026-11-23T08:01:59Z"), Decision::WaitingUntil(_)), "no hot loop");
    }
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
