//! Shapes that several sections of the API share, and the pieces of schema that they are written with.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A time span such as `10s`, `15m` or `1h30m` (the subset of Go's that Kubernetes' Gateway API fixed in GEP-2257).
pub const DURATION_PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// A quantity of Kubernetes that is not negative, such as `500m`, `2` or `128Mi`.
pub(crate) const QUANTITY_PATTERN: &str = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE]\+?[0-9]+)?$";
/// A DNS-1123 label.
pub(crate) const NAME_PATTERN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS-1123 subdomain, as Secrets and ConfigMaps are named.
pub(crate) const OBJECT_NAME_PATTERN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A Kafka topic name, other than `.` and `..`.
pub(crate) const TOPIC_PATTERN: &str = r"^([a-zA-Z0-9_-]|\.[a-zA-Z0-9_-]|\.\.[a-zA-Z0-9._-])[a-zA-Z0-9._-]*$";
/// A model version.
pub(crate) const VERSION_PATTERN: &str = "^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$";

/// CPU and memory of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler reserves, such as `cpu: 500m` and `memory: 256Mi`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub requests: BTreeMap<String, Quantity>,
    /// What the container never exceeds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub limits: BTreeMap<String, Quantity>,
}

impl Resources {
    /// These with others over them: a resource that the others mention, as a request or as a limit, is as they mention it.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        let Self { requests, limits } = over;
        let mentions = |name: &String| requests.contains_key(name) || limits.contains_key(name);
        let of = |base: &BTreeMap<String, Quantity>, over: &BTreeMap<String, Quantity>| {
            let kept = base.iter().filter(|(name, _)| !mentions(name));
            kept.chain(over).map(|(name, quantity)| (name.clone(), quantity.clone())).collect()
        };
        Self { requests: of(&self.requests, requests), limits: of(&self.limits, limits) }
    }
}

/// Where a record says whether it is an anomaly. Reports use it; a learner never sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// Field that holds the label.
    #[schemars(length(min = 1, max = 256))]
    pub field: String,
    /// Values that mean "not an anomaly"; every other value is one. They compare by what they mean: white space around them and
    /// case do not count, 0, 0.0 and false are one value. Where no record has one of them it is an error.
    #[schemars(length(min = 1, max = 64), inner(length(max = 256)))]
    pub normal: Vec<String>,
}

/// A quantity without the essay that Kubernetes attaches to each. The pattern is heeded where it is text.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true, "pattern": QUANTITY_PATTERN })
}

fn quantities(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": quantity(generator) })
}

/// The schema of one of Kubernetes' own types without its descriptions, which would be most of the file.
pub(crate) fn embedded<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    if let Some(object) = schema.as_object_mut() {
        object.values_mut().for_each(strip_descriptions);
    }
    schema
}

/// A list of one of Kubernetes' own types of which the API server checks nothing but that it is a list of objects: the whole
/// schema would be most of the file, and the API server checks what is made of it.
pub(crate) fn objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } })
}

/// One of Kubernetes' own types of which the API server checks nothing but that it is an object.
pub(crate) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

fn strip_descriptions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("description").is_some_and(Value::is_string) {
                object.remove("description");
            }
            object.values_mut().for_each(strip_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_descriptions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
