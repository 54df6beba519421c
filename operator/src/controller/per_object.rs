//! What is remembered of objects, in one kind of map. Whoever watches an object forgets it here when it is gone, so nothing
//! grows with what once was.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::{Resource, ResourceExt};

/// The kind as a label: a word of ours, never one that came from outside.
pub(super) fn kind_label<K: Resource<DynamicType = ()>>() -> &'static str {
    match K::kind(&()) {
        Cow::Borrowed(kind) => kind,
        Cow::Owned(_) => "other",
    }
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Reference {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    pub name: String,
}

impl Reference {
    /// The object of this kind, namespace and name.
    pub(super) fn new<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> Self {
        Self { kind: kind_label::<K>(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// This object.
    pub(super) fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self::new::<K>(object.meta().namespace.as_deref().unwrap_or_default(), &object.name_any())
    }
}

/// Something remembered of each object.
#[derive(Debug)]
pub(super) struct PerObject<T> {
    states: Mutex<BTreeMap<Reference, T>>,
}

impl<T> Default for PerObject<T> {
    fn default() -> Self {
        Self { states: Mutex::default() }
    }
}

impl<T> PerObject<T> {
    /// Reads or changes what is remembered of an object, beginning with this where nothing is.
    pub(super) fn with_or<R>(
        &self,
        object: &Reference,
        first: impl FnOnce() -> T,
        change: impl FnOnce(&mut T) -> R,
    ) -> R {
        change(self.lock().entry(object.clone()).or_insert_with(first))
    }

    /// Reads or changes what is remembered of an object, if anything is.
    pub(super) fn with_known<R>(&self, object: &Reference, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.lock().get_mut(object).map(change)
    }

    /// What is chosen of all of them.
    pub(super) fn choose<R>(&self, choose: impl FnMut((&Reference, &T)) -> Option<R>) -> Vec<R> {
        self.lock().iter().filter_map(choose).collect()
    }

    /// The object is gone.
    pub(super) fn forget(&self, object: &Reference) {
        self.lock().remove(object);
    }

    /// The object is gone, where this holds of what is remembered of it.
    pub(super) fn forget_if(&self, object: &Reference, is_gone: impl FnOnce(&T) -> bool) {
        let mut states = self.lock();
        if states.get(object).is_some_and(is_gone) {
            states.remove(object);
        }
    }

    /// Objects for which this does not hold are gone.
    pub(super) fn keep(&self, mut is_there: impl FnMut(&Reference) -> bool) {
        self.lock().retain(|object, _| is_there(object));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Reference, T>> {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> PerObject<T> {
    /// Reads or changes what is remembered of an object.
    pub(super) fn with<R>(&self, object: &Reference, change: impl FnOnce(&mut T) -> R) -> R {
        self.with_or(object, T::default, change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::Service;

    #[test]
    fn an_object_that_is_gone_is_forgotten_and_no_other() {
        let counts = PerObject::<u32>::default();
        let (job, service) = (Reference::new::<Job>("n", "a"), Reference::new::<Service>("n", "a"));
        for object in [&job, &job, &service] {
            counts.with(object, |count| *count += 1);
        }
        assert_eq!(counts.with_known(&job, |count| *count), Some(2));
        counts.forget_if(&job, |count| *count == 1);
        assert_eq!(counts.with_known(&job, |count| *count), Some(2));
        counts.forget_if(&job, |count| *count == 2);
        assert_eq!(counts.with_known(&job, |count| *count), None);
        counts.with(&job, |count| *count += 1);
        counts.forget(&job);
        assert_eq!(counts.with_known(&job, |count| *count), None);
        counts.keep(|object| object.kind == "Job");
        assert_eq!(counts.choose(|(object, _)| Some(object.clone())), []);
    }
}
