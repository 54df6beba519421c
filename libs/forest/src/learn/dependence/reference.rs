//! Which rows and columns dependence is learned from.

use rand::seq::index;
use rayon::prelude::*;

use crate::Matrix;
use crate::learn::quantiles::{Spread, quantile, sorted};
use crate::learn::random::random_for;
use crate::score::dependence::Scale;

/// Different rows, and rows with their repetitions, at most.
const ROWS: usize = 10_000;
/// Without so many rows, or half of all, in which no value is missing, nothing is learned.
const WHOLE_ROWS: usize = 1_000;
/// Of more columns those with most different values.
const MOST_COLUMNS: usize = 200;
/// A target has so many different values, none of which takes this share of the rows.
const DIFFERENT_VALUES: usize = 20;
const LARGEST_SHARE: f64 = 0.8;

/// What dependence is learned from.
pub(crate) struct Reference {
    /// Different rows: a pattern that is repeated is one piece of evidence.
    pub(crate) different: Matrix,
    /// Rows with their repetitions.
    pub(crate) stream: Matrix,
    /// The columns that are not constant.
    pub(crate) scales: Vec<Scale>,
    /// Positions of those among them that may be explained.
    pub(crate) targets: Vec<usize>,
}

struct Known {
    scale: Scale,
    different: usize,
    is_target: bool,
}

impl Reference {
    /// `None` where there is too little to learn from. `numeric` says of each column whether it holds numbers.
    pub(crate) fn new(rows: &Matrix, numeric: &[bool], seed: u64) -> Option<Self> {
        let present = |column: &usize| 2 * rows.iter().filter(|row| row[*column].is_nan()).count() <= rows.rows();
        let present: Vec<usize> = (0..rows.columns()).into_par_iter().filter(present).collect();
        let is_whole = |row: &usize| present.iter().all(|column| !rows.row(*row)[*column].is_nan());
        let whole: Vec<usize> = (0..rows.rows()).filter(is_whole).collect();
        if whole.len() < WHOLE_ROWS && 2 * whole.len() < rows.rows() {
            return None;
        }
        let mut random = random_for(seed, "rows of dependence", 0);
        let mut sample = |count: usize| index::sample(&mut random, count, count.min(ROWS)).into_vec();
        let stream: Vec<usize> = sample(whole.len()).into_iter().map(|row| whole[row]).collect();
        let different = rows.select(&whole).distinct();
        let different = different.select(&sample(different.rows()));
        let known = |column: &usize| known(&different, *column, numeric[*column]);
        let mut columns: Vec<Known> = present.par_iter().filter_map(known).collect();
        columns.sort_by_key(|known| std::cmp::Reverse(known.different));
        columns.truncate(MOST_COLUMNS);
        columns.sort_by_key(|known| known.scale.column);
        let targets: Vec<usize> = (0..columns.len()).filter(|position| columns[*position].is_target).collect();
        if targets.is_empty() {
            return None;
        }
        let scales = columns.iter().map(|known| known.scale).collect();
        Some(Self { stream: rows.select(&stream), different, scales, targets })
    }
}

/// What is known of a column that is not constant.
fn known(rows: &Matrix, column: usize, numeric: bool) -> Option<Known> {
    let values = sorted(rows.iter().map(|row| f64::from(row[column])).collect());
    let runs = values.chunk_by(|one, other| one >= other).map(<[f64]>::len);
    let (different, largest) = (runs.clone().count(), runs.max()?);
    if different < 2 {
        return None;
    }
    let median = quantile(&values, 0.5);
    let Spread { of_quartiles, distance } = Spread::of(&values, median);
    let unit = if of_quartiles > 1e-9 * distance { of_quartiles } else { 1.25 * distance };
    #[allow(clippy::cast_possible_truncation)] // a forest has fewer columns
    let scale = Scale { column: column as u32, median, unit };
    let is_target = numeric && different >= DIFFERENT_VALUES && (largest as f64) < LARGEST_SHARE * values.len() as f64;
    Some(Known { scale, different, is_target })
}
