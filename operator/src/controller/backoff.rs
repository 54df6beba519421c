//! How long an object that failed waits for its next try: longer each time, and never long after a success.

use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(300);

/// The pause after one more failure in a row.
pub(super) fn failed(failures: &mut u32) -> Duration {
    let pause = pause(*failures);
    *failures = failures.saturating_add(1);
    jittered(pause)
}

/// The pause after so many failures in a row.
pub(super) fn pause(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.min(16)).min(LAST)
}

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
        let mut failures = 0;
        let within = |pause: Duration, seconds: f64| (seconds * 0.9..seconds * 1.1).contains(&pause.as_secs_f64());
        assert!(within(failed(&mut failures), 1.0));
        assert!(within(failed(&mut failures), 2.0));
        for _ in 0..30 {
            failed(&mut failures);
        }
        assert!(within(failed(&mut failures), 300.0));
    }
}
