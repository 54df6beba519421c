//! The last records, as counts: those of twenty seconds at least and forty at most, or of as long as it takes to see enough of them.

use jiff::{SignedDuration, Timestamp};

use super::{Bins, Spread, Stability};

/// So old is what is forgotten, at least.
const PERIOD: SignedDuration = SignedDuration::from_secs(20);
/// With fewer records nothing is said, and nothing is forgotten.
const RECORDS: u64 = 500;

/// See the module. It is looked at from time to time.
#[derive(Debug)]
pub(crate) struct Window {
    bins: Bins,
    /// What had been counted where the window begins,
    begin: Spread,
    /// and where the next one does.
    next: Option<(Timestamp, Spread)>,
}

impl Window {
    /// Compares with this.
    pub(crate) fn new(bins: Bins) -> Self {
        Self { bins, begin: Spread::default(), next: None }
    }

    /// So much is counted by now.
    pub(crate) fn look(&mut self, total: &Spread, now: Timestamp) {
        let Some((at, next)) = &self.next else {
            self.next = Some((now, total.clone()));
            return;
        };
        if now.duration_since(*at) >= PERIOD && total.rows - next.rows >= RECORDS {
            let before = self.next.replace((now, total.clone()));
            self.begin = before.map(|(_, before)| before).unwrap_or_default();
        }
    }

    /// The records since the window began; none where they are too few.
    pub(crate) fn compared(&self, total: &Spread) -> Option<Stability> {
        let recent = total.since(&self.begin);
        (recent.rows >= RECORDS).then(|| self.bins.compare(&recent))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bins, spread};
    use super::*;
    use vedette_contract::distribution::{PSI_MODERATE, PSI_SHIFTED};

    /// A stream that is looked at every ten seconds.
    struct Stream {
        window: Window,
        total: Spread,
        second: i64,
    }

    impl Stream {
        fn new() -> Self {
            Self { window: Window::new(bins()), total: Spread::default(), second: 0 }
        }

        /// What is said of scores after so many records of ten more seconds.
        fn psi(&mut self, count: u16, number: impl Fn(u16) -> f32) -> Option<f64> {
            // In batches, as they come.
            let first = u16::try_from(self.second).unwrap();
            let numbers: Vec<f32> = (first..first + count).map(number).collect();
            numbers.chunks(100).for_each(|batch| self.total.add(&spread(batch.iter().copied())));
            self.second += 10;
            self.window.look(&self.total, Timestamp::from_second(self.second).unwrap());
            self.window.compared(&self.total).and_then(|stability| stability.scores.psi())
        }
    }

    fn as_learned(number: u16) -> f32 {
        // A low discrepancy sequence, as uniform as ranks are.
        (f32::from(number) * 0.618_034).fract()
    }

    fn shifted(number: u16) -> f32 {
        0.5 + as_learned(number) / 2.
    }

    #[test]
    fn a_stream_that_goes_on_as_it_was_learned_is_never_said_to_have_changed() {
        let mut stream = Stream::new();
        for _ in 0..50 {
            let psi = stream.psi(700, as_learned).unwrap();
            assert!(psi < PSI_MODERATE, "{psi}");
        }
    }

    #[test]
    fn a_change_is_said_within_half_a_minute_whenever_it_comes_and_forgotten_as_soon() {
        for before in 1..8 {
            let mut stream = Stream::new();
            (0..before).for_each(|_| assert!(stream.psi(1_000, as_learned).is_some()));
            let said: Vec<f64> = (0..3).map(|_| stream.psi(1_000, shifted).unwrap()).collect();
            assert!(said[2] > PSI_SHIFTED, "after {before}: {said:?}");
            let after: Vec<f64> = (0..5).map(|_| stream.psi(1_000, as_learned).unwrap()).collect();
            assert!(after[4] < PSI_MODERATE, "after {before}: {after:?}");
        }
    }

    #[test]
    fn few_records_say_nothing_and_a_slow_stream_is_given_time() {
        let mut stream = Stream::new();
        assert!((0..49).all(|_| stream.psi(10, shifted).is_none()));
        assert!(stream.psi(10, shifted) > Some(PSI_SHIFTED));
        let told: Vec<_> = (0..200).map(|_| stream.psi(10, as_learned).unwrap()).collect();
        assert!(told[199] < PSI_MODERATE && told[0] > PSI_SHIFTED, "{told:?}");
        let idle = stream.psi(0, as_learned).unwrap();
        assert!((idle - told[199]).abs() < 1e-12, "what was seen last stands");
    }
}
