//! Gives fields of a record other names before anybody else looks at it.

use std::ops::Range;

/// Other names of fields. Members of objects within a record keep theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renames(Vec<Rename>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rename {
    from: String,
    /// The other name as JSON.
    to: String,
}

impl Renames {
    /// Of pairs of the name that a record has and the one that it gets.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let rename =
            |(from, to): (&str, &str)| Rename { from: from.to_owned(), to: serde_json::Value::from(to).to_string() };
        Self(pairs.into_iter().map(rename).collect())
    }

    /// Whether no field has another name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the record with the other names. `false`, and nothing is appended, where it has none of these fields: what is no
    /// object stays what it is.
    pub fn append(&self, record: &[u8], out: &mut Vec<u8>) -> bool {
        let mut copied = 0;
        for key in Keys::of(record) {
            let Some(rename) = self.0.iter().find(|rename| is(&record[key.clone()], &rename.from)) else { continue };
            out.extend_from_slice(&record[copied..key.start]);
            out.extend_from_slice(rename.to.as_bytes());
            copied = key.end;
        }
        let is_renamed = copied > 0;
        if is_renamed {
            out.extend_from_slice(&record[copied..]);
        }
        is_renamed
    }
}

/// Whether a key, as JSON, is this name.
fn is(key: &[u8], name: &str) -> bool {
    if key.contains(&b'\\') {
        return serde_json::from_slice::<String>(key).is_ok_and(|key| key == name);
    }
    key.get(1..key.len() - 1) == Some(name.as_bytes())
}

/// Where the keys of an object stand in its text, with their quotes; as far as it is one.
struct Keys<'a> {
    text: &'a [u8],
    next: usize,
    depth: usize,
    /// A string that comes now is a key.
    is_key: bool,
}

impl<'a> Keys<'a> {
    fn of(record: &'a [u8]) -> Self {
        let text = record.strip_prefix("\u{feff}".as_bytes()).unwrap_or(record);
        let is_object = text.trim_ascii_start().starts_with(b"{");
        let next = if is_object { record.len() - text.len() } else { record.len() };
        Self { text: record, next, depth: 0, is_key: false }
    }
}

impl Iterator for Keys<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        while let Some(byte) = self.text.get(self.next) {
            let start = self.next;
            self.next += 1;
            match byte {
                b'"' => {
                    self.next = string_end(self.text, self.next)?;
                    if std::mem::take(&mut self.is_key) {
                        return Some(start..self.next);
                    }
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    self.is_key = self.depth == 1;
                }
                b'}' | b']' => self.depth = self.depth.checked_sub(1)?,
                b',' => self.is_key = self.depth == 1,
                _ => {}
            }
        }
        None
    }
}

/// Behind the quote that ends a string.
fn string_end(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        match text.get(from)? {
            b'"' => return Some(from + 1),
            b'\\' => from += 2,
            _ => from += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn renamed(record: &str) -> Option<String> {
        let renames = Renames::new([("score", "sensor_score"), ("site", "a \"b\"")]);
        let mut out = b"before".to_vec();
        let is_renamed = renames.append(record.as_bytes(), &mut out);
        assert_eq!(out.len() > 6, is_renamed, "{record}");
        is_renamed.then(|| String::from_utf8(out.split_off(6)).unwrap())
    }

    #[test]
    fn keys_of_the_record_itself_are_renamed_and_nothing_else() {
        for (record, expected) in [
            (r#"{"score":1,"a":"score"}"#, Some(r#"{"sensor_score":1,"a":"score"}"#)),
            (
                " { \"a\" : [\"score\"] , \"score\" : null } ",
                Some(" { \"a\" : [\"score\"] , \"sensor_score\" : null } "),
            ),
            ("\u{feff}{\"site\":\"x\"}", Some("\u{feff}{\"a \\\"b\\\"\":\"x\"}")),
            (r#"{"\u0073core":{"score":1}}"#, Some(r#"{"sensor_score":{"score":1}}"#)),
            (r#"{"score":1,"score":2}"#, Some(r#"{"sensor_score":1,"sensor_score":2}"#)),
            (r#"{"a":"\"score\":1,\\","b":{"score":1},"scores":1}"#, None),
            (r#"[{"score":1}]"#, None),
            (r#"["score",1]"#, None),
            (r#""score""#, None),
            ("garbage", None),
            ("", None),
        ] {
            assert_eq!(renamed(record).as_deref(), expected, "{record}");
        }
    }

    #[test]
    fn what_broke_off_is_no_better_afterwards() {
        for record in [r#"{"score":1"#, r#"{"score"#, r#"{"score":1}}"#, r#"{"score":"\"#, r#"{"score",1}"#] {
            let after = renamed(record).unwrap_or_else(|| record.to_owned());
            assert!(serde_json::from_str::<Value>(&after).is_err(), "{record} became {after}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[\"\\\\{},:a]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("score|site|[a\"\\\\]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_record_is_what_a_parser_would_make_of_it(value in value()) {
            let text = value.to_string();
            let after: Value = serde_json::from_str(renamed(&text).as_deref().unwrap_or(&text)).unwrap();
            let expected = match value {
                Value::Object(map) => Value::from(
                    map.into_iter()
                        .map(|(key, value)| match key.as_str() {
                            "score" => ("sensor_score".to_owned(), value),
                            "site" => ("a \"b\"".to_owned(), value),
                            _ => (key, value),
                        })
                        .collect::<Map<_, _>>(),
                ),
                other => other,
            };
            prop_assert_eq!(after, expected);
        }
    }
}
