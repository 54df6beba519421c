//! What time it is at a server, by the `Date` of its answers: what it says of its objects is by this clock, and ours may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// See the module; clones share it.
#[derive(Debug, Clone, Default)]
pub struct ServerClock {
    /// Milliseconds that it is ahead of ours.
    ahead: Arc<AtomicI64>,
}

impl ServerClock {
    /// As the last answer told; by our own clock where none told.
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
            self.ahead.store(theirs.as_millisecond() - now.as_millisecond(), Ordering::Relaxed);
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
    fn the_clock_is_that_of_the_last_answer() {
        let (clock, ours) = (ServerClock::default(), "2026-11-29T08:00:00Z".parse().unwrap());
        assert_eq!(clock.by(ours), ours);
        clock.note_date("Sat, 28 Nov 2026 08:00:10 GMT", ours);
        clock.note_date("some day", ours);
        assert_eq!(clock.by(ours), "2026-11-28T08:00:10Z".parse().unwrap());
    }
}
