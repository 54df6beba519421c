//! What a value of a record means: to a numeric column, to a categorical column, to a label and to an expression.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

/// A value of a record, as its raw JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scalar<'a>(&'a str);

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number, of any size and precision.
    Number,
    /// A string.
    Text,
    /// An array or an object, which is no scalar: to a column it is missing.
    Nested,
}

/// A number as an expression has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Numeral {
    /// A whole number that an `i64` holds.
    Int(i64),
    /// A larger one that a `u64` holds.
    UInt(u64),
    /// Any other: with a point or an exponent, or larger still.
    Float(f64),
}

impl<'a> Scalar<'a> {
    /// The value with this JSON text, which a parser found to be well-formed and to have no white space around it.
    pub fn of_json(json: &'a str) -> Self {
        Self(json)
    }

    /// Its JSON text.
    pub fn json(self) -> &'a str {
        self.0
    }

    pub fn kind(self) -> ScalarKind {
        match self.0.as_bytes().first() {
            Some(b'"') => ScalarKind::Text,
            Some(b't' | b'f') => ScalarKind::Boolean,
            Some(b'n') | None => ScalarKind::Null,
            Some(b'[' | b'{') => ScalarKind::Nested,
            Some(_) => ScalarKind::Number,
        }
    }

    /// Whether it is the boolean `true`, and nothing that stands for it.
    pub fn is_true(self) -> bool {
        self.0 == "true"
    }

    /// A number, also one that is written as text, or a boolean as 0 and 1; `None` for anything else, such as `"NaN"` and `"n/a"`.
    /// A number beyond the range of `f64`, and the text `Infinity`, is infinite.
    pub fn number(self) -> Option<f64> {
        match self.kind() {
            ScalarKind::Number => short_decimal(self.0).or_else(|| self.0.parse().ok()),
            ScalarKind::Boolean => Some(f64::from(u8::from(self.0.starts_with('t')))),
            ScalarKind::Text => self.text()?.trim().parse().ok().filter(|number: &f64| !number.is_nan()),
            ScalarKind::Null | ScalarKind::Nested => None,
        }
    }

    /// A number with all of its digits, as far as 64 bits hold them; `None` for anything else, a number that is written as text too.
    pub fn numeral(self) -> Option<Numeral> {
        match self.kind() {
            ScalarKind::Number => {
                let numeral = self.0.parse().map(Numeral::Int);
                let numeral = numeral.or_else(|_| self.0.parse().map(Numeral::UInt));
                numeral.or_else(|_| self.0.parse().map(Numeral::Float)).ok()
            }
            ScalarKind::Null | ScalarKind::Boolean | ScalarKind::Text | ScalarKind::Nested => None,
        }
    }

    /// The text of a string, or the JSON text of a number or boolean; `None` for null, arrays and objects.
    pub fn category(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            ScalarKind::Text => self.text(),
            ScalarKind::Number | ScalarKind::Boolean => Some(Cow::Borrowed(self.0)),
            ScalarKind::Null | ScalarKind::Nested => None,
        }
    }

    /// The member of an object that has this name, the last where several have; `None` for anything else.
    pub fn member(self, name: &str) -> Option<Self> {
        let mut members: HashMap<String, &'a RawValue> = serde_json::from_str(self.0).ok()?;
        members.remove(name).map(|member| Self(member.get()))
    }

    /// The text of a string; `None` for anything else.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }
}

/// Powers of ten, all exact.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A number as short as most are, and without an exponent. It is rounded once, as by a full parser: 15 digits are exact, and with
/// 16 there is no point and so no quotient.
fn short_decimal(json: &str) -> Option<f64> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if digits.len() > POWERS.len() {
        return None;
    }
    let (mut whole, mut behind_point) = (0u64, None);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                whole = 10 * whole + u64::from(byte - b'0');
                behind_point = behind_point.map(|digits| digits + 1);
            }
            b'.' if behind_point.is_none() => behind_point = Some(0),
            _ => return None,
        }
    }
    let number = whole as f64 / POWERS[behind_point.unwrap_or(0)];
    Some(if digits.len() < json.len() { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_short_number_is_what_a_full_parser_reads(
            number in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?",
        ) {
            let full: f64 = number.parse().unwrap();
            prop_assert_eq!(scalar(&number).number().map(f64::to_bits), Some(full.to_bits()), "{}", number);
        }
    }

    fn scalar(json: &str) -> Scalar<'_> {
        Scalar::of_json(json)
    }

    #[test]
    fn a_numeric_column_takes_numbers_however_they_are_written_and_booleans() {
        let numbers = [
            ("0", 0.0),
            ("-1.5e2", -150.0),
            ("181", 181.0),
            ("true", 1.0),
            ("false", 0.0),
            ("1e999", f64::INFINITY),
            ("\"181\"", 181.0),
            ("\" -1.5e2\\t\"", -150.0),
            ("\"\\u0037\"", 7.0),
            ("\"Infinity\"", f64::INFINITY),
            ("\"-inf\"", f64::NEG_INFINITY),
        ];
        for (json, number) in numbers {
            assert_eq!(scalar(json).number(), Some(number), "{json}");
        }
        let none =
            ["\"\"", "\"NaN\"", "\"n/a\"", "\"1,5\"", "\"7 ms\"", "\"0x7\"", "\"true\"", "null", "[1]", "{\"a\":1}"];
        for json in none {
            assert_eq!(scalar(json).number(), None, "{json}");
        }
    }

    #[test]
    fn an_expression_has_whole_numbers_as_integers_as_far_as_they_fit() {
        for (json, numeral) in [
            ("0", Numeral::Int(0)),
            ("-9223372036854775808", Numeral::Int(i64::MIN)),
            ("9223372036854775807", Numeral::Int(i64::MAX)),
            ("9223372036854775808", Numeral::UInt(1 << 63)),
            ("18446744073709551615", Numeral::UInt(u64::MAX)),
            ("18446744073709551616", Numeral::Float(18_446_744_073_709_551_616.0)),
            ("-9223372036854775809", Numeral::Float(-9_223_372_036_854_775_808.0)),
            ("7.0", Numeral::Float(7.0)),
            ("1e3", Numeral::Float(1000.0)),
        ] {
            assert_eq!(scalar(json).numeral(), Some(numeral), "{json}");
        }
        for json in ["\"7\"", "true", "null", "[1]", "{\"a\":1}"] {
            assert_eq!(scalar(json).numeral(), None, "{json}");
        }
    }

    #[test]
    fn a_categorical_column_takes_every_scalar_but_null() {
        let texts =
            [("\"http\"", "http"), (r#""a\u0062\n""#, "ab\n"), ("1.50", "1.50"), ("true", "true"), ("\"\"", "")];
        for (json, expected) in texts {
            assert_eq!(scalar(json).category().as_deref(), Some(expected), "{json}");
        }
        for json in ["null", "[]", "{}"] {
            assert_eq!(scalar(json).category(), None, "{json}");
        }
    }

    #[test]
    fn only_a_string_is_text() {
        assert_eq!(scalar(r#""\"a\"""#).text().as_deref(), Some("\"a\""));
        for json in ["1", "true", "null", "[\"a\"]", "{\"a\":\"b\"}"] {
            assert_eq!(scalar(json).text(), None, "{json}");
        }
    }

    #[test]
    fn only_an_object_has_members() {
        let object = scalar(r#"{"a" : {"b\u0031": [1 ,2]}, "c": 1, "c": 2}"#);
        assert_eq!(object.member("a").and_then(|a| a.member("b1")).map(Scalar::json), Some("[1 ,2]"));
        assert_eq!(object.member("c").map(Scalar::json), Some("2"));
        assert_eq!(object.member("b1"), None);
        for json in ["1", "null", "\"a\"", "[{\"a\":1}]"] {
            assert_eq!(scalar(json).member("a"), None, "{json}");
        }
    }

    #[test]
    fn the_kind_is_told_by_the_first_byte() {
        let kinds = ["null", "true", "false", "-1", "7", "\"\"", "[]", "{}"].map(|json| scalar(json).kind());
        let expected = [
            ScalarKind::Null,
            ScalarKind::Boolean,
            ScalarKind::Boolean,
            ScalarKind::Number,
            ScalarKind::Number,
            ScalarKind::Text,
            ScalarKind::Nested,
            ScalarKind::Nested,
        ];
        assert_eq!(kinds, expected);
    }
}
