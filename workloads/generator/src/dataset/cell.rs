//! One CSV cell as a JSON value: a number where its text is one, a string otherwise, null where it is empty.

/// Digits beyond which, or an exponent with which, a number may be too large for a 64-bit float.
const ALWAYS_FINITE: usize = 300;

/// Appends the cell's JSON value. White space around the text does not count.
pub(super) fn append_json(text: &str, json: &mut Vec<u8>) {
    let text = text.trim();
    if text.is_empty() {
        json.extend_from_slice(b"null");
    } else if is_json_number(text) {
        json.extend_from_slice(text.as_bytes());
    } else {
        append_json_string(text, json);
    }
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
        append_json(text, &mut json);
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
