//! How often the progress of a training's records is looked up: often while it moves, seldom while it does not.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_secs(60);

/// What was seen of each training, and how often in a row.
#[derive(Debug, Default)]
pub struct Pace {
    seen: Mutex<HashMap<String, (Option<u64>, u32)>>,
}

impl Pace {
    /// So many records are there: how long until the next look.
    pub fn next(&self, training: &str, records: Option<u64>) -> Duration {
        let mut seen = self.lock();
        let entry = seen.entry(training.to_owned()).or_insert((records, 0));
        *entry = if entry.0 == records { (records, entry.1.saturating_add(1)) } else { (records, 0) };
        SHORTEST.saturating_mul(1 << entry.1.saturating_sub(1).min(8)).min(LONGEST)
    }

    /// The training is gone.
    pub fn forget(&self, training: &str) {
        self.lock().remove(training);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Option<u64>, u32)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_looked_at_less_often() {
        let pace = Pace::default();
        let seconds = [Some(1), Some(1), Some(1), Some(1), Some(1), Some(1), Some(2)]
            .map(|records| pace.next("t", records).as_secs());
        assert_eq!(seconds, [4, 8, 16, 32, 60, 60, 4]);
    }
}
