//! How likely a residual is, and where surprises stop being those of ordinary rows.

use crate::learn::quantiles::{quantile, sorted};
use crate::score::dependence::Likelihood;

/// Two quantiles each through which a likelihood goes.
const QUANTILES: [(f64, f64); 2] = [(0.5, 0.95), (0.75, 0.97)];
const POWERS: std::ops::RangeInclusive<f64> = 0.05..=1.5;
/// What is smaller, in units of a column, is none.
const LEAST_SCALE: f64 = 0.02;
/// No surprise below this is beyond the limit.
pub(crate) const LOWEST_LIMIT: f64 = 5.;
/// A limit has no more than this share of as many rows beyond it as there are in the gap up to so many times the limit ...
const GAP: f64 = 1.5;
const RATIO: f64 = 0.25;
/// ... and beyond the gap there are at most so many of all rows.
const MOST_BEYOND: f64 = 0.12;
/// What residuals are cut at for their spread.
const WINSOR: f64 = 0.9;

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(&sorted(values.to_vec()), 0.5)
}

/// The mean square of the distances from the median, cut at their 90 %.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let median = median(values);
    let distances = sorted(values.iter().map(|value| (value - median).abs()).collect());
    let cut = quantile(&distances, WINSOR);
    distances.iter().map(|distance| distance.min(cut).powi(2)).sum::<f64>() / distances.len() as f64
}

/// How likely residuals of these sizes are: a line through two quantiles, where the axes are the logarithms of the size and of
/// −ln P(one as large).
pub(crate) fn likelihoods(sizes: Vec<f64>) -> [Likelihood; 2] {
    let sizes = sorted(sizes);
    QUANTILES.map(|(low, high)| {
        let [low_surprise, high_surprise] = [low, high].map(|share| -(1. - share).ln());
        let high = quantile(&sizes, high).max(1e-12);
        let low = quantile(&sizes, low).min(0.9 * high).max(1e-3 * high);
        let power = ((high_surprise / low_surprise).ln() / (high / low).ln()).clamp(0.01, *POWERS.end());
        let scale = high / high_surprise.powf(1. / power);
        Likelihood { scale: scale.clamp(LEAST_SCALE, 1e6), power: power.max(*POWERS.start()) }
    })
}

/// The lowest limit beyond which rows stand apart: few in a gap above it, several beyond the gap, but few of all. Without
/// one, the largest surprise. Broken rows leave such a gap, and the long tails of ordinary rows do not.
pub(crate) fn valley(surprises: Vec<f64>) -> f64 {
    let surprises = sorted(surprises);
    let rows = surprises.len();
    let above = |limit: f64| rows - surprises.partition_point(|surprise| *surprise <= limit);
    let stands_apart = |limit: &f64| {
        let far = above(GAP * limit);
        let near = (above(*limit) - far) as f64;
        let far = far as f64;
        far <= MOST_BEYOND * rows as f64 && near + 2. * (near + 1.).sqrt() + 1. <= RATIO * far
    };
    let from = surprises.partition_point(|surprise| *surprise < LOWEST_LIMIT);
    let candidates = std::iter::once(LOWEST_LIMIT).chain(surprises[from..].iter().copied());
    let largest = surprises.last().copied().unwrap_or_default().max(LOWEST_LIMIT);
    candidates.into_iter().find(stands_apart).unwrap_or(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_likelihood_says_how_many_are_as_large() {
        // Exponential: P(one above x) is exp(-x / 3).
        let sizes = (1..10_000).map(|rank| -3. * (1. - f64::from(rank) / 10_000.).ln()).collect();
        for Likelihood { scale, power } in likelihoods(sizes) {
            assert!((scale - 3.).abs() < 0.05 && (power - 1.).abs() < 0.02, "{scale} {power}");
        }
    }

    #[test]
    fn the_limit_lies_below_rows_that_stand_apart() {
        let ordinary = (0..10_000).map(|row| f64::from(row) / 1_500.);
        let apart = valley(ordinary.clone().chain((0..50).map(|row| 30. + f64::from(row))).collect());
        assert!((6.4..6.7).contains(&apart), "{apart}");
        // Without a gap, or with too few beyond, or too many, the limit is the largest of all.
        assert!((valley(ordinary.clone().collect()) - 9_999. / 1_500.).abs() < 1e-9);
        assert!((valley(ordinary.clone().chain([30.; 9]).collect()) - 30.).abs() < 1e-9);
        assert!((valley(ordinary.chain([30.; 1_500]).collect()) - 30.).abs() < 1e-9);
        assert!((valley(vec![1.; 10]) - LOWEST_LIMIT).abs() < 1e-9);
    }

    #[test]
    fn a_spread_does_not_see_the_outermost_tenth() {
        let values: Vec<f64> = (0..100).map(|row| f64::from(row % 10)).collect();
        let with_outliers: Vec<f64> = values.iter().copied().chain([1e9; 5]).collect();
        assert!((spread(&with_outliers) / spread(&values) - 1.).abs() < 0.2);
    }
}
