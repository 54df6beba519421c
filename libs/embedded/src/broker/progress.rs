//! A counter that moves whenever something was written, so that fetches wait instead of asking again and again.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Counts writes; readers wait for the next one.
#[derive(Default)]
pub(super) struct LogProgress {
    writes: Mutex<u64>,
    written: Condvar,
}

impl LogProgress {
    /// The count; take it before looking at the log.
    pub(super) fn count(&self) -> u64 {
        *super::lock(&self.writes)
    }

    /// Something was written, a transaction ended, or the broker stops.
    pub(super) fn changed(&self) {
        *super::lock(&self.writes) += 1;
        self.written.notify_all();
    }

    /// Waits until the count differs from this one; false when the deadline passed first.
    pub(super) fn wait_beyond(&self, count: u64, deadline: Instant) -> bool {
        let mut writes = super::lock(&self.writes);
        while *writes == count {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return false;
            };
            writes = self.written.wait_timeout(writes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
