//! Random forest of two classes (Breiman 2001) on binned rows: each tree learns from a bootstrap sample, each split is the
//! best of some random columns, and a leaf is worth the share of label 1 among its rows.

use std::ops::Range;

use rand::Rng;
use rayon::prelude::*;
use vedette_contract::learner::Impurity;

use crate::bins::{MAX_BINS, Table};
use crate::random::random_for;
use crate::tree::{Grown, Tree};

/// Rows whose bins fit into the first-level cache.
const ROWS_AT_A_TIME: usize = 64;

/// Settings of the learner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RandomForestSettings {
    pub(crate) trees: u32,
    /// Rows of a tree, drawn with replacement.
    pub(crate) rows_per_tree: usize,
    pub(crate) max_depth: u32,
    /// Random columns of which a split takes the best, at least 1. More are looked at where these are constant.
    pub(crate) columns_per_split: usize,
    pub(crate) impurity: Impurity,
}

/// Learns the trees.
pub(crate) fn grow_trees(table: &Table, settings: &RandomForestSettings, seed: u64) -> Vec<Tree> {
    let RandomForestSettings { trees, rows_per_tree, max_depth, columns_per_split, impurity } = *settings;
    (0..trees)
        .into_par_iter()
        .map(|tree| {
            let mut random = random_for(seed, "random forest tree", tree);
            let mut drawn = bootstrap(table.rows(), rows_per_tree, &mut random);
            let mut later = Vec::with_capacity(drawn.len());
            let mut search = Search::new(table, columns_per_split, impurity);
            Tree::grow(drawn.len(), max_depth, |range, _, may_split| {
                let here = &mut drawn[range];
                let Found { rows, ones, split } = search.find(here, may_split, &mut random);
                let Some(Split { column, bin, next }) = split else {
                    return Grown::Leaf { value: ones as f64 / rows.max(1) as f64, rows };
                };
                let first = partition_in_order(here, &mut later, |row| usize::from(table.row(row)[column]) <= bin);
                Grown::Split { column, threshold: table.bins().threshold(column, bin, next), first }
            })
        })
        .collect()
}

/// A row of a tree's sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drawn {
    row: u32,
    /// How often, at least once.
    times: u32,
}

/// Draws so many rows with replacement. They come in rising order, so that memory is read forward.
#[allow(clippy::cast_possible_truncation)] // rows are numbered in 32 bits: a table of more would not fit into memory
fn bootstrap(rows: usize, count: usize, random: &mut impl Rng) -> Vec<Drawn> {
    let mut times = vec![0u8; rows];
    (0..count).for_each(|_| {
        let row = random.random_range(0..rows as u32) as usize;
        times[row] = times[row].saturating_add(1);
    });
    let mut drawn = Vec::with_capacity(times.iter().filter(|times| **times > 0).count());
    let numbered = (0u32..).zip(times).filter(|(_, times)| *times > 0);
    drawn.extend(numbered.map(|(row, times)| Drawn { row, times: times.into() }));
    drawn
}

/// Puts the rows for which this holds first and keeps the order on both sides; says how many different ones they are. In a
/// large table rows are far apart: asking a few of them before any moves makes the processor fetch them side by side.
fn partition_in_order(drawn: &mut [Drawn], later: &mut Vec<Drawn>, first: impl Fn(u32) -> bool) -> usize {
    later.clear();
    let mut count = 0;
    for start in (0..drawn.len()).step_by(ROWS_AT_A_TIME) {
        let end = drawn.len().min(start + ROWS_AT_A_TIME);
        let mut is_first = [false; ROWS_AT_A_TIME];
        is_first.iter_mut().zip(&drawn[start..end]).for_each(|(is_first, drawn)| *is_first = first(drawn.row));
        for (position, is_first) in (start..end).zip(is_first) {
            if is_first {
                drawn[count] = drawn[position];
                count += 1;
            } else {
                later.push(drawn[position]);
            }
        }
    }
    drawn[count..].copy_from_slice(later);
    count
}

/// Between two bins of a column that hold rows, with none in between.
#[derive(Debug, Clone, Copy)]
struct Split {
    column: usize,
    bin: usize,
    next: usize,
}

/// What was found out of a node's rows.
struct Found {
    rows: usize,
    /// Rows of label 1.
    ones: usize,
    split: Option<Split>,
}

/// The search for a node's best split, with memory that every node uses again.
struct Search<'a> {
    table: &'a Table,
    columns_per_split: usize,
    impurity: Impurity,
    columns: Vec<usize>,
    /// Of each column that is looked at and each of its bins: rows in the lower half, rows of label 1 in the upper half.
    /// Zero between two searches.
    counts: Vec<[u64; MAX_BINS]>,
}

impl<'a> Search<'a> {
    fn new(table: &'a Table, columns_per_split: usize, impurity: Impurity) -> Self {
        let columns: Vec<usize> = (0..table.bins().columns()).collect();
        let columns_per_split = columns_per_split.clamp(1, columns.len().max(1));
        Self { table, columns_per_split, impurity, columns, counts: vec![[0; MAX_BINS]; columns_per_split] }
    }

    fn find(&mut self, drawn: &[Drawn], may_split: bool, random: &mut impl Rng) -> Found {
        let columns = if may_split { self.columns.len() } else { 0 };
        let (mut rows, mut ones) = (0, 0);
        let mut best = (f64::NEG_INFINITY, None);
        // Without a split to look for, one round counts the label alone.
        for start in (0..columns.max(1)).step_by(self.columns_per_split) {
            let chosen = start..columns.min(start + self.columns_per_split);
            self.shuffle(chosen.clone(), random);
            (rows, ones) = self.count(drawn, chosen.clone());
            for (position, column) in chosen.enumerate() {
                self.best_of_column(position, self.columns[column], (rows, ones), &mut best);
            }
            let is_mixed = ones > 0 && ones < rows;
            if best.1.is_some() || !is_mixed {
                best.1 = best.1.filter(|_| is_mixed);
                break;
            }
        }
        Found { rows, ones, split: best.1 }
    }

    /// Puts random columns, none of those before, at these positions.
    fn shuffle(&mut self, positions: Range<usize>, random: &mut impl Rng) {
        let all = self.columns.len();
        for position in positions {
            self.columns.swap(position, random.random_range(position..all));
        }
    }

    /// Counts the bins of these columns, and says how many rows there are and how many have label 1. In a large table rows
    /// are far apart: reading the labels of a few of them first makes the processor fetch them side by side.
    #[allow(clippy::cast_possible_truncation)] // counts of rows, which are numbered in 32 bits
    fn count(&mut self, drawn: &[Drawn], chosen: Range<usize>) -> (usize, usize) {
        let chosen = &self.columns[chosen];
        let mut all = 0;
        for drawn in drawn.chunks(ROWS_AT_A_TIME) {
            // Rows in the lower half, those of label 1 in the upper half.
            let mut counted = [0; ROWS_AT_A_TIME];
            for (counted, Drawn { row, times }) in counted.iter_mut().zip(drawn) {
                let row = self.table.row(*row);
                *counted = u64::from(*times) | u64::from(*times * u32::from(row[row.len() - 1])) << 32;
            }
            all += counted.iter().sum::<u64>();
            for (Drawn { row, .. }, counted) in drawn.iter().zip(counted) {
                let row = self.table.row(*row);
                for (counts, column) in self.counts.iter_mut().zip(chosen) {
                    counts[usize::from(row[*column])] += counted;
                }
            }
        }
        let [rows, ones] = [all & u64::from(u32::MAX), all >> 32];
        (rows as usize, ones as usize)
    }

    /// Replaces the best split where one in this column is better, and forgets the column's counts.
    fn best_of_column(
        &mut self,
        position: usize,
        column: usize,
        (rows, ones): (usize, usize),
        best: &mut (f64, Option<Split>),
    ) {
        let counts = &mut self.counts[position][..self.table.bins().count(column)];
        let (mut below, mut last) = ((0, 0), None);
        for (next, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            if let Some(bin) = last {
                let (below_rows, below_ones) = below;
                let purity = purity(self.impurity, below_rows, below_ones)
                    + purity(self.impurity, rows as u64 - below_rows, ones as u64 - below_ones);
                if purity > best.0 {
                    *best = (purity, Some(Split { column, bin, next }));
                }
            }
            below = (below.0 + (*count & u64::from(u32::MAX)), below.1 + (*count >> 32));
            last = Some(next);
            *count = 0;
        }
    }
}

/// How pure so many rows with so many ones are, times the rows; the larger the sum over both sides of a split, the
/// smaller their impurity. Not for no rows.
fn purity(impurity: Impurity, rows: u64, ones: u64) -> f64 {
    let (rows, ones) = (rows as f64, ones as f64);
    let zeros = rows - ones;
    match impurity {
        Impurity::Gini => (ones * ones + zeros * zeros) / rows,
        Impurity::Entropy => {
            let classes = [ones, zeros].into_iter().filter(|class| *class > 0.);
            classes.map(|class| class * (class / rows).log2()).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::Bins;
    use crate::part::Part;
    use crate::{Forest, Matrix};

    fn settings(trees: u32, columns_per_split: usize) -> RandomForestSettings {
        let impurity = Impurity::Gini;
        RandomForestSettings { trees, rows_per_tree: 1_000, max_depth: 8, columns_per_split, impurity }
    }

    /// Label 1 where the first of two columns is more than 30 and the second more than 50, of 0 to 99 each.
    fn corner() -> (Matrix, Table) {
        let mut random = random_for(1, "test", 0);
        let mut rows = Matrix::new(2);
        (0..1_000).for_each(|_| rows.push_row(&[0; 2].map(|_| f32::from(random.random_range(0..100u8)))));
        let mut table = Table::with_capacity(Bins::new(&rows, 64), rows.rows());
        table.push(&rows, |row| rows.row(row)[0] > 30. && rows.row(row)[1] > 50.);
        (rows, table)
    }

    #[test]
    fn what_parts_the_classes_is_found() {
        let (_, table) = corner();
        for impurity in [Impurity::Gini, Impurity::Entropy] {
            let trees = grow_trees(&table, &RandomForestSettings { impurity, ..settings(20, 1) }, 1);
            let forest = Forest::from_trees(2, vec![Part::mean(trees.len())], &trees).unwrap();
            assert!(forest.score(&[80., 80.]) > 0.9, "{}", forest.score(&[80., 80.]));
            for row in [[10., 80.], [80., 20.], [10., 10.]] {
                assert!(forest.score(&row) < 0.1, "{row:?} {}", forest.score(&row));
            }
        }
    }

    #[test]
    fn constant_columns_do_not_end_the_search() {
        let mut rows = Matrix::new(5);
        (0..100u8).for_each(|value| rows.push_row(&[1., 1., f32::from(value), 1., 1.]));
        let mut table = Table::with_capacity(Bins::new(&rows, 256), 100);
        table.push(&rows, |row| row < 50);
        for tree in grow_trees(&table, &settings(20, 1), 1) {
            assert_eq!((tree.nodes().len(), tree.nodes()[0].column), (3, 2));
        }
    }

    #[test]
    fn a_bootstrap_sample_is_in_order_and_repeats_rows() {
        let drawn = bootstrap(1_000, 1_000, &mut random_for(1, "test", 0));
        assert_eq!(drawn.iter().map(|drawn| drawn.times).sum::<u32>(), 1_000);
        assert!(drawn.is_sorted_by(|one, other| one.row < other.row) && drawn.iter().all(|drawn| drawn.times > 0));
        // 1 - 1/e of the rows.
        assert!((600..665).contains(&drawn.len()), "{}", drawn.len());
    }

    #[test]
    fn one_class_is_a_leaf() {
        let (rows, _) = corner();
        let mut table = Table::with_capacity(Bins::new(&rows, 64), rows.rows());
        table.push(&rows, |_| true);
        let trees = grow_trees(&table, &settings(3, 2), 1);
        assert!(trees.iter().all(|tree| tree.nodes().len() == 1 && (tree.nodes()[0].value - 1.).abs() < 1e-12));
    }
}
