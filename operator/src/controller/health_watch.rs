//! Looks at what the processes of each pipeline tell in the bucket, and has a pipeline reconciled when its conditions may change by
//! that. It also deletes what has grown old there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore};
use vedette_contract::Name;
use vedette_contract::keys::PipelineKeys;
use vedette_core::health::HealthSeen;
use vedette_service::{Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

use super::per_object::{PerObject, Reference};
use super::triggers::Triggers;
use vedette_look as look;

/// How long is waited between two looks: with what a process waits before it tells, a field that is renamed is said within a minute.
const PAUSE: Duration = Duration::from_secs(20);
/// As long as no process runs, what the last ones told only grows old.
const PAUSE_AT_REST: Duration = Duration::from_secs(15 * 60);
/// So many pipelines are looked at at once.
const CONCURRENCY: usize = 8;

/// The pipelines of one namespace.
pub(super) struct HealthWatch {
    bucket: Bucket,
    site: Name,
    triggers: Triggers,
    added: Notify,
    looks: Semaphore,
    pipelines: PerObject<Watched>,
}

#[derive(Debug)]
struct Watched {
    keys: PipelineKeys,
    /// No process runs that could tell something.
    is_at_rest: bool,
    seen: Option<HealthSeen>,
    is_unreadable: bool,
}

impl HealthWatch {
    /// Watches nothing yet.
    pub(super) fn new(bucket: Bucket, site: Name, triggers: Triggers) -> Self {
        let (added, looks) = (Notify::new(), Semaphore::new(CONCURRENCY));
        Self { bucket, site, triggers, added, looks, pipelines: PerObject::default() }
    }

    /// What was seen last of a pipeline, if anything was. It is watched from now on, rarely while it is at rest.
    pub(super) fn watch(&self, pipeline: &Reference, keys: PipelineKeys, is_at_rest: bool) -> Option<HealthSeen> {
        let first = || {
            self.added.notify_one();
            Watched { keys, is_at_rest, seen: None, is_unreadable: false }
        };
        self.pipelines.with_or(pipeline, first, |watched| {
            watched.is_at_rest = is_at_rest;
            watched.seen.clone()
        })
    }

    /// The pipeline is gone.
    pub(super) fn forget(&self, pipeline: &Reference) {
        self.pipelines.forget(pipeline);
    }

    /// Looks until shutdown, at each pipeline by itself: one of which it takes long holds up no other.
    pub(super) async fn run(&self, shutdown: &Shutdown) {
        let (mut watches, mut watched) = (FuturesUnordered::new(), BTreeSet::new());
        loop {
            for pipeline in self.pipelines.choose(|(pipeline, _)| Some(pipeline.clone())) {
                if watched.insert(pipeline.clone()) {
                    watches.push(self.look_while_known(pipeline));
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.added.notified() => {}
                Some(gone) = watches.next() => { watched.remove(&gone); }
            }
        }
    }

    /// Ends with its name when the pipeline is gone.
    async fn look_while_known(&self, pipeline: Reference) -> Reference {
        let mut looked_at = None;
        let known = |watched: &mut Watched| (watched.keys.clone(), watched.is_at_rest);
        while let Some((keys, is_at_rest)) = self.pipelines.with_known(&pipeline, known) {
            if is_due(looked_at, is_at_rest, Instant::now()) {
                let turn = self.looks.acquire().await;
                self.look(&pipeline, &keys).await;
                drop(turn);
                looked_at = Some(Instant::now());
            }
            tokio::time::sleep(PAUSE).await;
        }
        pipeline
    }

    async fn look(&self, pipeline: &Reference, keys: &PipelineKeys) {
        let seen = look::health(&self.bucket, keys, &self.site).await;
        let is_news = self.pipelines.with_known(pipeline, |watched| match seen {
            Ok(seen) => {
                watched.is_unreadable = false;
                watched.seen.replace(seen.clone()) != Some(seen)
            }
            Err(error) => {
                if !std::mem::replace(&mut watched.is_unreadable, true) {
                    tracing::warn!(
                        pipeline = pipeline.name,
                        error = error_chain(&error),
                        "what processes tell is not known yet"
                    );
                }
                false
            }
        });
        if is_news == Some(true) {
            self.triggers.pipeline(pipeline).await;
        }
    }
}

fn is_due(looked_at: Option<Instant>, is_at_rest: bool, now: Instant) -> bool {
    !is_at_rest || looked_at.is_none_or(|looked_at| now.duration_since(looked_at) >= PAUSE_AT_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_at_rest_is_looked_at_once_and_then_rarely() {
        let began = Instant::now();
        let (soon, later) = (began + PAUSE, began + PAUSE_AT_REST);
        assert!(is_due(None, true, began) && is_due(Some(began), false, soon) && is_due(Some(began), true, later));
        assert!(!is_due(Some(began), true, soon));
    }
}
