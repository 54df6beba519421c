//! Unsupervised random forest (Breiman and Cutler; the job of 2016): a random forest tells real rows from synthetic ones,
//! and the score is the share of synthetic rows in the leaves.

use std::borrow::Cow;

use rand::seq::index;
use vedette_contract::learner::SyntheticRows;

use crate::Matrix;
use crate::learn::bins::{Bins, Table};
use crate::learn::error::FitError;
use crate::learn::isolation::{self, IsolationSettings};
use crate::learn::parameters::UnsupervisedParameters;
use crate::learn::random::random_for;
use crate::learn::random_forest;
use crate::learn::synthetic::{self, Bounds};
use crate::score::forest::{Forest, means};
use crate::score::part::Part;

/// Rows, real and synthetic ones in their proportion, whose quantiles are the bins.
pub(crate) const ROWS_FOR_BINS: usize = 100_000;
/// Synthetic rows that exist at a time.
pub(crate) const SYNTHETIC_AT_A_TIME: usize = 10_000;
/// The forest that says what is trimmed.
pub(crate) const TRIMMING: IsolationSettings =
    IsolationSettings { trees: 100, rows_per_tree: 256, max_depth: 12, thresholds_per_split: 5 };

/// Learns from the rows as they are in the stream.
pub(crate) fn fit(rows: &Matrix, parameters: &UnsupervisedParameters, seed: u64) -> Result<Forest, FitError> {
    let UnsupervisedParameters { forest, synthetic_rows, synthetic_fraction, deduplicate, trim_fraction } = *parameters;
    let mut real = Cow::Borrowed(rows);
    if trim_fraction > 0. {
        let trees = isolation::grow_trees(rows, &TRIMMING, seed);
        real = Cow::Owned(isolation::trimmed(rows, &means(&trees, rows)?, trim_fraction));
    }
    if deduplicate {
        real = Cow::Owned(real.distinct());
    }
    let mut random = random_for(seed, "synthetic rows", 0);
    let bounds = Bounds::new(&sample(rows, ROWS_FOR_BINS, &mut random));
    let mut synthetic = |count: usize| {
        let mut made = Matrix::with_capacity(real.columns(), count);
        match synthetic_rows {
            SyntheticRows::Marginals => synthetic::from_marginals(&real, count, &mut random, &mut made),
            SyntheticRows::Swaps => synthetic::with_swaps(&real, count, &mut random, &mut made),
            SyntheticRows::Uniform => bounds.uniform(count, &mut random, &mut made),
        }
        made
    };
    let total = synthetic_count(real.rows(), synthetic_fraction);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of the rows
    let for_bins = ((ROWS_FOR_BINS as f64 * total as f64 / (total + real.rows()) as f64) as usize).min(total);
    let mut both = synthetic(for_bins);
    let real_for_bins = sample(&real, ROWS_FOR_BINS - for_bins, &mut random_for(seed, "rows for bins", 0));
    real_for_bins.iter().for_each(|row| both.push_row(row));
    let bins = Bins::new(&both, forest.max_bins as usize);
    drop((both, real_for_bins));
    let mut table = Table::with_capacity(bins, real.rows() + total);
    table.push(&real, |_| false);
    let mut missing = total;
    while missing > 0 {
        let count = missing.min(SYNTHETIC_AT_A_TIME);
        table.push(&synthetic(count), |_| true);
        missing -= count;
    }
    let trees = random_forest::grow_trees(&table, &random_forest::settings(&forest, &table), seed);
    Ok(Forest::from_trees(rows.columns(), vec![Part::mean(trees.len())], &trees)?)
}

/// Synthetic rows beside so many real ones.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the fraction was checked
pub(crate) fn synthetic_count(real: usize, fraction: f64) -> usize {
    ((real as f64 * fraction).round() as usize).max(1)
}

/// So many of the rows at random, in their order; all where there are no more.
pub(crate) fn sample(rows: &Matrix, count: usize, random: &mut impl rand::Rng) -> Matrix {
    let mut chosen = index::sample(random, rows.rows(), rows.rows().min(count)).into_vec();
    chosen.sort_unstable();
    rows.select(&chosen)
}
