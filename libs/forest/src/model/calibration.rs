//! From a forest's raw scores to ranks in the stream: the share of records that score lower. A budget of alerts is then
//! a threshold, whatever the forest and whatever the stream.

use thiserror::Error;
use vedette_contract::model::{Calibration, SCHEMA};

/// How many of the largest distinct scores stand in the table each by itself: alert budgets lie there.
const TAIL: usize = 1_024;
/// How many quantiles stand for the scores below them.
const BULK: usize = 1_024;
/// More knots than this are not read.
const MAX_KNOTS: usize = 4_096;
/// Scores that are nearer to each other than this share of their size are one knot: JSON readers may be off by a last
/// digit, and the table must still rise strictly after a round trip.
const RESOLUTION: f64 = 1e-12;
/// A rank stays this far from 0 and 1, however far out a score is.
const EPSILON: f64 = f64::EPSILON;

/// Why there is no calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CalibrationError {
    /// No scores, or an empty table.
    #[error("the calibration has no scores")]
    Empty,
    /// A score or a rank is not a finite number.
    #[error("the calibration holds a number that is not finite")]
    NotFinite,
    /// Written by a newer build, or by none.
    #[error("the calibration has schema {schema}, and this build reads 1 to {SCHEMA}")]
    Schema { schema: u32 },
    /// More knots than any trainer writes.
    #[error("the calibration has {knots} quantiles, more than {MAX_KNOTS}")]
    TooManyKnots {
        /// How many.
        knots: usize,
    },
    /// Scores or ranks do not rise, or ranks are not between 0 and 1.
    #[error("quantile {knot} of the calibration does not rise, or its rank is not between 0 and 1")]
    NotRising {
        /// Position of the first such quantile.
        knot: usize,
    },
}

impl CalibrationError {
    /// Stable name of the cause.
    pub fn reason(&self) -> &'static str {
        "InvalidCalibration"
    }
}

/// The quantile table of these raw scores, taken from a uniform sample of the stream with its repetitions.
/// A score's rank is its mid-rank: the share of lower scores, and half the share of equal ones.
pub fn calibrate(scores: Vec<f64>) -> Result<Calibration, CalibrationError> {
    calibrate_weighted(scores.into_iter().map(|score| (score, 1.)).collect())
}

/// The same of raw scores that do not count alike, each with its weight, which is more than 0.
pub fn calibrate_weighted(mut scores: Vec<(f64, f64)>) -> Result<Calibration, CalibrationError> {
    if scores.is_empty() {
        return Err(CalibrationError::Empty);
    }
    if scores.iter().any(|(score, weight)| !score.is_finite() || !weight.is_finite() || *weight <= 0.) {
        return Err(CalibrationError::NotFinite);
    }
    scores.sort_unstable_by(|(one, its), (other, others)| one.total_cmp(other).then(its.total_cmp(others)));
    let groups = mid_ranks(&scores);
    let bulk = groups.len().saturating_sub(TAIL);
    let mut quantiles = Vec::with_capacity(BULK + TAIL);
    let mut next_rank = 0.;
    for (position, (score, rank)) in groups.iter().enumerate() {
        if groups.len() <= BULK + TAIL || position >= bulk || *rank >= next_rank {
            quantiles.push((*score, *rank));
            next_rank = rank + 1. / BULK as f64;
        }
    }
    Ok(Calibration { schema: SCHEMA, rows: scores.len() as u64, quantiles })
}

/// Distinct values of the sorted scores, each with its mid-rank.
fn mid_ranks(sorted: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let all: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    let same =
        |(left, _): &(f64, f64), (right, _): &(f64, f64)| right - left <= RESOLUTION * right.abs().max(left.abs());
    let mut below = 0.;
    sorted
        .chunk_by(same)
        .map(|group| {
            let weight: f64 = group.iter().map(|(_, weight)| weight).sum();
            let rank = (below + weight / 2.) / all;
            below += weight;
            (group[group.len() / 2].0, rank)
        })
        .collect()
}

/// The threshold on calibrated scores that so many records per million exceed.
pub fn threshold_for_budget(alert_budget_per_million: f64) -> f64 {
    1. - alert_budget_per_million / 1e6
}

/// How far from the budget the alerts may be, records per million: the standard deviation of the share of `rows` records
/// that exceed a threshold, which is that of a binomial count. Both the calibration and what is counted have it.
pub fn expected_budget_error(alert_budget_per_million: f64, rows: u64) -> f64 {
    let share = alert_budget_per_million / 1e6;
    (share * (1. - share) / (rows.max(1) as f64)).sqrt() * 1e6
}

/// Turns raw scores into ranks: linear between the quantiles; beyond them it goes on with the slope of the last piece
/// and bends towards 0 and 1, which it never reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrator {
    /// Scores and their ranks, both rising; at least one.
    pub(crate) quantiles: Vec<(f64, f64)>,
    pub(crate) lower_scale: f64,
    pub(crate) upper_scale: f64,
}

impl Calibrator {
    /// Checks the table.
    pub fn new(calibration: &Calibration) -> Result<Self, CalibrationError> {
        let Calibration { schema, rows: _, quantiles } = calibration;
        if !(1..=SCHEMA).contains(schema) {
            return Err(CalibrationError::Schema { schema: *schema });
        }
        if quantiles.len() > MAX_KNOTS {
            return Err(CalibrationError::TooManyKnots { knots: quantiles.len() });
        }
        if quantiles.iter().any(|(score, rank)| !score.is_finite() || !rank.is_finite()) {
            return Err(CalibrationError::NotFinite);
        }
        let (Some(first), Some(last)) = (quantiles.first(), quantiles.last()) else {
            return Err(CalibrationError::Empty);
        };
        if first.1 <= 0. {
            return Err(CalibrationError::NotRising { knot: 0 });
        }
        let falls = quantiles.windows(2).position(|pair| pair[0].0 >= pair[1].0 || pair[0].1 >= pair[1].1);
        if let Some(position) = falls {
            return Err(CalibrationError::NotRising { knot: position + 1 });
        }
        if last.1 >= 1. {
            return Err(CalibrationError::NotRising { knot: quantiles.len() - 1 });
        }
        // The distance over which the slope of the outermost piece would reach the end.
        let distance = |room: f64, pair: Option<&[(f64, f64)]>| {
            let scale = pair.map_or(1., |pair| room * (pair[1].0 - pair[0].0) / (pair[1].1 - pair[0].1));
            if scale.is_finite() && scale > 0. { scale } else { 1. }
        };
        Ok(Self {
            lower_scale: distance(first.1, quantiles.windows(2).next()),
            upper_scale: distance(1. - last.1, quantiles.windows(2).next_back()),
            quantiles: quantiles.clone(),
        })
    }

    /// The first and the last quantile.
    pub(crate) fn ends(&self) -> ((f64, f64), (f64, f64)) {
        let end = |quantile: Option<&(f64, f64)>| quantile.copied().unwrap_or_default();
        (end(self.quantiles.first()), end(self.quantiles.last()))
    }

    /// The rank of a raw score, greater than 0 and less than 1; what is not a number ranks lowest.
    pub fn score(&self, raw: f64) -> f64 {
        let above = self.quantiles.partition_point(|(score, _)| *score <= raw);
        let rank = match (above.checked_sub(1).map(|below| self.quantiles[below]), self.quantiles.get(above)) {
            (Some((low, low_rank)), Some((high, high_rank))) => {
                (low_rank + (high_rank - low_rank) * ((raw - low) / (high - low))).min(*high_rank)
            }
            (Some((last, last_rank)), None) => {
                1. - (1. - last_rank) * (self.upper_scale / (self.upper_scale + (raw - last)))
            }
            (None, Some((first, first_rank))) => first_rank * (self.lower_scale / (self.lower_scale + (first - raw))),
            (None, None) => 0.,
        };
        if rank.is_nan() { EPSILON } else { rank.clamp(EPSILON, 1. - EPSILON) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn calibrator(scores: Vec<f64>) -> Calibrator {
        Calibrator::new(&calibrate(scores).unwrap()).unwrap()
    }

    fn table(quantiles: &[(f64, f64)]) -> Calibration {
        Calibration { schema: SCHEMA, rows: 9, quantiles: quantiles.to_vec() }
    }

    #[test]
    fn a_hundred_times_the_rows_give_a_tenth_of_the_error() {
        assert!((expected_budget_error(10_000., 9_900) - 1_000.).abs() < 1e-9);
        assert!((expected_budget_error(10_000., 990_000) - 100.).abs() < 1e-9);
    }

    #[test]
    fn fresh_records_alert_as_often_as_the_budget_says() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        // A long tail, as scores have.
        let mut draw = |count: usize| -> Vec<f64> { (0..count).map(|_| random.random::<f64>().powi(-2)).collect() };
        let calibrator = calibrator(draw(100_000));
        let fresh = draw(400_000);
        for budget in [200., 1_000., 5_000., 20_000., 500_000.] {
            let threshold = threshold_for_budget(budget);
            let alerts = fresh.iter().filter(|raw| calibrator.score(**raw) > threshold).count();
            let per_million = alerts as f64 * 1e6 / fresh.len() as f64;
            // Four standard deviations of the sample's and of the fresh records' counts.
            let tolerance = 4. * (budget / 0.1).sqrt().hypot((budget / 0.4).sqrt());
            assert!((per_million - budget).abs() < tolerance, "{per_million} alerts per million for {budget}");
        }
    }

    #[test]
    fn a_score_that_many_records_share_has_the_middle_of_their_ranks() {
        let calibrator = calibrator([vec![0.1; 90], vec![0.9; 10]].concat());
        assert!((calibrator.score(0.1) - 0.45).abs() < 1e-12);
        assert!((calibrator.score(0.9) - 0.95).abs() < 1e-12);
    }

    #[test]
    fn a_row_of_double_weight_counts_as_two() {
        let weighted = calibrate_weighted(vec![(0.3, 2.), (0.1, 1.), (0.2, 1.), (0.4, 2.)]).unwrap();
        let twice = calibrate(vec![0.3, 0.3, 0.1, 0.2, 0.4, 0.4]).unwrap();
        assert_eq!(weighted.quantiles, twice.quantiles);
        assert_eq!((weighted.rows, twice.rows), (4, 6));
        for weight in [0., -1., f64::NAN, f64::INFINITY] {
            assert_eq!(calibrate_weighted(vec![(0.1, weight)]).unwrap_err(), CalibrationError::NotFinite, "{weight}");
        }
    }

    #[test]
    fn every_knot_of_a_thinned_table_is_the_share_of_lower_scores() {
        const ROWS: u32 = 100_000;
        // The middle of a score's own row: half of it counts as lower.
        let calibration = calibrate((0..ROWS).rev().map(f64::from).collect()).unwrap();
        assert!(calibration.quantiles.len() < (BULK + TAIL + 2).min(ROWS as usize), "{}", calibration.quantiles.len());
        for (score, rank) in &calibration.quantiles {
            let share = (score + 0.5) / f64::from(ROWS);
            assert!((rank - share).abs() < 1e-12, "{score} has the rank {rank} and not {share}");
        }
    }

    #[test]
    fn a_sample_of_one_score_still_orders_all_others() {
        let calibrator = calibrator(vec![0.5; 7]);
        let ranks = [0.1, 0.4, 0.5, 0.6, 0.9].map(|raw| calibrator.score(raw));
        assert!(ranks.is_sorted_by(|left, right| left < right), "{ranks:?}");
    }

    #[test]
    fn what_is_not_a_number_never_alerts() {
        let calibrator = calibrator(vec![0.1, 0.2]);
        assert!(calibrator.score(f64::NAN) < 1e-9);
        assert!(calibrator.score(f64::INFINITY) < 1. && calibrator.score(f64::NEG_INFINITY) > 0.);
    }

    #[test]
    fn a_table_from_outside_is_checked() {
        let rising = |knot| CalibrationError::NotRising { knot };
        for (quantiles, error) in [
            (vec![], CalibrationError::Empty),
            (vec![(0.1, f64::NAN)], CalibrationError::NotFinite),
            (vec![(f64::INFINITY, 0.5)], CalibrationError::NotFinite),
            (vec![(0.1, 0.2), (0.1, 0.3)], rising(1)),
            (vec![(0.1, 0.2), (0.2, 0.2)], rising(1)),
            (vec![(0.1, 0.)], rising(0)),
            (vec![(0.1, 0.5), (0.2, 1.)], rising(1)),
        ] {
            assert_eq!(Calibrator::new(&table(&quantiles)).unwrap_err(), error, "{quantiles:?}");
        }
        let long: Vec<_> = (1..=4_097).map(|knot| (f64::from(knot), f64::from(knot) / 5_000.)).collect();
        assert_eq!(Calibrator::new(&table(&long)).unwrap_err(), CalibrationError::TooManyKnots { knots: 4_097 });
        let newer = Calibration { schema: SCHEMA + 1, ..table(&[(0.1, 0.5)]) };
        assert_eq!(Calibrator::new(&newer).unwrap_err(), CalibrationError::Schema { schema: SCHEMA + 1 });
        assert_eq!(calibrate(vec![]).unwrap_err(), CalibrationError::Empty);
        assert_eq!(calibrate(vec![1., f64::NAN]).unwrap_err(), CalibrationError::NotFinite);
    }

    #[test]
    fn scores_a_last_digit_apart_survive_the_way_through_json() {
        let near: Vec<f64> = (0..2_000u64).map(|step| f64::from_bits(0.7f64.to_bits() + step)).collect();
        let calibration = calibrate([near, vec![0.1, 0.2]].concat()).unwrap();
        let json = serde_json::to_vec(&calibration).unwrap();
        Calibrator::new(&serde_json::from_slice(&json).unwrap()).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_greater_raw_score_has_a_greater_rank(
            scores in prop::collection::vec(0.0..1.0f64, 1..300),
            mut probes in prop::collection::vec(-3.0..4.0f64, 2..50),
        ) {
            let calibrator = calibrator(scores);
            probes.sort_unstable_by(f64::total_cmp);
            for pair in probes.windows(2).filter(|pair| pair[1] - pair[0] > 1e-6) {
                let (low, high) = (calibrator.score(pair[0]), calibrator.score(pair[1]));
                prop_assert!(0. < low && low < high && high < 1., "{:?} gave {} and {}", pair, low, high);
            }
        }

        #[test]
        fn a_table_is_bounded_and_usable(seed in any::<u64>(), rows in 1usize..20_000, distinct in 1u32..20_000) {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let scores = (0..rows).map(|_| f64::from(random.random_range(0..distinct)) / f64::from(distinct)).collect();
            let calibration = calibrate(scores).unwrap();
            prop_assert!(calibration.quantiles.len() <= BULK + TAIL + 1);
            prop_assert!(Calibrator::new(&calibration).is_ok());
        }
    }
}
