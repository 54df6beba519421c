//! How long an object that failed waits for its next try: longer each time, and never long after a success.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(300);

/// Failures in a row of each object.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// The object failed: how long to wait.
    pub fn failed(&self, object: &str) -> Duration {
        let mut failures = self.lock();
        let count = failures.entry(object.to_owned()).or_default();
        let pause = pause(*count);
        *count = count.saturating_add(1);
        jittered(pause)
    }

    /// The object succeeded, or is gone.
    pub fn reset(&self, object: &str) {
        self.lock().remove(object);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after so many failures in a row.
pub fn pause(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.min(16)).min(LAST)
}

/// Up to a tenth more or less, so that many do not come at once.
pub fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_a_success_forgets_them() {
        let backoff = Backoff::default();
        let within = |pause: Duration, seconds: f64| (seconds * 0.9..seconds * 1.1).contains(&pause.as_secs_f64());
        assert!(within(backoff.failed("a"), 1.0));
        assert!(within(backoff.failed("a"), 2.0));
        assert!(within(backoff.failed("b"), 1.0));
        for _ in 0..30 {
            backoff.failed("a");
        }
        assert!(within(backoff.failed("a"), 300.0));
        backoff.reset("a");
        assert!(within(backoff.failed("a"), 1.0));
    }
}
