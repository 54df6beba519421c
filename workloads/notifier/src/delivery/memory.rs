//! What is remembered of a receiver across restarts: how far it was told, as the position that its group has committed of each
//! partition, and in the text beside it what that position alone would not say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vedette_contract::incident::IncidentId;

use super::heard::Heard;
use super::interest::InterestWords;

/// Kafka takes 4,096 bytes beside a position.
pub(crate) const MOST_EXCEPTIONS: usize = 32;
const INTEREST_BYTES: usize = 1_000;

/// Up to where a partition was dealt with, and of which incidents that is not so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: i64,
    pub(crate) exceptions: BTreeMap<IncidentId, Heard>,
}

/// The text beside a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// So many the topic had then.
    pub(crate) partitions: i32,
    /// By what was decided of which incidents to tell; none where that is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interest: Option<InterestWords>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) exceptions: BTreeMap<IncidentId, Heard>,
}

impl Memory {
    pub(crate) fn new(partitions: i32, interest: &InterestWords, exceptions: BTreeMap<IncidentId, Heard>) -> Self {
        let is_short = serde_json::to_string(interest).is_ok_and(|json| json.len() <= INTEREST_BYTES);
        Self { partitions, interest: is_short.then(|| interest.clone()), exceptions }
    }

    /// What stands beside a position; nothing where that is of another kind.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it stands beside a position.
    ///
    /// # Errors
    /// When it is no JSON, which cannot be.
    pub(crate) fn text(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::heard::Told;
    use crate::delivery::ledger::testing::incident;
    use vedette_contract::incident::Severity;

    #[test]
    fn the_longest_memory_is_what_kafka_takes_and_reads_back() {
        let told = Some(Told { news_revision: u64::from(u32::MAX), severity: Severity::Critical });
        let heard = Heard { told, passed: Some(u64::from(u32::MAX)) };
        let most = i64::try_from(MOST_EXCEPTIONS).unwrap();
        let exceptions: BTreeMap<_, _> = (0..most).map(|number| (incident(number).id, heard)).collect();
        let of = |filter: usize| {
            let words = InterestWords { minimum_severity: Severity::Critical, filter: Some("\"".repeat(filter)) };
            Memory::new(10_000, &words, exceptions.clone())
        };
        let longest = of(470);
        assert!(longest.interest.is_some() && of(500).interest.is_none());
        let text = longest.text().unwrap();
        assert!(text.len() <= 4_096, "{}", text.len());
        assert_eq!((Memory::read(&text), Memory::read("of others")), (Some(longest), None));
    }
}
