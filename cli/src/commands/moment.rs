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
        let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        let date = || text.parse::<Date>().and_then(midnight);
        let moment = text.parse::<Timestamp>().or_else(|_| date());
        moment.map(Self).map_err(|_| format!("{text:?} is no time: write 2026-11-20 or 2026-11-20T08:42:10Z"))
    }
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
        for wrong in ["", "yesterday", "2026-13-01"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
