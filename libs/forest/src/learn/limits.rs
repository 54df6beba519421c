//! The limits of what was learned of a column: beyond them a value is outside. A few rows that stand far apart from all others,
//! such as the -9999 of a sensor that gave no value, do not widen them.

use std::ops::Range;

use crate::learn::quantiles::{Spread, quantile};

/// Share of the rows, on either side, that may stand apart, and how far, in widths of what the others take up.
const APART: f64 = 0.0005;
const GAP: f64 = 1.;

/// Limits of a column with these sorted values, beyond them by this share of their width. A value that is at most the first, or
/// greater than the second, is outside. All is measured in magnitudes: asinh((x - median) / scale).
pub(crate) fn limits(sorted: &[f64], margin: f64) -> Range<f32> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of the rows
    let apart = if margin > 0. { (APART * sorted.len() as f64) as usize } else { 0 };
    let inner = &sorted[apart..sorted.len() - apart];
    let median = quantile(sorted, 0.5);
    let scale = Spread::of(inner, median).scale();
    let magnitude = |value: f64| ((value - median) / scale).asinh();
    let (low, high) = ends(sorted, apart, magnitude);
    let [first, last] = [low, high].map(magnitude);
    let width = margin * (last - first);
    let value = |magnitude: f64| magnitude.sinh() * scale + median;
    #[allow(clippy::cast_possible_truncation)] // clamped; the ends were f32
    let narrowed = |value: f64| value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
    let below = narrowed(value(first - width)).min(narrowed(low).next_down()).max(f32::MIN);
    below..narrowed(value(last + width)).max(narrowed(high))
}

/// The outermost values without those that stand apart: of so many on either side, what lies beyond the gap. Where the others
/// are all the same, nothing does.
fn ends(sorted: &[f64], apart: usize, magnitude: impl Fn(f64) -> f64) -> (f64, f64) {
    let rows = sorted.len();
    let (low, high) = (sorted[apart], sorted[rows - 1 - apart]);
    if low >= high {
        return (sorted[0], sorted[rows - 1]);
    }
    let gap = GAP * (magnitude(high) - magnitude(low));
    let further = |end: &mut f64, next: &f64| {
        let reached = (magnitude(*next) - magnitude(*end)).abs() <= gap;
        *end = if reached { *next } else { *end };
        reached.then_some(*end)
    };
    let low = sorted[..apart].iter().rev().scan(low, further).last().unwrap_or(low);
    let high = sorted[rows - apart..].iter().scan(high, further).last().unwrap_or(high);
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squares up to 10,000, and some more values.
    fn of(count: u16, more: &[f64]) -> Range<f32> {
        let mut values: Vec<f64> = (0..count).map(|row| (f64::from(row) * 100. / f64::from(count)).powi(2)).collect();
        values.extend(more);
        values.sort_unstable_by(f64::total_cmp);
        limits(&values, 0.1)
    }

    #[test]
    fn limits_lie_beyond_the_values_by_a_share_of_their_magnitudes() {
        let limits = of(101, &[]);
        assert!((-2_000. ..0.).contains(&limits.start) && (9_800. ..13_000.).contains(&limits.end), "{limits:?}");
    }

    #[test]
    fn a_few_values_that_stand_apart_do_not_widen_limits() {
        let clean = of(20_000, &[]);
        let largest = f64::from(f32::MAX);
        for sentinel in [-99_999., 1e6, 1e12, largest, -largest] {
            for count in [1, 10] {
                let limits = of(20_000, &vec![sentinel; count]);
                let near = |one: f32, other: f32| (one - other).abs() <= 0.05 * other.abs();
                let same = near(limits.start, clean.start) && near(limits.end, clean.end);
                assert!(same, "{sentinel} {count}: {limits:?} and not {clean:?}");
            }
        }
        // More than so many, or no further than the next, belong to the others.
        assert!(of(20_000, &[1e6; 30]).end >= 1e6 && of(20_000, &[11_000.]).end >= 11_000.);
    }

    #[test]
    fn a_constant_column_has_limits_and_one_with_few_other_values_those_of_all() {
        assert_eq!(limits(&[3.; 9], 0.1), 3f32.next_down()..3.);
        let mut rare = vec![0.; 10_000];
        rare.push(1.);
        assert!(limits(&rare, 0.1).end >= 1.);
        let largest = f64::from(f32::MAX);
        assert_eq!(limits(&[-largest, -largest, largest], 0.1), f32::MIN..f32::MAX);
        assert_eq!(limits(&[0., 0., 1., 2.], 0.), 0f32.next_down()..2.);
    }
}
