use super::*;
use proptest::prelude::*;
use vedette_contract::exit::Blame;

/// The image and the resources of the detectors.
const MEANS: &str = "image one";
const DEADLINE: SignedDuration = SignedDuration::from_secs(60);

fn version(number: u8) -> ModelVersion {
    format!("20261123T0842{number:02}Z-{number:08x}").parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn pointer(number: u8, generation: u64) -> Pointer {
    Pointer::Current { version: version(number), generation }
}

/// A whole artifact and a whole rollout of whatever the template carries, with policy Latest, at second 0.
fn observed<'a>(state: &'a RollState, pointer: &'a Pointer) -> Observed<'a> {
    Observed {
        policy: &VersionPolicy::Latest,
        pointer,
        artifact: Some(&Artifact::Complete),
        rollout: (state.template_version(), &Rollout::Complete),
        spec_rollout: SpecRollout::Settled,
        progress_deadline: DEADLINE,
        retry: None,
        means: MEANS,
        now: at(0),
    }
}

fn advance(state: &RollState, pointer: &Pointer, artifact: &Artifact, rollout: &Rollout, second: i64) -> RollStep {
    let observed = observed(state, pointer);
    step(
        state,
        &Observed { artifact: Some(artifact), rollout: (observed.rollout.0, rollout), now: at(second), ..observed },
    )
}

/// Pods of the version came so far; the detectors before it are well.
fn moving(steps: i32) -> Rollout {
    Rollout::Underway(Underway { steps, others: Others::Ready, ..Underway::default() })
}

fn faulty(steps: i32, fault: Fault, others: Others) -> Rollout {
    with_ready(0, steps, fault, others)
}

fn with_ready(ready: i32, steps: i32, fault: Fault, others: Others) -> Rollout {
    Rollout::Underway(Underway { steps, ready, fault: Some(fault), waits: None, others })
}

fn ended(cause: &str) -> Fault {
    Fault::Ended { since: None, blame: Blame::Unknown, cause: cause.to_owned() }
}

fn ended_with(blame: Blame) -> Fault {
    Fault::Ended { since: None, blame, cause: "x".to_owned() }
}

fn unready() -> Fault {
    Fault::Unready { blamed: None, cause: "it is not ready".to_owned() }
}

fn ended_since(second: i64) -> Fault {
    Fault::Ended { since: Some(at(second)), blame: Blame::Unknown, cause: "x".to_owned() }
}

/// The roll of version 2 over version 1, begun at second 0.
fn rolling() -> RollState {
    advance(&running(1, 1), &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 0).state
}

/// What comes of a roll that is seen like this at these seconds.
fn seen_at(moments: &[(i64, Rollout)]) -> RollStep {
    let mut step = advance(&rolling(), &pointer(2, 2), &Artifact::Complete, &moments[0].1, moments[0].0);
    for (second, rollout) in &moments[1..] {
        step = advance(&step.state, &pointer(2, 2), &Artifact::Complete, rollout, *second);
    }
    step
}

fn rejects(moments: &[(i64, Rollout)]) -> bool {
    seen_at(moments).state.rejected == [version(2)]
}

fn running(number: u8, generation: u64) -> RollState {
    RollState {
        rejected_with: Some(MEANS.to_owned()),
        active: Some(version(number)),
        generation,
        ..RollState::default()
    }
}

#[test]
fn a_new_version_is_rolled_and_then_active() {
    let started = advance(&running(1, 1), &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 0);
    assert_eq!(started.state.template_version(), Some(&version(2)));
    assert_eq!(started.events, [RollEvent::Started { from: Some(version(1)), to: version(2) }]);
    assert!(!started.condition.holds);
    let done = advance(&started.state, &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 5);
    assert_eq!(done.state.active, Some(version(2)));
    assert_eq!(done.state.previous, Some(version(1)));
    assert_eq!(done.events, [RollEvent::Activated(version(2))]);
    assert!(done.condition.holds);
    let quiet = advance(&done.state, &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 6);
    assert_eq!((quiet.state, quiet.events), (done.state, Vec::new()));
}

#[test]
fn a_rollout_of_another_template_settles_nothing() {
    let started = advance(&running(1, 1), &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 0).state;
    let (pointer, first) = (pointer(2, 2), version(1));
    let of_another =
        Observed { rollout: (Some(&first), &Rollout::Complete), now: at(1), ..observed(&started, &pointer) };
    assert_eq!(step(&started, &of_another).state, started);
}

#[test]
fn a_version_that_fails_by_itself_is_rolled_back_once_and_remembered() {
    let failing = faulty(2, ended("wrong hash"), Others::Ready);
    let early = seen_at(&[(1, failing.clone()), (60, failing.clone())]);
    assert_eq!(early.state.target.as_ref().unwrap().version, version(2));
    let back = advance(&early.state, &pointer(2, 2), &Artifact::Complete, &failing, 61);
    assert_eq!(back.state.template_version(), Some(&version(1)));
    assert_eq!(
        back.events,
        [RollEvent::RolledBack { bad: version(2), good: Some(version(1)), cause: "wrong hash".into() }]
    );
    assert_eq!(back.condition.reason, ModelReason::RolledBack);
    let later = advance(&back.state, &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 600);
    assert_eq!((later.state.template_version(), later.events.len()), (Some(&version(1)), 0));
    let moved = advance(&later.state, &pointer(3, 3), &Artifact::Complete, &Rollout::Complete, 601);
    assert_eq!(moved.state.template_version(), Some(&version(3)));
}

#[test]
fn pending_pods_are_not_the_versions_fault() {
    let late = seen_at(&[(1, moving(0)), (6000, moving(0))]);
    assert_eq!(late.state.template_version(), Some(&version(2)));
    assert!(late.condition.message.contains("Pending"));
    // The second after an hour without a node its container starts, and is not ready yet.
    assert!(!rejects(&[(1, moving(0)), (3600, faulty(2, ended("x"), Others::Ready))]));
    assert!(!rejects(&[
        (1, moving(0)),
        (3600, faulty(2, ended("x"), Others::Ready)),
        (3659, faulty(2, ended("x"), Others::Ready))
    ]));
}

#[test]
fn a_process_that_runs_and_waits_is_not_to_blame_however_long() {
    let ran_before = Fault::Unready { blamed: Some(Blame::Model), cause: "x".to_owned() };
    for waits in [unready(), ran_before] {
        for others in [Others::Ready, Others::None] {
            let waiting = faulty(2, waits.clone(), others);
            let late = seen_at(&[(1, waiting.clone()), (6000, waiting)]);
            assert_eq!(late.state.rejected, [], "{waits:?} {others:?}");
            assert!(late.condition.message.ends_with(waits.cause()), "{}", late.condition.message);
        }
    }
    // As soon as it ends, it is.
    let looping = faulty(2, ended("x"), Others::Ready);
    assert!(rejects(&[(1, faulty(2, unready(), Others::Ready)), (60, looping.clone()), (61, looping)]));
}

#[test]
fn a_version_that_comes_while_nothing_runs_has_its_time_from_when_it_runs() {
    for asleep in [Rollout::Absent, moving(0)] {
        let failing = faulty(2, ended("x"), Others::Ready);
        assert!(!rejects(&[(1, asleep.clone()), (600, failing.clone())]), "{asleep:?}");
        assert!(rejects(&[(1, asleep), (600, failing.clone()), (660, failing)]));
    }
}

#[test]
fn what_hurts_the_detectors_before_it_too_is_not_the_versions_fault() {
    let outage = |others| faulty(2, ended("x"), others);
    assert!(!rejects(&[(1, outage(Others::Unready)), (600, outage(Others::Unready))]));
    // The deadline begins when the others are well again.
    assert!(!rejects(&[
        (1, outage(Others::Ready)),
        (50, outage(Others::Unready)),
        (600, outage(Others::Ready)),
        (659, outage(Others::Ready))
    ]));
    assert!(rejects(&[
        (1, outage(Others::Ready)),
        (50, outage(Others::Unready)),
        (600, outage(Others::Ready)),
        (660, outage(Others::Ready))
    ]));
}

#[test]
fn a_bucket_that_is_away_is_not_the_versions_fault() {
    let (failing, away) = (faulty(2, ended("x"), Others::Ready), Pointer::Unreadable("no answer".to_owned()));
    let begun = advance(&rolling(), &pointer(2, 2), &Artifact::Complete, &failing, 1).state;
    let outage = advance(&begun, &away, &Artifact::Complete, &failing, 600).state;
    let unread = Artifact::Unreadable("no answer".to_owned());
    let outage = advance(&outage, &pointer(2, 2), &unread, &failing, 700).state;
    let back = advance(&outage, &pointer(2, 2), &Artifact::Complete, &failing, 701).state;
    assert_eq!(advance(&back, &pointer(2, 2), &Artifact::Complete, &failing, 760).state.rejected, []);
    assert_eq!(advance(&back, &pointer(2, 2), &Artifact::Complete, &failing, 761).state.rejected, [version(2)]);
}

#[test]
fn where_no_detector_runs_without_it_only_its_own_words_tell_of_a_version() {
    let alone = |fault: &Fault| faulty(2, fault.clone(), Others::None);
    for innocent in [ended("an image that does not run"), ended_with(Blame::Surroundings)] {
        let late = seen_at(&[(1, alone(&innocent)), (6000, alone(&innocent))]);
        assert_eq!(late.state.rejected, [], "{innocent:?}");
        assert!(late.condition.message.contains("that would tell whose fault this is"), "{}", late.condition.message);
    }
    let guilty = ended_with(Blame::Model);
    assert!(rejects(&[(1, alone(&guilty)), (61, alone(&guilty))]));
}

#[test]
fn a_version_and_a_spec_do_not_roll_at_once() {
    let pointer = pointer(2, 2);
    let under_a_new_spec = |state: &RollState, artifact, second| {
        let (spec_rollout, template, moving) = (SpecRollout::Underway, state.template_version(), moving(2));
        let observed = observed(state, &pointer);
        step(state, &Observed { artifact, spec_rollout, rollout: (template, &moving), now: at(second), ..observed })
    };
    let held = under_a_new_spec(&running(1, 1), Some(&Artifact::Complete), 0);
    assert_eq!(
        (held.state.template_version(), held.condition.reason),
        (Some(&version(1)), ModelReason::WaitingForSpec)
    );
    assert_eq!((held.state.rejected.len(), held.events.len()), (0, 0));
    let begun = advance(&held.state, &pointer, &Artifact::Complete, &Rollout::Complete, 1).state;
    assert_eq!(begun.template_version(), Some(&version(2)));
    // The spec changes half-way: nothing was looked up of a version that rolled already.
    let gives_way = under_a_new_spec(&RollState { target: begun.target, ..running(1, 2) }, None, 2);
    assert_eq!((gives_way.state.target, gives_way.condition.reason), (None, ModelReason::WaitingForSpec));
    let replicating = under_a_new_spec(&running(1, 1), Some(&Artifact::Replicating), 0);
    assert_eq!(replicating.condition.reason, ModelReason::Replicating);
}

#[test]
fn what_a_process_was_told_and_whom_it_talks_to_are_not_the_versions_fault() {
    let ends = |blame| faulty(2, ended_with(blame), Others::Ready);
    assert!(!rejects(&[(1, ends(Blame::Surroundings)), (6000, ends(Blame::Surroundings))]));
    for blame in [Blame::Model, Blame::Unknown] {
        assert!(rejects(&[(1, ends(blame)), (61, ends(blame))]), "{blame:?}");
    }
}

#[test]
fn a_pod_that_just_got_its_node_has_its_own_time() {
    let began = faulty(2, ended_since(100), Others::Ready);
    assert!(!rejects(&[(1, moving(2)), (101, began.clone()), (159, began.clone())]));
    assert!(rejects(&[(1, moving(2)), (101, began.clone()), (160, began)]));
}

#[test]
fn two_hundred_pods_roll_however_long_it_takes_and_one_that_stops_half_way_does_not() {
    let after = |pods| with_ready(pods, 2 * pods + 2, unready(), Others::Ready);
    let mut moments: Vec<_> = (0..200).map(|pods| (i64::from(pods) * 50, after(pods))).collect();
    assert!(!rejects(&moments));
    moments.push((199 * 50 + 60, with_ready(199, 400, ended("x"), Others::Ready)));
    assert!(rejects(&moments));
}

#[test]
fn a_crash_loop_is_no_progress() {
    let ends = || faulty(2, ended("x"), Others::Ready);
    let runs = |ready| with_ready(ready, 2, unready(), Others::Ready);
    assert!(rejects(&[(1, runs(0)), (10, ends()), (20, runs(0)), (30, ends()), (45, runs(0)), (62, ends())]));
    // Ready for a moment between two ends.
    assert!(rejects(&[(1, runs(1)), (10, ends()), (20, runs(1)), (30, ends()), (45, runs(1)), (62, ends())]));
}

#[test]
fn what_comes_in_the_place_of_a_pod_that_went_has_its_own_time() {
    let ends = |since: Option<Timestamp>| {
        let fault = Fault::Ended { since, blame: Blame::Unknown, cause: "x".to_owned() };
        faulty(2, fault, Others::Ready)
    };
    let replaced = |last: &[(i64, Rollout)]| {
        // It was started, its node went, and the next one is Pending for long.
        let mut moments = vec![(1, faulty(2, unready(), Others::Ready)), (20, moving(0)), (600, moving(1))];
        moments.extend_from_slice(last);
        rejects(&moments)
    };
    assert!(!replaced(&[(601, ends(None)), (660, ends(None))]));
    assert!(replaced(&[(601, ends(None)), (661, ends(None))]));
    // Nobody saw the one go.
    let unseen = |last| rejects(&[(1, faulty(2, unready(), Others::Ready)), (last, ends(Some(at(600))))]);
    assert!(!unseen(659));
    assert!(unseen(660));
}

#[test]
fn a_wish_has_rejected_versions_tried_again_once_and_a_restored_pointer_followed() {
    let failing = faulty(2, ended("x"), Others::Ready);
    let banned = seen_at(&[(1, failing.clone()), (61, failing)]).state;
    let asked = |state: &RollState, retry: Option<&str>, pointer: &Pointer| {
        step(state, &Observed { retry, now: at(100), ..observed(state, pointer) })
    };
    let again = asked(&banned, Some("1"), &pointer(2, 2));
    assert_eq!(again.state.template_version(), Some(&version(2)));
    assert_eq!(again.events[0], RollEvent::Retried(vec![version(2)]));
    let once = RollState { rejected: vec![version(2)], target: None, ..again.state };
    assert_eq!(asked(&once, Some("1"), &pointer(2, 2)).state.template_version(), Some(&version(1)));
    assert_eq!(asked(&once, None, &pointer(2, 2)).condition.reason, ModelReason::RolledBack);
    let ahead = running(1, 9);
    assert_eq!(asked(&ahead, None, &pointer(2, 2)).condition.reason, ModelReason::OlderPointer);
    let restored = asked(&ahead, Some("restored"), &pointer(2, 2)).state;
    assert_eq!((restored.template_version(), restored.generation), (Some(&version(2)), 2));
}

#[test]
fn a_version_that_was_rejected_is_tried_once_more_with_each_other_image() {
    let failing = faulty(2, ended_with(Blame::Model), Others::Ready);
    let banned = seen_at(&[(1, failing.clone()), (61, failing.clone())]).state;
    let pointer = pointer(2, 2);
    let with = |state: &RollState, means, second, rollout: &Rollout| {
        let rollout = (state.template_version(), rollout);
        step(state, &Observed { means, rollout, now: at(second), ..observed(state, &pointer) })
    };
    assert_eq!(with(&banned, MEANS, 100, &Rollout::Complete).condition.reason, ModelReason::RolledBack);
    let again = with(&banned, "image two", 100, &Rollout::Complete);
    assert_eq!(again.state.template_version(), Some(&version(2)));
    assert_eq!(again.events[0], RollEvent::Retried(vec![version(2)]));
    let judged = with(&with(&again.state, "image two", 101, &failing).state, "image two", 161, &failing).state;
    assert_eq!(
        (judged.rejected.as_slice(), judged.rejected_with.as_deref()),
        ([version(2)].as_slice(), Some("image two"))
    );
    assert_eq!(with(&judged, "image two", 200, &Rollout::Complete).condition.reason, ModelReason::RolledBack);
}

#[test]
fn a_pin_overrides_a_rejection_once() {
    let banned = RollState { rejected: vec![version(2)], ..running(1, 2) };
    let (pin, pointer) = (VersionPolicy::Pinned(version(2)), pointer(3, 3));
    let pinned = |state: &RollState, rollout: &Rollout, second| {
        let rollout = (state.template_version(), rollout);
        step(state, &Observed { policy: &pin, rollout, now: at(second), ..observed(state, &pointer) })
    };
    let tried = pinned(&banned, &Rollout::Complete, 0).state;
    assert_eq!(tried.template_version(), Some(&version(2)));
    let failing = faulty(2, ended("x"), Others::Ready);
    let failed = pinned(&pinned(&tried, &failing, 1).state, &failing, 61);
    assert_eq!(failed.condition.reason, ModelReason::RolledBack);
    let still = pinned(&failed.state, &Rollout::Complete, 62);
    assert_eq!((still.state.template_version(), still.condition.reason), (Some(&version(1)), ModelReason::RolledBack));
}

#[test]
fn a_pointer_that_goes_back_to_what_runs_ends_the_roll() {
    let rolling = advance(&running(1, 1), &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 0).state;
    let back = advance(&rolling, &pointer(1, 3), &Artifact::Complete, &faulty(2, ended("f"), Others::Ready), 59);
    assert_eq!((back.state.template_version(), &back.state.target), (Some(&version(1)), &None));
    assert!(!back.condition.holds);
    let settled = advance(&back.state, &pointer(1, 3), &Artifact::Complete, &Rollout::Complete, 60);
    assert!(settled.condition.holds);
}

#[test]
fn files_that_come_late_are_waited_for() {
    let waiting = advance(&running(1, 1), &pointer(2, 2), &Artifact::Replicating, &Rollout::Complete, 0);
    assert_eq!(waiting.condition.reason, ModelReason::Replicating);
    assert_eq!(waiting.state.template_version(), Some(&version(1)));
    let there = advance(&waiting.state, &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 9);
    assert_eq!(there.state.template_version(), Some(&version(2)));
}

#[test]
fn a_pinned_pipeline_stays_with_its_version_whatever_somebody_promotes() {
    let pin = VersionPolicy::Pinned(version(2));
    let pinned = running(2, 7);
    for (promoted, generation) in [(1, 8), (3, 9), (2, 10)] {
        let pointer = pointer(promoted, generation);
        let step = step(&pinned, &Observed { policy: &pin, ..observed(&pinned, &pointer) });
        assert_eq!((step.state.template_version(), step.events), (Some(&version(2)), Vec::new()), "{promoted}");
    }
}

#[test]
fn an_older_pointer_is_not_followed_unless_pinned() {
    let state = running(2, 7);
    let older = advance(&state, &pointer(1, 6), &Artifact::Complete, &Rollout::Complete, 0);
    assert_eq!((older.state.clone(), older.condition.reason), (state.clone(), ModelReason::OlderPointer));
    let (pin, pointer) = (VersionPolicy::Pinned(version(1)), pointer(2, 7));
    let pinned = step(&state, &Observed { policy: &pin, ..observed(&state, &pointer) });
    assert_eq!(pinned.state.template_version(), Some(&version(1)));
}

#[test]
fn without_a_model_nothing_is_rolled_and_the_reason_is_said() {
    let none = advance(&RollState::default(), &Pointer::Absent, &Artifact::Replicating, &Rollout::Complete, 0);
    assert_eq!((none.condition.reason, none.state.template_version()), (ModelReason::NoModel, None));
    let unreadable = Pointer::Unreadable("not JSON".into());
    let kept = advance(&running(1, 1), &unreadable, &Artifact::Complete, &Rollout::Complete, 0);
    assert_eq!((kept.condition.reason, kept.state), (ModelReason::PointerUnreadable, running(1, 1)));
    let damaged = advance(&running(1, 1), &pointer(2, 2), &Artifact::Damaged("x".into()), &Rollout::Complete, 0);
    assert_eq!((damaged.condition.reason, damaged.state.template_version()), (ModelReason::Damaged, Some(&version(1))));
}

fn any_rollout() -> impl Strategy<Value = Rollout> {
    prop_oneof![
        Just(Rollout::Absent),
        (0..9, any::<bool>(), any::<bool>()).prop_map(|(steps, fails, others)| {
            let others = if others { Others::Ready } else { Others::None };
            let fault = fails.then(|| ended_with(Blame::Model));
            Rollout::Underway(Underway { steps, fault, others, ..Underway::default() })
        }),
        Just(Rollout::Complete)
    ]
}

proptest! {
    /// Whatever happens, the active version is one that a whole rollout loaded, no refused version is in the template
    /// again, and the generation never falls.
    #[test]
    fn the_template_is_never_a_refused_version(moves in proptest::collection::vec((1..9u8, 1..9u64, any_rollout(), 0..90i64), 1..60)) {
        let mut state = RollState::default();
        let mut second = 0;
        let mut loaded = Vec::new();
        for (number, generation, rollout, pause) in moves {
            second += pause;
            let template = state.template_version().cloned();
            if rollout == Rollout::Complete { loaded.extend(template.clone()); }
            let next = advance(&state, &pointer(number, generation), &Artifact::Complete, &rollout, second);
            prop_assert!(next.state.generation >= state.generation);
            if let Some(version) = next.state.template_version() { prop_assert!(!next.state.rejected.contains(version)); }
            if let Some(active) = &next.state.active { prop_assert!(loaded.contains(active)); }
            state = next.state;
        }
    }
}
