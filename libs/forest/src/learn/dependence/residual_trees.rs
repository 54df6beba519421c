//! Trees of least squares on what the linear part does not explain of a column.

use rand::Rng;
use rayon::prelude::*;

use crate::Matrix;
use crate::learn::bins::Bins;
use crate::learn::dependence::Left;
use crate::learn::dependence::surprise::median;
use crate::learn::quantiles::{quantile, sorted};
use crate::learn::random::random_for;
use crate::score::dependence::Scale;
use crate::score::tree::{Grown, Tree};

const MAX_DEPTH: u32 = 6;
/// Rows of a leaf: this share of all, and at least so many.
const LEAF_SHARE: f64 = 0.003;
const LEAST_ROWS: usize = 10;
const BINS: usize = 64;
/// Share of what a tree says that counts, and rows by which the mean of a leaf is drawn to 0.
const STEP: f64 = 0.6;
const SHRINKAGE: f64 = 5.;
/// Trees in all, and of a column.
const TREES: usize = 64;
const ROUNDS: usize = 12;
/// Shares that a first tree must explain on rows it did not see, and a further one on those it was grown on.
const FIRST_GAIN: f64 = 0.1;
const NEXT_GAIN: f64 = 0.02;
/// Residuals are cut at this quantile of their size.
const CUT: f64 = 0.95;

/// A target with its trees, and what is left with them.
pub(crate) struct Explained {
    pub(crate) left: Left,
    pub(crate) trees: Vec<Tree>,
}

/// Grows trees for the targets that have most of it, round by round.
pub(crate) fn explain(rows: &Matrix, scales: &[Scale], targets: Vec<Left>, seed: u64) -> Vec<Explained> {
    let table = Table::new(rows, scales);
    let mut random = random_for(seed, "rows that screen", 0);
    let (half, other): (Vec<usize>, Vec<usize>) = (0..rows.rows()).partition(|_| random.random::<bool>());
    let gains: Vec<f64> = targets.par_iter().map(|left| table.gain(left, &half, &other)).collect();
    let mut explained: Vec<Explained> = targets.into_iter().map(|left| Explained { left, trees: Vec::new() }).collect();
    let mut active: Vec<usize> = (0..explained.len()).filter(|target| gains[*target] > FIRST_GAIN).collect();
    active.sort_by(|one, other| gains[*other].total_cmp(&gains[*one]));
    let mut trees = TREES;
    for _ in 0..ROUNDS {
        active.truncate(trees);
        trees -= active.len();
        let grown: Vec<Step> = active.par_iter().map(|target| table.step(&explained[*target].left)).collect();
        let mut goes_on = Vec::new();
        for (target, Step { tree, left, gain }) in std::mem::take(&mut active).into_iter().zip(grown) {
            let Explained { left: before, trees } = &mut explained[target];
            before.residuals = left;
            trees.push(tree.with_columns(|position| scales[position].column as usize));
            if gain > NEXT_GAIN {
                goes_on.push(target);
            }
        }
        active = goes_on;
    }
    explained
}

struct Step {
    tree: Tree,
    left: Vec<f64>,
    gain: f64,
}

/// Rows of the columns that have a say, as numbers and as bins.
struct Table {
    rows: Matrix,
    bins: Bins,
    bytes: Vec<u8>,
}

impl Table {
    fn new(all: &Matrix, scales: &[Scale]) -> Self {
        let mut rows = Matrix::with_capacity(scales.len(), all.rows());
        for row in all.iter() {
            rows.push_row(&scales.iter().map(|scale| row[scale.column as usize]).collect::<Vec<_>>());
        }
        let bins = Bins::new(&rows, BINS);
        let bytes = rows.iter().flat_map(|row| bins.row(row).collect::<Vec<_>>()).collect();
        Self { rows, bins, bytes }
    }

    /// What share of a target a tree of one half explains on the other.
    fn gain(&self, left: &Left, half: &[usize], other: &[usize]) -> f64 {
        let residuals = cut(&left.residuals);
        let tree = self.grow(&residuals, half.to_vec(), left.position, MAX_DEPTH - 1, 1.);
        share_explained(other.iter().map(|row| (residuals[*row], tree.value(self.rows.row(*row)))))
    }

    fn step(&self, left: &Left) -> Step {
        let residuals = cut(&left.residuals);
        let tree = self.grow(&residuals, (0..residuals.len()).collect(), left.position, MAX_DEPTH, STEP);
        let said: Vec<f64> = self.rows.iter().map(|row| tree.value(row)).collect();
        let gain = share_explained(residuals.iter().copied().zip(said.iter().copied()));
        let left = left.residuals.iter().zip(said).map(|(residual, said)| residual - said).collect();
        Step { tree, left, gain }
    }

    /// A tree that does not look at the column itself.
    fn grow(&self, residuals: &[f64], mut rows: Vec<usize>, itself: usize, max_depth: u32, step: f64) -> Tree {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of the rows
        let leaf = ((LEAF_SHARE * residuals.len() as f64) as usize).max(LEAST_ROWS);
        let columns = self.rows.columns();
        Tree::grow(rows.as_mut_slice(), max_depth, |here, _, may_split| {
            let total: f64 = here.iter().map(|row| residuals[*row]).sum();
            let split =
                if may_split && here.len() >= 2 * leaf { self.split(here, residuals, itself, leaf) } else { None };
            let Some((column, bin)) = split else {
                return Grown::Leaf { value: step * total / (here.len() as f64 + SHRINKAGE), rows: here.len() };
            };
            here.sort_by_key(|row| usize::from(self.bytes[row * columns + column]) > bin);
            let middle = here.partition_point(|row| usize::from(self.bytes[row * columns + column]) <= bin);
            let (first, second) = here.split_at_mut(middle);
            Grown::Split { column, threshold: self.bins.threshold(column, bin, bin + 1), children: [first, second] }
        })
    }

    /// The column and the last bin of the first side of the split that leaves least squares, if one is better than none.
    fn split(&self, rows: &[usize], residuals: &[f64], itself: usize, leaf: usize) -> Option<(usize, usize)> {
        let columns = self.rows.columns();
        let mut sums = vec![(0f64, 0usize); columns * BINS];
        for row in rows {
            let bins = self.bytes[row * columns..][..columns].iter();
            for (of_column, bin) in sums.chunks_exact_mut(BINS).zip(bins) {
                let (sum, count) = &mut of_column[usize::from(*bin)];
                (*sum, *count) = (*sum + residuals[*row], *count + 1);
            }
        }
        let total: f64 = rows.iter().map(|row| residuals[*row]).sum();
        let (mut best, mut split) = (1e-9 + total * total / rows.len() as f64, None);
        for (column, of_column) in sums.chunks_exact(BINS).enumerate().filter(|(column, _)| *column != itself) {
            let (mut sum, mut count) = (0., 0);
            for (bin, (of_bin, in_bin)) in of_column.iter().enumerate() {
                (sum, count) = (sum + of_bin, count + in_bin);
                if count < leaf || *in_bin == 0 {
                    continue;
                }
                if rows.len() - count < leaf {
                    break;
                }
                let rest = total - sum;
                let gain = sum * sum / count as f64 + rest * rest / (rows.len() - count) as f64;
                if gain > best {
                    (best, split) = (gain, Some((column, bin)));
                }
            }
        }
        split
    }
}

/// Share of the squares of what is first that what is second takes away.
fn share_explained(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let all: f64 = pairs.clone().map(|(residual, _)| residual * residual).sum();
    let left: f64 = pairs.map(|(residual, said)| (residual - said).powi(2)).sum();
    if all > 0. { 1. - left / all } else { 0. }
}

/// Distances from the median, cut.
fn cut(residuals: &[f64]) -> Vec<f64> {
    let median = median(residuals);
    let sizes = sorted(residuals.iter().map(|residual| (residual - median).abs()).collect());
    let limit = quantile(&sizes, CUT);
    residuals.iter().map(|residual| (residual - median).clamp(-limit, limit)).collect()
}
