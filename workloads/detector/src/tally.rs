//! What a unit of work has done: it counts once it is committed, and not at all where it is given up.

use std::collections::BTreeMap;

use vedette_contract::dead_letter::DeadLetterReason;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Messages read.
    pub(crate) records: u64,
    pub(crate) alerts: u64,
    /// Messages of which Kafka took nothing.
    pub(crate) refused: u64,
    pub(crate) dead_letters: BTreeMap<DeadLetterReason, u64>,
}

impl Tally {
    pub(crate) fn count_dead_letter(&mut self, reason: DeadLetterReason) {
        *self.dead_letters.entry(reason).or_default() += 1;
    }
}
