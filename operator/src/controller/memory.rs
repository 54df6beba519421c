//! The last status that was written of each object. A watch may still show an older one; what was decided must not be
//! decided again from it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
}
