//! How often the progress of a training's records is looked up: often while it moves, seldom while it does not.

use std::time::{Duration, Instant};

/// While it moves.
pub(super) const SHORTEST: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_secs(60);

/// What was seen of a training, and since when. How often somebody looked says nothing: a watch may ask for many looks at once.
#[derive(Debug, Default)]
pub(super) struct Pace {
    records: Option<u64>,
    since: Option<Instant>,
}

impl Pace {
    /// So many records are there: how long until the next look, which is as long as nothing has moved.
    pub(super) fn next(&mut self, records: Option<u64>, now: Instant) -> Duration {
        let since = self.since.filter(|_| self.records == records).unwrap_or(now);
        *self = Self { records, since: Some(since) };
        now.duration_since(since).clamp(SHORTEST, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_looked_at_less_often_however_often_somebody_asks() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        let mut after =
            |second: u64, records: u64| pace.next(Some(records), begun + Duration::from_secs(second)).as_secs();
        assert_eq!([0, 0, 1, 1, 2, 4].map(|second| after(second, 1)), [4; 6]);
        assert_eq!([8, 16, 32, 64, 600].map(|second| after(second, 1)), [8, 16, 32, 60, 60]);
        assert_eq!([after(600, 2), after(610, 2)], [4, 10]);
    }
}
