//! The pipelines of all namespaces that are acted upon. They share one Kafka, so that one has to know of the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::Store;
use vedette_contract::Name;

use super::triggers::GuardedPipeline;

/// What the watches of all namespaces have seen of pipelines.
#[derive(Debug, Default)]
pub(super) struct AllPipelines(Mutex<BTreeMap<Name, Store<GuardedPipeline>>>);

impl AllPipelines {
    /// A namespace is acted upon from now on.
    pub(super) fn add(&self, namespace: &Name, pipelines: Store<GuardedPipeline>) {
        self.lock().insert(namespace.clone(), pipelines);
    }

    /// A namespace is not acted upon any more.
    pub(super) fn remove(&self, namespace: &Name) {
        self.lock().remove(namespace);
    }

    /// All of them.
    pub(super) fn state(&self) -> Vec<Arc<GuardedPipeline>> {
        self.lock().values().flat_map(Store::state).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Store<GuardedPipeline>>> {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
