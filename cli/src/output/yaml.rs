//! An answer as YAML: the document that it is as JSON, field by field in the order of their names.

use std::io;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::escape::{escaped_json, steers};

/// A longer name of a field stands on a line of its own, as readers of YAML look for the end of one on its line only so far.
const LONGEST_NAME: usize = 100;
/// Digits of a number that stands for a text.
const DIGITS: usize = 8;

/// The text of it. A text that could steer a terminal stands between quotation marks and escaped as in JSON, which is the same text in
/// YAML.
pub(super) fn yaml(answer: &impl Serialize) -> io::Result<String> {
    let Ok(tree) = serde_json::to_value(answer) else {
        // What is nested too deeply to be taken apart is YAML as it is.
        return Ok(format!("{}\n", escaped_json(&serde_json::to_string_pretty(answer)?)));
    };
    let mut hidden = Hidden { mark: format!("s{}", Uuid::new_v4().simple()), texts: Vec::new() };
    let text = serde_yaml::to_string(&hidden.hide(tree)).map_err(io::Error::other)?;
    Ok(hidden.shown(&text))
}

/// The texts that steer, for which marks stand while the others are written: which of them stand between quotation marks is not ours
/// to say there.
struct Hidden {
    /// Nobody knows it before.
    mark: String,
    /// As they are to stand, with what is behind the number of each.
    texts: Vec<(String, String)>,
}

impl Hidden {
    fn hide(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.name(text)),
            Value::Array(values) => Value::Array(values.into_iter().map(|value| self.hide(value)).collect()),
            Value::Object(fields) => {
                let hidden = fields.into_iter().map(|(name, value)| (self.name(name), self.hide(value)));
                Value::Object(hidden.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// The text, or what stands for it.
    fn name(&mut self, text: String) -> String {
        if !text.contains(steers) {
            return text;
        }
        let padding = "x".repeat(if text.len() > LONGEST_NAME { LONGEST_NAME } else { 0 });
        let name = format!("{}{:0DIGITS$}{padding}", self.mark, self.texts.len());
        // No end of a line is left in it.
        let quoted = Value::String(text).to_string();
        self.texts.push((escaped_json(&quoted).into_owned(), padding));
        name
    }

    /// With the texts where they belong.
    fn shown(&self, text: &str) -> String {
        let mut parts = text.split(self.mark.as_str());
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (number, rest) = part.split_at_checked(DIGITS).unwrap_or((part, ""));
            let hidden = number.parse().ok().and_then(|number: usize| self.texts.get(number));
            if let Some((text, padding)) = hidden {
                shown.push_str(text);
                shown.push_str(rest.strip_prefix(padding.as_str()).unwrap_or(rest));
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn what_steers_is_quoted_and_the_rest_is_as_people_write_it() {
        let answer = json!({ "site": "Zürich", "why": "a\u{1b}[2J\nb", "odd\u{202e}": [1.5, null, "true", ""] });
        let expected = "\"odd\\u202e\":\n- 1.5\n- null\n- 'true'\n- ''\nsite: Zürich\nwhy: \"a\\u001b[2J\\nb\"\n";
        let written = yaml(&answer).unwrap();
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&written), sorted(expected), "{written}");
    }

    #[test]
    fn a_long_name_and_a_record_as_it_came_can_be_read() {
        let name = "\u{9b}x".repeat(2_000);
        let record = RawValue::from_string(r#"{"b":1,"a":"x","b":2}"#.to_owned()).unwrap();
        let written = yaml(&(json!({ name.clone(): 1 }), record)).unwrap();
        assert_eq!(serde_yaml::from_str::<Value>(&written).unwrap(), json!([{ name: 1 }, { "b": 2, "a": "x" }]));
        let numbers = RawValue::from_string(r#"{"account":123456789012345678901,"price":1.10}"#.to_owned()).unwrap();
        // As docs/cli.md says.
        assert_eq!(yaml(&numbers).unwrap(), "account: 1.2345678901234567e20\nprice: 1.1\n");
        let deep = RawValue::from_string(format!("{}{}", "[".repeat(500), "]".repeat(500))).unwrap();
        assert!(yaml(&deep).unwrap().starts_with("[[["));
    }

    proptest! {
        #[test]
        fn yaml_says_the_same_as_json_with_nothing_that_steers(
            texts in prop::collection::vec(any::<String>(), 0..4),
            fields in prop::collection::btree_map("[a-z\u{1b}\u{85}\u{2028}\u{202e}'\": #\\\\-]{0,9}", any::<i64>(), 0..4),
            odd in "[\n\t\r\u{7f}-\u{9f}\u{202a}-\u{202e}\u{1b}a ]{0,6}",
        ) {
            let said = json!({ "texts": texts, "fields": fields, "odd": odd });
            let shown = yaml(&said).unwrap();
            prop_assert!(!shown.chars().any(|character| steers(character) && character != '\n'), "{}", shown);
            prop_assert_eq!(serde_yaml::from_str::<Value>(&shown).unwrap(), said);
        }
    }
}
