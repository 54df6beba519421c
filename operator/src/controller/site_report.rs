//! Publishes at this site's place in the bucket how each pipeline stands: at once when that changes, and again before the
//! status there grows old. A bucket that refuses it is tried again, and the pipeline learns of it; so it does of a bucket
//! that ignores conditional writes, which is asked once, before anything is written there.

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
    answer: BucketAnswer,
    retry: Backoff,
    not_before: Instant,
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
            answer: BucketAnswer::Unasked,
            retry: RETRY,
            not_before: Instant::now(),
        };
        let is_due = self.statuses.with_or(pipeline, first, |published| {
            published.wanted = status.clone();
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

    /// The pipeline is gone. What was published of it stays, and grows old.
    pub(super) fn forget(&self, pipeline: &Reference) {
        self.statuses.forget(pipeline);
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
            let may = published.not_before <= Instant::now();
            (due && may).then(|| (pipeline.clone(), published.keys.clone(), status))
        })
    }

    async fn write(&self, pipeline: Reference, keys: PipelineKeys, status: SiteStatus) {
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

    /// Remembers how the write ended, and tells whether that is news.
    fn record(&self, pipeline: &Reference, status: SiteStatus, outcome: Result<(), BucketTrouble>) -> bool {
        let news = self.statuses.with_known(pipeline, |published| published.record(status, outcome));
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
        before != self.answer.reason()
    }
}
