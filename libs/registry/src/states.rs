//! What a version is among the others of its training.

use serde::{Deserialize, Serialize};
use vedette_contract::ModelVersion;
use vedette_contract::gate::GateReport;
use vedette_contract::model::CurrentPointer;

/// What a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Followers of the latest version use it.
    Current,
    /// It was current just before.
    Previous,
    /// The gate refused it, and nobody has promoted it.
    Candidate,
    /// Detectors could not run it, and a site took it back.
    Rejected,
    /// Another one came after it.
    Superseded,
}

impl State {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Candidate => "candidate",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
        }
    }

    /// That of a version: what the gate made of it, what the pointer says, and whether a site took it back.
    pub fn of(version: &ModelVersion, gate: &GateReport, pointer: Option<&CurrentPointer>, is_rejected: bool) -> Self {
        match pointer {
            Some(pointer) if pointer.version == *version => Self::Current,
            _ if is_rejected => Self::Rejected,
            Some(pointer) if pointer.previous() == Some(version) => Self::Previous,
            _ if is_candidate(version, gate, pointer) => Self::Candidate,
            Some(_) | None => Self::Superseded,
        }
    }
}

/// Whether the gate refused a version that has not been current since.
pub fn is_candidate(version: &ModelVersion, gate: &GateReport, pointer: Option<&CurrentPointer>) -> bool {
    !gate.refused.is_empty() && !pointer.is_some_and(|pointer| pointer.has_named(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, pointer};

    #[test]
    fn what_a_version_is_the_pointer_its_gate_and_the_sites_say() {
        let refused = GateReport { refused: vec!["it would flood".to_owned()], ..GateReport::default() };
        let passed = GateReport::default();
        let now = after(&after(&pointer(1, 1, ""), pointer(2, 2, "")), pointer(3, 3, ""));
        for (day, gate, is_rejected, expected) in [
            (3, &refused, true, State::Current),
            (2, &refused, false, State::Previous),
            (2, &passed, true, State::Rejected),
            (1, &refused, false, State::Superseded),
            (4, &refused, false, State::Candidate),
            (4, &passed, false, State::Superseded),
        ] {
            let state = State::of(&pointer(day, 0, "").version, gate, Some(&now), is_rejected);
            assert_eq!(state, expected, "{day}");
        }
        let first = pointer(4, 0, "").version;
        assert_eq!(State::of(&first, &refused, None, false), State::Candidate);
        assert_eq!(State::of(&first, &passed, None, false), State::Superseded);
    }
}
