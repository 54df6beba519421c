//! Says at this site's place in the bucket how each pipeline stands: at once when that changes, and again before the word
//! grows old. A bucket that refuses it is tried again, and the pipeline learns of it; so it does of a bucket that ignores
//! conditional writes, which is asked once, before anything is said there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;
use vedette_contract::Name;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;
use vedette_service::{Shutdown, error_chain};
use vedette_streams::bucket::{Bucket, BucketError};

use super::backoff::pause;
use super::triggers::{PipelineRef, Triggers};
use vedette_core::site_status;
use vedette_core::status::BucketTrouble;

/// How often old words are looked for.
const ROUND: Duration = Duration::from_secs(5);
/// So many are written at once.
const CONCURRENCY: usize = 8;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The words of this site.
pub struct SiteReport {
    bucket: Bucket,
    means_conditional_writes: OnceCell<()>,
    triggers: Triggers,
    changed: Notify,
    words: Mutex<BTreeMap<PipelineRef, Word>>,
}

struct Word {
    keys: PipelineKeys,
    wanted: SiteStatus,
    written: Option<SiteStatus>,
    trouble: Option<BucketTrouble>,
    failures: u32,
    not_before: Instant,
}

impl SiteReport {
    /// Says nothing yet.
    pub fn new(bucket: Bucket, triggers: Triggers) -> Self {
        Self {
            bucket,
            means_conditional_writes: OnceCell::new(),
            triggers,
            changed: Notify::new(),
            words: Mutex::default(),
        }
    }

    /// The pipeline stands like this.
    pub fn say(&self, pipeline: &PipelineRef, keys: PipelineKeys, status: SiteStatus) {
        let mut words = self.lock();
        let word = words.entry(pipeline.clone()).or_insert_with(|| Word {
            keys,
            wanted: status.clone(),
            written: None,
            trouble: None,
            failures: 0,
            not_before: Instant::now(),
        });
        word.wanted = status;
        if site_status::is_due(word.written.as_ref(), &word.wanted) {
            self.changed.notify_one();
        }
    }

    /// Why the last word of the pipeline could not be written, if it could not.
    pub fn trouble(&self, pipeline: &PipelineRef) -> Option<BucketTrouble> {
        self.lock().get(pipeline)?.trouble.clone()
    }

    /// The pipeline is gone. What was said of it stays, and grows old.
    pub fn forget(&self, pipeline: &PipelineRef) {
        self.lock().remove(pipeline);
    }

    /// Writes until shutdown.
    pub async fn run(&self, site: &Name, shutdown: &Shutdown) {
        loop {
            let due = self.due(Timestamp::now());
            futures::stream::iter(due)
                .for_each_concurrent(CONCURRENCY, |(pipeline, keys, status)| self.write(pipeline, keys, site, status))
                .await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    fn due(&self, now: Timestamp) -> Vec<(PipelineRef, PipelineKeys, SiteStatus)> {
        let words = self.lock();
        let due = words.iter().filter_map(|(pipeline, word)| {
            let status = site_status::at(&word.wanted, now);
            let due = site_status::is_due(word.written.as_ref(), &status) && word.not_before <= Instant::now();
            due.then(|| (pipeline.clone(), word.keys.clone(), status))
        });
        due.collect()
    }

    async fn write(&self, pipeline: PipelineRef, keys: PipelineKeys, site: &Name, status: SiteStatus) {
        let outcome = match serde_json::to_vec(&status) {
            Ok(body) => self
                .put(&keys, site, body)
                .await
                .map_err(|error| BucketTrouble { reason: error.reason().to_owned(), message: error_chain(&error) }),
            Err(error) => Err(BucketTrouble { reason: "NotJson".to_owned(), message: error.to_string() }),
        };
        if self.record(&pipeline, status, outcome) {
            self.triggers.pipeline(pipeline).await;
        }
    }

    async fn put(&self, keys: &PipelineKeys, site: &Name, body: Vec<u8>) -> Result<(), BucketError> {
        let prefix = keys.prefix();
        self.means_conditional_writes.get_or_try_init(|| self.bucket.probe_conditional_writes(&prefix)).await?;
        self.bucket.put(&keys.site(site), body.into()).await
    }

    /// Remembers how the write ended, and tells whether that is news.
    fn record(&self, pipeline: &PipelineRef, status: SiteStatus, outcome: Result<(), BucketTrouble>) -> bool {
        let mut words = self.lock();
        let Some(word) = words.get_mut(pipeline) else {
            return false;
        };
        let before = word.trouble.take().map(|trouble| trouble.reason);
        match outcome {
            Ok(()) => {
                word.written = Some(status);
                word.failures = 0;
            }
            Err(trouble) => {
                word.not_before = Instant::now() + pause(word.failures).min(LONGEST_PAUSE);
                word.failures += 1;
                word.trouble = Some(trouble);
            }
        }
        before != word.trouble.as_ref().map(|trouble| trouble.reason.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PipelineRef, Word>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
