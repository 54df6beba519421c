//! How much one unit of work may hold, in bytes of the input and in time. What a slow broker does not take in time is given up and
//! read again, so the next unit holds less; when commits are quick again it holds more. And while there is always more to read,
//! units last longer the longer their commits take: the detector does nothing else meanwhile.

use std::time::Duration;

/// Far more than one interval of a fast broker brings.
const MOST: usize = 32 * 1024 * 1024;
/// A commit that takes less leaves room for a larger unit.
const QUICK: Duration = Duration::from_secs(1);
/// One that takes more comes near to the time-outs of the transaction and the group.
const SLOW: Duration = Duration::from_secs(5);
/// A unit is committed when it is this old, or earlier when a poll finds nothing or somebody waits for an alert.
const INTERVAL: Duration = Duration::from_millis(100);
/// So much longer than its commit a unit lasts,
const TIMES_A_COMMIT: u32 = 9;
/// and no longer than this.
const LONGEST_INTERVAL: Duration = Duration::from_millis(500);

/// What a unit's commit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// There is more to read than a batch holds.
    Backlog,
    /// Somebody waits for an alert that nobody sees before.
    Alert,
    Usual,
}

/// Bytes of the input, each record with [`Allowance::of_record`], and how old a unit gets. It holds one record at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    bytes: usize,
    interval: Duration,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { bytes: MOST, interval: INTERVAL }
    }
}

impl Allowance {
    /// What a record with a key and value of so many bytes takes.
    pub(crate) fn of_record(bytes: usize) -> usize {
        // Kafka's framing; so also of empty records a unit can hold a single one.
        bytes + 64
    }

    /// What a unit that holds so much may still take.
    pub(crate) fn room(self, held: usize) -> usize {
        self.bytes.saturating_sub(held)
    }

    /// Whether a unit is to be committed that holds so much and is so old. It lasts longer than usual only under a backlog: what
    /// trickles in is waited for by somebody. One that holds an alert which nobody sees before the commit is not kept waiting at all,
    /// unless there is a backlog: then it is late already, and how soon that is gone counts.
    pub(crate) fn is_used_up(self, held: usize, age: Duration, haste: Haste) -> bool {
        let longest = match haste {
            Haste::Backlog => self.interval,
            Haste::Alert => Duration::ZERO,
            Haste::Usual => INTERVAL,
        };
        self.room(held) == 0 || age >= longest
    }

    /// A unit that held so much was given up. What held nothing was none.
    pub(crate) fn after_abort(&mut self, held: usize) {
        self.interval = INTERVAL;
        if held > 0 {
            self.bytes = (self.bytes.min(held) / 2).max(1);
        }
    }

    /// The commit of a unit that held so much took so long.
    pub(crate) fn after_commit(&mut self, held: usize, took: Duration) {
        self.interval = (TIMES_A_COMMIT * took).clamp(INTERVAL, LONGEST_INTERVAL);
        if took > SLOW {
            self.after_abort(held);
        } else if took < QUICK {
            self.bytes = self.bytes.saturating_mul(2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that such a broker takes in time, of a unit that holds all that it may.
    fn units(bytes_a_second: u64, patience: Duration) -> Vec<(usize, bool)> {
        let mut allowance = Allowance::default();
        let unit = |_| {
            let held = allowance.room(0).min(3_000_000);
            let took = Duration::from_millis(held as u64 * 1_000 / bytes_a_second);
            let is_taken = took < patience;
            if is_taken {
                allowance.after_commit(held, took);
            } else {
                allowance.after_abort(held);
            }
            (held, is_taken)
        };
        (0..40).map(unit).collect()
    }

    #[test]
    fn a_broker_of_60_kilobytes_a_second_soon_takes_every_unit() {
        let units = units(60_000, Duration::from_secs(7));
        assert!(units[0] == (3_000_000, false) && units[4..].iter().all(|(_, is_taken)| *is_taken), "{units:?}");
        assert!(units[4..].iter().all(|(held, _)| *held > 50_000), "{units:?}");
    }

    #[test]
    fn a_quick_broker_is_given_all_that_there_is() {
        assert!(units(100_000_000, Duration::from_secs(7)).iter().all(|unit| *unit == (3_000_000, true)));
    }

    #[test]
    fn a_unit_lasts_longer_where_its_commit_does_and_never_long() {
        let mut allowance = Allowance::default();
        for (took, age, is_used_up) in
            [(1, 99, false), (1, 100, true), (40, 359, false), (40, 360, true), (900, 500, true)]
        {
            allowance.after_commit(1, Duration::from_millis(took));
            assert_eq!(allowance.is_used_up(1, Duration::from_millis(age), Haste::Backlog), is_used_up, "{took} {age}");
        }
        assert!(!allowance.is_used_up(1, INTERVAL, Haste::Backlog) && allowance.is_used_up(1, INTERVAL, Haste::Usual));
        allowance.after_abort(1);
        assert!(allowance.is_used_up(0, INTERVAL, Haste::Backlog));
    }

    #[test]
    fn an_alert_is_committed_at_once_unless_there_is_a_backlog() {
        let allowance = Allowance::default();
        let is_used_up = |haste| allowance.is_used_up(1, Duration::ZERO, haste);
        assert_eq!([Haste::Alert, Haste::Backlog, Haste::Usual].map(is_used_up), [true, false, false]);
    }

    #[test]
    fn units_shrink_to_a_single_record_and_grow_again() {
        let mut allowance = Allowance::default();
        for _ in 0..40 {
            allowance.after_abort(MOST);
        }
        assert_eq!(allowance.room(0), 1);
        assert!(Allowance::of_record(0) > allowance.room(0));
        for _ in 0..40 {
            allowance.after_commit(1, Duration::ZERO);
        }
        assert_eq!(allowance, Allowance::default());
    }
}
