//! The objects of the API server in memory, and what became of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api::Fault;

/// Plural, namespace, name.
pub(super) type Key = (String, String, String);

#[derive(Default)]
pub(super) struct State {
    pub version: u64,
    pub objects: BTreeMap<Key, Value>,
    pub log: Vec<(u64, Key, &'static str, Value)>,
    pub writes: Vec<String>,
    pub faults: Vec<Fault>,
    /// Plurals whose watches tell no news.
    pub silent: BTreeSet<String>,
    /// Paths of the watches that are open.
    pub watching: Vec<String>,
}

impl State {
    pub(super) fn store(&mut self, key: Key, mut object: Value) {
        let old = self.objects.get(&key);
        let metadata = |field: &str| old.map(|old| old["metadata"][field].clone()).filter(|value| !value.is_null());
        object["metadata"]["namespace"] = if key.1.is_empty() { Value::Null } else { json!(key.1) };
        object["metadata"]["name"] = json!(key.2);
        object["metadata"]["uid"] =
            metadata("uid").unwrap_or_else(|| json!(format!("uid-{}-{}-{}", key.0, key.2, self.version)));
        let born = metadata("creationTimestamp").or_else(|| Some(object["metadata"]["creationTimestamp"].clone()));
        let born = born
            .filter(|born| !born.is_null())
            .unwrap_or_else(|| json!(jiff::Timestamp::now().strftime("%FT%TZ").to_string()));
        object["metadata"]["creationTimestamp"] = born;
        let generation = metadata("generation").and_then(|generation| generation.as_i64()).unwrap_or(0);
        let grew = i64::from(old.is_none_or(|old| old["spec"] != object["spec"]));
        object["metadata"]["generation"] = json!(generation + grew);
        object["metadata"]["resourceVersion"] = metadata("resourceVersion").unwrap_or(Value::Null);
        strip_nulls(&mut object);
        if old == Some(&object) {
            return;
        }
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.log.push((self.version, key.clone(), kind, object.clone()));
        self.objects.insert(key, object);
    }

    pub(super) fn delete(&mut self, key: &Key) -> bool {
        let Some(mut object) = self.objects.remove(key) else {
            return false;
        };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.log.push((self.version, key.clone(), "DELETED", object));
        true
    }
}

fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// A merge patch.
pub(super) fn merge(object: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            if !object.is_object() {
                *object = json!({});
            }
            for (name, value) in fields {
                merge(&mut object[name], value);
            }
        }
        other => *object = other.clone(),
    }
}
