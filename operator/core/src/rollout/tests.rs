use super::*;
use crate::roll::Fault;
use crate::workload::{EndedPod, LiveDeployment};
use serde_json::json;
use vedette_contract::ModelVersion;
use vedette_contract::exit::Blame;

fn version(number: u8) -> ModelVersion {
    format!("20261123T0842{number:02}Z-{number:08x}").parse().unwrap()
}

fn pod(spec: &str, number: u8, is_ready: bool) -> PodSeen {
    let (spec, version) = (Some(spec.to_owned()), Some(version(number)));
    PodSeen { spec, version, is_ready, steps: 2, ..PodSeen::default() }
}

fn live(spec: &str, number: u8, wanted: i32) -> LiveDeployment {
    LiveDeployment {
        spec: Some(spec.to_owned()),
        version: Some(version(number)),
        wanted,
        replicas: wanted,
        ..LiveDeployment::default()
    }
}

fn workload(deployment: LiveDeployment, pods: &[PodSeen]) -> Workload {
    Workload { deployment: Some(deployment), pods: pods.to_vec(), leaving: 0, ended: None }
}

fn wanted(spec: &str, replicas: Option<i32>) -> Deployment {
    serde_json::from_value(json!({ "spec": {
        "replicas": replicas, "selector": {}, "template": { "metadata": { "annotations": { labels::SPEC_HASH: spec } } }
    } }))
    .unwrap()
}

fn short(ready: i32, earlier: i32, wanted: i32) -> Availability {
    Availability::Short { ready, earlier, wanted, cause: None, is_stuck: false }
}

#[test]
fn what_was_ready_before_it_was_applied_is_not_what_is_wanted() {
    let old = [pod("old", 1, true), pod("old", 1, true)];
    let done = LiveDeployment { is_complete: true, ..live("old", 1, 2) };
    assert_eq!(
        availability(&workload(done.clone(), &old), &wanted("old", Some(2))),
        Availability::Available { ready: 2 }
    );
    // Not applied yet, applied and not begun, under way, done.
    assert_eq!(availability(&workload(done.clone(), &old), &wanted("new", Some(2))), short(0, 2, 2));
    assert_eq!(availability(&workload(live("new", 1, 2), &old), &wanted("new", Some(2))), short(0, 2, 2));
    let half = [pod("old", 1, true), pod("new", 1, true), pod("new", 1, false)];
    assert_eq!(availability(&workload(live("new", 1, 2), &half), &wanted("new", Some(2))), short(1, 1, 2));
    let new = [pod("new", 1, true), pod("new", 1, true)];
    assert_eq!(
        availability(&workload(live("new", 1, 2), &new), &wanted("new", Some(2))),
        Availability::Available { ready: 2 }
    );
    // More of the same are wanted than were.
    assert_eq!(availability(&workload(done, &old), &wanted("old", Some(3))), short(2, 0, 3));
}

#[test]
fn while_a_model_rolls_what_runs_is_what_is_wanted() {
    let rolling = [pod("spec", 1, true), pod("spec", 2, false), pod("spec", 1, true)];
    let available = Availability::Available { ready: 2 };
    assert_eq!(availability(&workload(live("spec", 2, 2), &rolling), &wanted("spec", Some(2))), available);
    assert_eq!(availability(&workload(live("spec", 2, 2), &rolling[..2]), &wanted("spec", Some(2))), short(1, 0, 2));
}

#[test]
fn an_autoscaler_says_how_many_are_wanted() {
    let two = [pod("spec", 1, true), pod("spec", 1, true)];
    assert_eq!(availability(&workload(live("spec", 1, 3), &two), &wanted("spec", None)), short(2, 0, 3));
}

#[test]
fn where_none_is_wanted_those_that_are_left_are_waited_for() {
    assert_eq!(availability(&Workload::default(), &wanted("spec", Some(0))), Availability::Absent);
    let left = availability(&workload(live("spec", 1, 2), &[]), &wanted("spec", Some(0)));
    assert_eq!(left, Availability::Stopping { pods: 2 });
    let leaving = Workload { leaving: 1, ..workload(live("spec", 1, 0), &[]) };
    assert_eq!(availability(&leaving, &wanted("spec", Some(0))), Availability::Stopping { pods: 1 });
    let none = availability(&workload(live("spec", 1, 0), &[]), &wanted("spec", Some(0)));
    assert_eq!(none, Availability::ScaledToNothing);
}

#[test]
fn where_nothing_else_is_known_an_eviction_is_said_of_the_spec_that_is_wanted() {
    let evicted = EndedPod { spec: Some("new".to_owned()), cause: "evicted".to_owned() };
    let cause_of = |spec: &str, pods: &[PodSeen]| {
        let workload = Workload { ended: Some(evicted.clone()), ..workload(live(spec, 1, 1), pods) };
        match availability(&workload, &wanted(spec, Some(1))) {
            Availability::Short { cause, .. } => cause,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cause_of("new", &[]).as_deref(), Some("evicted"));
    assert_eq!(cause_of("other", &[]), None);
    let waiting = PodSeen { waits: Some("no node".to_owned()), ..pod("new", 1, false) };
    assert_eq!(cause_of("new", &[waiting]).as_deref(), Some("no node"));
}

#[test]
fn what_keeps_the_pods_that_are_wanted_is_said_and_not_what_keeps_others() {
    let cause_of = |deployment: LiveDeployment, pods: &[PodSeen]| match availability(
        &workload(deployment, pods),
        &wanted("new", Some(2)),
    ) {
        Availability::Short { cause, is_stuck, .. } => (cause, is_stuck),
        other => panic!("{other:?}"),
    };
    let ends = Fault::Ended { since: None, blame: Blame::Unknown, cause: "it ends".to_owned() };
    let failing = |spec| PodSeen { fault: Some(ends.clone()), ..pod(spec, 1, false) };
    let waiting = PodSeen { waits: Some("no node".to_owned()), ..pod("new", 1, false) };
    let stuck = LiveDeployment { stuck: Some("quota".to_owned()), ..live("new", 1, 2) };
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(cause_of(live("new", 1, 2), &[failing("old")]), (None, false));
    assert_eq!(cause_of(live("new", 1, 2), &[waiting.clone(), failing("new")]), (said("it ends"), false));
    assert_eq!(cause_of(live("new", 1, 2), &[waiting]), (said("no node"), false));
    assert_eq!(cause_of(stuck.clone(), &[failing("new")]), (said("it ends"), true));
    assert_eq!(cause_of(stuck, &[]), (said("quota"), true));
    let before = LiveDeployment { stuck: said("quota"), ..live("old", 1, 2) };
    assert_eq!(cause_of(before, &[]), (None, false), "of the spec before");
}

#[test]
fn a_roll_is_judged_by_the_pods_of_its_version_and_compared_with_the_others() {
    let underway = |pods: &[PodSeen]| match rollout(&workload(live("spec", 2, 2), pods)) {
        Rollout::Underway(underway) => underway,
        other => panic!("{other:?}"),
    };
    let ends = |number| PodSeen {
        fault: Some(Fault::Ended { since: None, blame: Blame::Unknown, cause: format!("{number} ends") }),
        ..pod("spec", number, false)
    };
    let Underway { steps, ready: _, fault, waits: _, others } = underway(&[ends(1), pod("spec", 1, true), ends(2)]);
    assert_eq!((steps, fault.unwrap().cause(), others), (2, "2 ends", Others::Ready));
    assert_eq!(underway(&[ends(1), pod("spec", 2, true)]).others, Others::Unready);
    let waits = Fault::Unready { blamed: None, cause: "it waits".to_owned() };
    let waiting = PodSeen { fault: Some(waits), ..pod("spec", 2, false) };
    assert_eq!(underway(&[waiting, ends(2)]).fault.unwrap().cause(), "2 ends", "one that waits does not hide it");
    let before = pod("another spec", 1, true);
    assert_eq!(underway(&[before, ends(2)]).others, Others::None, "a pod of another spec is no witness");
    let ended_before = PodSeen { spec: Some("another spec".to_owned()), ..ends(2) };
    assert_eq!(underway(&[ended_before]), Underway::default(), "nor is its end that of the version");
    assert_eq!(underway(&[pod("spec", 2, true)]), Underway { steps: 2, ready: 1, ..Underway::default() });
    assert_eq!(rollout(&workload(live("spec", 2, 0), &[])), Rollout::Absent);
    assert_eq!(rollout(&Workload::default()), Rollout::Absent);
    let complete = LiveDeployment { is_complete: true, ..live("spec", 2, 2) };
    assert_eq!(rollout(&workload(complete, &[])), Rollout::Complete);
}

#[test]
fn a_spec_rolls_out_until_no_pod_of_another_is_left() {
    let (old, new) = (pod("old", 1, true), pod("new", 1, false));
    let stands = |deployment: LiveDeployment, pods: &[PodSeen], replicas| {
        spec_rollout(&workload(deployment, pods), Some(&wanted("new", replicas)))
    };
    let (underway, settled) = (SpecRollout::Underway, SpecRollout::Settled);
    assert_eq!(stands(live("old", 1, 1), std::slice::from_ref(&old), Some(1)), underway, "it is not applied yet");
    assert_eq!(stands(live("new", 1, 1), &[old.clone(), new.clone()], Some(1)), underway);
    assert_eq!(stands(live("new", 1, 1), std::slice::from_ref(&new), None), settled);
    // Nothing runs, or is to.
    assert_eq!(stands(live("old", 1, 0), &[], Some(1)), settled);
    assert_eq!(stands(live("old", 1, 1), std::slice::from_ref(&old), Some(0)), settled);
    assert_eq!(spec_rollout(&Workload::default(), Some(&wanted("new", Some(1)))), settled);
    assert_eq!(spec_rollout(&workload(live("old", 1, 1), std::slice::from_ref(&old)), None), settled);
    // Pods of the spec that end: only another model mends what they say of theirs.
    for (blame, expected) in [(Blame::Model, settled), (Blame::Surroundings, underway), (Blame::Unknown, underway)] {
        // Whether it stands still or runs once more just now.
        let ends = Fault::Ended { since: None, blame, cause: "x".to_owned() };
        let runs_again = Fault::Unready { blamed: Some(blame), cause: "x".to_owned() };
        for fault in [ends, runs_again] {
            let failing = PodSeen { fault: Some(fault), ..new.clone() };
            assert_eq!(stands(live("new", 1, 1), &[old.clone(), failing], Some(1)), expected, "{blame:?}");
        }
    }
}
