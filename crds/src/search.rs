//! A search for hyper-parameters. What each may be comes from the contract's table.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vedette_contract::parameters::{PARAMETERS, Parameter, Values};
pub use vedette_contract::search::{ParameterSpace, SearchAlgorithm, SearchMetric};

/// So many values of a parameter can be listed.
const MAX_VALUES: usize = 64;

const fn default_max_trials() -> i32 {
    24
}

const fn default_parallel_trials() -> i32 {
    1
}

/// A search for the parameters of the learner: models of several combinations are compared on folds of the records, and that of
/// the best one is learned again on all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// Grid tries every combination, Random so many at random.
    pub algorithm: SearchAlgorithm,
    /// So many combinations are tried at most; a Grid that has more of them is refused.
    #[serde(default = "default_max_trials")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_trials: i32,
    /// Trials that are made at a time. Each uses all the CPU of the limit by itself, but for SeedForest's; each takes memory.
    #[serde(default = "default_parallel_trials")]
    #[schemars(range(min = 1, max = 64))]
    pub parallel_trials: i32,
    /// By what trials are compared: with `features.label` Auprc, which is the default then, or RecallAtBudget; without labels
    /// Stability, the default, Separation or BudgetError. Budgets are `validation.alertBudgetPerMillion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metric")]
    pub metric: Option<SearchMetric>,
    /// What is tried of each parameter: `values`, or numbers from `min` to `max`, by `step`. What is not named here is as
    /// `spec.parameters` says, or the algorithm's default.
    #[schemars(schema_with = "parameters")]
    pub parameters: BTreeMap<String, ParameterSpace>,
}

fn metric(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = <Option<SearchMetric>>::json_schema(generator);
    if let Some(object) = schema.as_object_mut() {
        object.remove("description");
    }
    schema
}

fn parameters(_: &mut SchemaGenerator) -> Schema {
    let of = |parameter: &Parameter| (parameter.name.to_owned(), space(parameter));
    let properties: Map<String, Value> = PARAMETERS.iter().map(of).collect();
    json_schema!({ "type": "object", "properties": properties, "minProperties": 1 })
}

fn space(parameter: &Parameter) -> Value {
    let (items, is_number) = match &parameter.values {
        Values::Count(range) => {
            (json!({ "type": "integer", "format": "int32", "minimum": range.start(), "maximum": range.end() }), true)
        }
        Values::Number(range) => {
            (json!({ "type": "number", "format": "double", "minimum": range.start(), "maximum": range.end() }), true)
        }
        Values::Flag => (json!({ "type": "boolean" }), false),
        Values::OneOf(names) => (json!({ "type": "string", "enum": names() }), false),
    };
    let mut properties = Map::new();
    let values = json!({ "type": "array", "items": items, "maxItems": MAX_VALUES, "description": "These values." });
    properties.insert("values".to_owned(), values);
    let numbers = [
        ("min", "The smallest number."),
        ("max", "The largest number."),
        ("step", "From one number to the next; 1 of whole numbers, any number between where it is omitted."),
    ];
    for (name, description) in numbers.into_iter().filter(|_| is_number) {
        properties.insert(name.to_owned(), json!({ "type": "number", "format": "double", "description": description }));
    }
    let description = format!("What is tried of {}, {}.", parameter.name, parameter.values);
    json!({ "type": "object", "properties": properties, "description": description })
}
