//! Times on the command line, and how long something lasts.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// A time, or the midnight of a date in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub(super) Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let midnight = || day(text).ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        let moment = text.parse::<Timestamp>().ok().or_else(midnight);
        moment.map(Self).ok_or_else(|| {
            format!("{text:?} is no time: write 2026-11-20, or 2026-11-20T08:42:10 with Z or an offset such as +02:00")
        })
    }
}

/// A date alone: which day a time is of goes by where one is.
pub(super) fn day(text: &str) -> Result<Date, String> {
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| format!("{text:?} is no day: write 2026-11-20"))
}

/// How long something lasts, such as `2h`, `1h30m` or `3d`.
pub(super) fn duration(text: &str) -> Result<SignedDuration, String> {
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let lasting = span.ok().filter(SignedDuration::is_positive);
    lasting.ok_or_else(|| format!("{text:?} is not how long something lasts: write 30m, 2h or 3d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_some_time_that_ends() {
        let seconds = |text: &str| duration(text).map(|duration| duration.as_secs());
        let read = ["30m", "2h", "1h30m", "3d", "1w"].map(seconds);
        assert_eq!(read, [Ok(1_800), Ok(7_200), Ok(5_400), Ok(259_200), Ok(604_800)]);
        for wrong in ["", "0s", "-2h", "2", "soon", "1 month"] {
            assert!(duration(wrong).unwrap_err().contains("write 30m"), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_a_date() {
        let moment = |text: &str| text.parse::<Moment>().map(|moment| moment.0.to_string());
        assert_eq!(moment("2026-11-20").as_deref(), Ok("2026-11-20T00:00:00Z"));
        assert_eq!(moment("2026-11-20T08:00:00+02:00").as_deref(), Ok("2026-11-20T06:00:00Z"));
        assert_eq!(moment("2026-11-20 08:00:00Z").as_deref(), Ok("2026-11-20T08:00:00Z"));
        for wrong in ["", "yesterday", "2026-13-01"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
        // It is not the midnight of its day.
        for of_nowhere in ["2026-11-20T08:00:00", "2026-11-20 08:00:00", "2026-11-20T08:00", "2026-11-20T08:00[UTC]"] {
            assert!(moment(of_nowhere).unwrap_err().contains("with Z or an offset"), "{of_nowhere}");
        }
    }

    #[test]
    fn a_day_has_no_time() {
        assert_eq!(day("2026-11-20").map(|day| day.to_string()).as_deref(), Ok("2026-11-20"));
        for wrong in ["", "20", "2026-11-20T23:30:00-05:00", "2026-11-20 08:00", "2026-11-20Z", "2026-11-31"] {
            assert!(day(wrong).unwrap_err().contains("write 2026-11-20"), "{wrong}");
        }
    }
}
