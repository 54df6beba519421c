//! How long an object that failed waits for its next try: longer each time, never long after a success, and not as long as
//! the others.

use std::time::Duration;

use rand::Rng;
use vedette_service::Backoff;

/// The pauses of an object whose reconcile fails.
pub(super) const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// Up to a tenth more or less, so that many do not come at once.
pub(super) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(jitter())
}

/// A factor of up to a tenth more or less.
pub(super) fn jitter() -> f64 {
    rand::rng().random_range(0.9..1.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut pauses = RETRY;
        let within = |pause: Duration, seconds: f64| (seconds * 0.9..seconds * 1.1).contains(&pause.as_secs_f64());
        assert!(within(jittered(pauses.failed()), 1.0));
        assert!(within(jittered(pauses.failed()), 2.0));
        for _ in 0..30 {
            pauses.failed();
        }
        assert!(within(jittered(pauses.failed()), 300.0));
    }
}
