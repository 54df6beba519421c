//! How long to wait between two looks, so that an hour has no more requests than it may have.

use std::time::Duration;

/// The shortest pause.
const INTERVAL: Duration = Duration::from_secs(3);

/// The pause after a look with so many requests.
pub(super) fn pause(requests: u64, requests_per_hour: u64) -> Duration {
    let seconds = requests as f64 * 3600.0 / requests_per_hour.max(1) as f64;
    INTERVAL.max(Duration::try_from_secs_f64(seconds).unwrap_or(INTERVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_no_more_requests_than_it_may_have() {
        assert_eq!(pause(0, 36_000), INTERVAL);
        assert_eq!(pause(12, 36_000), INTERVAL);
        for requests in [100, 1_000, 50_000] {
            let in_an_hour = 3600.0 / pause(requests, 36_000).as_secs_f64() * requests as f64;
            assert!(in_an_hour <= 36_001.0, "{requests}: {in_an_hour}");
        }
    }
}
