//! How long to wait between two looks, so that an hour has no more requests than it may have.

use std::time::Duration;

/// The shortest pause.
const INTERVAL: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(86_400);

/// The pause after a look with so many requests.
pub(super) fn pause(requests: u64, requests_per_hour: u64) -> Duration {
    INTERVAL.max(seconds_of(requests, requests_per_hour))
}

/// The part of an hour for which so many requests are its share, a day at most.
pub(super) fn seconds_of(requests: u64, requests_per_hour: u64) -> Duration {
    let seconds = requests as f64 * 3600.0 / requests_per_hour.max(1) as f64;
    Duration::try_from_secs_f64(seconds).map_or(LONGEST, |share| share.min(LONGEST))
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
