//! What the raw JSON text of a scalar means: to a numeric column, to a categorical column and to an expression.

use std::borrow::Cow;

/// A number, or a boolean as 0 and 1; `None` for anything else. A number beyond the range of `f64` is infinite.
pub fn numeric(raw: &str) -> Option<f64> {
    match raw.as_bytes().first()? {
        b't' => Some(1.0),
        b'f' => Some(0.0),
        b'-' | b'0'..=b'9' => raw.parse().ok(),
        _ => None,
    }
}

/// The text of a string, or the JSON text of a number or boolean; `None` for null, arrays and objects.
pub fn text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => string(raw),
        b'n' | b'[' | b'{' => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// The text of a JSON string.
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_column_takes_numbers_and_booleans() {
        let numbers =
            [("0", 0.0), ("-1.5e2", -150.0), ("181", 181.0), ("true", 1.0), ("false", 0.0), ("1e999", f64::INFINITY)];
        for (raw, number) in numbers {
            assert_eq!(numeric(raw), Some(number), "{raw}");
        }
        for raw in ["\"181\"", "null", "[1]", "{\"a\":1}"] {
            assert_eq!(numeric(raw), None, "{raw}");
        }
    }

    #[test]
    fn a_categorical_column_takes_every_scalar_but_null() {
        let texts =
            [("\"http\"", "http"), (r#""a\u0062\n""#, "ab\n"), ("1.50", "1.50"), ("true", "true"), ("\"\"", "")];
        for (raw, expected) in texts {
            assert_eq!(text(raw).as_deref(), Some(expected), "{raw}");
        }
        for raw in ["null", "[]", "{}"] {
            assert_eq!(text(raw), None, "{raw}");
        }
    }
}
