//! The one place that reads YAML: its crate is no longer maintained, and can be replaced here.

use serde::Deserialize;
use serde_json::Value;

/// The documents of a YAML text as JSON, empty ones left out. After a document that cannot be read there are no more.
pub(crate) fn documents(text: &str) -> Vec<Result<Value, String>> {
    let mut documents = Vec::new();
    for deserializer in serde_yaml::Deserializer::from_str(text) {
        // By way of serde_yaml's own value, which refuses a key that stands twice.
        let document = serde_yaml::Value::deserialize(deserializer).map_err(|error| error.to_string());
        let document = document.and_then(|value| serde_json::to_value(value).map_err(|error| error.to_string()));
        let stop = document.is_err();
        if document != Ok(Value::Null) {
            documents.push(document);
        }
        if stop {
            break;
        }
    }
    documents
}
