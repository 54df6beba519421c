//! A time on the command line.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

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

#[cfg(test)]
mod tests {
    use super::*;

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
