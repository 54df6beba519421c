//! What learns, and what it can be told. Limits, defaults and rules of the parameters come from the contract's table.

use schemars::Schema;
use serde_json::{Map, Value, json};
pub use vedette_contract::learner::{Algorithm, Impurity, MaxFeatures, SyntheticRows};
pub use vedette_contract::parameters::Parameters;
use vedette_contract::parameters::{PARAMETERS, Parameter, Values, defaults};

/// Gives the parameters in the schema of [`Parameters`] their limits, and says what they are where they are omitted.
pub(crate) fn describe_parameters(schema: &mut Schema) {
    let mut properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for parameter in PARAMETERS {
        let property = properties.as_mut().and_then(|properties| properties.get_mut(parameter.name)?.as_object_mut());
        if let Some(property) = property {
            describe(parameter, property);
        }
    }
}

fn describe(parameter: &Parameter, property: &mut Map<String, Value>) {
    let document = property.get("description").and_then(Value::as_str).unwrap_or_default();
    let defaults: Vec<String> =
        parameter.defaults.iter().map(|(algorithm, default)| format!("{} {default}", algorithm.as_str())).collect();
    let document = format!("{document} Default: {}.", defaults.join(", "));
    property.insert("description".to_owned(), json!(document));
    // A choice would be described by the docs of its type instead.
    for choice in property.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        choice.as_object_mut().and_then(|choice| choice.remove("description"));
    }
    let limits = match &parameter.values {
        Values::Count(range) => json!({ "minimum": range.start(), "maximum": range.end() }),
        Values::Number(range) => json!({ "minimum": range.start(), "maximum": range.end() }),
        Values::Flag | Values::OneOf(_) => json!({}),
    };
    property.extend(limits.as_object().cloned().unwrap_or_default());
}

/// Adds the rules that a parameter goes with the learners that have it, to the schema of a training's spec.
pub(crate) fn add_rules_of_parameters(schema: &mut Schema) {
    let (with_none, with_some): (Vec<&Algorithm>, Vec<&Algorithm>) =
        Algorithm::all().iter().partition(|algorithm| defaults(**algorithm).is_empty());
    let (shared, others): (Vec<&Parameter>, Vec<&Parameter>) =
        PARAMETERS.iter().partition(|parameter| parameter.defaults.len() == with_some.len());
    let rules = with_none.into_iter().map(|algorithm| rule_of_learner_without(*algorithm, &shared));
    let rules: Vec<Value> = rules.chain(others.into_iter().map(rule_of_parameter)).collect();
    schema.insert("x-kubernetes-validations".to_owned(), json!(rules));
}

/// A learner without parameters, and those that all other learners have: the rest has rules of its own.
fn rule_of_learner_without(algorithm: Algorithm, shared: &[&Parameter]) -> Value {
    let algorithm = algorithm.as_str();
    let given: Vec<String> =
        shared.iter().map(|parameter| format!("has(self.parameters.{})", parameter.name)).collect();
    json!({
        "rule": format!("self.algorithm != '{algorithm}' || !({})", given.join(" || ")),
        "message": format!("{algorithm} has no parameters"),
        "fieldPath": ".parameters",
    })
}

fn rule_of_parameter(parameter: &Parameter) -> Value {
    let name = parameter.name;
    let learners: Vec<&str> = parameter.defaults.iter().map(|(algorithm, _)| algorithm.as_str()).collect();
    let is_one: String = learners.iter().map(|learner| format!("self.algorithm == '{learner}' || ")).collect();
    json!({
        "rule": format!("{is_one}!has(self.parameters.{name})"),
        "message": format!("{name} is a parameter of {}", listed(&learners)),
        "fieldPath": format!(".parameters.{name}"),
    })
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
