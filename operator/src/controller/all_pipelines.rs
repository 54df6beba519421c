//! The pipelines of all namespaces that are acted upon. They share one Kafka, so that one has to know of the others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::per_object::Reference;
use super::scope::Scope;
use super::seen::Seen;
use super::triggers::GuardedPipeline;

/// How long a namespace is waited for that was not listed yet. One that is forbidden, or gone, never is.
const LISTED: Duration = Duration::from_secs(10);

/// What the watches of all namespaces have seen of pipelines.
#[derive(Debug, Default)]
pub(super) struct AllPipelines(Mutex<Vec<Watched>>);

#[derive(Debug, Clone)]
struct Watched {
    scope: Scope,
    pipelines: Seen<GuardedPipeline>,
    /// Until when it is waited for.
    patience: Instant,
}

impl AllPipelines {
    /// What is there is acted upon from now on.
    pub(super) fn add(&self, scope: &Scope, pipelines: Seen<GuardedPipeline>) {
        self.lock().push(Watched { scope: scope.clone(), pipelines, patience: Instant::now() + LISTED });
    }

    /// All of them, once each namespace was listed, or could not be for a while: an older one may be in any of them.
    pub(super) async fn listed(&self) -> Vec<Arc<GuardedPipeline>> {
        let watched: Vec<Watched> = self.lock().clone();
        for one in &watched {
            if timeout_at(one.patience, one.pipelines.listed()).await.is_err() {
                tracing::debug!("a namespace cannot be listed: its pipelines are not known");
            }
        }
        watched.iter().flat_map(Watched::acted_upon).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn acted_upon(&self) -> Vec<Arc<GuardedPipeline>> {
        self.pipelines.filter(|pipeline| self.scope.holds(&Reference::of(pipeline).namespace))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::reflector;

    use super::*;

    #[tokio::test]
    async fn a_namespace_that_is_never_listed_is_waited_for_once_and_not_for_ever() {
        let pipelines = AllPipelines::default();
        let (store, _writer) = reflector::store();
        let patience = Instant::now() + Duration::from_millis(50);
        let scope = Scope::Namespace("forbidden".parse().unwrap());
        pipelines.lock().push(Watched { scope, pipelines: Seen::new(store), patience });
        let begun = Instant::now();
        assert!(pipelines.listed().await.is_empty());
        assert!(Instant::now() >= patience && begun.elapsed() < LISTED);
    }
}
