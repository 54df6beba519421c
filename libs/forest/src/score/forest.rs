//! A forest as flat tables of nodes, whoever learned it: scores and the columns behind them come from the same walk.
//! A walk goes to the second child where the value is greater than the threshold, else (also for what is not a number)
//! to the first. A leaf leads to itself, so several walks go in step, as many steps as the deepest tree has levels:
//! nothing is predicted wrongly, and the loads of one walk do not wait for those of another.

use std::ops::Range;

use rayon::prelude::*;

use crate::Matrix;
use crate::score::order;
use crate::score::part::Part;
use crate::score::split::Split;
use crate::score::structure::{self, ForestError};
use crate::score::tree::Tree;

/// Walks that go in step.
const LANES: usize = 8;
/// Rows that are walked through one tree before the next: their values stay in the first-level cache.
const BLOCK: usize = 64;
/// Rows from which on a batch is worth more than one thread.
const ROWS_PER_TASK: usize = 512;
/// A learned forest. Built by [`crate::learn::fit`] or read from its bytes; in both cases checked, so that every walk ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    pub(crate) columns: u32,
    /// Consecutive trees that are summed up together; all trees belong to one.
    pub(crate) parts: Vec<Part>,
    /// Position of each tree's root, rising, the first of them 0.
    pub(crate) roots: Vec<u32>,
    /// Splits between the root of each tree and its deepest leaf.
    pub(crate) depths: Vec<u8>,
    pub(crate) splits: Vec<Split>,
    /// What a row that gets to a node is worth: of a leaf by itself, of an inner node the mean of the leaves below,
    /// weighted by the training rows that they hold. Higher is more anomalous.
    pub(crate) values: Vec<f32>,
}

impl Forest {
    /// Checks and takes the tables.
    pub(crate) fn new(
        columns: u32,
        parts: Vec<Part>,
        roots: Vec<u32>,
        splits: Vec<Split>,
        values: Vec<f32>,
    ) -> Result<Self, ForestError> {
        let depths = structure::check(columns, &parts, &roots, &splits, &values)?;
        Ok(Self { columns, parts, roots, depths, splits, values })
    }

    /// Joins the trees of the parts, in order.
    pub(crate) fn from_trees(columns: usize, parts: Vec<Part>, trees: &[Tree]) -> Result<Self, ForestError> {
        let nodes = trees.iter().map(|tree| tree.nodes().len()).sum();
        let mut roots = Vec::with_capacity(trees.len());
        let (mut splits, mut values) = (Vec::with_capacity(nodes), Vec::with_capacity(nodes));
        for tree in trees {
            let node = splits.len();
            roots.push(u32::try_from(node).map_err(|_| ForestError::Structure { node })?);
            for (position, made) in tree.nodes().iter().enumerate() {
                let split = match made.first_child {
                    0 => Some(Split::LEAF),
                    child => child.checked_sub(position).and_then(|far| Split::new(made.threshold, made.column, far)),
                };
                splits.push(split.ok_or(ForestError::Structure { node: node + position })?);
                #[allow(clippy::cast_possible_truncation)] // plenty for a mean of path lengths or of votes
                values.push(made.value as f32);
            }
        }
        let columns = u32::try_from(columns).unwrap_or(u32::MAX);
        Self::new(columns, parts, roots, splits, values)
    }

    /// How many values a row has.
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// How many trees vote.
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// How many nodes all trees have.
    pub fn nodes(&self) -> usize {
        self.splits.len()
    }

    /// Raw score of a row; higher is more anomalous. Any value is allowed, infinite and not-a-number ones too.
    ///
    /// # Panics
    /// When the row is shorter than the forest has columns.
    pub fn score(&self, row: &[f32]) -> f64 {
        let row = places(row);
        self.parts_and_trees().map(|(part, trees)| part.score(self.sum(trees, &row))).sum()
    }

    /// Raw scores of all rows, instead of what `out` held; the same numbers as [`Self::score`] gives, faster. Many rows
    /// are shared out to the threads of rayon's pool.
    ///
    /// # Panics
    /// When the rows are shorter than the forest has columns.
    pub fn score_batch(&self, rows: &Matrix, out: &mut Vec<f64>) {
        out.clear();
        out.resize(rows.rows(), 0.);
        if rows.rows() < 2 * ROWS_PER_TASK {
            self.score_rows(rows, 0, out);
            return;
        }
        out.par_chunks_mut(ROWS_PER_TASK)
            .enumerate()
            .for_each(|(task, scores)| self.score_rows(rows, task * ROWS_PER_TASK, scores));
    }

    /// The raw score, and into `out` the share that each column has in what makes the row more anomalous than the
    /// training rows.
    ///
    /// A column's contribution is the sum, over its splits on the row's paths, of the change of the nodes' values
    /// (Saabas 2014, "Interpreting random forests"), over all parts that raise the score above that of an average row.
    /// Negative sums count as none; the others are scaled to sum to one. Where no column has a positive sum, all shares
    /// are 0: there is nothing strange to explain.
    ///
    /// # Panics
    /// When the row or `out` is shorter than the forest has columns.
    pub fn explain(&self, row: &[f32], out: &mut [f64]) -> f64 {
        out.fill(0.);
        let row = places(row);
        let mut score = 0.;
        let mut changes = vec![[0f32; LANES]; self.columns()];
        for (part, trees) in self.parts_and_trees() {
            changes.fill([0.; LANES]);
            let (from, to) = self.changes(trees, &row, &mut changes);
            let (average, this) = (part.score(from), part.score(to));
            score += this;
            if this > average {
                let scale = part.weight / (part.scale * f64::from(part.trees));
                for (share, changes) in out.iter_mut().zip(&changes) {
                    *share += scale * changes.iter().copied().map(f64::from).sum::<f64>();
                }
            }
        }
        out.iter_mut().for_each(|share| *share = share.max(0.));
        let total: f64 = out.iter().sum();
        if total > 0. {
            out.iter_mut().for_each(|share| *share /= total);
        }
        score
    }

    pub(crate) fn parts_and_trees(&self) -> impl Iterator<Item = (&Part, Range<usize>)> {
        let mut end = 0;
        self.parts.iter().map(move |part| {
            let begin = end;
            end += part.trees as usize;
            (part, begin..end)
        })
    }

    /// Sum of the trees' leaves, in the order of the trees.
    fn sum(&self, trees: Range<usize>, row: &[u32]) -> f64 {
        self.groups(trees)
            .map(|(roots, depth)| {
                let mut nodes = walks(roots);
                for _ in 0..depth {
                    for node in &mut nodes {
                        let split = self.splits[*node as usize];
                        *node += split.step(row[split.column()]);
                    }
                }
                nodes.iter().take(roots.len()).map(|node| f64::from(self.values[*node as usize])).sum::<f64>()
            })
            .sum()
    }

    /// Sums of the trees' roots and of their leaves; what changes from node to node is added to the split's column, for each
    /// lane by itself: one sum would be waited for by all of them.
    fn changes(&self, trees: Range<usize>, row: &[u32], changes: &mut [[f32; LANES]]) -> (f64, f64) {
        let (mut from, mut to) = (0., 0.);
        for (roots, depth) in self.groups(trees) {
            let mut nodes = walks(roots);
            let mut values = nodes.map(|node| self.values[node as usize]);
            from += values.iter().take(roots.len()).copied().map(f64::from).sum::<f64>();
            for _ in 0..depth {
                for (lane, (node, value)) in nodes.iter_mut().zip(&mut values).enumerate().take(roots.len()) {
                    let split = self.splits[*node as usize];
                    *node += split.step(row[split.column()]);
                    let before = std::mem::replace(value, self.values[*node as usize]);
                    changes[split.column()][lane] += *value - before;
                }
            }
            to += values.iter().take(roots.len()).copied().map(f64::from).sum::<f64>();
        }
        (from, to)
    }

    /// Trees that go in step: their roots, and the splits of the deepest.
    fn groups(&self, trees: Range<usize>) -> impl Iterator<Item = (&[u32], u8)> {
        let (roots, depths) = (&self.roots[trees.clone()], &self.depths[trees]);
        let deepest = |depths: &[u8]| depths.iter().copied().max().unwrap_or_default();
        roots.chunks(LANES).zip(depths.chunks(LANES).map(deepest))
    }

    /// Scores of as many rows as `out` has places, from row `first` on.
    fn score_rows(&self, rows: &Matrix, first: usize, out: &mut [f64]) {
        let columns = rows.columns().max(1);
        let mut block = vec![[0; LANES]; BLOCK / LANES * columns];
        let mut first = first;
        for out in out.chunks_mut(BLOCK) {
            for row in 0..out.len() {
                let lanes = &mut block[row / LANES * columns..][..columns];
                let values = rows.row(first + row).iter().copied().map(order::of_value);
                lanes.iter_mut().zip(values).for_each(|(lanes, value)| lanes[row % LANES] = value);
            }
            first += out.len();
            for (part, trees) in self.parts_and_trees() {
                let mut sums = [0.; BLOCK];
                self.sum_block(trees, &block, columns, &mut sums[..out.len()]);
                out.iter_mut().zip(sums).for_each(|(score, sum)| *score += part.score(sum));
            }
        }
    }

    /// The block has, for each lane, the values of a row, column by column, and then those of the next rows; lanes beyond the
    /// last row hold what was there before.
    fn sum_block(&self, trees: Range<usize>, block: &[[u32; LANES]], columns: usize, sums: &mut [f64]) {
        // The order of additions is that of `sum`: groups of trees first.
        for group in trees.clone().step_by(LANES) {
            let mut of_group = [0.; BLOCK];
            for tree in group..trees.end.min(group + LANES) {
                let root = self.roots[tree] as usize;
                let end = self.roots.get(tree + 1).map_or(self.splits.len(), |root| *root as usize);
                let (splits, values) = (&self.splits[root..end], &self.values[root..end]);
                for (rows, sums) in block.chunks(columns).zip(of_group[..sums.len()].chunks_mut(LANES)) {
                    let mut nodes = [0u32; LANES];
                    for _ in 0..self.depths[tree] {
                        for (lane, node) in nodes.iter_mut().enumerate() {
                            let split = splits[*node as usize];
                            *node += split.step(rows[split.column()][lane]);
                        }
                    }
                    sums.iter_mut().zip(nodes).for_each(|(sum, node)| *sum += f64::from(values[node as usize]));
                }
            }
            sums.iter_mut().zip(of_group).for_each(|(sum, group)| *sum += group);
        }
    }
}

/// The mean leaf of each row.
pub(crate) fn means(trees: &[Tree], rows: &Matrix) -> Result<Vec<f64>, ForestError> {
    let mut means = Vec::new();
    Forest::from_trees(rows.columns(), vec![Part::mean(trees.len())], trees)?.score_batch(rows, &mut means);
    Ok(means)
}

/// A walk at each root; lanes beyond the last root walk the first tree.
fn walks(roots: &[u32]) -> [u32; LANES] {
    std::array::from_fn(|lane| roots.get(lane).copied().unwrap_or_default())
}

fn places(row: &[f32]) -> Vec<u32> {
    row.iter().copied().map(order::of_value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::tree::small_tree;

    fn small(trees: usize) -> Forest {
        let trees = vec![small_tree(); trees];
        Forest::from_trees(2, vec![Part::mean(trees.len())], &trees).unwrap()
    }

    #[test]
    fn the_score_is_the_mean_of_the_leaves() {
        for (row, mean) in [([1., 9.], 0.), ([2., 2.], 0.), ([2., 3.], 1.)] {
            assert!((small(3).score(&row) - mean).abs() < 1e-12);
        }
    }

    #[test]
    fn parts_are_added_up_each_in_its_own_way() {
        let trees = vec![small_tree(); 3];
        let capped = Part { center: -1., scale: 0.5, floor: 2.5, cap: 3., slope: 0.5, weight: 10., ..Part::mean(1) };
        let forest = Forest::from_trees(2, vec![Part::mean(2), capped], &trees).unwrap();
        // 1 and 10 * (3 + .5 * 1); 0 and 10 * 2.5.
        assert!((forest.score(&[2., 3.]) - 36.).abs() < 1e-12);
        assert!((forest.score(&[1., 3.]) - 25.).abs() < 1e-12);
        let opened = Part { far: 3.5, far_slope: 4., ..capped };
        let forest = Forest::from_trees(2, vec![Part::mean(2), opened], &trees).unwrap();
        // 10 * (3 + .5 * .5 + 4 * .5).
        assert!((forest.score(&[2., 3.]) - 53.5).abs() < 1e-12);
    }

    #[test]
    fn every_value_has_a_score() {
        let forest = small(9);
        let mut shares = [0.; 2];
        for row in [[f32::NAN, f32::NAN], [f32::INFINITY, f32::NAN], [f32::NEG_INFINITY, f32::INFINITY]] {
            assert!(forest.score(&row).is_finite());
            forest.explain(&row, &mut shares);
            assert!(shares.iter().all(|share| (0. ..=1.).contains(share)), "{shares:?}");
        }
        assert_eq!(forest.score(&[f32::NAN; 2]).to_bits(), forest.score(&[f32::NEG_INFINITY; 2]).to_bits());
    }

    #[test]
    fn shares_follow_the_changes_on_the_path() {
        let mut shares = [9.; 2];
        let forest = small(3);
        let score = forest.explain(&[2., 3.], &mut shares);
        // From .125 to .5 by column 0, from there to 1 by column 1.
        assert!((shares[0] - 0.375 / 0.875).abs() < 1e-6 && (shares[1] - 0.5 / 0.875).abs() < 1e-6, "{shares:?}");
        assert!((score - forest.score(&[2., 3.])).abs() < 1e-12);
    }

    #[test]
    fn where_nothing_is_strange_no_column_has_a_share() {
        let mut shares = [9.; 2];
        small(3).explain(&[0., 0.], &mut shares);
        assert_eq!(shares, [0., 0.]);
    }

    #[test]
    fn a_batch_gives_the_same_scores_as_single_rows() {
        for trees in [1, LANES, 2 * LANES + 3] {
            let forest = small(trees);
            for count in [0, 1, BLOCK - 1, 3 * BLOCK + 5, 3 * ROWS_PER_TASK + 9] {
                let mut rows = Matrix::new(2);
                (0..count).for_each(|row| rows.push_row(&[(row % 3) as f32, (row % 5) as f32]));
                let mut scores = vec![9.];
                forest.score_batch(&rows, &mut scores);
                let single: Vec<f64> = rows.iter().map(|row| forest.score(row)).collect();
                assert_eq!(scores, single, "{trees} trees, {count} rows");
            }
        }
    }
}
