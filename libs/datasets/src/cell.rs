//! One cell of a table as a JSON value: a number where its text is one, a string otherwise, null where it is empty.

use std::borrow::Cow;
use std::net::IpAddr;

use vedette_contract::arguments::DecimalMark;

/// Digits beyond which, or an exponent with which, a number may be too large for a 64-bit float.
const ALWAYS_FINITE: usize = 300;

/// What stands in numeric columns where no number does, in small letters and without a sign.
const NO_NUMBER: [&str; 11] = ["nan", "inf", "infinity", "na", "n/a", "#n/a", "null", "none", "\\n", "?", "-"];

/// What stands between thousands. A blank is no such mark: it stands in telephone numbers, too.
const THOUSANDS: [char; 6] = [',', '.', '\'', '’', '\u{a0}', '\u{202f}'];

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

/// What stands before the decimals of a table's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Decimals {
    /// A point, and no marks stand between thousands.
    #[default]
    Point,
    /// A point, unless a value tells otherwise.
    Open,
    /// This, as it was said: marks between thousands are read over.
    Told(DecimalMark),
}

/// How the cells of a table are written.
#[derive(Debug, Clone, Default)]
pub(super) struct CellSyntax {
    pub decimals: Decimals,
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
        let (number, mark) = match self.decimals {
            Decimals::Point | Decimals::Open => (Some(Cow::Borrowed(text)), None),
            Decimals::Told(DecimalMark::Point) => (Some(Cow::Borrowed(text)), Some('.')),
            Decimals::Told(DecimalMark::Comma) if text.contains('.') => (None, Some(',')),
            Decimals::Told(DecimalMark::Comma) => (Some(Cow::Owned(text.replacen(',', ".", 1))), Some(',')),
        };
        let number = number.filter(|number| is_json_number(number));
        number.or_else(|| mark.and_then(|mark| ungrouped(text, mark)).map(Cow::Owned))
    }
}

/// The number, as JSON spells it, that has marks between its thousands and another before its decimals.
fn ungrouped(text: &str, decimal_mark: char) -> Option<String> {
    let (integer, decimals) = match text.split_once(decimal_mark) {
        Some((integer, decimals)) => (integer, Some(decimals)),
        None => (text, None),
    };
    let unsigned = integer.strip_prefix('-').unwrap_or(integer);
    let mark = unsigned.chars().find(|character| !character.is_ascii_digit())?;
    let mut groups = unsigned.split(mark);
    let is_grouped = THOUSANDS.contains(&mark)
        && groups.next().is_some_and(|first| first.len() <= 3 && is_digits(first))
        && groups.all(|group| group.len() == 3 && is_digits(group));
    if !is_grouped || text.parse::<IpAddr>().is_ok() {
        return None;
    }
    let point = if decimals.is_some() { "." } else { "" };
    let number = [&integer.replace(mark, ""), point, decimals.unwrap_or_default()].concat();
    is_json_number(&number).then_some(number)
}

/// Whether the text is a number only if there are marks between its thousands, as in `1.234,56` and `1,234.56`.
pub(super) fn has_thousands(text: &str) -> bool {
    let text = text.trim();
    !is_json_number(text) && ['.', ','].into_iter().any(|mark| ungrouped(text, mark).is_some())
}

fn is_no_number(text: &str) -> bool {
    let word = text.strip_prefix(['+', '-']).filter(|rest| !rest.is_empty()).unwrap_or(text);
    NO_NUMBER.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether a text is a number, an address or a time, which are values and no names.
pub(super) fn is_value(text: &str) -> bool {
    CellSyntax::default().number(text).is_some()
        || text.parse::<IpAddr>().is_ok()
        || text.parse::<jiff::civil::DateTime>().is_ok()
        || text.parse::<jiff::Timestamp>().is_ok()
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
        let syntax = CellSyntax { decimals: Decimals::Told(DecimalMark::Comma), ..CellSyntax::default() };
        let read = |text| syntax.number(text).map(Cow::into_owned);
        assert_eq!(read("124,3135").as_deref(), Some("124.3135"));
        assert_eq!(read("-7").as_deref(), Some("-7"));
        for text in ["1,2,3", ",5", "007,5", "1.23", "1.23,5"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(has_decimal_comma(" -2,5 ") && has_decimal_comma("1,234"));
        assert!(!["2.5", "1,2,3", "a,5", ",5", "10.0.0.1,5"].into_iter().any(has_decimal_comma));
    }

    #[test]
    fn marks_between_thousands_are_read_over_where_the_decimal_mark_is_said() {
        let read = |mark, text| {
            let syntax = CellSyntax { decimals: Decimals::Told(mark), ..CellSyntax::default() };
            syntax.number(text).map(Cow::into_owned)
        };
        for (text, number) in
            [("1.234,56", "1234.56"), ("-12.345.678", "-12345678"), ("1'234,5", "1234.5"), ("7,5", "7.5")]
        {
            assert_eq!(read(DecimalMark::Comma, text).as_deref(), Some(number), "{text}");
        }
        for (text, number) in
            [("1,234.56", "1234.56"), ("1,234", "1234"), ("1\u{202f}234.5", "1234.5"), ("1.234", "1.234")]
        {
            assert_eq!(read(DecimalMark::Point, text).as_deref(), Some(number), "{text}");
        }
        for text in ["124,5", "1,2345", "1,234,5", "1.2,3", "0,123", "10,20", ",234", "1,234.", "1 234", "1.234.567,8"]
        {
            assert_eq!(read(DecimalMark::Point, text), None, "{text}");
        }
        assert_eq!(read(DecimalMark::Comma, "192.168.100.200"), None);
        assert!(["1.234,56", " 1,234.56", "1,234", "1.234.567", "1’234"].into_iter().all(has_thousands));
        assert!(
            !["1.234", "1234", "124,5", "10.0.0.1", "192.168.100.200", "1.2.3", "a,234"].into_iter().any(has_thousands)
        );
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
