//! A JSON value that is looked at as whoever reads it for real would, and dropped. A parser that skips a value lets pass what
//! stops them: nesting deeper than 127, an escaped half of a surrogate pair, a number such as `1e999`.

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A number that is longer, without an exponent, may be too large for a 64-bit float, which ends at 1.8e308.
pub(crate) const PLAIN_NUMBER_BYTES: usize = 308;

/// What is left of a value that was looked at.
pub(crate) struct Checked;

/// Whether a value that was skipped can have nothing of what skipping misses. Most can be told by their first byte.
pub(crate) fn is_plain(json: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'"') => !json.contains("\\u"),
        Some(b'{' | b'[') => false,
        Some(b'-' | b'0'..=b'9') => json.len() <= PLAIN_NUMBER_BYTES && !json.contains(['e', 'E']),
        _ => true,
    }
}

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_value_is_one_that_nobody_stumbles_over() {
        for json in ["null", "true", "0", "-12.50", "\"1e999\"", r#""a\"b\\c""#, &"9".repeat(308)] {
            assert!(is_plain(json) && serde_json::from_str::<Checked>(json).is_ok(), "{json}");
        }
        for json in ["1e999", "-1E400", r#""\ud800""#, &"9".repeat(400), &"[".repeat(128)] {
            assert!(!is_plain(json) && serde_json::from_str::<Checked>(json).is_err(), "{json}");
        }
        for json in ["[1]", "{\"a\":1}", "1e5", "\"\\u0041\""] {
            assert!(!is_plain(json) && serde_json::from_str::<Checked>(json).is_ok(), "{json}");
        }
    }
}
