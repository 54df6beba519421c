//! How long to wait before the next try: each pause twice as long as the one before, up to the last.

use std::time::Duration;

/// The pauses between tries of one thing. A copy begins at the first pause, so a constant is a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    last: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses from `first`, doubling, to `last`.
    pub const fn new(first: Duration, last: Duration) -> Self {
        Self { first, last, failures: 0 }
    }

    /// The thing failed: how long to wait.
    pub fn failed(&mut self) -> Duration {
        let pause = self.next_pause();
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// What the next failure will wait.
    pub fn next_pause(&self) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(self.failures)).min(self.last)
    }

    /// How often it failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The thing succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_last_and_a_success_begins_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(3));
        let mut pauses = || backoff.failed().as_millis();
        assert_eq!([pauses(), pauses(), pauses(), pauses(), pauses()], [500, 1_000, 2_000, 3_000, 3_000]);
        assert_eq!(backoff.failures(), 5);
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.failed()), (0, Duration::from_millis(500)));
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        for _ in 0..100 {
            backoff.failed();
        }
        assert_eq!(backoff.failed(), Duration::from_secs(300));
    }
}
