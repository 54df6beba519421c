//! What a label means: whether a record is an anomaly, is none, or does not say.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::scalar::Scalar;

/// How many values of a label are listed to people.
const LISTED: usize = 10;

/// Where a record says whether it is an anomaly, and what it says when it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    field: String,
    /// As they were given.
    written: Vec<String>,
    /// What they mean.
    normal: HashSet<String>,
}

/// What the labels of records said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelTally {
    /// Records that are no anomaly.
    pub normal: u64,
    /// Records that are one.
    pub anomalies: u64,
    /// The first values of anomalies in the order of the alphabet, so that the order of reading does not show.
    values: BTreeSet<String>,
}

impl Label {
    /// A label in this field, of which these values mean "not an anomaly".
    pub fn new(field: impl Into<String>, normal: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let written: Vec<String> = normal.into_iter().map(|value| value.as_ref().trim().to_owned()).collect();
        let normal = written.iter().map(|value| meaning(value).into_owned()).collect();
        Self { field: field.into(), written, normal }
    }

    /// The field that holds it.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The values that mean "not an anomaly", as they were given.
    pub fn normal(&self) -> &[String] {
        &self.written
    }

    /// Whether it can tell: without a normal value it cannot.
    pub fn can_tell(&self) -> bool {
        !self.normal.is_empty()
    }

    /// Whether the record is an anomaly; `None` where that is unknown. Values compare by what they mean: white space around
    /// them and case do not count, `0`, `0.0`, `"0"` and `false` are one value, and so are `1` and `true`. `null`, text of
    /// white space only, an array and an object are no label.
    pub fn is_anomaly(&self, value: Scalar<'_>) -> Option<bool> {
        let label = value.category()?;
        let label = label.trim();
        (self.can_tell() && !label.is_empty()).then(|| !self.normal.contains(&*meaning(label)))
    }
}

impl LabelTally {
    /// What [`Label::is_anomaly`] says of the value, which is counted.
    pub fn note(&mut self, label: &Label, value: Scalar<'_>) -> Option<bool> {
        let is_anomaly = label.is_anomaly(value)?;
        if is_anomaly {
            self.anomalies += 1;
            self.list(value.category().unwrap_or_default().trim());
        } else {
            self.normal += 1;
        }
        Some(is_anomaly)
    }

    /// Takes in what another counted.
    pub fn add(&mut self, other: &Self) {
        self.normal += other.normal;
        self.anomalies += other.anomalies;
        other.values.iter().for_each(|value| self.list(value));
    }

    /// Where there are labels and none is normal: the values seen, for people.
    pub fn never_normal(&self) -> Option<String> {
        let more = if self.values.len() == LISTED { ", …" } else { "" };
        let listed = || self.values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
        (self.normal == 0 && self.anomalies > 0).then(|| listed() + more)
    }

    fn list(&mut self, value: &str) {
        let is_full = self.values.len() >= LISTED;
        if self.values.contains(value) || (is_full && self.values.last().is_some_and(|last| value > last.as_str())) {
            return;
        }
        if is_full {
            self.values.pop_last();
        }
        self.values.insert(value.to_owned());
    }
}

/// What values that mean the same have in common.
fn meaning(value: &str) -> Cow<'_, str> {
    match value.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => match value.parse::<f64>() {
            // Zero has a sign only in writing.
            Ok(number) if number.is_finite() => Cow::Owned((number + 0.).to_string()),
            Ok(_) | Err(_) => lower_case(value),
        },
        Some(b't' | b'T') if value.eq_ignore_ascii_case("true") => Cow::Borrowed("1"),
        Some(b'f' | b'F') if value.eq_ignore_ascii_case("false") => Cow::Borrowed("0"),
        Some(_) | None => lower_case(value),
    }
}

fn lower_case(value: &str) -> Cow<'_, str> {
    let is_lower = value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(value) } else { Cow::Owned(value.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_has_one_meaning() {
        let label = Label::new("label", ["normal.", " 0 ", "a\"b", "", "ÄRA"]);
        for (json, expected) in [
            (r#""normal.""#, Some(false)),
            (r#"" normal.\t""#, Some(false)),
            (r#""norm\u0061l.""#, Some(false)),
            (r#""a\"b""#, Some(false)),
            (r#""Normal.""#, Some(false)),
            (r#""ära""#, Some(false)),
            (r#""normal""#, Some(true)),
            (r#""smurf.""#, Some(true)),
            ("0", Some(false)),
            (r#""0""#, Some(false)),
            ("0.0", Some(false)),
            ("-0", Some(false)),
            (r#""0.00""#, Some(false)),
            ("0e3", Some(false)),
            ("1", Some(true)),
            ("0.1", Some(true)),
            ("false", Some(false)),
            (r#"" FALSE""#, Some(false)),
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
    fn one_is_true_and_numbers_are_what_they_are() {
        let label = Label::new("label", ["True", "2.50", "-x"]);
        for normal in ["1", "1.0", "true", "\"TRUE\"", "2.5", "25e-1", "\"-X\""] {
            assert_eq!(label.is_anomaly(Scalar::of_json(normal)), Some(false), "{normal}");
        }
        for anomaly in ["0", "2", "\"inf\"", "\"truely\"", "1e999"] {
            assert_eq!(label.is_anomaly(Scalar::of_json(anomaly)), Some(true), "{anomaly}");
        }
    }

    #[test]
    fn a_label_without_normal_values_tells_nothing() {
        let label = Label::new("label", [""; 0]);
        assert!(!label.can_tell());
        assert_eq!(label.is_anomaly(Scalar::of_json("\"smurf.\"")), None);
    }

    #[test]
    fn labels_of_which_none_is_normal_are_listed_whatever_their_order() {
        let label = Label::new("label", ["ok"]);
        let tally = |values: &mut dyn Iterator<Item = u32>| {
            let mut tally = LabelTally::default();
            for value in values {
                tally.note(&label, Scalar::of_json(&format!("\"bad {value:02}\"")));
            }
            tally
        };
        let (mut first, second) = (tally(&mut (0..40)), tally(&mut (40..60)));
        let mut other = tally(&mut (0..60).rev());
        first.add(&second);
        assert_eq!(first, other);
        let listed = first.never_normal().unwrap();
        assert!(listed.starts_with("\"bad 00\", \"bad 01\"") && listed.ends_with("\"bad 09\", …"), "{listed}");
        assert_eq!(tally(&mut (0..2)).never_normal().unwrap(), "\"bad 00\", \"bad 01\"");
        other.note(&label, Scalar::of_json("\" OK\""));
        assert_eq!((other.never_normal(), LabelTally::default().never_normal()), (None, None));
    }
}
