//! Publishes at this site's place in the bucket how each pipeline stands: at once when that changes, and again before the
//! status there grows old. A bucket that refuses it is tried again, and the pipeline learns of it; so it does of a bucket
//! that ignores conditional writes, which is asked once, before anything is written there. Of a pipeline that is deleted it is the last that
//! is told; no deletion waits for that.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;
use vedette_registry::{RegistryError, sites};
use vedette_service::{Backoff, Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

use super::per_object::{PerObject, Reference};
use super::triggers::Triggers;
use vedette_core::pipeline::{BucketAnswer, BucketTrouble};
use vedette_core::site_status::{self, SiteStatusUpdate};

/// How often old statuses are looked for.
const ROUND: Duration = Duration::from_secs(5);
/// So many are written at once.
const CONCURRENCY: usize = 8;
/// The pauses after a bucket refused a status.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// That a pipeline was deleted is tried to be told for so long.
const LAST_WORD: Duration = Duration::from_secs(3600);

/// The statuses of this site.
pub(super) struct SiteReport {
    bucket: Bucket,
    means_conditional_writes: OnceCell<()>,
    triggers: Triggers,
    changed: Notify,
    statuses: PerObject<Published>,
}

struct Published {
    keys: PipelineKeys,
    wanted: SiteStatus,
    written: Option<SiteStatus>,
    /// Whether a status was begun to be written: one may be there, also where none is known to be.
    is_begun: bool,
    answer: BucketAnswer,
    retry: Backoff,
    not_before: Instant,
    /// When the pipeline was found deleted.
    deleted: Option<Instant>,
    /// Its namespace is not acted upon: nothing is told of it but that it was deleted.
    is_left: bool,
}

impl SiteReport {
    /// Publishes nothing yet.
    pub(super) fn new(bucket: Bucket, triggers: Triggers) -> Self {
        Self {
            bucket,
            means_conditional_writes: OnceCell::new(),
            triggers,
            changed: Notify::new(),
            statuses: PerObject::default(),
        }
    }

    /// The pipeline stands like this.
    pub(super) fn publish_site_status(&self, pipeline: &Reference, update: SiteStatusUpdate) {
        let SiteStatusUpdate { keys, status } = update;
        let first = || Published {
            keys,
            wanted: status.clone(),
            written: None,
            is_begun: false,
            answer: BucketAnswer::Unasked,
            retry: RETRY,
            not_before: Instant::now(),
            deleted: None,
            is_left: false,
        };
        let is_due = self.statuses.with_or(pipeline, first, |published| {
            published.wanted = status.clone();
            // One of the same name may be made at once.
            (published.deleted, published.is_left) = (None, false);
            site_status::is_due(published.written.as_ref(), &published.wanted)
        });
        if is_due {
            self.changed.notify_one();
        }
    }

    /// What the bucket answered when the last status of the pipeline was written.
    pub(super) fn answer(&self, pipeline: &Reference) -> BucketAnswer {
        self.statuses.with_known(pipeline, |published| published.answer.clone()).unwrap_or(BucketAnswer::Unasked)
    }

    /// The pipeline was deleted: the other sites are told so, where they may have been told of it, and do not wait to hear of it any more.
    pub(super) fn end(&self, pipeline: &Reference) {
        self.statuses.forget_if(pipeline, |published| !published.is_begun);
        let is_news = self.statuses.with_known(pipeline, |published| {
            published.wanted = site_status::last(&published.wanted, Timestamp::now());
            published.deleted.replace(published.deleted.unwrap_or_else(Instant::now)).is_none()
        });
        if is_news == Some(true) {
            self.changed.notify_one();
        }
    }

    /// The pipeline is there, and its namespace is not acted upon any more. What was published of it stays, and grows old; a namespace that
    /// is being deleted is not acted upon either, so that the pipeline is deleted is told all the same.
    pub(super) fn leave(&self, pipeline: &Reference) {
        self.statuses.with_known(pipeline, |published| (published.deleted, published.is_left) = (None, true));
    }

    /// Writes until shutdown.
    pub(super) async fn run(&self, shutdown: &Shutdown) {
        loop {
            let due = self.due(Timestamp::now());
            futures::stream::iter(due)
                .for_each_concurrent(CONCURRENCY, |(pipeline, keys, status)| self.write(pipeline, keys, status))
                .await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    fn due(&self, now: Timestamp) -> Vec<(Reference, PipelineKeys, SiteStatus)> {
        self.statuses.choose(|(pipeline, published)| {
            let status = site_status::at(&published.wanted, now);
            let due = site_status::is_due(published.written.as_ref(), &status);
            let is_told = !published.is_left || published.deleted.is_some();
            let may = is_told && published.not_before <= Instant::now();
            (due && may).then(|| (pipeline.clone(), published.keys.clone(), status))
        })
    }

    async fn write(&self, pipeline: Reference, keys: PipelineKeys, status: SiteStatus) {
        if self.statuses.with_known(&pipeline, |published| published.is_begun = true).is_none() {
            // It was deleted before anybody was told of it.
            return;
        }
        let outcome = self.put(&keys, &status).await;
        let outcome = outcome.map_err(|error| BucketTrouble { reason: error.reason(), message: error_chain(&error) });
        if self.record(&pipeline, status, outcome) {
            self.triggers.pipeline(&pipeline).await;
        }
    }

    async fn put(&self, keys: &PipelineKeys, status: &SiteStatus) -> Result<(), RegistryError> {
        let prefix = keys.prefix();
        self.means_conditional_writes.get_or_try_init(|| self.bucket.probe_conditional_writes(&prefix)).await?;
        sites::write(&self.bucket, keys, status).await
    }

    /// Remembers how the write ended, and tells whether that is news for the pipeline. What is deleted is forgotten once that is told.
    fn record(&self, pipeline: &Reference, status: SiteStatus, outcome: Result<(), BucketTrouble>) -> bool {
        let news = self.statuses.with_known(pipeline, |published| published.record(status, outcome));
        self.statuses.forget_if(pipeline, Published::is_over);
        news.unwrap_or(false)
    }
}

impl Published {
    fn record(&mut self, status: SiteStatus, outcome: Result<(), BucketTrouble>) -> bool {
        let before = self.answer.reason();
        self.answer = match outcome {
            Ok(()) => {
                self.written = Some(status);
                self.retry.reset();
                BucketAnswer::Answers
            }
            Err(trouble) => {
                self.not_before = Instant::now() + self.retry.failed();
                BucketAnswer::Trouble(trouble)
            }
        };
        let is_news = before != self.answer.reason();
        if let (true, Some(_), BucketAnswer::Trouble(trouble)) = (is_news, self.deleted, &self.answer) {
            let (pipeline, BucketTrouble { reason, message }) = (self.keys.prefix(), trouble);
            tracing::warn!(
                pipeline,
                reason,
                error = message,
                "the other sites cannot be told yet that a pipeline was deleted here; it is tried again for an hour"
            );
        }
        is_news && self.deleted.is_none()
    }

    /// Whether it was told that the pipeline was deleted, or was tried for long enough.
    fn is_over(&self) -> bool {
        let Some(deleted) = self.deleted else { return false };
        let pipeline = self.keys.prefix();
        if self.written.as_ref().is_some_and(|written| written.deleted) {
            tracing::info!(pipeline, "the other sites were told that a pipeline was deleted here");
            return true;
        }
        let is_late = deleted.elapsed() >= LAST_WORD;
        if is_late {
            tracing::warn!(
                pipeline,
                "the other sites could not be told that a pipeline was deleted here: it is silent to them for a week, or until its object below \
                 sites/ and those below health/ and progress/ are deleted"
            );
        }
        is_late
    }
}

#[cfg(test)]
mod tests {
    use vedette_crds::AnomalyPipeline;
    use vedette_testing::TestBucket;
    use vedette_testing::bucket::Behaviour;

    use super::super::triggers::triggers;
    use super::*;

    const KEY: &str = "n/flows/sites/east.json";

    fn update() -> SiteStatusUpdate {
        let told = serde_json::json!({
            "site": "east", "training": "daily", "model_version": "20261123T084210Z-1a2b3c4d", "ready": true,
            "updated_at": Timestamp::now(),
        });
        let keys = PipelineKeys::new(&"n".parse().unwrap(), &"flows".parse().unwrap());
        SiteStatusUpdate { keys, status: serde_json::from_value(told).unwrap() }
    }

    /// Writes what is due now.
    async fn round(report: &SiteReport) {
        let over = Shutdown::new();
        over.cancel();
        report.run(&over).await;
    }

    #[tokio::test]
    async fn the_others_are_told_once_that_a_pipeline_was_deleted_unless_it_is_made_again() {
        let served = TestBucket::serve().await;
        let (triggers, _requests) = triggers();
        let report = SiteReport::new(served.bucket.clone(), triggers);
        let flows = Reference::new::<AnomalyPipeline>("n", "flows");
        let told = async || served.json::<SiteStatus>(KEY).await;
        report.publish_site_status(&flows, update());
        report.end(&flows);
        round(&report).await;
        assert_eq!(told().await, None, "nobody was told of it");

        report.publish_site_status(&flows, update());
        round(&report).await;
        report.end(&flows);
        report.publish_site_status(&flows, update());
        round(&report).await;
        assert!(!told().await.unwrap().deleted, "it was made again");

        report.end(&flows);
        report.end(&flows);
        round(&report).await;
        let last = told().await.unwrap();
        assert_eq!((last.deleted, last.ready, last.model_version.is_some()), (true, false, true));
        assert_eq!(report.statuses.with_known(&flows, |_| ()), None, "it is forgotten");
        report.publish_site_status(&flows, update());
        round(&report).await;
        assert!(!told().await.unwrap().deleted);

        let SiteStatusUpdate { keys, status } = update();
        report.publish_site_status(&flows, SiteStatusUpdate { keys, status: SiteStatus { ready: false, ..status } });
        report.leave(&flows);
        round(&report).await;
        assert!(told().await.unwrap().ready, "its namespace is not acted upon any more, and it runs on");
        report.end(&flows);
        round(&report).await;
        assert!(told().await.unwrap().deleted, "it went with its namespace");
        assert_eq!(report.statuses.with_known(&flows, |_| ()), None);
    }

    #[tokio::test]
    async fn the_others_are_told_of_a_deletion_also_where_no_write_of_this_operator_is_known_to_have_succeeded() {
        let served = TestBucket::serve().await;
        let (triggers, _requests) = triggers();
        let report = SiteReport::new(served.bucket.clone(), triggers);
        let flows = Reference::new::<AnomalyPipeline>("n", "flows");
        // As the operator before it left it.
        served.put_json(KEY, &update().status).await;
        served.behave(Behaviour::Refuses);
        report.publish_site_status(&flows, update());
        round(&report).await;
        report.end(&flows);
        served.behave(Behaviour::Honest);
        report.statuses.with_known(&flows, |published| published.not_before = Instant::now());
        round(&report).await;
        assert!(served.json::<SiteStatus>(KEY).await.unwrap().deleted);
    }

    #[tokio::test]
    async fn a_bucket_that_is_away_is_asked_for_an_hour_and_no_longer() {
        let served = TestBucket::serve().await;
        let (triggers, _requests) = triggers();
        let report = SiteReport::new(served.bucket.clone(), triggers);
        let flows = Reference::new::<AnomalyPipeline>("n", "flows");
        report.publish_site_status(&flows, update());
        round(&report).await;
        report.end(&flows);
        let refused = || Err(BucketTrouble { reason: "BucketUnreachable", message: "away".to_owned() });
        let end = site_status::last(&update().status, Timestamp::now());
        assert!(!report.record(&flows, end.clone(), refused()), "nobody is left to learn of it");
        assert_eq!(report.statuses.with_known(&flows, |published| published.deleted.is_some()), Some(true));
        report.statuses.with_known(&flows, |published| published.deleted = Some(Instant::now() - LAST_WORD));
        report.record(&flows, end, refused());
        assert_eq!(report.statuses.with_known(&flows, |_| ()), None);
    }
}
