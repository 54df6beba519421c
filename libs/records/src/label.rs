//! What a label means: whether a record is an anomaly, is none, or does not say.

use std::collections::HashSet;

use crate::scalar::Scalar;

/// Where a record says whether it is an anomaly, and what it says when it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    field: String,
    /// Without white space around them, which does not count in a record either.
    normal: HashSet<String>,
}

impl Label {
    /// A label in this field, of which these values mean "not an anomaly".
    pub fn new(field: impl Into<String>, normal: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let normal = normal.into_iter().map(|value| value.as_ref().trim().to_owned()).collect();
        Self { field: field.into(), normal }
    }

    /// The field that holds it.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Whether it can tell: without a normal value it cannot.
    pub fn can_tell(&self) -> bool {
        !self.normal.is_empty()
    }

    /// Whether the record is an anomaly; `None` where that is unknown. Text counts without the white space around it; a
    /// number or a boolean counts as its JSON text. `null`, text of white space only, an array and an object are no label.
    pub fn is_anomaly(&self, value: Scalar<'_>) -> Option<bool> {
        let label = value.category()?;
        let label = label.trim();
        (self.can_tell() && !label.is_empty()).then(|| !self.normal.contains(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_has_one_meaning() {
        let label = Label::new("label", ["normal.", " 0 ", "false", "a\"b", ""]);
        for (json, expected) in [
            (r#""normal.""#, Some(false)),
            (r#"" normal.\t""#, Some(false)),
            (r#""norm\u0061l.""#, Some(false)),
            (r#""a\"b""#, Some(false)),
            (r#""Normal.""#, Some(true)),
            (r#""smurf.""#, Some(true)),
            ("0", Some(false)),
            (r#""0""#, Some(false)),
            ("0.0", Some(true)),
            ("1", Some(true)),
            ("false", Some(false)),
            ("true", Some(true)),
            ("null", None),
            (r#""""#, None),
            (r#"" \n ""#, None),
            (r#"["normal."]"#, None),
            (r#"{"a":"normal."}"#, None),
        ] {
            assert_eq!(label.is_anomaly(Scalar::of_json(json)), expected, "{json}");
        }
    }

    #[test]
    fn a_label_without_normal_values_tells_nothing() {
        let label = Label::new("label", [""; 0]);
        assert!(!label.can_tell());
        assert_eq!(label.is_anomaly(Scalar::of_json("\"smurf.\"")), None);
    }
}
