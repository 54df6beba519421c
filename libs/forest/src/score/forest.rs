//! A forest: trees in parts whose pieces add up to a score, what stands for a value that is missing, and what is known of the
//! dependence between columns.

use rayon::prelude::*;

use crate::Matrix;
use crate::score::dependence::{Broken, Dependence, Expected, Scratch};
use crate::score::order;
use crate::score::part::Part;
use crate::score::structure::ForestError;
use crate::score::tree::Tree;
use crate::score::trees::{BLOCK, LANES, Trees};

/// Rows from which on a batch is worth more than one thread.
const ROWS_PER_TASK: usize = 512;

/// A learned forest. Built by [`crate::learn::fit`] or read from its bytes; in both cases checked, so that every walk ends.
/// A value that is not a number is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    pub(crate) trees: Trees,
    /// The place, in the order of numbers, of what stands for a missing value of each column where trees ask for it; that of
    /// what is not a number, which goes to the first child, where nothing is known.
    pub(crate) typical: Vec<u32>,
    pub(crate) dependence: Option<Dependence>,
}

impl Forest {
    /// Joins the trees of the parts, in order.
    pub(crate) fn from_trees(columns: usize, parts: Vec<Part>, trees: &[Tree]) -> Result<Self, ForestError> {
        let trees = Trees::from_trees(columns, parts, trees)?;
        Ok(Self { typical: vec![order::UNKNOWN; columns], trees, dependence: None })
    }

    /// Takes these for missing values of the columns of which nothing is known.
    pub(crate) fn know_typical(&mut self, values: impl IntoIterator<Item = f32>) {
        let unknown = self.typical.iter_mut().zip(values).filter(|(place, _)| **place == order::UNKNOWN);
        unknown.for_each(|(place, value)| *place = order::of_value(value));
    }

    /// How many values a row has.
    pub fn columns(&self) -> usize {
        self.trees.columns as usize
    }

    /// How many trees vote.
    pub fn trees(&self) -> usize {
        self.trees.roots.len()
    }

    /// How many nodes all trees have.
    pub fn nodes(&self) -> usize {
        self.trees.splits.len()
    }

    /// Raw score of a row; higher is more anomalous. Any value is allowed, infinite and not-a-number ones too.
    ///
    /// # Panics
    /// When the row is shorter than the forest has columns.
    pub fn score(&self, row: &[f32]) -> f64 {
        let places = self.places(row);
        let of_trees: f64 =
            self.trees.parts_and_trees().map(|(part, trees)| part.score(self.trees.sum(trees, &places))).sum();
        let of_dependence = |dependence: &Dependence| dependence.points(row, &places, &mut Scratch::default());
        of_trees + self.dependence.as_ref().map_or(0., of_dependence)
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
    pub fn explain(&self, row: &[f32], out: &mut [f64]) -> Explained {
        out.fill(0.);
        let places = self.places(row);
        let mut score = 0.;
        let mut changes = vec![[0f32; LANES]; self.columns()];
        for (part, trees) in self.trees.parts_and_trees() {
            changes.fill([0.; LANES]);
            let (from, to) = self.trees.changes(trees, &places, &mut changes);
            let (average, this) = (part.score(from), part.score(to));
            score += this;
            if this > average {
                let scale = part.weight / (part.scale * f64::from(part.trees));
                for (share, changes) in out.iter_mut().zip(&changes) {
                    *share += scale * changes.iter().copied().map(f64::from).sum::<f64>();
                }
            }
        }
        let broken = self.dependence.as_ref().and_then(|dependence| dependence.broken(row, &places));
        out.iter_mut().for_each(|share| *share = share.max(0.));
        if let Some(Broken { points, expected }) = broken {
            score += points;
            out[expected.column] += points;
        }
        let total: f64 = out.iter().sum();
        if total > 0. {
            out.iter_mut().for_each(|share| *share /= total);
        }
        Explained { score, expected: broken.map(|broken| broken.expected) }
    }

    /// Scores of as many rows as `out` has places, from row `first` on.
    fn score_rows(&self, rows: &Matrix, first: usize, out: &mut [f64]) {
        let columns = rows.columns().max(1);
        let mut block = vec![[0; LANES]; BLOCK / LANES * columns];
        let mut of_dependence = self.dependence.as_ref().map(|dependence| (dependence, Scratch::default()));
        let mut first = first;
        for out in out.chunks_mut(BLOCK) {
            for row in 0..out.len() {
                let lanes = &mut block[row / LANES * columns..][..columns];
                let places = rows.row(first + row).iter().zip(&self.typical).map(place);
                lanes.iter_mut().zip(places).for_each(|(lanes, place)| lanes[row % LANES] = place);
            }
            for (part, trees) in self.trees.parts_and_trees() {
                let mut sums = [0.; BLOCK];
                self.trees.sum_block(trees, &block, columns, &mut sums[..out.len()]);
                out.iter_mut().zip(sums).for_each(|(score, sum)| *score += part.score(sum));
            }
            if let Some((dependence, scratch)) = &mut of_dependence {
                dependence.add_points(rows, first, &block, scratch, out);
            }
            first += out.len();
        }
    }

    fn places(&self, row: &[f32]) -> Vec<u32> {
        row.iter().zip(&self.typical).map(place).collect()
    }
}

/// What [`Forest::explain`] says beside the shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explained {
    /// The raw score.
    pub score: f64,
    /// The value that does not fit the others, where there is one.
    pub expected: Option<Expected>,
}

/// The mean leaf of each row.
pub(crate) fn means(trees: &[Tree], rows: &Matrix) -> Result<Vec<f64>, ForestError> {
    let mut means = Vec::new();
    Forest::from_trees(rows.columns(), vec![Part::mean(trees.len())], trees)?.score_batch(rows, &mut means);
    Ok(means)
}

/// The place of a value, or of what stands for it where it is missing.
fn place((value, typical): (&f32, &u32)) -> u32 {
    match order::of_value(*value) {
        order::UNKNOWN => *typical,
        place => place,
    }
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
        let score = forest.explain(&[2., 3.], &mut shares).score;
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
