//! Checks an object against the schema of its CRD, as the API server does, and reports everything at once: shapes, limits,
//! and fields that do not exist, which the server would drop without a word. Rules in CEL run on the same schema.
//! Patterns are left to [`crate::validate`], which parses every field that has one and can say more.

use std::sync::LazyLock;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::{Map, Value, json};
use vedette_crds::definitions;

use crate::field_error::{FieldErrors, MISSING};

/// Schema of `AnomalyPipeline`.
pub(crate) static PIPELINE: LazyLock<Schema> = LazyLock::new(|| Schema::of(definitions::anomaly_pipeline()));
/// Schema of `ModelTraining`.
pub(crate) static TRAINING: LazyLock<Schema> = LazyLock::new(|| Schema::of(definitions::model_training()));

/// A schema, and its rules ready to run.
pub(crate) struct Schema {
    schema: Value,
    rules: CompiledSchema,
}

impl Schema {
    fn of(definition: CustomResourceDefinition) -> Self {
        let schema = schema_of(definition);
        Self { rules: compile_schema(&schema), schema }
    }

    /// Reports the faults of an object. Where shapes are reported, a field whose shape is wrong is taken out, so that the
    /// rest can be read and checked too; false where that is not possible, because a field that is required went.
    pub(crate) fn check(&self, object: &mut Value, report: Report, errors: &mut FieldErrors) -> bool {
        Walk { report, errors }.value(&self.schema, object, "")
    }

    /// Runs the CEL rules.
    pub(crate) fn check_rules(&self, object: &Value, errors: &mut FieldErrors) {
        let Err(violations) = Validator::new().validate_compiled(&self.rules, object, None) else {
            return;
        };
        // They come in the order of a hash map.
        let mut violations = violations.into_vec();
        violations.sort_by(|one, other| one.field_path.cmp(&other.field_path));
        for violation in violations {
            let value = at(object, &violation.field_path).map_or_else(|| MISSING.to_owned(), Value::to_string);
            errors.push(violation.field_path, value, violation.message);
        }
    }
}

fn schema_of(definition: CustomResourceDefinition) -> Value {
    let version = definition.spec.versions.into_iter().next();
    let mut schema = json!(version.and_then(|version| version.schema).and_then(|schema| schema.open_api_v3_schema));
    // What every object has; the API server adds it by itself.
    schema["properties"]["apiVersion"] = json!({ "type": "string" });
    schema["properties"]["kind"] = json!({ "type": "string" });
    schema["properties"]["metadata"] = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    schema
}

/// What a walk reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// What keeps the object from being read: types, enums, fields that are missing or unknown.
    Shapes,
    /// What can be read and is out of range.
    Limits,
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(object, |value, part| value.get(part))
}

struct Walk<'a> {
    report: Report,
    errors: &'a mut FieldErrors,
}

impl Walk<'_> {
    /// Whether the value can be read.
    fn value(&mut self, schema: &Value, value: &mut Value, path: &str) -> bool {
        if let Some(expected) = wrong_type(schema, value) {
            self.shape(path, value, &format!("must be {expected}"));
            return false;
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            let allowed: Vec<String> = allowed.iter().filter(|value| !value.is_null()).map(Value::to_string).collect();
            self.shape(path, value, &format!("must be one of {}", allowed.join(", ")));
            return false;
        }
        let is_time = |text: &str| text.parse::<Timestamp>().is_ok();
        if schema["format"] == "date-time" && !value.as_str().is_some_and(is_time) {
            self.shape(path, value, "must be a time with its zone, such as 2026-01-31T08:00:00Z");
            return false;
        }
        match value {
            Value::Object(fields) => self.object(schema, fields, path),
            Value::Array(items) => self.array(schema, items, path),
            Value::String(text) => {
                let length = text.chars().count() as u64;
                self.bounds(path, value, length as f64, &schema["minLength"], &schema["maxLength"], "long");
                true
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                self.bounds(path, value, number, &schema["minimum"], &schema["maximum"], "");
                true
            }
            Value::Null | Value::Bool(_) => true,
        }
    }

    fn object(&mut self, schema: &Value, fields: &mut Map<String, Value>, path: &str) -> bool {
        // Whoever writes null means nothing, and the API server drops it.
        fields.retain(|_, value| !value.is_null());
        let child = |name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        let properties = schema["properties"].as_object();
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let mut unusable = Vec::new();
        for (name, value) in fields.iter_mut() {
            let known = properties.and_then(|properties| properties.get(name));
            let entry = schema.get("additionalProperties").filter(|schema| schema.is_object());
            match known.or(entry) {
                Some(schema) => {
                    if !self.value(schema, value, &child(name)) {
                        unusable.push(name.clone());
                    }
                }
                None if open => {}
                None => {
                    let names: Vec<&str> =
                        properties.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect();
                    let hint = match nearest(name, &names) {
                        Some(nearest) => format!("there is no such field; did you mean {nearest}?"),
                        None if names.is_empty() => "there is no such field, and no other one here".to_owned(),
                        None => format!("there is no such field; there are {}", names.join(", ")),
                    };
                    self.shape(&child(name), value, &hint);
                }
            }
        }
        let mut usable = true;
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if unusable.iter().any(|gone| gone == name) {
                usable = false;
            } else if !fields.contains_key(name) {
                self.shape_of(&child(name), MISSING, "is required");
                usable = false;
            }
        }
        fields.retain(|name, _| !unusable.contains(name));
        usable && self.one_of(schema, fields, path)
    }

    /// An object that holds exactly one of its fields.
    fn one_of(&mut self, schema: &Value, fields: &Map<String, Value>, path: &str) -> bool {
        let Some(variants) = schema["oneOf"].as_array() else {
            return true;
        };
        let names: Vec<&str> =
            variants.iter().filter_map(|variant| variant["required"].as_array()?.first()?.as_str()).collect();
        if names.iter().filter(|name| fields.contains_key(**name)).count() == 1 {
            return true;
        }
        self.shape_of(path, &Value::Object(fields.clone()).to_string(), &format!("set one of {}", names.join(", ")));
        false
    }

    fn array(&mut self, schema: &Value, items: &mut [Value], path: &str) -> bool {
        let mut usable = true;
        for (index, item) in items.iter_mut().enumerate() {
            usable &= self.value(&schema["items"], item, &format!("{path}[{index}]"));
        }
        let whole = Value::Array(items.to_vec());
        self.bounds(path, &whole, items.len() as f64, &schema["minItems"], &schema["maxItems"], "long");
        if self.report == Report::Limits {
            self.unique(schema, items, path);
        }
        usable
    }

    fn unique(&mut self, schema: &Value, items: &[Value], path: &str) {
        let keys: Option<&Vec<Value>> = match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => None,
            Some("map") => schema["x-kubernetes-list-map-keys"].as_array(),
            _ => return,
        };
        let identity = |item: &Value| match keys {
            None => vec![item.clone()],
            Some(keys) => keys.iter().filter_map(Value::as_str).map(|key| item[key].clone()).collect(),
        };
        for (index, item) in items.iter().enumerate() {
            if items[..index].iter().any(|earlier| identity(earlier) == identity(item)) {
                self.errors.push(format!("{path}[{index}]"), item, "stands in the list twice");
            }
        }
    }

    fn bounds(&mut self, path: &str, value: &Value, number: f64, minimum: &Value, maximum: &Value, unit: &str) {
        if self.report != Report::Limits {
            return;
        }
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        if let Some(minimum) = minimum.as_f64().filter(|minimum| number < *minimum) {
            self.errors.push(path, value, format!("must be at least {minimum}{unit}"));
        }
        if let Some(maximum) = maximum.as_f64().filter(|maximum| number > *maximum) {
            self.errors.push(path, value, format!("must be at most {maximum}{unit}"));
        }
    }

    fn shape(&mut self, path: &str, value: &Value, hint: &str) {
        self.shape_of(path, &value.to_string(), hint);
    }

    fn shape_of(&mut self, path: &str, value: &str, hint: &str) {
        if self.report == Report::Shapes {
            self.errors.push(path, value, hint);
        }
    }
}

/// What the value should have been, if it is something else.
fn wrong_type(schema: &Value, value: &Value) -> Option<&'static str> {
    if schema["x-kubernetes-int-or-string"] == true {
        return (!value.is_string() && !value.is_number()).then_some("a quantity, such as 500m or 128Mi");
    }
    let (right, expected) = match schema["type"].as_str()? {
        "object" => (value.is_object(), "an object"),
        "array" => (value.is_array(), "a list"),
        "string" => (value.is_string(), "text, in quotes where YAML would read something else"),
        "boolean" => (value.is_boolean(), "true or false"),
        "number" => (value.is_number(), "a number"),
        "integer" => match (schema["format"].as_str(), value.as_i64()) {
            (Some("int32"), Some(number)) => (i32::try_from(number).is_ok(), "between -2147483648 and 2147483647"),
            (_, number) => (number.is_some(), "a whole number"),
        },
        _ => return None,
    };
    (!right).then_some(expected)
}

/// The known name that is at most two edits away.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (edits(name, known), *known))
        .filter(|(edits, _)| *edits <= 2)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance, upper and lower case alike.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, character) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}
