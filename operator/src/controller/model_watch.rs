//! Looks up the current pointer of each training that is followed, once for all pipelines that follow it, and has them
//! reconciled when it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use vedette_contract::Name;
use vedette_contract::keys::ModelKeys;
use vedette_look::bucket_view::{self, PointerView};
use vedette_service::{Backoff, Shutdown};
use vedette_streams::bucket::Bucket;

use super::metrics::Metrics;
use super::per_object::Reference;
use super::triggers::Triggers;
use vedette_core::roll::Pointer;

/// How long a reconcile waits for the first look at a pointer.
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// The pauses between looks at a bucket that cannot be read.
const RETRY: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));
/// Looks at a time.
const LOOKS_AT_ONCE: usize = 8;

/// A training, in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TrainingKey {
    /// Its namespace.
    pub namespace: Name,
    pub name: Name,
}

/// The pollers; clones share them.
#[derive(Clone)]
pub(super) struct ModelWatch {
    shared: Arc<Shared>,
}

struct Shared {
    bucket: Bucket,
    interval: Duration,
    /// Looks are taken together, at whole intervals from here on: in a row they cost less than half as much CPU as one by
    /// one. Each operator has a beginning of its own, so sites do not look at once.
    began: Instant,
    looks: Semaphore,
    metrics: Metrics,
    triggers: Triggers,
    shutdown: Shutdown,
    followed: Mutex<BTreeMap<TrainingKey, Followed>>,
}

struct Followed {
    followers: BTreeSet<Reference>,
    view: watch::Receiver<Option<PointerView>>,
}

impl ModelWatch {
    /// Watches nothing yet; until shutdown.
    pub(super) fn new(
        bucket: Bucket,
        interval: Duration,
        metrics: Metrics,
        triggers: Triggers,
        shutdown: Shutdown,
    ) -> Self {
        let (began, looks, followed) = (Instant::now(), Semaphore::new(LOOKS_AT_ONCE), Mutex::default());
        Self { shared: Arc::new(Shared { bucket, interval, began, looks, metrics, triggers, shutdown, followed }) }
    }

    /// The pipeline follows this training, and no other, from now on. What is known of its pointer; none where nothing is known
    /// after a little while either.
    pub(super) async fn follow(&self, pipeline: &Reference, training: TrainingKey) -> Option<PointerView> {
        let mut view = {
            let mut followed = self.shared.lock();
            for (_, other) in followed.iter_mut().filter(|(key, _)| **key != training) {
                other.followers.remove(pipeline);
            }
            let entry = followed.entry(training.clone()).or_insert_with(|| self.start(&training));
            entry.followers.insert(pipeline.clone());
            entry.view.clone()
        };
        let known = tokio::time::timeout(FIRST_LOOK, view.wait_for(Option::is_some)).await;
        match known {
            Ok(Ok(view)) => view.clone(),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// The pipeline follows no training any more, or is gone.
    pub(super) fn forget(&self, pipeline: &Reference) {
        for followed in self.shared.lock().values_mut() {
            followed.followers.remove(pipeline);
        }
    }

    fn start(&self, training: &TrainingKey) -> Followed {
        let (sender, view) = watch::channel(None);
        let (shared, training) = (Arc::clone(&self.shared), training.clone());
        tokio::spawn(async move {
            let (shutdown, metrics) = (shared.shutdown.clone(), shared.metrics.clone());
            metrics.watching_one_more();
            shutdown.run_until_cancelled(shared.poll(training, sender)).await;
            metrics.watching_one_less();
        });
        Followed { followers: BTreeSet::new(), view }
    }
}

impl Shared {
    async fn poll(&self, training: TrainingKey, view: watch::Sender<Option<PointerView>>) {
        let keys = ModelKeys::new(&training.namespace, &training.name);
        let mut retry = RETRY;
        loop {
            let seen = {
                let _permit = self.looks.acquire().await;
                bucket_view::pointer(&self.bucket, &keys).await
            };
            self.metrics.polled(result(&seen));
            let earliest = earliest(&seen, &mut retry);
            let changed = view.send_if_modified(|last| {
                let changed = last.as_ref() != Some(&seen);
                *last = Some(seen);
                changed
            });
            if changed {
                for follower in self.followers(&training) {
                    self.triggers.pipeline(&follower).await;
                }
            }
            tokio::time::sleep_until(next_whole(self.began, self.interval, Instant::now() + earliest)).await;
            if self.is_over(&training) {
                return;
            }
        }
    }

    fn followers(&self, training: &TrainingKey) -> Vec<Reference> {
        self.lock().get(training).map(|followed| followed.followers.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether nobody follows the training any more; then it is forgotten.
    fn is_over(&self, training: &TrainingKey) -> bool {
        let mut followed = self.lock();
        let over = followed.get(training).is_none_or(|followed| followed.followers.is_empty());
        if over {
            followed.remove(training);
        }
        over
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TrainingKey, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the next look waits at least.
fn earliest(seen: &PointerView, retry: &mut Backoff) -> Duration {
    if seen.trouble.is_some() {
        return retry.failed();
    }
    retry.reset();
    Duration::ZERO
}

/// The first moment after this one that is whole intervals from the beginning.
fn next_whole(began: Instant, interval: Duration, after: Instant) -> Instant {
    let (gone, interval_nanos) = (after.duration_since(began).as_nanos(), interval.as_nanos().max(1));
    let intervals = u32::try_from(gone / interval_nanos).unwrap_or(u32::MAX).saturating_add(1);
    began + interval.saturating_mul(intervals)
}

fn result(view: &PointerView) -> &'static str {
    match (&view.pointer, view.trouble) {
        (_, Some(reason)) => reason,
        (Pointer::Current { .. }, None) => "current",
        (Pointer::Absent | Pointer::NotFollowed, None) => "absent",
        (Pointer::Unreadable(_), None) => "unreadable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bucket_that_cannot_be_read_is_looked_at_less_often() {
        let mut retry = RETRY;
        let broken = PointerView { trouble: Some("BucketTimeout"), ..PointerView::from(None) };
        let mut seconds = |seen: &PointerView| earliest(seen, &mut retry).as_secs();
        assert_eq!(
            [seconds(&broken), seconds(&broken), seconds(&PointerView::from(None)), seconds(&broken)],
            [2, 4, 0, 2]
        );
    }

    #[test]
    fn looks_fall_on_whole_intervals() {
        let (began, interval) = (Instant::now(), Duration::from_secs(5));
        let next = |seconds| next_whole(began, interval, began + Duration::from_secs_f64(seconds)) - began;
        assert_eq!([0., 4.9, 5., 12.5].map(|seconds| next(seconds).as_secs()), [5, 5, 10, 15]);
    }
}
