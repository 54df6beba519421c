//! What is read only when somebody asks for it: a sample of what is archived, the report of a model version. One is read at a time, and
//! together they make no more than half of the requests that an hour may have.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinError;
use vedette_streams::bucket::BucketError;

use super::Reader;
use super::pace::seconds_of;
use super::reader::UpTo;

/// So far ahead of its share of the requests may be what was asked for when a sample is read, which is hundreds of them.
pub(super) const SAMPLES_AHEAD: Duration = Duration::from_secs(30);
/// A report is one: samples that a page asks for again and again must not keep it off.
const REPORTS_AHEAD: Duration = Duration::from_secs(300);
/// Whoever asks waits no longer.
const PATIENCE: Duration = Duration::from_secs(25);
/// A report with more bytes is not shown.
pub(crate) const LARGEST_REPORT: usize = 2 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct OnDemand {
    pub(super) reader: Reader,
    requests_per_hour: u64,
    /// When the requests that were made are within their share of the hour.
    paid_until: Mutex<Instant>,
    turn: Semaphore,
}

/// Why nothing was read.
#[derive(Debug, Error)]
pub(crate) enum DemandError {
    /// Too much was asked for before.
    #[error(
        "what is read of the bucket only when somebody asks for it has used up its share of the requests: ask again in {seconds} s, or give the console more \
         (--bucket-requests-per-hour)"
    )]
    Spent {
        /// How long to wait.
        seconds: u64,
    },
    /// The bucket does not answer, or not in time.
    #[error("the bucket did not give it within {} s: ask again", PATIENCE.as_secs())]
    Slow,
    /// A report is larger than any.
    #[error("the report has more than {} MiB, which is not shown: get it from the bucket", LARGEST_REPORT >> 20)]
    TooLarge,
    /// The bucket refuses.
    #[error("the bucket cannot be read")]
    Bucket(#[from] BucketError),
    /// It ended in the midst.
    #[error("what was read could not be taken in")]
    Ended(#[from] JoinError),
}

impl OnDemand {
    pub(crate) fn new(reader: Reader, requests_per_hour: u64) -> Self {
        Self { reader, requests_per_hour, paid_until: Mutex::new(Instant::now()), turn: Semaphore::new(1) }
    }

    /// The report with this key; nothing where there is none.
    pub(crate) async fn report(&self, key: &str) -> Result<Option<Vec<u8>>, DemandError> {
        let read = async {
            let _turn = self.turn().await;
            self.check(REPORTS_AHEAD)?;
            self.pay(1);
            match self.reader.bytes_up_to(key, LARGEST_REPORT).await? {
                None => Ok(None),
                Some(UpTo::Whole(bytes)) => Ok(Some(bytes)),
                Some(UpTo::More) => Err(DemandError::TooLarge),
            }
        };
        in_time(read).await
    }

    /// The turn to read; it is over when this is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turn.acquire().await.ok()
    }

    /// Whether more may be asked for now, so far ahead of its share.
    pub(super) fn check(&self, may_be_ahead: Duration) -> Result<(), DemandError> {
        let ahead = self.paid_until().saturating_duration_since(Instant::now());
        match ahead.checked_sub(may_be_ahead) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(DemandError::Spent { seconds: wait.as_secs() + 1 }),
        }
    }

    /// So many requests are half of what a minute may have.
    pub(super) fn requests_a_minute(&self) -> usize {
        usize::try_from(self.requests_per_hour / 120).unwrap_or(usize::MAX)
    }

    /// Notes that so many requests are made.
    pub(super) fn pay(&self, requests: usize) {
        let requests = u64::try_from(requests).unwrap_or(u64::MAX);
        let share = seconds_of(requests.saturating_mul(2), self.requests_per_hour);
        let mut paid_until = self.paid_until();
        *paid_until = (*paid_until).max(Instant::now()) + share;
    }

    fn paid_until(&self) -> MutexGuard<'_, Instant> {
        // A time is whole, whatever a thread did that panicked.
        self.paid_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives up what takes too long.
pub(super) async fn in_time<T>(read: impl Future<Output = Result<T, DemandError>>) -> Result<T, DemandError> {
    tokio::time::timeout(PATIENCE, read).await.unwrap_or(Err(DemandError::Slow))
}

#[cfg(test)]
mod tests {
    use vedette_testing::TestBucket;

    use super::*;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn what_people_ask_for_takes_no_more_than_its_share_of_the_requests() {
        let served = TestBucket::serve().await;
        served.put("report.html", "<p>").await;
        let reader = Reader::new(served.bucket.clone(), Metrics::default());
        // A request counts for 72 s of the hour: five are more than five minutes.
        let demand = OnDemand::new(reader.clone(), 100);
        assert!(demand.check(SAMPLES_AHEAD).is_ok());
        for asked in 0..5 {
            assert_eq!(demand.report("report.html").await.unwrap().as_deref(), Some(&b"<p>"[..]), "{asked}");
        }
        let refused = demand.report("report.html").await.unwrap_err();
        assert!(matches!(refused, DemandError::Spent { seconds: 1..=61 }), "{refused}");
        assert!(
            matches!(demand.check(SAMPLES_AHEAD), Err(DemandError::Spent { seconds: 270..=331 })),
            "a report may be ahead"
        );
        assert_eq!(reader.requests(), 5);
    }

    #[tokio::test]
    async fn a_report_is_whole_or_not_there_or_too_large() {
        let served = TestBucket::serve().await;
        let demand = OnDemand::new(Reader::new(served.bucket.clone(), Metrics::default()), 36_000);
        assert_eq!(demand.report("report.html").await.unwrap(), None);
        served.put("report.html", vec![b' '; LARGEST_REPORT]).await;
        assert_eq!(demand.report("report.html").await.unwrap().unwrap().len(), LARGEST_REPORT);
        served.put("report.html", vec![b' '; LARGEST_REPORT + 1]).await;
        assert!(matches!(demand.report("report.html").await, Err(DemandError::TooLarge)));
    }
}
