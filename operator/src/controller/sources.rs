//! The Secrets and ConfigMaps of the site, as they are in each namespace: what of them is missing, and whether they changed.
//! Their values are not kept anywhere else.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use sha2::{Digest, Sha256};
use vedette_contract::Name;
use vedette_contract::file_names::FileNames;
use vedette_core::site::{Missing, Needs, Source};

use super::seen::Seen;
use super::watch::{Watch, watch};

/// What the watches have seen of them.
#[derive(Debug)]
pub(super) struct Sources(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    source: Source,
    /// The keys that are wanted.
    keys: BTreeSet<String>,
    seen: SeenSource,
}

#[derive(Debug)]
enum SeenSource {
    Secret(Seen<Secret>),
    ConfigMap(Seen<ConfigMap>),
}

/// One that is there.
enum Object {
    Secret(Arc<Secret>),
    ConfigMap(Arc<ConfigMap>),
}

impl Sources {
    /// Begins to watch each of them; the tasks have to be run.
    pub(super) fn watch(client: &Client, needs: &Needs, context: &Watch) -> (Self, Vec<BoxFuture<'static, ()>>) {
        let watched = needs.iter().map(|(source, keys)| {
            let (seen, task) = SeenSource::watch(client, source, context);
            (Watched { source: source.clone(), keys: keys.clone(), seen }, task)
        });
        let (watched, tasks) = watched.unzip();
        (Self(watched), tasks)
    }

    /// Comes when each was listed once.
    pub(super) async fn listed(&self) {
        join_all(self.0.iter().map(|watched| watched.seen.listed())).await;
    }

    /// What pods of a namespace would lack.
    pub(super) fn missing(&self, namespace: &Name) -> Vec<Missing> {
        self.0.iter().flat_map(|watched| watched.missing(namespace)).collect()
    }

    /// A hash of the values that are wanted in a namespace. The UIDs are in it, so that nobody who reads only the hash can try passwords on
    /// it: the UID of a pipeline would not do, as its Deployments name it.
    pub(super) fn hash(&self, namespace: &Name) -> String {
        let mut hash = Sha256::new();
        for (watched, object) in self.0.iter().filter_map(|watched| Some((watched, watched.object(namespace)?))) {
            let (name, uid) = object.identity();
            hash.update(name);
            hash.update(uid);
            let wanted = object.values().into_iter().filter(|(key, _)| watched.wants(key));
            for part in wanted.flat_map(|(key, value)| [key.as_bytes(), value]) {
                hash.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
                hash.update(part);
            }
        }
        hex::encode(hash.finalize())[..16].to_owned()
    }
}

impl Watched {
    fn object(&self, namespace: &Name) -> Option<Object> {
        let name = self.source.name().as_str();
        match &self.seen {
            SeenSource::Secret(seen) => seen.get(namespace, name).map(Object::Secret),
            SeenSource::ConfigMap(seen) => seen.get(namespace, name).map(Object::ConfigMap),
        }
    }

    fn wants(&self, key: &str) -> bool {
        self.keys.iter().any(|wanted| FileNames::of(wanted).contain(key))
    }

    fn missing(&self, namespace: &Name) -> Vec<Missing> {
        let Some(object) = self.object(namespace) else {
            return vec![Missing::Source(self.source.clone())];
        };
        let is_there = |wanted: &str| object.values().into_iter().any(|(key, _)| FileNames::of(wanted).contain(key));
        let keys = self.keys.iter().filter(|wanted| !is_there(wanted));
        keys.map(|key| Missing::Key(self.source.clone(), key.clone())).collect()
    }
}

impl SeenSource {
    fn watch(client: &Client, source: &Source, context: &Watch) -> (Self, BoxFuture<'static, ()>) {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", source.name()));
        match source {
            Source::Secret(_) => {
                let (seen, task) = watch(client, config, context, |_| ());
                (Self::Secret(seen), task)
            }
            Source::ConfigMap(_) => {
                let (seen, task) = watch(client, config, context, |_| ());
                (Self::ConfigMap(seen), task)
            }
        }
    }

    async fn listed(&self) {
        match self {
            Self::Secret(seen) => seen.listed().await,
            Self::ConfigMap(seen) => seen.listed().await,
        }
    }
}

impl Object {
    fn identity(&self) -> (String, String) {
        match self {
            Self::Secret(object) => (object.name_any(), object.uid().unwrap_or_default()),
            Self::ConfigMap(object) => (object.name_any(), object.uid().unwrap_or_default()),
        }
    }

    fn values(&self) -> Vec<(&str, &[u8])> {
        match self {
            Self::Secret(secret) => {
                secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice())).collect()
            }
            Self::ConfigMap(map) => {
                let texts = map.data.iter().flatten().map(|(key, value)| (key.as_str(), value.as_bytes()));
                let others = map.binary_data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
                texts.chain(others).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::store;
    use serde_json::{Value, json};

    use super::*;

    fn watched(key: &str, uid: &str, data: &Value) -> Sources {
        let (reader, mut writer) = store();
        let secret = json!({ "metadata": { "name": "kafka", "namespace": "n", "uid": uid }, "data": data });
        writer.apply_watcher_event(&watcher::Event::Apply(serde_json::from_value::<Secret>(secret).unwrap()));
        let source = Source::Secret("kafka".parse().unwrap());
        let keys = BTreeSet::from([key.to_owned()]);
        Sources(vec![Watched { source, keys, seen: SeenSource::Secret(Seen::new(reader)) }])
    }

    fn hash(uid: &str, data: &Value) -> String {
        watched("ca.crt", uid, data).hash(&"n".parse().unwrap())
    }

    #[test]
    fn all_keys_that_end_as_it_is_wanted_roll_the_pods() {
        let namespace = "n".parse().unwrap();
        let hash = |data: Value| watched("*.crt", "1", &data).hash(&namespace);
        let old = hash(json!({ "ca.crt": "b25l" }));
        assert_ne!(hash(json!({ "ca.crt": "dHdv", "ca-2026.crt": "b25l" })), old);
        assert_eq!(hash(json!({ "ca.crt": "b25l", "ca.p12": "dHdv" })), old);
        let missing = |data: Value| watched("*.crt", "1", &data).missing(&namespace);
        assert_eq!(missing(json!({ "ca-2026.crt": "b25l" })), []);
        let said = missing(json!({ "ca.p12": "b25l" })).into_iter().map(|missing| missing.to_string());
        assert_eq!(said.collect::<Vec<_>>(), ["add a key that ends in .crt to Secret kafka in this namespace"]);
    }

    #[test]
    fn a_key_that_nobody_is_given_rolls_nothing() {
        let before = hash("1", &json!({ "ca.crt": "b25l" }));
        assert_eq!(hash("1", &json!({ "ca.crt": "b25l", "ca.p12": "b25l", "a": "" })), before);
        assert_ne!(hash("1", &json!({ "ca.crt": "dHdv" })), before);
    }

    #[test]
    fn who_does_not_know_the_secret_cannot_try_values_on_the_hash() {
        let data = json!({ "ca.crt": "b25l" });
        assert_ne!(hash("1", &data), hash("2", &data));
    }
}
