//! The conditions of a status. A condition keeps its time until its status flips.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use vedette_contract::Name;

use super::{READY, RECONCILING, STALLED};
use crate::reason::{Reason, is_lasting};

/// What the API server takes at most.
const MESSAGE_LIMIT: usize = 32_768;

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Whether it holds; none if that is not known.
    pub holds: Option<bool>,
    /// One word in CamelCase.
    pub reason: &'static str,
    /// What is the case, and what to do about it.
    pub message: String,
}

impl Finding {
    /// It holds.
    pub(crate) fn holds(reason: impl Reason, message: impl Into<String>) -> Self {
        Self { holds: Some(true), reason: reason.as_str(), message: message.into() }
    }

    /// It does not hold.
    pub(crate) fn fails(reason: impl Reason, message: impl Into<String>) -> Self {
        Self { holds: Some(false), reason: reason.as_str(), message: message.into() }
    }

    /// Nobody knows yet.
    pub(crate) fn unknown(reason: impl Reason, message: impl Into<String>) -> Self {
        Self { holds: None, reason: reason.as_str(), message: message.into() }
    }
}

/// Conditions in the making, begun with those of the status before.
#[derive(Debug)]
pub(crate) struct Conditions {
    list: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Conditions {
    /// Begins with these.
    pub(crate) fn from(before: &[Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Self { list: before.to_vec(), generation, now }
    }

    /// Sets one; its time moves only if its status does.
    #[must_use]
    pub(crate) fn with(mut self, kind: &str, finding: Finding) -> Self {
        let Finding { holds, reason, message } = finding;
        let status = match holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let before = self.list.iter().position(|condition| condition.type_ == kind);
        let last_transition_time = before
            .map(|index| &self.list[index])
            .filter(|condition| condition.status == status)
            .map_or(Time(self.now), |condition| condition.last_transition_time.clone());
        let condition = Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: fitting(message),
            observed_generation: self.generation,
            last_transition_time,
        };
        match before {
            Some(index) => self.list[index] = condition,
            None => self.list.push(condition),
        }
        self
    }

    /// Sets `Ready`, and beside it what kstatus goes by: `Reconciling` while it will come, `Stalled` while it does not.
    #[must_use]
    pub(crate) fn with_ready(self, ready: Finding) -> Self {
        let why = Finding { holds: Some(true), ..ready.clone() };
        let conditions = match ready.holds {
            Some(true) => self.without(RECONCILING).without(STALLED),
            _ if is_lasting(ready.reason) => self.without(RECONCILING).with(STALLED, why),
            _ => self.without(STALLED).with(RECONCILING, why),
        };
        conditions.with(READY, ready)
    }

    /// Leaves one as it was, for want of news; where there is none, it is set.
    #[must_use]
    pub(crate) fn kept_or(mut self, kind: &str, finding: Finding) -> Self {
        match self.list.iter_mut().find(|condition| condition.type_ == kind) {
            None => self.with(kind, finding),
            Some(condition) => {
                condition.observed_generation = self.generation;
                self
            }
        }
    }

    /// Takes one away.
    #[must_use]
    pub(crate) fn without(mut self, kind: &str) -> Self {
        self.list.retain(|condition| condition.type_ != kind);
        self
    }

    /// The list.
    pub(crate) fn into_vec(self) -> Vec<Condition> {
        self.list
    }
}

fn fitting(message: String) -> String {
    match message.char_indices().nth(MESSAGE_LIMIT - 1) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

/// Names, as a message has them.
pub(crate) fn listed(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The condition of this kind.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether the condition of this kind holds.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::ReadyReason;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_moves_only_when_the_status_does() {
        let first = Conditions::from(&[], Some(1), at(1))
            .with("Ready", Finding::fails(ReadyReason::SecretMissing, "a"))
            .into_vec();
        assert_eq!(first[0].last_transition_time.0, at(1));
        let second = Conditions::from(&first, Some(2), at(2))
            .with("Ready", Finding::fails(ReadyReason::Invalid, "b"))
            .into_vec();
        assert_eq!((second[0].last_transition_time.0, second[0].reason.as_str()), (at(1), "Invalid"));
        assert_eq!(second[0].observed_generation, Some(2));
        let third = Conditions::from(&second, Some(2), at(3))
            .with("Ready", Finding::holds(ReadyReason::Running, ""))
            .into_vec();
        assert_eq!(third[0].last_transition_time.0, at(3));
        assert_eq!(third.len(), 1);
        assert!(is_true(&third, "Ready") && !is_true(&third, "Other"));
    }

    #[test]
    fn what_is_not_ready_is_on_its_way_or_stalled_and_what_is_ready_is_neither() {
        let kinds = |before: &[Condition], ready: Finding| {
            let after = Conditions::from(before, Some(1), at(1)).with_ready(ready).into_vec();
            let kinds: Vec<String> =
                after.iter().map(|condition| format!("{} {}", condition.type_, condition.status)).collect();
            (after, kinds)
        };
        let (begun, said) = kinds(&[], Finding::fails(ReadyReason::SecretMissing, "a"));
        assert_eq!(said, ["Reconciling True", "Ready False"]);
        let (wrong, said) = kinds(&begun, Finding::fails(ReadyReason::Invalid, "b"));
        assert_eq!(said, ["Ready False", "Stalled True"]);
        assert_eq!(kinds(&wrong, Finding::holds(ReadyReason::Running, "c")).1, ["Ready True"]);
    }

    #[test]
    fn a_long_message_fits() {
        let message = "ä".repeat(40_000);
        let conditions =
            Conditions::from(&[], None, at(1)).with("Ready", Finding::fails(ReadyReason::Invalid, message)).into_vec();
        assert_eq!(conditions[0].message.chars().count(), MESSAGE_LIMIT);
    }
}
