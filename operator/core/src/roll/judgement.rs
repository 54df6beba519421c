//! Whether a version that does not come up is itself to blame. It is where its own process ended and blames its model, or blames
//! nobody while detectors without it are well, and nothing has moved for the whole deadline. A process that runs is not to
//! blame: it waits for what is away, and one whose model does not come back ends itself and says so.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use vedette_contract::exit::Blame;

/// How the detectors' Deployment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// There is none, or it is to have no pods (suspended, or waiting for a model).
    Absent,
    /// Not every pod is of the template, and ready.
    Underway(Underway),
    /// Every pod is of the template, and ready.
    Complete,
}

/// A rollout that is not complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Underway {
    /// How far the pods of the template are, all together: each is scheduled, then started.
    pub steps: i32,
    /// How many of them are ready.
    pub ready: i32,
    /// What the own process of one of them does wrong.
    pub fault: Option<Fault>,
    /// What one of them waits for that it cannot help.
    pub waits: Option<String>,
    /// How the pods of other versions are.
    pub others: Others,
}

/// What the own process of a pod does wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It ended by itself, and does not run.
    Ended {
        /// Since when its pod has a node, where that is known.
        since: Option<Timestamp>,
        blame: Blame,
        cause: String,
    },
    /// It runs and is not ready, as it waits for something.
    Unready {
        /// Whom it blamed for its last end, if it ended before.
        blamed: Option<Blame>,
        cause: String,
    },
}

impl Fault {
    /// What people are told of it.
    pub fn cause(&self) -> &str {
        match self {
            Self::Ended { cause, .. } | Self::Unready { cause, .. } => cause,
        }
    }

    /// Whether it tells of the model by its own words.
    pub(crate) fn is_told_of_the_version(&self) -> bool {
        match self {
            Self::Ended { blame, .. } => *blame == Blame::Model,
            Self::Unready { blamed, .. } => *blamed == Some(Blame::Model),
        }
    }

    /// Whether its process does not run.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

/// Whether pods of another spec than the newest go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecRollout {
    /// They do, or the newest is not applied yet.
    Underway,
    /// Whatever there is, is of the newest.
    Settled,
}

/// How the pods of other versions are, which have the same spec, the same broker and the same bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Others {
    /// There are none.
    #[default]
    None,
    /// One of them is ready.
    Ready,
    /// None of them is ready.
    Unready,
}

/// How long nothing has moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clock {
    /// The steps of the pods that there are.
    #[serde(default)]
    pub steps: i32,
    /// The most of them that were ready.
    #[serde(default)]
    pub ready: i32,
    /// When they came so far; none while the clock stands.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl Clock {
    /// The clock of the next step: it stands while there is nothing to judge, and begins anew with each step forward.
    pub(super) fn after(self, rollout: &Rollout, now: Timestamp) -> Self {
        match rollout {
            Rollout::Absent | Rollout::Complete => Self::default(),
            Rollout::Underway(Underway { others: Others::Unready, .. }) => self.stopped(),
            Rollout::Underway(Underway { steps, ready, .. }) => self.moved_to(*steps, *ready, now),
        }
    }

    /// A pod that was started stays so. Where there are fewer steps one went, and what comes in its place has steps of its own.
    fn moved_to(self, steps: i32, ready: i32, now: Timestamp) -> Self {
        let is_forward = steps > self.steps || ready > self.ready;
        Self {
            steps,
            ready: if steps < self.steps { ready } else { ready.max(self.ready) },
            since: self.since.filter(|_| !is_forward).or(Some(now)),
        }
    }

    /// The clock while nothing can be judged.
    pub(super) fn stopped(self) -> Self {
        Self { since: None, ..self }
    }

    /// Whether nothing has moved for so long.
    pub(super) fn is_over(self, deadline: SignedDuration, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) >= deadline)
    }
}

/// What the version did wrong by itself, if it is to blame. Where no detector of the same spec runs without it, only what it
/// says of its model counts: nobody knows whether a process that ends without a word could run at all.
pub(super) fn blame(rollout: &Rollout, clock: Clock, deadline: SignedDuration, now: Timestamp) -> Option<&str> {
    let Rollout::Underway(Underway { fault: Some(fault), others, steps: _, ready: _, waits: _ }) = rollout else {
        return None;
    };
    let Fault::Ended { since, blame, cause } = fault else {
        return None;
    };
    let is_guilty = match (blame, others) {
        (Blame::Surroundings, _) | (_, Others::Unready) | (Blame::Unknown, Others::None) => false,
        (Blame::Model, Others::None | Others::Ready) | (Blame::Unknown, Others::Ready) => true,
    };
    let is_of_age = since.is_none_or(|since| now.duration_since(since) >= deadline);
    (is_guilty && is_of_age && clock.is_over(deadline, now)).then_some(cause.as_str())
}
