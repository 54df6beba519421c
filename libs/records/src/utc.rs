//! When a record was made: a text with or without a zone, or a number. A time without a zone is UTC everywhere.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

use crate::scalar::{Scalar, ScalarKind};

/// Numbers below these count seconds since 1970, milliseconds, microseconds, nanoseconds, each up to the year 5138; beside
/// each the nanoseconds of one.
const UNITS: [(f64, u32); 4] = [(1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (1e20, 1)];

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UtcSpelling {
    /// As text with a zone.
    Zoned,
    /// As text without one.
    WithoutZone,
    /// As a number.
    Number,
}

/// Reads a time, and how it is written. `None` where the value is no time.
pub fn read_utc(value: Scalar<'_>) -> Option<(Timestamp, UtcSpelling)> {
    match value.kind() {
        ScalarKind::Text => of_text(&value.text()?),
        ScalarKind::Number => Some((of_number(value.json())?, UtcSpelling::Number)),
        ScalarKind::Null | ScalarKind::Boolean | ScalarKind::Nested => None,
    }
}

fn of_text(text: &str) -> Option<(Timestamp, UtcSpelling)> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some((time, UtcSpelling::Zoned));
    }
    let pieces = Pieces::parse(text).ok()?;
    if pieces.offset().is_some() || pieces.time_zone_annotation().is_some() {
        return None;
    }
    let time = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    Some((Offset::UTC.to_timestamp(time).ok()?, UtcSpelling::WithoutZone))
}

/// Whole numbers stay exact; a fraction has microseconds.
fn of_number(json: &str) -> Option<Timestamp> {
    let number: f64 = json.parse().ok()?;
    let (_, unit) = UNITS.into_iter().find(|(below, _)| number.abs() < *below)?;
    let nanoseconds = match json.parse::<i128>() {
        Ok(whole) => whole * i128::from(unit),
        #[allow(clippy::cast_possible_truncation, reason = "it is below 1e17")]
        Err(_) => (number * (f64::from(unit) / 1e3)).round() as i128 * 1_000,
    };
    Timestamp::from_nanosecond(nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_however_it_is_written() {
        use UtcSpelling::{Number, WithoutZone, Zoned};
        let time = "2026-11-20T08:00:00.5Z".parse::<Timestamp>().unwrap();
        for (json, spelling) in [
            ("\"2026-11-20T08:00:00.5Z\"", Zoned),
            ("\"2026-11-20 08:00:00.5+00:00\"", Zoned),
            ("\"2026-11-20T13:30:00.5+05:30\"", Zoned),
            ("\"2026-11-20T08:00:00.5\"", WithoutZone),
            ("\"2026-11-20 08:00:00.5\"", WithoutZone),
            ("1795161600.5", Number),
            ("1795161600500", Number),
            ("1795161600500.0", Number),
            ("1.7951616005e9", Number),
            ("1795161600500000", Number),
            ("1795161600500000.0", Number),
            ("1795161600500000000", Number),
            ("1.7951616005e18", Number),
        ] {
            assert_eq!(read_utc(Scalar::of_json(json)), Some((time, spelling)), "{json}");
        }
    }

    #[test]
    fn units_are_told_apart_by_size_and_what_is_no_time_is_none() {
        for (json, text) in [
            ("0", "1970-01-01T00:00:00Z"),
            ("-1", "1969-12-31T23:59:59Z"),
            ("99999999999", "5138-11-16T09:46:39Z"),
            ("100000000000", "1973-03-03T09:46:40Z"),
            ("9999999999999999999", "2286-11-20T17:46:39.999999999Z"),
            ("\"2026-11-20\"", "2026-11-20T00:00:00Z"),
        ] {
            assert_eq!(read_utc(Scalar::of_json(json)).unwrap().0.to_string(), text, "{json}");
        }
        let none = ["null", "true", "\"\"", "\"yesterday\"", "[1]", "1e300", "\"2026-11-20T08:00:00[Europe/Berlin]\""];
        for json in none {
            assert_eq!(read_utc(Scalar::of_json(json)), None, "{json}");
        }
    }
}
