//! What an expression is asked of, as values of CEL.

use std::collections::HashMap;

use cel::{Context, Value};
use serde_json::Value as Json;
use vedette_contract::incident::{Grouping, Incident, IncidentOwner};
use vedette_contract::receiver::FILTER_VARIABLES;
use vedette_contract::silence::RECORD_VARIABLES;
use vedette_records::{Numeral, Scalar};

/// An incident, an alert or a record, which any number of filters can be asked of.
pub struct Subject(Context<'static>);

impl Subject {
    /// An incident; an alert is asked of as an incident of its own.
    pub fn incident(incident: &Incident) -> Self {
        let Incident {
            id, namespace, pipeline, site, severity, alerts, highest_score, reasons, grouping, example, ..
        } = incident;
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
        Self::of(FILTER_VARIABLES.into_iter().zip(values))
    }

    /// An enriched record of a pipeline at a site; what is no JSON is null.
    pub fn record(owner: &IncidentOwner, record: &[u8]) -> Self {
        let IncidentOwner { namespace, pipeline, site } = owner;
        let values = [
            namespace.as_str().into(),
            pipeline.as_str().into(),
            site.as_str().into(),
            serde_json::from_slice(record).map_or(Value::Null, value_of),
        ];
        Self::of(RECORD_VARIABLES.into_iter().zip(values))
    }

    fn of(variables: impl Iterator<Item = (&'static str, Value)>) -> Self {
        let mut context = Context::default();
        variables.for_each(|(name, value)| context.add_variable_from_value(name, value));
        Self(context)
    }

    pub(crate) fn context(&self) -> &Context<'static> {
        &self.0
    }
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

fn value_of(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(written) => Scalar::of_json(&written.to_string()).numeral().map_or(Value::Null, number),
        Json::String(text) => text.into(),
        Json::Array(items) => items.into_iter().map(value_of).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            let map: HashMap<String, Value> = map.into_iter().map(|(key, value)| (key, value_of(value))).collect();
            Value::Map(map.into())
        }
    }
}

/// As in calculated fields, which have numbers by the same reader.
fn number(numeral: Numeral) -> Value {
    match numeral {
        Numeral::Int(number) => Value::Int(number),
        Numeral::UInt(number) => Value::UInt(number),
        Numeral::Float(number) => Value::Float(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    #[test]
    fn whole_numbers_are_integers_as_far_as_they_fit() {
        let name = |text: &str| text.parse().unwrap();
        let owner = IncidentOwner { namespace: name("team"), pipeline: name("flows"), site: name("east") };
        let record = br#"{"most":9223372036854775807,"beyond":9223372036854775808,"largest":18446744073709551615,
            "larger":100000000000000000000,"whole":7.0,"in":[9223372036854775809]}"#;
        let subject = Subject::record(&owner, record);
        for expression in [
            "example.most == 9223372036854775807",
            "example.beyond == 9223372036854775808u && example.beyond != 9223372036854775807u",
            "example.largest == 18446744073709551615u && example.largest > example.most",
            "example.larger == 100000000000000000000.0 && example.whole == 7.0",
            "example['in'][0] == 9223372036854775809u",
        ] {
            assert_eq!(Filter::compile(expression).unwrap().matches(&subject), Ok(true), "{expression}");
        }
    }
}
