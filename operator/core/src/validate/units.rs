//! Durations and quantities as Kubernetes writes them.

use std::time::Duration;

/// A duration of GEP-2257: one to four numbers of at most five digits, each with h, m, s or ms.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok().filter(|_| digits <= 5)?;
        let unit_length = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        total += match &rest[digits..digits + unit_length] {
            "h" => Duration::from_secs(number * 3600),
            "m" => Duration::from_secs(number * 60),
            "s" => Duration::from_secs(number),
            "ms" => Duration::from_millis(number),
            _ => return None,
        };
        rest = &rest[digits + unit_length..];
        parts += 1;
    }
    (1..=4).contains(&parts).then_some(total)
}

/// An amount of something, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount(i128);

const UNIT: i128 = 1_000_000_000;

impl Amount {
    /// The amount in whole units; none if it is too large for them.
    pub(super) fn rounded_up(self) -> Option<i64> {
        i64::try_from((self.0 + UNIT - 1) / UNIT).ok()
    }
}

/// A quantity of Kubernetes, not negative: a decimal number with a decimal or binary suffix, or an exponent.
pub(super) fn parse_quantity(text: &str) -> Option<Amount> {
    let number_length = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, suffix) = text.split_at(number_length);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || whole.len() + fraction.len() > 18 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    // Above, that many digits were taken for whole units.
    let divisor = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let scale = match suffix {
        "n" => 1,
        "u" => 1000,
        "m" => UNIT / 1000,
        "" => UNIT,
        "k" => UNIT * 1000,
        "M" => UNIT * 1000_i128.pow(2),
        "G" => UNIT * 1000_i128.pow(3),
        "T" => UNIT * 1000_i128.pow(4),
        "P" => UNIT * 1000_i128.pow(5),
        "E" => UNIT * 1000_i128.pow(6),
        "Ki" => UNIT << 10,
        "Mi" => UNIT << 20,
        "Gi" => UNIT << 30,
        "Ti" => UNIT << 40,
        "Pi" => UNIT << 50,
        "Ei" => UNIT << 60,
        _ => {
            let exponent: u32 = suffix.strip_prefix(['e', 'E'])?.trim_start_matches('+').parse().ok()?;
            UNIT.checked_mul(10_i128.checked_pow(exponent)?)?
        }
    };
    let scaled = digits.checked_mul(scale)?;
    Some(Amount((scaled + divisor - 1) / divisor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn units(text: &str) -> Option<i64> {
        parse_quantity(text).and_then(Amount::rounded_up)
    }

    #[test]
    fn quantities_are_read_as_kubernetes_does() {
        let table = [
            ("128Mi", 134_217_728),
            ("1.5Gi", 1_610_612_736),
            ("1k", 1000),
            ("2", 2),
            ("100m", 1),
            ("2500m", 3),
            ("1e3", 1000),
            ("1E3", 1000),
            ("1E", 1_000_000_000_000_000_000),
            (".5k", 500),
            ("1.", 1),
            ("1n", 1),
        ];
        for (text, expected) in table {
            assert_eq!(units(text), Some(expected), "{text}");
        }
        for bad in ["", ".", "Mi", "1.2.3", "-1", "1 Mi", "1mi", "1ki", "1e", "1e99", "99999999999999999999", "9Ei1"] {
            assert_eq!(units(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_read_as_the_gateway_api_does() {
        let table = [
            ("10s", 10_000),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1h1m1s1ms", 3_661_001),
            ("0s", 0),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "10", "s", "1d", "-1s", "1.5h", "100000s", "1h1h1h1h1h", "10 s", "1µs"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn nothing_that_is_typed_breaks_a_parser(text in ".{0,24}") {
            let _ = parse_duration(&text);
            let _ = units(&text);
        }

        #[test]
        fn more_is_never_less(left in 0..1_000_000_000_u64, right in 0..1_000_000_000_u64, suffix in "(m|k|M|Ki|Mi|Gi)?") {
            let amount = |number: u64| parse_quantity(&format!("{number}{suffix}")).unwrap();
            prop_assert_eq!(left.cmp(&right), amount(left).cmp(&amount(right)));
        }
    }
}
