//! From which score on a record alerts, and how bad it is.

use thiserror::Error;
use vedette_contract::arguments::BudgetTracking;
use vedette_contract::health::BudgetHealth;
use vedette_contract::incident::Severity;
use vedette_forest::budget::BudgetTracker;
use vedette_forest::calibration;

/// When a record alerts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    /// Scores greater than this alert.
    score: f64,
    /// Who moves it, if it moves.
    tracker: Option<BudgetTracker>,
}

/// Why a threshold was refused.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum ThresholdError {
    /// Not a number of records per million.
    #[error("an alert budget of {0} records per million is not between 0 and 1000000")]
    Budget(f64),
    /// Not a score.
    #[error("a score threshold of {0} is not between 0 and 1")]
    Score(f64),
    /// Neither or both were given.
    #[error("give either an alert budget or a score threshold")]
    Choice,
}

impl Threshold {
    /// From an alert budget in records per million, or from a score between 0 and 1.
    ///
    /// # Errors
    /// When not exactly one is given, or it is out of range.
    pub(crate) fn new(
        budget_per_million: Option<f64>,
        tracking: BudgetTracking,
        score: Option<f64>,
    ) -> Result<Self, ThresholdError> {
        match (budget_per_million, score) {
            (Some(budget), None) if (0.0..=1e6).contains(&budget) => {
                let tracker = match tracking {
                    BudgetTracking::Enabled => Some(BudgetTracker::new(budget)),
                    BudgetTracking::Disabled => None,
                };
                Ok(Self { score: calibration::threshold_for_budget(budget), tracker })
            }
            (Some(budget), None) => Err(ThresholdError::Budget(budget)),
            (None, Some(score)) if (0.0..=1.0).contains(&score) => Ok(Self { score, tracker: None }),
            (None, Some(score)) => Err(ThresholdError::Score(score)),
            (None, None) | (Some(_), Some(_)) => Err(ThresholdError::Choice),
        }
    }

    pub(crate) fn score(&self) -> f64 {
        self.score
    }

    /// The budget that it is moved to hold.
    pub(crate) fn budget(&self) -> Option<BudgetHealth> {
        self.tracker.as_ref().map(|tracker| BudgetHealth {
            asked_for_per_million: tracker.alert_budget_per_million(),
            in_force_per_million: tracker.budget_in_force_per_million(),
            is_exceeded: tracker.is_exceeded(),
        })
    }

    /// Of so many more records that were scored so many alerted by it.
    pub(crate) fn count(&mut self, records: u64, alerts: u64) {
        if let Some(tracker) = &mut self.tracker {
            tracker.count(records, alerts);
            self.score = tracker.threshold();
        }
    }

    /// How bad it is to score so much, which is above the threshold: medium and high are above the thresholds of a tenth and a
    /// hundredth of the budget. A record that is also outside everything learned is critical, not high.
    pub(crate) fn severity(&self, score: f64, is_outside: impl FnOnce() -> bool) -> Severity {
        let beyond = |part: f64| score > 1. - (1. - self.score) / part;
        match () {
            () if beyond(100.) && is_outside() => Severity::Critical,
            () if beyond(100.) => Severity::High,
            () if beyond(10.) => Severity::Medium,
            () => Severity::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_leaves_as_many_records_above_it_as_the_budget_says() {
        for (per_million, score) in [(100.0, 0.9999), (5_000.0, 0.995), (1e6, 0.0)] {
            for tracking in [BudgetTracking::Enabled, BudgetTracking::Disabled] {
                let threshold = Threshold::new(Some(per_million), tracking, None).unwrap().score();
                assert!((threshold - score).abs() < 1e-12, "{per_million}: {threshold}");
            }
        }
    }

    #[test]
    fn an_alert_is_as_bad_as_its_part_of_the_budget_is_small() {
        let threshold = Threshold::new(Some(10_000.), BudgetTracking::Disabled, None).unwrap();
        for (score, within, outside) in [
            (0.9901, Severity::Low, Severity::Low),
            (0.9989, Severity::Low, Severity::Low),
            (0.9991, Severity::Medium, Severity::Medium),
            (0.999_91, Severity::High, Severity::Critical),
        ] {
            let severity = |is_outside| threshold.severity(score, || is_outside);
            assert_eq!((severity(false), severity(true)), (within, outside), "{score}");
        }
    }

    #[test]
    fn a_threshold_follows_what_alerts_where_it_is_to_and_severities_follow_it() {
        for (tracking, moves) in [(BudgetTracking::Enabled, true), (BudgetTracking::Disabled, false)] {
            let mut threshold = Threshold::new(Some(10_000.), tracking, None).unwrap();
            (0..20).for_each(|_| threshold.count(5_000, 500));
            let in_force = if moves { 10_000. / 3. } else { 10_000. };
            assert!((threshold.score() - (1. - in_force / 1e6)).abs() < 1e-9, "{threshold:?}");
            assert_eq!(threshold.budget().is_some_and(|budget| budget.is_exceeded), moves);
            let severity = threshold.severity(0.9991, || false);
            assert_eq!(severity, if moves { Severity::Low } else { Severity::Medium });
        }
        let mut score = Threshold::new(None, BudgetTracking::Enabled, Some(0.5)).unwrap();
        score.count(1_000_000, 1_000_000);
        assert_eq!((score.score().to_bits(), score.budget()), (0.5f64.to_bits(), None));
    }

    #[test]
    fn a_threshold_is_one_budget_or_one_score_within_its_range() {
        let new = |budget, score| Threshold::new(budget, BudgetTracking::Enabled, score);
        assert_eq!(new(None, Some(0.5)), Ok(Threshold { score: 0.5, tracker: None }));
        for bad in [f64::NAN, -1.0, 1e7] {
            assert!(new(Some(bad), None).is_err() && new(None, Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(new(None, None), Err(ThresholdError::Choice));
    }
}
