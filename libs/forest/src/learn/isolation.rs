//! Isolation forest (Liu, Ting, Zhou 2008): few random splits set an anomaly apart, so its paths are short. Of several
//! random thresholds in the random column the one is kept that leaves the least spread on its two sides (pooled gain, as
//! in `SCiForest`, Liu, Ting, Zhou 2010, without its slanted planes); of one threshold it is the classic forest.

use std::ops::Range;

use rand::Rng;
use rand::seq::index;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use crate::Matrix;
use crate::learn::parameters::IsolationParameters;
use crate::learn::quantiles::{quantile, sorted};
use crate::learn::random::random_for;
use crate::score::tree::{Grown, Tree};

/// Settings of the learner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsolationSettings {
    pub(crate) trees: u32,
    /// Rows of a tree, drawn without replacement; repeated patterns are left in.
    pub(crate) rows_per_tree: usize,
    pub(crate) max_depth: u32,
    /// Random thresholds of which the best is kept, at least 1.
    pub(crate) thresholds_per_split: u32,
}

impl IsolationSettings {
    /// The settings of a learner with these hyper-parameters.
    pub(crate) fn of(parameters: &IsolationParameters) -> Self {
        let IsolationParameters { trees, rows_per_tree, max_depth, thresholds_per_split } = *parameters;
        Self { trees, rows_per_tree: rows_per_tree as usize, max_depth, thresholds_per_split }
    }
}

/// Learns the trees. A leaf is worth the negative length of the paths that end there, so higher is more anomalous, as a share
/// of the length that is expected for so many rows (as in the paper), so that trees of more and of fewer rows can be mixed.
pub(crate) fn grow_trees(rows: &Matrix, settings: &IsolationSettings, seed: u64) -> Vec<Tree> {
    grow(rows, rows.rows(), |row| row, settings, seed)
}

/// Learns the trees from the rows with these numbers.
pub(crate) fn grow_trees_among(rows: &Matrix, among: &[u32], settings: &IsolationSettings, seed: u64) -> Vec<Tree> {
    grow(rows, among.len(), |position| among[position] as usize, settings, seed)
}

/// Learns from so many rows, of each of which the number is told by its position among them.
fn grow(
    rows: &Matrix,
    count: usize,
    number: impl Fn(usize) -> usize + Sync,
    settings: &IsolationSettings,
    seed: u64,
) -> Vec<Tree> {
    let IsolationSettings { trees, rows_per_tree, max_depth, thresholds_per_split } = *settings;
    let expected = unsuccessful_search_length(count.min(rows_per_tree)).max(1.);
    (0..trees)
        .into_par_iter()
        .map(|tree| {
            let mut random = random_for(seed, "isolation tree", tree);
            let mut sampled = index::sample(&mut random, count, count.min(rows_per_tree)).into_vec();
            sampled.iter_mut().for_each(|row| *row = number(*row));
            let mut columns: Vec<usize> = (0..rows.columns()).collect();
            Tree::grow(sampled.as_mut_slice(), max_depth, |here, depth, may_split| {
                let split = if may_split { find_column(rows, here, &mut columns, &mut random) } else { None };
                let Some((column, ends)) = split else {
                    let value = -(f64::from(depth) + unsuccessful_search_length(here.len())) / expected;
                    return Grown::Leaf { value, rows: here.len() };
                };
                let values: Vec<f32> = here.iter().map(|row| rows.row(*row)[column]).collect();
                let threshold = best_threshold(&values, ends, thresholds_per_split, &mut random);
                let middle = partition(here, |row| rows.row(row)[column] <= threshold);
                let (first, second) = here.split_at_mut(middle);
                Grown::Split { column, threshold, children: [first, second] }
            })
        })
        .collect()
}

/// The rows without the share of them whose scores are highest.
pub(crate) fn trimmed(rows: &Matrix, scores: &[f64], share: f64) -> Matrix {
    let limit = quantile(&sorted(scores.to_vec()), 1. - share);
    let kept: Vec<usize> = (0..rows.rows()).filter(|row| scores[*row] <= limit).collect();
    rows.select(&kept)
}

/// Mean length of an unsuccessful search in a binary search tree of `rows` keys, which is what a leaf of so many rows
/// would still have below it: c(n) = 2 H(n - 1) - 2 (n - 1) / n, with H(i) ≈ ln i + .5772 as in the paper.
fn unsuccessful_search_length(rows: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_9;
    let last = rows.saturating_sub(1) as f64;
    match rows {
        0 | 1 => 0.,
        2 => 1.,
        _ => 2. * (last.ln() + EULER) - 2. * last / rows as f64,
    }
}

/// A random column that is not constant among the rows, and the ends of its range there.
fn find_column(
    matrix: &Matrix,
    rows: &[usize],
    columns: &mut [usize],
    random: &mut impl Rng,
) -> Option<(usize, Range<f32>)> {
    if rows.len() < 2 {
        return None;
    }
    // A partial shuffle: the columns are tried in random order until one will do.
    for tried in 0..columns.len() {
        columns.swap(tried, random.random_range(tried..columns.len()));
        let column = columns[tried];
        let values = rows.iter().map(|row| matrix.row(*row)[column]);
        let (low, high) =
            values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low < high {
            return Some((column, low..high));
        }
    }
    None
}

/// Of so many random thresholds the one with the smallest sum of squared distances to the mean of its side.
fn best_threshold(values: &[f32], ends: Range<f32>, candidates: u32, random: &mut Xoshiro256PlusPlus) -> f32 {
    let first = between(&ends, random);
    // What is compared is scaled to 0..1, so that no square is too large.
    let (low, width) = (f64::from(ends.start), f64::from(ends.end) - f64::from(ends.start));
    let spread = |threshold: f32| -> f64 {
        let mut sides = [(0., 0., 0.); 2];
        for value in values {
            let (count, sum, squares) = &mut sides[usize::from(*value > threshold)];
            let scaled = (f64::from(*value) - low) / width;
            (*count, *sum, *squares) = (*count + 1., *sum + scaled, *squares + scaled * scaled);
        }
        sides.iter().map(|(count, sum, squares)| squares - sum * sum / count).sum()
    };
    let others: Vec<f32> = (1..candidates).map(|_| between(&ends, random)).collect();
    let mut best = (first, if others.is_empty() { 0. } else { spread(first) });
    for threshold in others {
        let spread = spread(threshold);
        if spread < best.1 {
            best = (threshold, spread);
        }
    }
    best.0
}

/// A uniform number that is at least the start and less than the end, so that both sides get a row.
fn between(ends: &Range<f32>, random: &mut impl Rng) -> f32 {
    let (low, high) = (f64::from(ends.start), f64::from(ends.end));
    #[allow(clippy::cast_possible_truncation)] // rounding up to the end is caught below
    let threshold = (low + (high - low) * random.random::<f64>()) as f32;
    if threshold < ends.end { threshold.max(ends.start) } else { ends.start }
}

/// Puts the rows for which this holds first, and says how many they are.
fn partition(rows: &mut [usize], first: impl Fn(usize) -> bool) -> usize {
    let mut count = 0;
    for position in 0..rows.len() {
        if first(rows[position]) {
            rows.swap(count, position);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(thresholds_per_split: u32) -> IsolationSettings {
        IsolationSettings { trees: 50, rows_per_tree: 256, max_depth: 12, thresholds_per_split }
    }

    #[test]
    fn search_lengths_are_those_of_the_paper() {
        assert!((unsuccessful_search_length(256) - 10.2448).abs() < 1e-4);
        assert_eq!([0, 1, 2].map(unsuccessful_search_length), [0., 0., 1.]);
    }

    #[test]
    fn a_row_that_lies_apart_has_a_short_path() {
        let mut matrix = Matrix::new(1);
        (0..64u8).for_each(|value| matrix.push_row(&[f32::from(value) / 64.]));
        matrix.push_row(&[1e3]);
        for thresholds in [1, 5] {
            // The first split nearly always sets it apart.
            let trees = grow_trees(&matrix, &settings(thresholds), 1);
            let apart = trees.iter().filter(|tree| tree.nodes()[2].first_child == 0 && tree.nodes()[2].rows == 1);
            assert!(apart.count() >= 45);
        }
    }

    #[test]
    fn of_many_thresholds_the_one_between_two_groups_is_kept() {
        let values = [0., 0.1, 0.2, 0.7, 0.8, 1.];
        let mut random = random_for(1, "test", 0);
        let threshold = best_threshold(&values, 0. ..1., 100, &mut random);
        assert!((0.2..0.7).contains(&threshold), "{threshold}");
    }

    #[test]
    fn rows_that_are_all_equal_are_a_leaf() {
        let mut matrix = Matrix::new(2);
        (0..9).for_each(|_| matrix.push_row(&[1., 2.]));
        assert!(grow_trees(&matrix, &settings(5), 1).iter().all(|tree| tree.nodes().len() == 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_threshold_leaves_rows_on_both_sides(low in any::<f32>(), high in any::<f32>(), seed in any::<u64>()) {
            prop_assume!(low.is_finite() && high.is_finite() && low < high);
            let threshold = best_threshold(&[low, high], low..high, 5, &mut random_for(seed, "test", 0));
            prop_assert!(low <= threshold && threshold < high);
        }
    }
}
