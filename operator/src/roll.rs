//! The model roll as a pure state machine: which version the detectors' template carries, and when to go back.
//! It sees the pointer, the artifact and the rollout as values and time as an input; it reads and writes nothing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use vedette_contract::ModelVersion;

/// How many refused versions are remembered; older ones are far behind the pointer.
const REJECTED_LIMIT: usize = 10;

/// Which version a pipeline wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionPolicy {
    /// What the pointer names.
    Latest,
    /// This one, whatever the pointer says.
    Pinned(ModelVersion),
}

/// What is remembered between two steps; the model part of a pipeline's status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollState {
    /// The last version that a whole rollout loaded.
    pub active: Option<ModelVersion>,
    /// The one before it.
    pub previous: Option<ModelVersion>,
    /// The version that is being rolled out.
    pub target: Option<Target>,
    /// Versions that were rolled back, newest last; none of them is tried again.
    #[serde(default)]
    pub rejected: Vec<ModelVersion>,
    /// The largest generation of the pointer that was followed.
    #[serde(default)]
    pub generation: u64,
}

impl RollState {
    /// The version that the detectors' template must carry.
    pub fn template_version(&self) -> Option<&ModelVersion> {
        self.target.as_ref().map(|target| &target.version).or(self.active.as_ref())
    }
}

/// A rollout under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The version.
    pub version: ModelVersion,
    /// When the template got it.
    pub since: Timestamp,
}

/// What the bucket says of the training's current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// The pipeline follows no training.
    NotFollowed,
    /// Nothing was published yet.
    Absent,
    /// The bucket, or the pointer, could not be read.
    Unreadable(String),
    /// It names a version.
    Current {
        /// The version.
        version: ModelVersion,
        /// The pointer's generation.
        generation: u64,
    },
}

/// What the bucket holds of the wanted version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// The manifest is there and right.
    Complete,
    /// Files are not there yet.
    Replicating,
    /// The manifest is wrong.
    Damaged(String),
    /// The bucket could not be read.
    Unreadable(String),
}

/// How the detectors' Deployment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// There is none (suspended, or waiting for a model).
    Absent,
    /// Pods of the template are not all ready yet, without a fault of their own (starting, Pending).
    Progressing,
    /// Pods of the template end or stay unready by themselves.
    Failing(String),
    /// Every pod is of the template, and ready.
    Complete,
}

/// Everything that a step looks at.
#[derive(Debug, Clone)]
pub struct Observed<'a> {
    /// The pipeline's policy.
    pub policy: &'a VersionPolicy,
    /// The training's pointer.
    pub pointer: &'a Pointer,
    /// The artifact of [`wanted`], where a version is wanted.
    pub artifact: Option<&'a Artifact>,
    /// The version that the live template carries, and how its rollout stands.
    pub rollout: (Option<&'a ModelVersion>, &'a Rollout),
    /// How long a rollout may take before it is judged.
    pub progress_deadline: SignedDuration,
    /// The time.
    pub now: Timestamp,
}

/// Something to tell, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollEvent {
    /// A rollout began.
    Started {
        /// The version before.
        from: Option<ModelVersion>,
        /// The version to come.
        to: ModelVersion,
    },
    /// All detectors run the version.
    Activated(ModelVersion),
    /// A version failed by itself and was taken back.
    RolledBack {
        /// The version that failed.
        bad: ModelVersion,
        /// The version that runs again; none means enriching only.
        good: Option<ModelVersion>,
        /// How it failed.
        reason: String,
    },
}

impl RollEvent {
    /// A word for the event of an API server.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Started { .. } => "ModelRolling",
            Self::Activated(_) => "ModelActive",
            Self::RolledBack { .. } => "ModelRolledBack",
        }
    }
}

impl fmt::Display for RollEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { from: Some(from), to } => {
                write!(formatter, "rolling the detectors from model {from} to {to}")
            }
            Self::Started { from: None, to } => write!(formatter, "rolling the detectors to their first model {to}"),
            Self::Activated(version) => write!(formatter, "model {version} is active"),
            Self::RolledBack { bad, good: Some(good), reason } => {
                write!(formatter, "model {bad} failed and was rolled back to {good}: {reason}")
            }
            Self::RolledBack { bad, good: None, reason } => {
                write!(formatter, "model {bad} failed and was taken back; records are enriched only: {reason}")
            }
        }
    }
}

/// The `ModelCurrent` condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCurrent {
    /// Whether the detectors run the wanted version.
    pub holds: bool,
    /// The condition's reason.
    pub reason: &'static str,
    /// The condition's message: what to do.
    pub message: String,
}

/// What a step decided. The template must carry [`RollState::template_version`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollStep {
    /// To remember.
    pub state: RollState,
    /// To report.
    pub condition: ModelCurrent,
    /// To tell.
    pub events: Vec<RollEvent>,
}

/// The version that the policy and the pointer ask for; its artifact has to be looked up before [`step`].
pub fn wanted(state: &RollState, policy: &VersionPolicy, pointer: &Pointer) -> Option<ModelVersion> {
    match (policy, pointer) {
        (_, Pointer::NotFollowed) => None,
        (VersionPolicy::Pinned(version), _) => Some(version.clone()),
        (VersionPolicy::Latest, Pointer::Current { version, generation }) if *generation >= state.generation => {
            Some(version.clone())
        }
        (VersionPolicy::Latest, Pointer::Current { .. } | Pointer::Absent | Pointer::Unreadable(_)) => None,
    }
}

/// One step: settles the rollout under way, then starts the next if one is wanted.
pub fn step(state: &RollState, observed: &Observed<'_>) -> RollStep {
    let mut next = state.clone();
    let mut events = Vec::new();
    if *observed.pointer == Pointer::NotFollowed {
        let state = RollState { rejected: next.rejected, ..RollState::default() };
        return finish(state, false, "NoTraining", "the pipeline follows no training: set spec.model.training", events);
    }
    let failed = settle(&mut next, observed, &mut events);
    if let (VersionPolicy::Latest, Pointer::Current { generation, .. }) = (observed.policy, observed.pointer) {
        next.generation = next.generation.max(*generation);
    }
    let Some(version) = wanted(state, observed.policy, observed.pointer) else {
        return nothing_wanted(next, observed.pointer, events);
    };
    if next.rejected.contains(&version) {
        let message = match failed {
            Some(reason) => {
                format!("model version {version} was rolled back: {reason}; train a better one or pin another")
            }
            None => format!(
                "model version {version} was rolled back before and is not tried again; train a better one or pin another"
            ),
        };
        return finish(next, false, "RolledBack", &message, events);
    }
    if next.active.as_ref() == Some(&version) {
        // Back to what runs, before the rollout of another version came to an end: nothing to load, nothing to judge.
        next.target = None;
    }
    if next.template_version() == Some(&version) {
        return running_or_rolling(next, &version, observed, events);
    }
    match observed.artifact {
        Some(Artifact::Complete) => {
            events.push(RollEvent::Started { from: next.active.clone(), to: version.clone() });
            next.target = Some(Target { version: version.clone(), since: observed.now });
            finish(next, false, "Rolling", &format!("detectors are rolling to model version {version}"), events)
        }
        Some(Artifact::Replicating) | None => {
            let message =
                format!("files of model version {version} are not in this site's bucket yet; waiting for them");
            finish(next, false, "Replicating", &message, events)
        }
        Some(Artifact::Damaged(reason)) => {
            let message =
                format!("model version {version} cannot be used: {reason}; train again or pin another version");
            finish(next, false, "Damaged", &message, events)
        }
        Some(Artifact::Unreadable(reason)) => finish(next, false, "BucketUnreadable", reason, events),
    }
}

/// Ends the rollout under way if it came to an end, and returns how it failed if it did.
fn settle(state: &mut RollState, observed: &Observed<'_>, events: &mut Vec<RollEvent>) -> Option<String> {
    let target = state.target.clone()?;
    let (version, rollout) = observed.rollout;
    if version != Some(&target.version) {
        return None;
    }
    let overdue = observed.now.duration_since(target.since) >= observed.progress_deadline;
    match rollout {
        Rollout::Complete => {
            state.previous = state.active.replace(target.version.clone());
            state.target = None;
            events.push(RollEvent::Activated(target.version));
            None
        }
        Rollout::Failing(reason) if overdue => {
            state.target = None;
            state.rejected.push(target.version.clone());
            let surplus = state.rejected.len().saturating_sub(REJECTED_LIMIT);
            state.rejected.drain(..surplus);
            let good = state.active.clone();
            events.push(RollEvent::RolledBack { bad: target.version, good, reason: reason.clone() });
            Some(reason.clone())
        }
        Rollout::Failing(_) | Rollout::Progressing | Rollout::Absent => None,
    }
}

fn nothing_wanted(state: RollState, pointer: &Pointer, events: Vec<RollEvent>) -> RollStep {
    let (reason, message) = match pointer {
        Pointer::Unreadable(message) => ("PointerUnreadable", message.clone()),
        Pointer::Current { generation, .. } => (
            "OlderPointer",
            format!(
                "the pointer has generation {generation}, older than {}: waiting for replication",
                state.generation
            ),
        ),
        Pointer::Absent | Pointer::NotFollowed => {
            ("NoModel", "the training has published no model yet; records are enriched without a score".to_owned())
        }
    };
    finish(state, false, reason, &message, events)
}

fn running_or_rolling(
    state: RollState,
    version: &ModelVersion,
    observed: &Observed<'_>,
    events: Vec<RollEvent>,
) -> RollStep {
    let Some(target) = &state.target else {
        if observed.rollout.0 != Some(version) {
            let message = format!("detectors are going back to model version {version}");
            return finish(state, false, "Rolling", &message, events);
        }
        let message = format!("detectors run model version {version}");
        return finish(state, true, "Current", &message, events);
    };
    let overdue = observed.now.duration_since(target.since) >= observed.progress_deadline;
    let message = match observed.rollout.1 {
        Rollout::Failing(reason) => {
            format!("detectors are rolling to model version {version}; its pods fail: {reason}")
        }
        Rollout::Progressing if overdue => {
            format!(
                "the roll to model version {version} is overdue, but its pods do not fail: look for why they are Pending"
            )
        }
        Rollout::Absent => format!("model version {version} is set; there are no detector pods"),
        Rollout::Progressing | Rollout::Complete => format!("detectors are rolling to model version {version}"),
    };
    finish(state, false, "Rolling", &message, events)
}

fn finish(state: RollState, holds: bool, reason: &'static str, message: &str, events: Vec<RollEvent>) -> RollStep {
    RollStep { state, condition: ModelCurrent { holds, reason, message: message.to_owned() }, events }
}

#[cfg(test)]
mod tests {
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
            [RollEvent::RolledBack { bad: version(2), good: Some(version(1)), reason: "wrong hash".into() }]
        );
        assert_eq!(back.condition.reason, "RolledBack");
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
        assert_eq!(waiting.condition.reason, "Replicating");
        assert_eq!(waiting.state.template_version(), Some(&version(1)));
        let there = advance(&waiting.state, &pointer(2, 2), &Artifact::Complete, &Rollout::Complete, 9);
        assert_eq!(there.state.template_version(), Some(&version(2)));
    }

    #[test]
    fn an_older_pointer_is_not_followed_unless_pinned() {
        let state = running(2, 7);
        let older = advance(&state, &pointer(1, 6), &Artifact::Complete, &Rollout::Complete, 0);
        assert_eq!((older.state.clone(), older.condition.reason), (state.clone(), "OlderPointer"));
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
        assert_eq!((none.condition.reason, none.state.template_version()), ("NoModel", None));
        let unreadable = Pointer::Unreadable("not JSON".into());
        let kept = advance(&running(1, 1), &unreadable, &Artifact::Complete, &Rollout::Complete, 0);
        assert_eq!((kept.condition.reason, kept.state), ("PointerUnreadable", running(1, 1)));
        let damaged = advance(&running(1, 1), &pointer(2, 2), &Artifact::Damaged("x".into()), &Rollout::Complete, 0);
        assert_eq!((damaged.condition.reason, damaged.state.template_version()), ("Damaged", Some(&version(1))));
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
}
