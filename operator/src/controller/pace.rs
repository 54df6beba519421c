//! How often the progress of a training's records is looked up: often while it moves, seldom while it does not.

use std::time::Duration;

/// While it moves.
pub(super) const SHORTEST: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_secs(60);

/// What was seen of a training, and how often in a row.
#[derive(Debug, Default)]
pub(super) struct Pace {
    records: Option<u64>,
    times: u32,
}

impl Pace {
    /// So many records are there: how long until the next look.
    pub(super) fn next(&mut self, records: Option<u64>) -> Duration {
        let times = if self.records == records { self.times.saturating_add(1) } else { 1 };
        *self = Self { records, times };
        SHORTEST.saturating_mul(1 << times.saturating_sub(1).min(8)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_looked_at_less_often() {
        let mut pace = Pace::default();
        let seconds = [Some(1), Some(1), Some(1), Some(1), Some(1), Some(1), Some(2), Some(2)]
            .map(|records| pace.next(records).as_secs());
        assert_eq!(seconds, [4, 8, 16, 32, 60, 60, 4, 8]);
    }
}
