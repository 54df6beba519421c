//! The model roll as a pure state machine: which version the detectors' template carries, and when to go back.
//! It sees the pointer, the artifact and the rollout as values and time as an input; it reads and writes nothing.

mod judgement;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use vedette_contract::ModelVersion;

pub use self::judgement::{Clock, Fault, Others, Rollout, SpecRollout, Underway};
use crate::desired::labels::RETRY_MODEL;
use crate::reason::ModelReason;

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
    /// Versions that were rolled back, newest last; none of them is tried again before somebody asks for it, or by other means.
    #[serde(default)]
    pub rejected: Vec<ModelVersion>,
    /// [`Observed::means`] with which they were.
    #[serde(default)]
    pub rejected_with: Option<String>,
    /// The largest generation of the pointer that was followed.
    #[serde(default)]
    pub generation: u64,
    /// The version that was pinned last.
    #[serde(default)]
    pub pinned: Option<ModelVersion>,
    /// The wish of [`Observed::retry`] that was granted last.
    #[serde(default)]
    pub retried: Option<String>,
}

impl RollState {
    /// The version that the detectors' template must carry.
    pub fn template_version(&self) -> Option<&ModelVersion> {
        self.target.as_ref().map(|target| &target.version).or(self.active.as_ref())
    }
}

/// A roll under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    pub version: ModelVersion,
    /// When the template got it.
    pub since: Timestamp,
    /// How long nothing has moved.
    #[serde(default)]
    pub clock: Clock,
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
    /// Whether the newest spec rolls out. It and a version never do at once: nobody could tell whose fault it is.
    pub spec_rollout: SpecRollout,
    /// How long a rollout may stand still before it is judged.
    pub progress_deadline: SignedDuration,
    /// What somebody asks for: another value than before forgets what was rejected, and follows a pointer that was restored.
    pub retry: Option<&'a str>,
    /// What the detectors load a model by. An image that is too old for it, or too little memory, is mended by others.
    pub means: &'a str,
    pub now: Timestamp,
}

/// Something to tell, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollEvent {
    /// A roll began.
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
        cause: String,
    },
    /// Versions are tried again that were rolled back: somebody asks for it, or they may do better by other means.
    Retried(Vec<ModelVersion>),
}

impl RollEvent {
    /// A word for the event of an API server.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Started { .. } => "ModelRolling",
            Self::Activated(_) => "ModelActive",
            Self::RolledBack { .. } => "ModelRolledBack",
            Self::Retried(_) => "ModelRetried",
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
            Self::RolledBack { bad, good: Some(good), cause } => {
                write!(formatter, "model {bad} failed and was rolled back to {good}: {cause}")
            }
            Self::RolledBack { bad, good: None, cause } => {
                write!(formatter, "model {bad} failed and was taken back; records are enriched only: {cause}")
            }
            Self::Retried(versions) => {
                let versions: Vec<&str> = versions.iter().map(ModelVersion::as_str).collect();
                let versions = versions.join(" and ");
                write!(formatter, "model {versions} may be tried again, as somebody asks or image or resources changed")
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
    pub reason: ModelReason,
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

/// One step: settles the roll under way, then starts the next if one is wanted.
pub(crate) fn step(state: &RollState, observed: &Observed<'_>) -> RollStep {
    let mut next = state.clone();
    let mut events = Vec::new();
    if *observed.pointer == Pointer::NotFollowed {
        let RollState { rejected, rejected_with, .. } = next;
        let state = RollState { rejected, rejected_with, ..RollState::default() };
        return finish(
            state,
            false,
            ModelReason::NoTraining,
            "the pipeline follows no training: set spec.model.training",
            events,
        );
    }
    heed(&mut next, observed, &mut events);
    let failed = settle(&mut next, observed, &mut events);
    if observed.spec_rollout == SpecRollout::Underway {
        next.target = None;
    }
    let wanted = wanted(&next, observed.policy, observed.pointer);
    if let (VersionPolicy::Latest, Pointer::Current { generation, .. }) = (observed.policy, observed.pointer) {
        next.generation = next.generation.max(*generation);
    }
    let Some(version) = wanted else {
        return nothing_wanted(next, observed.pointer, events);
    };
    if next.rejected.contains(&version) {
        let how = failed.map_or_else(|| " before".to_owned(), |cause| format!(": {cause}"));
        let message = format!(
            "model version {version} was rolled back{how}; it is not tried again before a pin or a new value of the annotation {RETRY_MODEL} asks for it, or with the same image and resources"
        );
        return finish(next, false, ModelReason::RolledBack, &message, events);
    }
    if next.active.as_ref() == Some(&version) {
        // Back to what runs, before the rollout of another version came to an end: nothing to load, nothing to judge.
        next.target = None;
    }
    if next.template_version() == Some(&version) {
        return running_or_rolling(next, &version, observed, events);
    }
    match observed.artifact {
        Some(Artifact::Complete) | None if observed.spec_rollout == SpecRollout::Underway => {
            let message = format!("model version {version} rolls once every detector pod is of the newest spec");
            finish(next, false, ModelReason::WaitingForSpec, &message, events)
        }
        Some(Artifact::Complete) => {
            events.push(RollEvent::Started { from: next.active.clone(), to: version.clone() });
            next.target = Some(Target { version: version.clone(), since: observed.now, clock: Clock::default() });
            finish(
                next,
                false,
                ModelReason::Rolling,
                &format!("detectors are rolling to model version {version}"),
                events,
            )
        }
        Some(Artifact::Replicating) | None => {
            let message =
                format!("files of model version {version} are not in this site's bucket yet; waiting for them");
            finish(next, false, ModelReason::Replicating, &message, events)
        }
        Some(Artifact::Damaged(reason)) => {
            let message =
                format!("model version {version} cannot be used: {reason}; train again or pin another version");
            finish(next, false, ModelReason::Damaged, &message, events)
        }
        Some(Artifact::Unreadable(reason)) => finish(next, false, ModelReason::BucketUnreadable, reason, events),
    }
}

/// What people ask for wins over what was remembered: each pin, and each new wish to try again, counts once.
fn heed(state: &mut RollState, observed: &Observed<'_>, events: &mut Vec<RollEvent>) {
    let is_asked = observed.retry.is_some() && observed.retry != state.retried.as_deref();
    if is_asked {
        state.retried = observed.retry.map(ToOwned::to_owned);
        state.generation = 0;
    }
    let has_other_means = state.rejected_with.as_deref() != Some(observed.means);
    if !state.rejected.is_empty() && (is_asked || has_other_means) {
        events.push(RollEvent::Retried(std::mem::take(&mut state.rejected)));
    }
    let pinned = match observed.policy {
        VersionPolicy::Pinned(version) => Some(version),
        VersionPolicy::Latest => None,
    };
    if pinned != state.pinned.as_ref() {
        state.rejected.retain(|version| Some(version) != pinned);
        state.pinned = pinned.cloned();
    }
}

/// Ends the roll under way if it came to an end, and returns how it failed if it did.
fn settle(state: &mut RollState, observed: &Observed<'_>, events: &mut Vec<RollEvent>) -> Option<String> {
    let target = state.target.as_mut()?;
    let (version, rollout) = observed.rollout;
    if version != Some(&target.version) {
        target.clock = Clock::default();
        return None;
    }
    let reads_its_bucket = !matches!(observed.pointer, Pointer::Unreadable(_))
        && !matches!(observed.artifact, Some(Artifact::Unreadable(_)));
    // Those before have their model already: where the bucket is away, only new ones suffer.
    target.clock = if reads_its_bucket { target.clock.after(rollout, observed.now) } else { target.clock.stopped() };
    let version = target.version.clone();
    if *rollout == Rollout::Complete {
        state.previous = state.active.replace(version.clone());
        state.target = None;
        events.push(RollEvent::Activated(version));
        return None;
    }
    let cause = judgement::blame(rollout, target.clock, observed.progress_deadline, observed.now)?.to_owned();
    state.target = None;
    state.rejected.push(version.clone());
    state.rejected_with = Some(observed.means.to_owned());
    let surplus = state.rejected.len().saturating_sub(REJECTED_LIMIT);
    state.rejected.drain(..surplus);
    events.push(RollEvent::RolledBack { bad: version, good: state.active.clone(), cause: cause.clone() });
    Some(cause)
}

fn nothing_wanted(state: RollState, pointer: &Pointer, events: Vec<RollEvent>) -> RollStep {
    let (reason, message) = match pointer {
        Pointer::Unreadable(message) => (ModelReason::PointerUnreadable, message.clone()),
        Pointer::Current { generation, .. } => (
            ModelReason::OlderPointer,
            format!(
                "the pointer has generation {generation}, older than {}: waiting for replication",
                state.generation
            ),
        ),
        Pointer::Absent | Pointer::NotFollowed => (
            ModelReason::NoModel,
            "the training has published no model yet; records are enriched without a score".to_owned(),
        ),
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
            return finish(state, false, ModelReason::Rolling, &message, events);
        }
        let message = format!("detectors run model version {version}");
        return finish(state, true, ModelReason::Current, &message, events);
    };
    let is_overdue = target.clock.is_over(observed.progress_deadline, observed.now);
    let rolling = format!("detectors are rolling to model version {version}");
    let message = match observed.rollout.1 {
        Rollout::Underway(Underway { others: Others::Unready, .. }) => {
            format!("{rolling}; no other detector is ready either, so that this is not the version's fault")
        }
        Rollout::Underway(Underway { fault: Some(fault), others: Others::None, .. })
            if is_overdue && fault.is_end() && !fault.is_told_of_the_version() =>
        {
            format!(
                "{rolling}; {}; no detector of this spec runs without it that would tell whose fault this is",
                fault.cause()
            )
        }
        Rollout::Underway(Underway { fault: Some(fault), .. }) => format!("{rolling}; {}", fault.cause()),
        Rollout::Underway(Underway { waits: Some(waits), .. }) => format!("{rolling}; {waits}"),
        Rollout::Underway(_) if is_overdue => {
            format!("{rolling}; nothing moves, and its pods do not fail: look for why they are Pending")
        }
        Rollout::Absent => format!("model version {version} is set; there are no detector pods"),
        Rollout::Underway(_) | Rollout::Complete => rolling,
    };
    finish(state, false, ModelReason::Rolling, &message, events)
}

fn finish(state: RollState, holds: bool, reason: ModelReason, message: &str, events: Vec<RollEvent>) -> RollStep {
    RollStep { state, condition: ModelCurrent { holds, reason, message: message.to_owned() }, events }
}

#[cfg(test)]
mod tests;
