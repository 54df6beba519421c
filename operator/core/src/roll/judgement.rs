//! Whether a version that does not come up is itself to blame. Only what its own process does counts, only while detectors
//! without it are well, and only after nothing has moved for the whole deadline: whatever keeps pods from running, and
//! whatever hurts all of them, is nobody's model's fault.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Ends of a process that say nothing of a model: what it was told, and what it talks to.
const NOT_THE_VERSIONS: &[&str] = &[
    "AccessDenied",
    "AuthenticationFailed",
    "BrokerUnreachable",
    "BucketRequestRefused",
    "BucketServerError",
    "BucketTimeout",
    "BucketUnreachable",
    "InvalidArguments",
    "InvalidBucketSettings",
    "InvalidCalculatedField",
    "InvalidKafkaSettings",
    "InvalidThreshold",
    "KafkaRefused",
    "KafkaRequestFailed",
    "ListenFailed",
    "NoCredentials",
    "NoSuchBucket",
    "RuntimeFailed",
    "SignalsFailed",
    "TopicMissing",
    "TopicNotReady",
    "TopicRefused",
];

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
    /// How far the pods of the template are, all together: each is scheduled, then started, then ready.
    pub steps: i32,
    /// What the own process of one of them does wrong.
    pub fault: Option<Fault>,
    /// What one of them waits for that it cannot help.
    pub waits: Option<String>,
    /// How the pods of other templates are.
    pub others: Others,
}

/// What the own process of a pod does wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It ended by itself.
    Ended {
        /// The word that it ended with, if it said one.
        reason: Option<String>,
        cause: String,
    },
    /// It runs and is not ready.
    Unready {
        /// Since when it runs, where that is known.
        since: Option<Timestamp>,
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
}

/// How the pods of other templates are, which have the same broker and the same bucket.
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
    /// The most steps that were seen.
    #[serde(default)]
    pub steps: i32,
    /// When they were seen first; none while the clock stands.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl Clock {
    /// The clock of the next step: it stands while there is nothing to judge, and begins anew with each step forward.
    pub(super) fn after(self, rollout: &Rollout, now: Timestamp) -> Self {
        match rollout {
            Rollout::Absent | Rollout::Complete => Self::default(),
            Rollout::Underway(Underway { others: Others::Unready, .. }) => self.stopped(),
            Rollout::Underway(Underway { steps, .. }) if self.since.is_some() && *steps <= self.steps => self,
            Rollout::Underway(Underway { steps, .. }) => Self { steps: self.steps.max(*steps), since: Some(now) },
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

/// What the version did wrong by itself, if it is to blame: its process ended, or was not ready for the whole deadline while
/// others were. Where there are no others, nobody knows whether a process that is not ready could be.
pub(super) fn blame(rollout: &Rollout, clock: Clock, deadline: SignedDuration, now: Timestamp) -> Option<&str> {
    let Rollout::Underway(Underway { fault: Some(fault), others, steps: _, waits: _ }) = rollout else {
        return None;
    };
    let guilty = match (fault, others) {
        (_, Others::Unready) | (Fault::Unready { .. }, Others::None) => false,
        (Fault::Ended { reason, .. }, Others::Ready | Others::None) => {
            !reason.as_deref().is_some_and(|reason| NOT_THE_VERSIONS.contains(&reason))
        }
        (Fault::Unready { since, .. }, Others::Ready) => {
            since.is_none_or(|since| now.duration_since(since) >= deadline)
        }
    };
    (guilty && clock.is_over(deadline, now)).then(|| fault.cause())
}
