//! What is remembered of each object. The last status that was written: a watch may still show an older one, and what was
//! decided must not be decided again from it. And its spec as it was validated: most reconciles find it unchanged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

/// Statuses by object.
#[derive(Debug)]
pub struct Memory<S> {
    written: Mutex<HashMap<(String, String), Written<S>>>,
}

#[derive(Debug)]
struct Written<S> {
    uid: String,
    resource_version: u64,
    status: S,
}

impl<S> Default for Memory<S> {
    fn default() -> Self {
        Self { written: Mutex::default() }
    }
}

impl<S: Clone> Memory<S> {
    /// The newer of what the object shows and what was written.
    pub fn newest(&self, object: &impl ResourceExt, shown: S) -> S {
        let mut written = self.lock();
        let key = key(object);
        let Some(last) = written.get(&key) else {
            return shown;
        };
        let behind = version(object.resource_version().as_deref()).is_some_and(|seen| seen < last.resource_version);
        if behind && object.uid().as_deref() == Some(last.uid.as_str()) {
            return last.status.clone();
        }
        written.remove(&key);
        shown
    }

    /// This was written, and the object has this version since.
    pub fn wrote(&self, object: &impl ResourceExt, resource_version: Option<&str>, status: S) {
        let Some(resource_version) = version(resource_version) else {
            return;
        };
        let written = Written { uid: object.uid().unwrap_or_default(), resource_version, status };
        self.lock().insert(key(object), written);
    }

    /// The object is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Written<S>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Specs that were valid, by object.
#[derive(Debug)]
pub struct Validations<V> {
    valid: Mutex<HashMap<(String, String), Validation<V>>>,
}

#[derive(Debug)]
struct Validation<V> {
    uid: Option<String>,
    generation: Option<i64>,
    valid: Arc<V>,
}

impl<V> Default for Validations<V> {
    fn default() -> Self {
        Self { valid: Mutex::default() }
    }
}

impl<V> Validations<V> {
    /// The validated object, which is validated where its spec has changed.
    ///
    /// # Errors
    /// What the validation says.
    pub fn of<E>(&self, object: &impl ResourceExt, validate: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let (key, uid, generation) = (key(object), object.uid(), object.meta().generation);
        if let Some(known) = self.lock().get(&key)
            && generation.is_some()
            && (&known.uid, known.generation) == (&uid, generation)
        {
            return Ok(Arc::clone(&known.valid));
        }
        let valid = Arc::new(validate()?);
        self.lock().insert(key, Validation { uid, generation, valid: Arc::clone(&valid) });
        Ok(valid)
    }

    /// The object is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Validation<V>>> {
        self.valid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(object: &impl ResourceExt) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
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
        let memory = Memory::default();
        assert_eq!(memory.newest(&object("u", "9"), 1), 1);
        memory.wrote(&object("u", "9"), Some("12"), 2);
        assert_eq!(memory.newest(&object("u", "9"), 1), 2);
        // Somebody changed the spec before the status was written.
        assert_eq!(memory.newest(&object("u", "11"), 1), 2);
        assert_eq!(memory.newest(&object("u", "12"), 3), 3);
        memory.wrote(&object("u", "12"), Some("14"), 4);
        // Another object of the same name.
        assert_eq!(memory.newest(&object("v", "13"), 5), 5);
    }

    #[test]
    fn a_spec_is_validated_again_only_when_it_has_changed() {
        let validations = Validations::default();
        let of = |uid: &str, generation: Option<i64>, outcome: Result<u8, &'static str>| {
            let mut object = object(uid, "1");
            object.metadata.generation = generation;
            validations.of(&object, || outcome).map(|valid| *valid)
        };
        assert_eq!(of("u", Some(1), Ok(1)), Ok(1));
        assert_eq!(of("u", Some(1), Ok(2)), Ok(1));
        assert_eq!(of("u", Some(2), Err("no")), Err("no"));
        assert_eq!(of("u", Some(2), Ok(3)), Ok(3));
        // Another object of the same name; and one whose generation nobody counts.
        assert_eq!(of("v", Some(2), Ok(4)), Ok(4));
        assert_eq!(of("v", None, Ok(5)), Ok(5));
        assert_eq!(of("v", None, Ok(6)), Ok(6));
        validations.forget("n", "a");
        assert_eq!(of("v", Some(2), Ok(7)), Ok(7));
    }
}
