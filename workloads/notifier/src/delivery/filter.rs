//! A CEL expression that says of which incidents a receiver is told.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::{Context, Program, Value};
use serde_json::Value as Json;
use thiserror::Error;
use vedette_contract::incident::{Grouping, Incident};
use vedette_contract::receiver::FILTER_VARIABLES;

/// Why a filter was refused.
#[derive(Debug, Error)]
pub enum FilterError {
    /// Not CEL.
    #[error("filter {expression:?} is not a CEL expression: {message}")]
    Syntax {
        /// The expression.
        expression: String,
        /// What the compiler says.
        message: String,
    },
    /// It needs what no incident has.
    #[error("filter {expression:?} speaks of {variable:?}, which no incident has; there are: {}", FILTER_VARIABLES.join(", "))]
    Variable {
        /// The expression.
        expression: String,
        /// The variable.
        variable: String,
    },
}

/// A compiled filter.
#[derive(Debug)]
pub(crate) struct Filter {
    program: Program,
}

impl Filter {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When it can be true of no incident whatever is in it.
    pub(crate) fn compile(expression: &str) -> Result<Self, FilterError> {
        let syntax = |message: String| FilterError::Syntax { expression: expression.to_owned(), message };
        // The compiler is not ours, and what it is given comes from a person: should it panic, that is a refusal too.
        let program = catch_unwind(|| Program::compile(expression))
            .map_err(|_| syntax("the compiler broke off".to_owned()))?
            .map_err(|errors| syntax(errors.to_string()))?;
        let unknown = program
            .references()
            .variables()
            .into_iter()
            .find(|name| !FILTER_VARIABLES.contains(name))
            .map(str::to_owned);
        match unknown {
            None => Ok(Self { program }),
            Some(variable) => Err(FilterError::Variable { expression: expression.to_owned(), variable }),
        }
    }

    /// Whether it is true of an incident.
    ///
    /// # Errors
    /// What is wrong where it is neither true nor false, as where a field is missing that it needs.
    pub(crate) fn matches(&self, incident: &Incident) -> Result<bool, String> {
        let evaluation = || {
            let mut context = Context::default();
            variables(incident).into_iter().for_each(|(name, value)| context.add_variable_from_value(name, value));
            self.program.execute(&context)
        };
        match catch_unwind(AssertUnwindSafe(evaluation)) {
            Ok(Ok(Value::Bool(truth))) => Ok(truth),
            Ok(Ok(other)) => Err(format!("the result is a {}, neither true nor false", other.type_of())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the evaluation broke off".to_owned()),
        }
    }
}

fn variables(incident: &Incident) -> [(&'static str, Value); 10] {
    let Incident { id, namespace, pipeline, site, severity, alerts, highest_score, reasons, grouping, example, .. } =
        incident;
    let example = example.alert.as_ref().and_then(|alert| serde_json::from_str(alert.json()).ok());
    let reasons: Vec<Value> = reasons.iter().map(|reason| reason.field.as_str().into()).collect();
    let values = [
        id.to_string().into(),
        namespace.as_str().into(),
        pipeline.as_str().into(),
        site.as_str().into(),
        severity.as_str().into(),
        Value::Int(i64::try_from(*alerts).unwrap_or(i64::MAX)),
        highest_score.map_or(Value::Null, Value::Float),
        reasons.into(),
        fields(grouping),
        example.map_or(Value::Null, value_of),
    ];
    let mut named = FILTER_VARIABLES.map(|name| (name, Value::Null));
    named.iter_mut().zip(values).for_each(|(variable, value)| variable.1 = value);
    named
}

fn fields(grouping: &Grouping) -> Value {
    let values = match grouping {
        Grouping::Fields { values } => values.as_slice(),
        Grouping::Reasons | Grouping::Overflow => &[],
    };
    let value = |value: &Option<String>| value.as_deref().map_or(Value::Null, Value::from);
    let map: HashMap<String, Value> = values.iter().map(|field| (field.field.clone(), value(&field.value))).collect();
    Value::Map(map.into())
}

/// Whole numbers are integers as far as they fit, as in calculated fields.
fn value_of(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().map_or(Value::Null, Value::Float), Value::Int)
        }
        Json::String(text) => text.into(),
        Json::Array(items) => items.into_iter().map(value_of).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            let map: HashMap<String, Value> = map.into_iter().map(|(key, value)| (key, value_of(value))).collect();
            Value::Map(map.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ledger::testing::incident;

    fn says(expression: &str) -> Result<bool, String> {
        Filter::compile(expression).unwrap().matches(&incident(1))
    }

    #[test]
    fn an_incident_is_what_an_expression_speaks_of() {
        for expression in [
            "site == 'east' && pipeline == 'flows' && namespace == 'team'",
            "severity in ['low', 'high']",
            "alerts > 0 && highest_score > 0.5",
            "'src_bytes' in reasons",
            "example.src_bytes == 181 && example.nested.list[1] == 'b'",
            "has(example.src_bytes) && !has(example.dst_bytes)",
        ] {
            assert_eq!(says(expression), Ok(true), "{expression}");
        }
        assert_eq!(says("alerts > 100"), Ok(false));
    }

    #[test]
    fn what_is_neither_true_nor_false_is_said() {
        for expression in ["example.missing == 1", "alerts", "alerts + site == 'x'"] {
            assert!(says(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        for (expression, complaint) in
            [("alerts >", "not a CEL"), ("src_bytes > 1", "which no incident has"), ("", "not a CEL")]
        {
            let error = Filter::compile(expression).unwrap_err().to_string();
            assert!(error.contains(complaint), "{expression}: {error}");
        }
    }
}
