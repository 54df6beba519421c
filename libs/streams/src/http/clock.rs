//! What time it is at a server, by the `Date` of its answers: what it says of its objects is by this clock, and ours may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// A `Date` is of the whole second in which it was said.
const SECOND: i64 = 1_000;

/// See the module; clones share it.
#[derive(Debug, Clone, Default)]
pub struct ServerClock {
    /// Milliseconds that it is ahead of ours.
    ahead: Arc<AtomicI64>,
}

impl ServerClock {
    /// As the answers told, to less than a second; by our own clock where none told. Where the server's clock is not set back, this never goes
    /// back either.
    pub fn now(&self) -> Timestamp {
        self.by(Timestamp::now())
    }

    /// An answer came just now.
    pub(super) fn note(&self, answer: &HttpResponse) {
        let told = answer.headers().get("date").filter(|_| answer.status().is_success());
        told.into_iter().for_each(|date| self.note_date(date, Timestamp::now()));
    }

    fn note_date(&self, date: &str, now: Timestamp) {
        if let Ok(theirs) = DateTimeParser::new().parse_timestamp(date) {
            let least = theirs.as_millisecond() - now.as_millisecond();
            // What fits all answers stays: by the second of each alone the clock would go back within the next.
            let fitting = |ahead: i64| Some(ahead.clamp(least, least + SECOND - 1));
            let _ = self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fitting);
        }
    }

    fn by(&self, ours: Timestamp) -> Timestamp {
        let theirs = ours.as_millisecond().saturating_add(self.ahead.load(Ordering::Relaxed));
        Timestamp::from_millisecond(theirs).unwrap_or(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_that_of_the_answers() {
        let (clock, ours) = (ServerClock::default(), "2026-11-29T08:00:00Z".parse().unwrap());
        assert_eq!(clock.by(ours), ours);
        clock.note_date("Sat, 28 Nov 2026 08:00:10 GMT", ours);
        clock.note_date("some day", ours);
        assert_eq!(clock.by(ours), "2026-11-28T08:00:10.999Z".parse().unwrap());
        clock.note_date("Sun, 29 Nov 2026 08:00:10 GMT", ours);
        assert_eq!(clock.by(ours), "2026-11-29T08:00:10Z".parse().unwrap(), "set forth, by what it is at least");
    }

    #[test]
    fn within_a_second_the_clock_does_not_go_back() {
        let clock = ServerClock::default();
        let at = |milliseconds: i64| Timestamp::from_millisecond(1_764_500_000_000 + milliseconds).unwrap();
        // The server's clock is 300 ms ahead.
        let mut before = at(-1);
        for ours in (0..5_000).step_by(70) {
            let date =
                jiff::fmt::rfc2822::to_string(&at((ours + 300) / 1_000 * 1_000).to_zoned(jiff::tz::TimeZone::UTC));
            clock.note_date(&date.unwrap(), at(ours));
            let now = clock.by(at(ours));
            assert!(now > before && now <= at(ours + 300), "{now} at {}", at(ours));
            before = now;
        }
        assert!(before > at(4_970 + 200), "{before} is near that of the server");
    }
}
