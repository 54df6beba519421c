//! What a watch has seen of its kind, for all that want to know.

use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::sync::SetOnce;
use vedette_contract::Name;

/// The objects of a kind that a watch tells of; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Seen<K: Resource<DynamicType = ()> + 'static> {
    objects: Store<K>,
    /// A store wakes only the last of those that wait for it, and a controller does: everybody else waits here.
    listed: Arc<SetOnce<()>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Seen<K> {
    /// Nothing was listed yet.
    pub(super) fn new(objects: Store<K>) -> Self {
        Self { objects, listed: Arc::default() }
    }

    /// All were listed; only the first time is news.
    pub(super) fn has_listed(&self) {
        let _ = self.listed.set(());
    }

    /// Comes when all were listed once. Any number may wait.
    pub(super) async fn listed(&self) {
        self.listed.wait().await;
    }

    /// Those that there are now.
    pub(super) fn state(&self) -> Vec<Arc<K>> {
        self.objects.state()
    }

    /// Those of them that are meant.
    pub(super) fn filter(&self, is_meant: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.objects.state_filter(is_meant)
    }

    /// The one of this name.
    pub(super) fn get(&self, namespace: &Name, name: &str) -> Option<Arc<K>> {
        self.objects.get(&ObjectRef::new(name).within(namespace.as_str()))
    }

    /// Those of a namespace.
    pub(super) fn within(&self, namespace: &str) -> Vec<Arc<K>> {
        self.filter(|object| object.meta().namespace.as_deref() == Some(namespace))
    }

    /// The names of those of a namespace; none where they were not listed yet.
    pub(super) fn names(&self, namespace: &Name) -> Option<Vec<Name>> {
        self.listed.get()?;
        Some(self.within(namespace.as_str()).iter().filter_map(|object| object.name_any().parse().ok()).collect())
    }
}
