//! Sentinels: what a producer writes into a field when it has no value, such as -9999, 65535 or the largest float. A value that
//! comes back exactly, far from all others and alone there, is one; values that lie far out and differ are none. What is not written
//! as sentinels are must lie beyond everything else: an attack, too, may always send the same number of bytes.

use crate::learn::quantiles::{Spread, quantile};

/// More values are not looked at.
const LOOKED_AT: usize = 100_000;
/// A sentinel comes back so many times.
const REPEATS: usize = 5;
/// Where a column ends for a value that is written as sentinels are: at these quantiles of the others. There must be so many different ones: in a column
/// of few values, or of one value in most rows, each of them means something.
const ENDS: [f64; 2] = [0.005, 0.995];
const DISTINCT: usize = 10;
/// A sentinel is so many times as far from the median as the end on its side, and in magnitudes, asinh((x - median) / scale), twice.
const FAR: f64 = 8.;
const FAR_IN_MAGNITUDE: f64 = 2.;
/// From the middle, in magnitudes, between that end and the sentinel to so many times its distance from the median there are, for
/// each of its repeats, at most so many others.
const ALONE_TO: f64 = 2.;
const COMPANY: f64 = 0.1;
/// Limits of the types of numbers are powers of two, or less by one, from here on; those of floats are beyond the other.
const SMALLEST_LIMIT: f64 = 128.;
const LIMITS_OF_FLOATS: f64 = 1e30;
/// More of a column are not looked for.
const MOST: usize = 8;

/// The sentinels of a column with these values in random order, ascending; values that are not numbers are passed over.
pub(crate) fn sentinels(values: impl IntoIterator<Item = f32>) -> Vec<f32> {
    let mut sorted: Vec<f64> =
        values.into_iter().filter(|value| !value.is_nan()).take(LOOKED_AT).map(f64::from).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut found = Vec::new();
    while let Some(next) = next_sentinel(&sorted).filter(|_| found.len() < MOST) {
        sorted.retain(|value| !same(*value, next));
        #[allow(clippy::cast_possible_truncation)] // it came from one
        found.push(next as f32);
    }
    found.sort_unstable_by(f32::total_cmp);
    found
}

/// A sentinel that lies nearest to the others, so that one further out can be told by what is left.
fn next_sentinel(sorted: &[f64]) -> Option<f64> {
    let repeated: Vec<f64> =
        sorted.chunk_by(|one, other| same(*one, *other)).filter(|run| run.len() >= REPEATS).map(|run| run[0]).collect();
    // Repeated values on either side, outermost last: as many as can be sentinels, and one that is none.
    let low = repeated.iter().take(MOST + 1).rev();
    let high = repeated.iter().rev().take(MOST + 1).rev();
    let is_next = |value: &&f64, is_low: bool| is_sentinel(sorted, &repeated, **value, is_low);
    low.clone().find(|value| is_next(value, true)).or_else(|| high.clone().find(|value| is_next(value, false))).copied()
}

/// Whether a repeated value is one, judged by the others without those that lie even further out and may be sentinels, too.
fn is_sentinel(sorted: &[f64], repeated: &[f64], value: f64, is_low: bool) -> bool {
    let is_beyond = |other: f64| if is_low { other <= value } else { other >= value };
    let is_repeated = |other: f64| repeated.binary_search_by(|it| it.total_cmp(&other)).is_ok();
    let may_be_one = |other: f64| same(other, value) || (is_written_so(other) && is_repeated(other));
    let others: Vec<f64> = sorted.iter().copied().filter(|other| !(is_beyond(*other) && may_be_one(*other))).collect();
    let count = sorted.iter().filter(|other| same(**other, value)).count();
    if others.len() < count.max(DISTINCT) {
        return false;
    }
    let [low, high] = ENDS.map(|share| quantile(&others, share));
    let inner = &others[others.partition_point(|it| *it < low)..others.partition_point(|it| *it <= high)];
    if inner.chunk_by(|one, other| same(*one, *other)).take(DISTINCT).count() < DISTINCT {
        return false;
    }
    let median = quantile(&others, 0.5);
    let scale = Spread::of(inner, median).scale();
    let magnitude = |value: f64| ((value - median) / scale).asinh().abs();
    let end = match (is_low, is_written_so(value)) {
        (true, true) => low,
        (true, false) => others[0],
        (false, true) => high,
        (false, false) => others[others.len() - 1],
    };
    let is_far = (value - median).abs() >= FAR * (end - median).abs()
        && magnitude(value) >= FAR_IN_MAGNITUDE * magnitude(end)
        && if is_low { value < low } else { value > high };
    let middle = f64::midpoint(magnitude(end), magnitude(value));
    let is_near = |other: f64| {
        let is_on_its_side = if is_low { other < median } else { other > median };
        is_on_its_side && magnitude(other) > middle && (other - median).abs() <= ALONE_TO * (value - median).abs()
    };
    let near = sorted.iter().filter(|other| is_near(**other)).count();
    is_far && near as f64 <= (1. + COMPANY) * count as f64
}

/// Whether people and programs write sentinels so: -1, nines, the limits of a type.
fn is_written_so(value: f64) -> bool {
    let size = value.abs();
    let is_power_of_two = |number: f64| number >= SMALLEST_LIMIT && number.log2().fract() == 0.;
    let is_nines = (99. ..=1e9).contains(&size) && size.fract() == 0. && (size + 1.).log10().fract().abs() < 1e-9;
    value == -1. || is_nines || size >= LIMITS_OF_FLOATS || is_power_of_two(size) || is_power_of_two(size + 1.)
}

/// Numbers of a column are the same where their bits are: nothing was calculated with them.
fn same(one: f64, other: f64) -> bool {
    one.total_cmp(&other).is_eq()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::random::random_for;
    use rand::Rng;

    /// 20,000 values around 60, most within 9 of it, in random order and with more among them.
    fn with(more: &[f32]) -> Vec<f32> {
        let mut random = random_for(1, "values", 0);
        let mut bell = || (0..12).map(|_| random.random::<f32>()).sum::<f32>() - 6.;
        let mut values: Vec<f32> = (0..20_000).map(|_| 60. + 3. * bell()).collect();
        more.iter().enumerate().for_each(|(number, value)| values.insert(number * 19 % 20_000, *value));
        values
    }

    #[test]
    fn a_far_value_that_comes_back_is_a_sentinel() {
        assert!(sentinels(with(&[])).is_empty());
        for sentinel in [-9_999., 65_535., f32::MAX, -f32::MAX, -99.] {
            for (count, expected) in [(1, vec![]), (10, vec![sentinel]), (100, vec![sentinel]), (9_000, vec![sentinel])]
            {
                assert_eq!(sentinels(with(&vec![sentinel; count])), expected, "{sentinel} {count}");
            }
        }
        let many: Vec<f32> = [-9_999., -999., 65_535., f32::MAX].repeat(100);
        assert_eq!(sentinels(with(&many)), [-9_999., -999., 65_535., f32::MAX]);
    }

    #[test]
    fn real_values_far_out_hide_no_sentinel() {
        let mut more: Vec<f32> = (0..60u8).map(|row| 100. + f32::from(row) * 3.).collect();
        more.extend([65_535.; 100]);
        assert_eq!(sentinels(with(&more)), [65_535.]);
    }

    #[test]
    fn what_is_not_written_as_sentinels_are_must_lie_beyond_everything() {
        let mut more: Vec<f32> = (0..60u8).map(|row| 100. + f32::from(row) * 3.).collect();
        more.extend([54_540.; 100]);
        assert_eq!(sentinels(with(&more)), [54_540.]);
        more.push(60_000.);
        assert!(sentinels(with(&more)).is_empty());
        let written: [f64; 10] =
            [-1., 99., 9_999., -999., 65_535., 32_768., 4_294_967_296., 1e30, -3.4e38, 2_147_483_648.];
        written.iter().for_each(|value| assert!(is_written_so(*value), "{value}"));
        [0., 1., 9., 100., 54_540., 9_998., 99.5, 8_314.]
            .iter()
            .for_each(|value| assert!(!is_written_so(*value), "{value}"));
    }

    #[test]
    fn far_values_that_differ_or_repeat_among_others_are_no_sentinels() {
        let mut random = random_for(2, "values", 0);
        let dense: Vec<f32> = (0..200).map(|_| 500. + random.random::<f32>()).collect();
        assert!(sentinels(with(&dense)).is_empty());
        // Rounded, many of them are the same.
        let rounded: Vec<f32> = (0..200).map(|_| 500. + (8. * random.random::<f32>()).round()).collect();
        assert!(sentinels(with(&rounded)).is_empty());
        let heavy = (0..20_000).map(|_| (random.random::<f32>().recip().powi(2)).min(1e9).round());
        assert!(sentinels(heavy).is_empty());
    }

    #[test]
    fn in_columns_of_few_values_and_of_one_in_most_rows_nothing_is_a_sentinel() {
        let number = |row: u16| f32::from(row);
        assert!(sentinels((0..20_000).map(|row| if row % 200 == 0 { 1. } else { 0. })).is_empty());
        assert!(sentinels((0..20_000).map(|row| if row % 200 == 0 { 999. } else { number(row % 5) })).is_empty());
        let rare = (0..20_000).map(|row| match row {
            0..100 => 40_000.,
            100..180 => number(row),
            _ => 0.,
        });
        assert!(sentinels(rare).is_empty());
        // Shares with two decimals, most of them nearly 0.
        let shares = (0..10_000u16).map(|row| match row {
            0..1_600 => f32::from(row % 32) / 10_000.,
            1_600..2_000 => 0.05,
            2_000..2_040 => [0.06, 0.5, 0.7, 1.][usize::from(row) % 4],
            _ => 0.,
        });
        assert!(sentinels(shares).is_empty());
        assert!(sentinels([]).is_empty() && sentinels([f32::NAN; 9]).is_empty() && sentinels([7.; 99]).is_empty());
    }
}
