//! Looks at what the processes of each pipeline tell in the bucket, and has a pipeline reconciled when its conditions may change by
//! that. It also deletes what has grown old there.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::Notify;
use vedette_contract::Name;
use vedette_contract::keys::PipelineKeys;
use vedette_core::health::HealthSeen;
use vedette_service::{Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

use super::per_object::{PerObject, Reference};
use super::triggers::Triggers;
use vedette_look as look;

/// How often is looked: with what a process waits before it tells, a field that is renamed is said within a minute.
const ROUND: Duration = Duration::from_secs(20);
/// So many pipelines are looked at at once.
const CONCURRENCY: usize = 8;

/// The pipelines of one namespace.
pub(super) struct HealthWatch {
    bucket: Bucket,
    site: Name,
    triggers: Triggers,
    added: Notify,
    pipelines: PerObject<Watched>,
}

#[derive(Debug)]
struct Watched {
    keys: PipelineKeys,
    seen: HealthSeen,
    is_unreadable: bool,
}

impl HealthWatch {
    /// Watches nothing yet.
    pub(super) fn new(bucket: Bucket, site: Name, triggers: Triggers) -> Self {
        Self { bucket, site, triggers, added: Notify::new(), pipelines: PerObject::default() }
    }

    /// What was seen last of a pipeline, which is watched from now on.
    pub(super) fn watch(&self, pipeline: &Reference, keys: PipelineKeys) -> HealthSeen {
        let first = || {
            self.added.notify_one();
            Watched { keys, seen: HealthSeen::default(), is_unreadable: false }
        };
        self.pipelines.with_or(pipeline, first, |watched| watched.seen.clone())
    }

    /// The pipeline is gone.
    pub(super) fn forget(&self, pipeline: &Reference) {
        self.pipelines.forget(pipeline);
    }

    /// Looks until shutdown.
    pub(super) async fn run(&self, shutdown: &Shutdown) {
        loop {
            let all = self.pipelines.choose(|(pipeline, watched)| Some((pipeline.clone(), watched.keys.clone())));
            futures::stream::iter(all)
                .for_each_concurrent(CONCURRENCY, |(pipeline, keys)| self.look(pipeline, keys))
                .await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.added.notified() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    async fn look(&self, pipeline: Reference, keys: PipelineKeys) {
        let seen = look::health(&self.bucket, &keys, &self.site, Timestamp::now()).await;
        let is_news = self.pipelines.with_known(&pipeline, |watched| match seen {
            Ok(seen) => {
                watched.is_unreadable = false;
                std::mem::replace(&mut watched.seen, seen.clone()) != seen
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
            self.triggers.pipeline(&pipeline).await;
        }
    }
}
