//! Holds a budget of alerts between trainings. A calibration tells how often records alert that are like those it is of; a stream that
//! has moved since lets more alert, or fewer. What is counted of it moves the threshold, slowly and not far: a flood of anomalies is
//! to be told, not to be learned.

use crate::model::calibration::threshold_for_budget;

/// The budget that the threshold is for is at most so many times the one that was asked for, and at least that part of it.
pub const FARTHEST: f64 = 3.;
/// The threshold moves after as many records as so many alerts are expected of.
const ALERTS_A_STEP: f64 = 25.;
/// How much of what is amiss a step mends, so that what is chance in the counts moves little.
const GAIN: f64 = 0.25;
/// A step changes the budget in force by a tenth at most, whatever was counted: an hour of anomalies does not hide the next.
const LARGEST_STEP: f64 = 0.1;

/// With the threshold at its end, a budget is exceeded where so many times as many alert, until the threshold comes back from there.
const EXCEEDED: f64 = 1.5;

/// See the module. What is told to it is what was counted by the threshold that it last gave.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetTracker {
    alert_budget_per_million: f64,
    /// The logarithm of the budget in force over the one that was asked for.
    moved: f64,
    is_exceeded: bool,
    /// Since the last step.
    records: u64,
    alerts: u64,
}

impl BudgetTracker {
    /// A tracker of so many records per million.
    pub fn new(alert_budget_per_million: f64) -> Self {
        Self { alert_budget_per_million, moved: 0., is_exceeded: false, records: 0, alerts: 0 }
    }

    /// Of so many more records that were scored so many alerted.
    pub fn count(&mut self, records: u64, alerts: u64) {
        self.records += records;
        self.alerts += alerts;
        let expected = self.records as f64 * self.alert_budget_per_million / 1e6;
        if expected < ALERTS_A_STEP {
            return;
        }
        let amiss = (expected - self.alerts as f64) / expected;
        let farthest = FARTHEST.ln();
        self.moved = (self.moved + (GAIN * amiss).clamp(-LARGEST_STEP, LARGEST_STEP)).clamp(-farthest, farthest);
        let is_at_end = self.moved <= -farthest;
        self.is_exceeded = is_at_end && (self.is_exceeded || self.alerts as f64 > EXCEEDED * expected);
        (self.records, self.alerts) = (0, 0);
    }

    /// The budget that was asked for, records per million.
    pub fn alert_budget_per_million(&self) -> f64 {
        self.alert_budget_per_million
    }

    /// The budget whose threshold is in force, records per million by the calibration.
    pub fn budget_in_force_per_million(&self) -> f64 {
        (self.alert_budget_per_million * self.moved.exp()).min(1e6)
    }

    /// Whether the threshold is as far as it goes, and more records alert than may.
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    /// The score above which a record alerts.
    pub fn threshold(&self) -> f64 {
        threshold_for_budget(self.budget_in_force_per_million())
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    const BUDGET: f64 = 5_000.;

    /// Alerts per million in the second half of a stream in which so many times as many records as calibrated are above each
    /// threshold, and the tracker at its end.
    fn run(times: f64, records: u32, batch: u64) -> (f64, BudgetTracker) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut tracker = BudgetTracker::new(BUDGET);
        let (mut late, mut seen, mut alerts) = (0, 0, 0);
        for record in 0..records {
            let alert = 1. - random.random::<f64>() / times > tracker.threshold();
            (seen, alerts) = (seen + 1, alerts + u64::from(alert));
            late += u64::from(alert && record >= records / 2);
            if seen == batch {
                tracker.count(seen, alerts);
                (seen, alerts) = (0, 0);
            }
        }
        (late as f64 * 2e6 / f64::from(records), tracker)
    }

    #[test]
    fn a_stream_that_has_moved_by_less_than_three_times_comes_back_to_the_budget() {
        for times in [0.4, 0.7, 1., 1.5, 2.8] {
            for batch in [1, 700] {
                let (late, tracker) = run(times, 400_000, batch);
                assert!(!tracker.is_exceeded(), "{tracker:?}");
                assert!(
                    (0.8 * BUDGET..1.2 * BUDGET).contains(&late),
                    "{late} a million where {times} times the budget"
                );
            }
        }
    }

    #[test]
    fn the_threshold_moves_by_three_times_the_budget_at_most() {
        let (_, tracker) = run(50., 400_000, 500);
        assert!((tracker.budget_in_force_per_million() - BUDGET / FARTHEST).abs() < 1e-6, "{tracker:?}");
        assert!(tracker.is_exceeded());
        let (late, tracker) = run(0.01, 400_000, 500);
        assert!((tracker.budget_in_force_per_million() - BUDGET * FARTHEST).abs() < 1e-6, "{tracker:?}");
        assert!(late < BUDGET / 10. && !tracker.is_exceeded());
    }

    #[test]
    fn an_attack_of_ten_thousand_records_alerts_to_its_end() {
        for budget in [100., 1_000., 10_000.] {
            // They are rarer than two thirds of what may alert, and come after records that keep the budget.
            let score = threshold_for_budget(budget * 2. / 3.);
            for before in [0, 7] {
                let mut tracker = BudgetTracker::new(budget);
                tracker.count(before * 250_000, before * 250_000 * budget as u64 / 1_000_000);
                let alerts = (0..10_000).filter(|_| {
                    let alerts = score > tracker.threshold();
                    tracker.count(1, alerts.into());
                    alerts
                });
                assert_eq!(alerts.count(), 10_000, "of a budget of {budget}: {tracker:?}");
            }
        }
    }

    #[test]
    fn few_records_move_nothing_however_many_alert() {
        let mut tracker = BudgetTracker::new(BUDGET);
        for alerts in [0, 4_999] {
            tracker.count(4_999, alerts);
            assert_eq!(tracker.threshold().to_bits(), threshold_for_budget(BUDGET).to_bits(), "{tracker:?}");
            tracker = BudgetTracker::new(BUDGET);
        }
    }

    #[test]
    fn after_a_flood_and_after_a_time_without_alerts_it_comes_back() {
        for alerts in [1_000, 0] {
            let mut tracker = BudgetTracker::new(BUDGET);
            (0..1_000).for_each(|_| tracker.count(1_000, alerts));
            assert!((tracker.budget_in_force_per_million() / BUDGET).ln().abs() > 1., "{tracker:?}");
            // As many alert again as the calibration says of the threshold.
            for _ in 0..200 {
                let alerts = 1_000. * tracker.budget_in_force_per_million() / 1e6;
                tracker.count(1_000, alerts.round() as u64);
            }
            assert!((tracker.budget_in_force_per_million() / BUDGET).ln().abs() < 0.15, "{tracker:?}");
            assert!(!tracker.is_exceeded());
        }
    }

    #[test]
    fn no_budget_and_all_of_it_stay_as_they_are() {
        for (budget, threshold) in [(0., 1.), (1e6, 0.)] {
            let mut tracker = BudgetTracker::new(budget);
            tracker.count(1_000_000, if budget > 0. { 1_000_000 } else { 0 });
            assert!((tracker.threshold() - threshold).abs() < 1e-12, "{tracker:?}");
        }
    }
}
