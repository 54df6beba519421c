//! What is remembered of an object of ours. The last status that was written: a watch may still show an older one, and what
//! was decided must not be decided again from it. And its spec as it was validated: most reconciles find it unchanged.

use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::per_object::{PerObject, Reference};

/// What is remembered of an object of ours.
#[derive(Debug)]
pub(super) struct Remembered<S, V> {
    written: Option<Written<S>>,
    valid: Option<Validation<V>>,
}

#[derive(Debug)]
struct Written<S> {
    uid: String,
    resource_version: u64,
    status: S,
}

#[derive(Debug)]
struct Validation<V> {
    uid: Option<String>,
    generation: Option<i64>,
    valid: Arc<V>,
}

impl<S, V> Default for Remembered<S, V> {
    fn default() -> Self {
        Self { written: None, valid: None }
    }
}

impl<S: Clone, V> PerObject<Remembered<S, V>> {
    /// The newer of the status that the object shows and the one that was written.
    pub(super) fn newest_status<K: Resource<DynamicType = ()>>(&self, object: &K, shown: S) -> S {
        self.with(&Reference::of(object), |remembered| {
            if remembered.written.as_ref().is_some_and(|last| !last.is_newer_than(object)) {
                remembered.written = None;
            }
            remembered.written.as_ref().map_or(shown, |last| last.status.clone())
        })
    }

    /// This status was written, and the object has this version since.
    pub(super) fn wrote_status<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        resource_version: Option<&str>,
        status: S,
    ) {
        if let Some(resource_version) = version(resource_version) {
            let written = Written { uid: object.uid().unwrap_or_default(), resource_version, status };
            self.with(&Reference::of(object), |remembered| remembered.written = Some(written));
        }
    }

    /// The validated object, which is validated where its spec has changed.
    ///
    /// # Errors
    /// What the validation says.
    pub(super) fn valid<K: Resource<DynamicType = ()>, E>(
        &self,
        object: &K,
        validate: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        let reference = Reference::of(object);
        if let Some(known) = self.with(&reference, |remembered| remembered.valid.as_ref()?.still_of(object)) {
            return Ok(known);
        }
        let valid = Arc::new(validate()?);
        let (uid, generation) = (object.uid(), object.meta().generation);
        let validation = Validation { uid, generation, valid: Arc::clone(&valid) };
        self.with(&reference, |remembered| remembered.valid = Some(validation));
        Ok(valid)
    }
}

impl<S> Written<S> {
    /// Whether a watch has not caught up with it: it shows the same object as it was before.
    fn is_newer_than(&self, object: &impl ResourceExt) -> bool {
        version(object.resource_version().as_deref()).is_some_and(|seen| seen < self.resource_version)
            && object.uid().as_deref() == Some(self.uid.as_str())
    }
}

impl<V> Validation<V> {
    fn still_of(&self, object: &impl ResourceExt) -> Option<Arc<V>> {
        let generation = object.meta().generation;
        let same = generation.is_some() && (&self.uid, self.generation) == (&object.uid(), generation);
        same.then(|| Arc::clone(&self.valid))
    }
}

/// Kubernetes orders the versions of one object as numbers.
fn version(text: Option<&str>) -> Option<u64> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn object(uid: &str, version: &str) -> ConfigMap {
        let metadata = ObjectMeta {
            name: Some("a".to_owned()),
            namespace: Some("n".to_owned()),
            uid: Some(uid.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    #[test]
    fn what_was_written_counts_until_the_watch_has_caught_up() {
        let memory = PerObject::<Remembered<i32, ()>>::default();
        assert_eq!(memory.newest_status(&object("u", "9"), 1), 1);
        memory.wrote_status(&object("u", "9"), Some("12"), 2);
        assert_eq!(memory.newest_status(&object("u", "9"), 1), 2);
        // Somebody changed the spec before the status was written.
        assert_eq!(memory.newest_status(&object("u", "11"), 1), 2);
        assert_eq!(memory.newest_status(&object("u", "12"), 3), 3);
        memory.wrote_status(&object("u", "12"), Some("14"), 4);
        // Another object of the same name.
        assert_eq!(memory.newest_status(&object("v", "13"), 5), 5);
    }

    #[test]
    fn a_spec_is_validated_again_only_when_it_has_changed() {
        let memory = PerObject::<Remembered<(), u8>>::default();
        let of = |uid: &str, generation: Option<i64>, outcome: Result<u8, &'static str>| {
            let mut object = object(uid, "1");
            object.metadata.generation = generation;
            memory.valid(&object, || outcome).map(|valid| *valid)
        };
        assert_eq!(of("u", Some(1), Ok(1)), Ok(1));
        assert_eq!(of("u", Some(1), Ok(2)), Ok(1));
        assert_eq!(of("u", Some(2), Err("no")), Err("no"));
        assert_eq!(of("u", Some(2), Ok(3)), Ok(3));
        // Another object of the same name; and one whose generation nobody counts.
        assert_eq!(of("v", Some(2), Ok(4)), Ok(4));
        assert_eq!(of("v", None, Ok(5)), Ok(5));
        assert_eq!(of("v", None, Ok(6)), Ok(6));
        memory.forget(&Reference::new::<ConfigMap>("n", "a"));
        assert_eq!(of("v", Some(2), Ok(7)), Ok(7));
    }
}
