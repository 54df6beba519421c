//! How long one process waits for another. Both sides take it from here.

use std::time::Duration;

/// How long Kubernetes waits for an archiver between SIGTERM and SIGKILL, seconds: it closes and uploads its open objects.
pub const ARCHIVER_GRACE_SECONDS: i64 = 60;

/// How long the archiver waits for its objects to close at its end. What is left of its grace is for leaving the group and
/// for the work that was begun.
pub const ARCHIVER_CLOSING_PATIENCE: Duration = Duration::from_secs(45);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archiver_ends_by_itself_before_it_is_killed() {
        let grace = Duration::from_secs(ARCHIVER_GRACE_SECONDS.try_into().unwrap());
        assert!(ARCHIVER_CLOSING_PATIENCE + Duration::from_secs(10) <= grace);
    }
}
