use super::*;
use proptest::prelude::*;

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

/// Steps with policy Latest and a rollout of whatever the template carries.
fn advance(state: &RollState, pointer: &Pointer, artifact: &Artifact, rollout: &Rollout, second: i64) -> RollStep {
    let template = state.template_version().cloned();
    step(
        state,
        &Observed {
            policy: &VersionPolicy::Latest,
            pointer,
            artifact: Some(artifact),
            rollout: (template.as_ref(), rollout),
            progress_deadline: DEADLINE,
            now: at(second),
        },
    )
}

fn running(number: u8, generation: u64) -> RollState {
    RollState { active: Some(version(number)), generation, ..RollState::default() }
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
    let observed = Observed {
        policy: &VersionPolicy::Latest,
        pointer: &pointer(2, 2),
        artifact: Some(&Artifact::Complete),
        rollout: (Some(&version(1)), &Rollout::Complete),
        progress_deadline: DEADLINE,
        now: at(1),
    };
    assert_eq!(step(&started, &observed).state, started);
}

#[test]
fn a_version_that_fails_by_itself_is_rolled_back_once_and_remembered() {
    let rolling = advance(&running(1, 1), &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 0).state;
    let failing = Rollout::Failing("wrong hash".into());
    let early = advance(&rolling, &pointer(2, 2), &Artifact::Complete, &failing, 59);
    assert_eq!(early.state, rolling);
    let back = advance(&rolling, &pointer(2, 2), &Artifact::Complete, &failing, 60);
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
    let rolling = advance(&running(1, 1), &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 0).state;
    let late = advance(&rolling, &pointer(2, 2), &Artifact::Complete, &Rollout::Progressing, 6000);
    assert_eq!(late.state, rolling);
    assert!(late.condition.message.contains("Pending"));
}

#[test]
fn a_pointer_that_goes_back_to_what_runs_ends_the_roll() {
    let rolling = advance(&running(1, 1), &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 0).state;
    let back = advance(&rolling, &pointer(1, 3), &Artifact::Complete, &Rollout::Failing("f".into()), 59);
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
fn an_older_pointer_is_not_followed_unless_pinned() {
    let state = running(2, 7);
    let older = advance(&state, &pointer(1, 6), &Artifact::Complete, &Rollout::Complete, 0);
    assert_eq!((older.state.clone(), older.condition.reason), (state.clone(), ModelReason::OlderPointer));
    let template = state.template_version().cloned();
    let pinned = step(
        &state,
        &Observed {
            policy: &VersionPolicy::Pinned(version(1)),
            pointer: &pointer(2, 7),
            artifact: Some(&Artifact::Complete),
            rollout: (template.as_ref(), &Rollout::Complete),
            progress_deadline: DEADLINE,
            now: at(0),
        },
    );
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
        Just(Rollout::Progressing),
        Just(Rollout::Failing("f".into())),
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
