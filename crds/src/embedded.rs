//! One of Kubernetes' own types within ours. The API server keeps every key of it where its schema is open, and serde would
//! drop without a word those that Kubernetes has no field for; here they are remembered, so that they can be refused by name.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What Kubernetes knows of a value, and what it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedded<T> {
    /// What there are fields for.
    pub known: T,
    /// The rest by its path, such as `valueFrom.secretKeyRef.kee`.
    pub unknown: BTreeMap<String, Value>,
}

impl<T: Serialize> Serialize for Embedded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.known.serialize(serializer)
    }
}

impl<'de, T: Serialize + DeserializeOwned> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let known: T = serde_json::from_value(given.clone()).map_err(D::Error::custom)?;
        let kept = serde_json::to_value(&known).map_err(D::Error::custom)?;
        let mut unknown = BTreeMap::new();
        collect_lost(&given, &kept, "", &mut unknown);
        Ok(Self { known, unknown })
    }
}

/// What was given and was not kept; null is as good as nothing.
fn collect_lost(given: &Value, kept: &Value, path: &str, lost: &mut BTreeMap<String, Value>) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match kept.get(key) {
                    Some(kept) => collect_lost(value, kept, &path, lost),
                    None => drop(lost.insert(path, value.clone())),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                collect_lost(given, kept, &format!("{path}[{index}]"), lost);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Affinity, Volume};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_kubernetes_has_no_field_for_is_remembered_by_its_path() {
        let given = json!({
            "name": "tls", "readOnly": true, "emptyDir": null,
            "projected": { "sources": [{ "secret": { "name": "a" } }, { "secret": { "nmae": "b" } }] }
        });
        let volume: Embedded<Volume> = serde_json::from_value(given).unwrap();
        assert_eq!(volume.known.name, "tls");
        let unknown = [("projected.sources[1].secret.nmae", json!("b")), ("readOnly", json!(true))];
        assert_eq!(volume.unknown, unknown.map(|(path, value)| (path.to_owned(), value)).into());
    }

    #[test]
    fn what_kubernetes_knows_is_kept_as_it_is() {
        let term = json!({ "topologyKey": "zone", "labelSelector": { "matchLabels": {} }, "namespaces": [] });
        let nodes = json!({ "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "a", "operator": "In", "values": ["b"] }] }] });
        let given = json!({
            "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] },
            "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": nodes }
        });
        let affinity: Embedded<Affinity> = serde_json::from_value(given.clone()).unwrap();
        assert_eq!(affinity.unknown, BTreeMap::new());
        assert_eq!(json!(affinity), given);
    }
}
