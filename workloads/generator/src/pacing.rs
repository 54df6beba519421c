//! A token bucket on a clock that the caller reads: it tells how many records are due and how long to wait.

use std::time::Duration;

/// A burst is at most what is due in this time; what a longer hiccup missed is not caught up.
const LARGEST_BURST_SECONDS: f64 = 0.1;
/// Shorter waits are not worth a sleep.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Spreads records evenly over time.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    records_per_second: f64,
    capacity: f64,
    tokens: f64,
    counted_until: Duration,
}

impl TokenBucket {
    /// A bucket at time 0 from which the first record is due at once. The rate is finite and greater than 0.
    pub(crate) fn new(records_per_second: f64) -> Self {
        let capacity = (records_per_second * LARGEST_BURST_SECONDS).max(1.0);
        Self { records_per_second, capacity, tokens: 1.0, counted_until: Duration::ZERO }
    }

    /// Takes the records that are due at `now`, the time since the start, which does not go back.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to the capacity
    pub(crate) fn take_due(&mut self, now: Duration) -> u64 {
        let elapsed = now.saturating_sub(self.counted_until).as_secs_f64();
        self.counted_until = self.counted_until.max(now);
        self.tokens = (self.tokens + elapsed * self.records_per_second).min(self.capacity);
        let due = self.tokens.floor();
        self.tokens -= due;
        due as u64
    }

    /// How long after the last [`Self::take_due`] it is worth to ask again, at most `longest`.
    pub(crate) fn wait(&self, longest: Duration) -> Duration {
        let seconds = ((1.0 - self.tokens) / self.records_per_second).clamp(0.0, longest.as_secs_f64());
        Duration::from_secs_f64(seconds).max(SHORTEST_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: Duration = Duration::from_secs(3600);

    /// Runs the bucket for a while on a virtual clock and returns how many records each step emitted.
    fn run(rate: f64, duration: Duration) -> Vec<u64> {
        let mut bucket = TokenBucket::new(rate);
        let mut now = Duration::ZERO;
        let mut steps = Vec::new();
        while now < duration {
            steps.push(bucket.take_due(now));
            now += bucket.wait(LONGEST);
        }
        steps
    }

    #[test]
    fn the_rate_is_kept_from_slow_to_fast() {
        for (rate, seconds, expected) in
            [(0.5, 100, 50), (7.0, 100, 700), (1_000.0, 10, 10_000), (100_000.0, 10, 1_000_000)]
        {
            let steps = run(rate, Duration::from_secs(seconds));
            let emitted: u64 = steps.iter().sum();
            assert!(emitted.abs_diff(expected) <= 1 + expected / 500, "{rate}: {emitted}");
        }
    }

    #[test]
    fn a_slow_rate_sleeps_until_the_next_record() {
        assert_eq!(run(0.5, Duration::from_secs(20)), vec![1; 10]);
    }

    #[test]
    fn a_fast_rate_emits_a_millisecond_at_a_time() {
        assert!(run(100_000.0, Duration::from_secs(1)).into_iter().all(|step| step <= 101));
    }

    #[test]
    fn a_hiccup_is_caught_up_to_the_largest_burst() {
        let mut bucket = TokenBucket::new(1_000.0);
        bucket.take_due(Duration::ZERO);
        assert_eq!(bucket.take_due(Duration::from_millis(50)), 50);
        assert_eq!(bucket.take_due(Duration::from_secs(60)), 100);
        assert_eq!(bucket.take_due(Duration::from_secs(60)), 0);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let mut bucket = TokenBucket::new(10.0);
        assert_eq!(bucket.take_due(Duration::from_secs(1)), 1);
        assert_eq!(bucket.take_due(Duration::from_secs(1)), 0);
        assert_eq!(bucket.take_due(Duration::ZERO), 0);
        assert_eq!(bucket.take_due(Duration::from_millis(1_050)), 0);
        assert_eq!(bucket.take_due(Duration::from_millis(1_101)), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn never_more_than_the_rate_and_one_burst(rate in 0.01..200_000.0f64, steps in prop::collection::vec(0..500_000u64, 1..100)) {
            let mut bucket = TokenBucket::new(rate);
            let (mut now, mut emitted) = (Duration::ZERO, 0);
            for microseconds in steps {
                now += Duration::from_micros(microseconds);
                let due = bucket.take_due(now);
                prop_assert!(due as f64 <= (rate * LARGEST_BURST_SECONDS).max(1.0));
                emitted += due;
                prop_assert!(emitted as f64 <= 1.0 + rate * now.as_secs_f64() + 1e-3);
            }
            prop_assert!(bucket.wait(LONGEST) >= SHORTEST_WAIT);
        }
    }
}
