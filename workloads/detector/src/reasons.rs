//! The reasons of an alert: their values, and what a person is told of each.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use vedette_contract::fields::{Direction, Expected, Reason, Usual, UsualValue};

/// A value whose JSON text is longer stands in the record alone.
const VALUE_BYTES: usize = 256;

/// Gives each reason the value that its field has in the record.
pub(crate) fn add_values(reasons: &mut [Reason], record: &[u8]) {
    // The detector wrote it; what could not be read would leave the values out.
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(record).unwrap_or_default();
    for reason in reasons {
        match fields.get(&reason.field).map(|raw| raw.get()).filter(|json| *json != "null") {
            None => reason.direction = Some(Direction::Missing),
            Some(json) if json.len() <= VALUE_BYTES => reason.value = Some(value(json)),
            Some(_) => {}
        }
    }
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}

/// What is to be said of a reason beside its share, if anything.
pub(crate) fn clause(reason: &Reason) -> Option<String> {
    let Reason { field, share: _, value, direction, usual, expected } = reason;
    if let Some(Expected { value, low, high }) = *expected {
        let [value, low, high] = side_by_side([value, low, high]);
        return Some(format!("{field} is {value}, and {low} to {high} fits the others"));
    }
    let is =
        || value.as_ref().map_or_else(|| format!("{field} has a long value"), |value| format!("{field} is {value}"));
    let is_seldom =
        matches!((value, usual), (Some(value), Some(Usual::Values(frequent))) if is_none_of(value, frequent));
    let usual = usual.as_ref().map(usually);
    let Some(direction) = *direction else {
        return usual.filter(|_| is_seldom).map(|usual| format!("{}{usual}", is()));
    };
    Some(match (direction, usual) {
        (Direction::Missing, usual) => format!("{field} is missing{}", usual.unwrap_or_default()),
        (Direction::Unseen, usual) => format!("{}, never seen before{}", is(), usual.unwrap_or_default()),
        (Direction::Above | Direction::Below, usual) => format!("{}{}", is(), usual?),
    })
}

/// Whether a category is not among the frequent ones.
fn is_none_of(value: &Value, frequent: &[UsualValue]) -> bool {
    let json = value.to_string();
    let text = value.as_str().unwrap_or(&json);
    frequent.iter().all(|usual| usual.value != text)
}

fn usually(usual: &Usual) -> String {
    match usual {
        Usual::Range { low, high } => format!(", usually {} to {}", readable(*low), readable(*high)),
        Usual::Values(values) => {
            let value = |UsualValue { value, share }: &UsualValue| format!("{value} ({:.0} %)", share * 100.);
            format!(", usually {}", values.iter().map(value).collect::<Vec<_>>().join(", "))
        }
    }
}

/// As few digits as tell the number, and not too many zeros.
fn readable(number: f32) -> String {
    let size = number.abs();
    if number == 0. || (1e-4..1e15).contains(&size) { format!("{number}") } else { format!("{number:e}") }
}

/// Numbers for a person, all with as many digits behind the point: so many that what is between the last two has three digits.
fn side_by_side(numbers: [f64; 3]) -> [String; 3] {
    let [_, low, high] = numbers;
    let width = (high - low).abs().max(f64::MIN_POSITIVE);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    let digits = (2. - width.log10().floor()).clamp(0., 12.) as usize;
    numbers.map(|number| format!("{number:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::reason;

    #[test]
    fn values_are_those_of_the_record() {
        let mut reasons = ["a", "b", "c", "d", "e", "f"].map(|field| reason(field, 0.1));
        let long = "x".repeat(300);
        add_values(&mut reasons, format!(r#"{{"a":1.50,"b":"x\"y","c":1e999,"d":null,"f":"{long}"}}"#).as_bytes());
        let values = reasons.clone().map(|reason| reason.value);
        let expected = [Some(1.5.into()), Some("x\"y".into()), Some("1e999".into()), None, None, None];
        assert_eq!(values, expected);
        let missing = reasons.map(|reason| reason.direction == Some(Direction::Missing));
        assert_eq!(missing, [false, false, false, true, true, false]);
    }

    #[test]
    fn a_person_is_told_what_is_strange_and_what_would_not_be() {
        let range = Some(Usual::Range { low: 0., high: 1e20 });
        let values = ["http", "smtp"].map(|value| UsualValue { value: value.to_owned(), share: 0.256 });
        let values = Some(Usual::Values(values.into()));
        let expected = Some(Expected { value: 69.7123, low: 44.3456, high: 53.2111 });
        let of = |value: Option<Value>, direction, usual: &Option<Usual>| Reason {
            value,
            direction,
            usual: usual.clone(),
            ..reason("a", 0.5)
        };
        for (reason, said) in [
            (of(Some(2e21.into()), Some(Direction::Above), &range), Some("a is 2e+21, usually 0 to 1e20")),
            (of(Some(7.into()), None, &range), None),
            (of(Some(7.into()), Some(Direction::Above), &None), None),
            (of(None, Some(Direction::Missing), &range), Some("a is missing, usually 0 to 1e20")),
            (
                of(Some("gopher".into()), Some(Direction::Unseen), &values),
                Some("a is \"gopher\", never seen before, usually http (26 %), smtp (26 %)"),
            ),
            (of(Some("ftp".into()), None, &values), Some("a is \"ftp\", usually http (26 %), smtp (26 %)")),
            (of(Some("smtp".into()), None, &values), None),
            (of(None, Some(Direction::Unseen), &None), Some("a has a long value, never seen before")),
            (Reason { expected, ..reason("a", 0.5) }, Some("a is 69.71, and 44.35 to 53.21 fits the others")),
        ] {
            assert_eq!(clause(&reason).as_deref(), said, "{reason:?}");
        }
    }
}
