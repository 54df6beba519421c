//! A period of the archive that is known to be clean, by the `utc` of the records.

use std::fmt::{self, Display};
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// From a time on, and before another. As text an interval of ISO 8601, `2026-01-01T00:00:00Z/2026-02-01T00:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceWindow {
    from: Timestamp,
    to: Timestamp,
}

/// Why it is no window.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReferenceWindowError {
    /// It ends before it begins, or with it.
    #[error("is an empty period: from {from} is not before to {to}")]
    Empty {
        /// Its begin.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// It is not two times.
    #[error("{text:?} is not FROM/TO, two times such as 2026-01-01T00:00:00Z/2026-02-01T00:00:00Z")]
    Text {
        /// What was given.
        text: String,
    },
}

impl ReferenceWindow {
    /// The period from a time on and before another.
    ///
    /// # Errors
    /// When there is no time in it.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, ReferenceWindowError> {
        if from < to { Ok(Self { from, to }) } else { Err(ReferenceWindowError::Empty { from, to }) }
    }

    /// Its first time.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Whether a time lies in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }
}

impl Display for ReferenceWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.from, self.to)
    }
}

impl FromStr for ReferenceWindow {
    type Err = ReferenceWindowError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let times = text.split_once('/').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from, to) = times.ok_or_else(|| ReferenceWindowError::Text { text: text.to_owned() })?;
        Self::new(from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_two_times_in_order_and_reads_back_as_it_is_written() {
        let window: ReferenceWindow = "2026-01-01T01:00:00+01:00/2026-01-01T00:00:00.5Z".parse().unwrap();
        assert_eq!(window.to_string(), "2026-01-01T00:00:00Z/2026-01-01T00:00:00.5Z");
        assert_eq!(window.to_string().parse(), Ok(window));
        let holds = ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z"]
            .map(|time| window.contains(time.parse().unwrap()));
        assert_eq!(holds, [false, true, false]);
        for text in ["", "2026-01-01T00:00:00Z", "yesterday/today"] {
            assert!(matches!(text.parse::<ReferenceWindow>(), Err(ReferenceWindowError::Text { .. })), "{text}");
        }
        let refused = "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z".parse::<ReferenceWindow>().unwrap_err().to_string();
        assert!(refused.contains("2026-01-02T00:00:00Z is not before to 2026-01-01T00:00:00Z"), "{refused}");
    }
}
