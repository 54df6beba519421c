//! One cell of a table as a JSON value: a number where its text is one, a string otherwise, null where it is empty.

use std::borrow::Cow;

/// Digits beyond which, or an exponent with which, a number may be too large for a 64-bit float.
const ALWAYS_FINITE: usize = 300;

/// What stands in numeric columns where no number does, in small letters and without a sign.
const NO_NUMBER: [&str; 11] = ["nan", "inf", "infinity", "na", "n/a", "#n/a", "null", "none", "\\n", "?", "-"];

/// What a cell is, for its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// It is empty.
    Empty,
    /// It is a number.
    Number,
    /// It is text which among numbers means that there is none.
    NoNumber,
    /// It is any other text.
    Text,
}

/// How the cells of a table are written.
#[derive(Debug, Clone, Default)]
pub(super) struct CellSyntax {
    /// Whether a comma stands before decimals, and no point does.
    pub decimal_comma: bool,
    /// What means that there is no value.
    pub unset: Option<String>,
    /// What means an empty text.
    pub empty: Option<String>,
}

impl CellSyntax {
    /// Appends the cell's JSON value. White space around the text does not count.
    pub(super) fn append_json(&self, text: &str, json: &mut Vec<u8>) -> CellKind {
        let text = text.trim();
        if text.is_empty() || self.unset.as_deref() == Some(text) {
            json.extend_from_slice(b"null");
            return CellKind::Empty;
        }
        if self.empty.as_deref() == Some(text) {
            json.extend_from_slice(b"\"\"");
            return CellKind::Text;
        }
        let number = self.number(text);
        if let Some(number) = &number {
            json.extend_from_slice(number.as_bytes());
            return CellKind::Number;
        }
        append_json_string(text, json);
        if is_no_number(text) { CellKind::NoNumber } else { CellKind::Text }
    }

    /// The number as JSON spells it.
    pub(super) fn number<'text>(&self, text: &'text str) -> Option<Cow<'text, str>> {
        let number = match self.decimal_comma {
            false => Cow::Borrowed(text),
            true if text.contains('.') => return None,
            true => Cow::Owned(text.replacen(',', ".", 1)),
        };
        is_json_number(&number).then_some(number)
    }
}

fn is_no_number(text: &str) -> bool {
    let word = text.strip_prefix(['+', '-']).filter(|rest| !rest.is_empty()).unwrap_or(text);
    NO_NUMBER.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether the text looks like a number with a decimal comma, as `124,5` does.
pub(super) fn has_decimal_comma(text: &str) -> bool {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    unsigned.split_once(',').is_some_and(|(whole, decimals)| is_digits(whole) && is_digits(decimals))
}

/// Whether the text is a number as JSON spells it (RFC 8259, section 6) that fits a 64-bit float: no reader of JSON
/// agrees with another about `1e999`.
pub(super) fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    let spelled = is_digits(integer)
        && (integer == "0" || !integer.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    let small = exponent.is_none() && integer.len() < ALWAYS_FINITE;
    spelled && (small || text.parse::<f64>().is_ok_and(f64::is_finite))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Appends a JSON string (RFC 8259, section 7).
pub(super) fn append_json_string(text: &str, json: &mut Vec<u8>) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
    json.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => json.extend_from_slice(&[b'\\', byte]),
            b'\n' => json.extend_from_slice(b"\\n"),
            b'\r' => json.extend_from_slice(b"\\r"),
            b'\t' => json.extend_from_slice(b"\\t"),
            0..=0x1F => {
                let digits = [HEXADECIMAL[usize::from(byte >> 4)], HEXADECIMAL[usize::from(byte & 15)]];
                json.extend_from_slice(b"\\u00");
                json.extend_from_slice(&digits);
            }
            _ => json.push(byte),
        }
    }
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> String {
        let mut json = Vec::new();
        CellSyntax::default().append_json(text, &mut json);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        for number in ["0", "-0", "7", "0.00", "-1.50", "12345678901234567890", "1e5", "1E-5", "2.5e+3", "1e-999"] {
            assert_eq!(json(number), number);
        }
        assert_eq!(json(" 42 "), "42");
    }

    #[test]
    fn what_json_does_not_call_a_number_is_a_string() {
        let long = "9".repeat(400);
        for text in
            ["007", "+1", ".5", "5.", "1e", "e5", "1e999", "-", "--1", "NaN", "inf", "0x1F", "1_000", "1 2", &long]
        {
            assert_eq!(json(text), format!("\"{text}\""));
        }
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(json(""), "null");
        assert_eq!(json("  "), "null");
    }

    #[test]
    fn a_decimal_comma_is_one_where_it_is_said() {
        let syntax = CellSyntax { decimal_comma: true, ..CellSyntax::default() };
        let read = |text| syntax.number(text).map(Cow::into_owned);
        assert_eq!(read("124,3135").as_deref(), Some("124.3135"));
        assert_eq!(read("-7").as_deref(), Some("-7"));
        for text in ["1.234", "1.234,5", "1,2,3", ",5", "007,5"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(has_decimal_comma(" -2,5 ") && has_decimal_comma("1,234"));
        assert!(!["2.5", "1,2,3", "a,5", ",5", "10.0.0.1,5"].into_iter().any(has_decimal_comma));
    }

    #[test]
    fn words_that_stand_for_no_number_are_known_in_any_spelling() {
        let kind = |text| CellSyntax::default().append_json(text, &mut Vec::new());
        for text in ["NaN", "-inf", "+Infinity", "N/A", "NA", "#N/A", "NULL", "None", "\\N", "?", "-"] {
            assert_eq!(kind(text), CellKind::NoNumber, "{text}");
        }
        assert_eq!(["+", "nano", "0", ""].map(kind).map(|kind| kind == CellKind::NoNumber), [false; 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_cell_is_valid_json_and_keeps_its_text(text in "\\PC*|[\\x00-\\x7f]{0,12}|-?[0-9.eE+-]{0,8}") {
            let value: serde_json::Value = serde_json::from_str(&json(&text)).unwrap();
            match value {
                serde_json::Value::String(read) => prop_assert_eq!(read, text.trim()),
                serde_json::Value::Number(_) => prop_assert!(text.trim().parse::<f64>().unwrap().is_finite()),
                serde_json::Value::Null => prop_assert_eq!(text.trim(), ""),
                other => prop_assert!(false, "{other}"),
            }
        }
    }
}
