//! Random forest of two classes (Breiman 2001) on binned rows: each tree learns from a bootstrap sample, each split is the
//! best of some random columns, and a leaf is worth the share of label 1 among its rows.

use std::ops::Range;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use vedette_contract::learner::Impurity;

use crate::learn::bins::{Bins, MAX_BINS, Table};
use crate::learn::bootstrap::{Bootstrap, Drawn, ROWS_PER_TASK, Rows};
use crate::learn::parameters::{RandomForestParameters, columns_per_split};
use crate::learn::random::random_for;
use crate::score::tree::{Grown, Tree};

/// Samples that exist at a time hold at most so many bytes, or are one: all threads then work on one tree.
const SAMPLES_BYTES: usize = 256 << 20;

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

/// The settings for this table.
pub(crate) fn settings(parameters: &RandomForestParameters, table: &Table) -> RandomForestSettings {
    let RandomForestParameters { trees, rows_per_tree, max_depth, max_bins: _, max_features, impurity } = *parameters;
    RandomForestSettings {
        trees,
        rows_per_tree: rows_per_tree.map_or(table.rows(), |rows| table.rows().min(rows as usize)),
        max_depth,
        columns_per_split: columns_per_split(max_features, table.bins().columns()),
        impurity,
    }
}

/// Learns the trees.
pub(crate) fn grow_trees(table: &Table, settings: &RandomForestSettings, seed: u64) -> Vec<Tree> {
    let numbers: Vec<u32> = (0..settings.trees).collect();
    let at_a_time = (SAMPLES_BYTES / Bootstrap::max_bytes(table, settings.rows_per_tree).max(1)).max(1);
    let grow = |number: &u32| {
        let mut random = random_for(seed, "random forest tree", *number);
        let mut sample = Bootstrap::draw(table, settings.rows_per_tree, &mut random);
        let rows = sample.rows();
        let counts = counts(&rows);
        let root = Grower::new(table.bins(), settings).grow(rows, counts, settings.max_depth, random.random());
        Tree::grow(root, settings.max_depth, |Branch { counts: [rows, ones], split }, _, may_split| match split {
            Some((Split { column, bin, next, .. }, children)) if may_split => {
                Grown::Split { column, threshold: table.bins().threshold(column, bin, next), children: *children }
            }
            #[allow(clippy::cast_possible_truncation)] // rows of a table in memory
            _ => Grown::Leaf { value: ones as f64 / rows.max(1) as f64, rows: rows as usize },
        })
    };
    numbers.chunks(at_a_time).flat_map(|numbers| numbers.par_iter().map(grow).collect::<Vec<_>>()).collect()
}

/// A node and all that is below it.
struct Branch {
    /// Rows, and those of label 1.
    counts: [u64; 2],
    split: Option<(Split, Box<[Self; 2]>)>,
}

/// Between two bins of a column that hold rows, with none in between.
#[derive(Debug, Clone, Copy)]
struct Split {
    column: usize,
    bin: usize,
    next: usize,
    /// Rows up to the bin, and those of label 1.
    below: [u64; 2],
}

/// How many rows there are, and how many have label 1.
fn counts(rows: &Rows<'_>) -> [u64; 2] {
    let of_task = |rows| {
        let add = |[all, ones]: [u64; 2], Drawn { label, times, .. }| {
            [all + u64::from(times), ones + u64::from(times) * u64::from(label)]
        };
        Iterator::fold(rows, [0; 2], add)
    };
    rows.tasks().map(of_task).reduce(|| [0; 2], |[all, ones], [more, more_ones]| [all + more, ones + more_ones])
}

/// Grows branches, with memory that the small ones use again.
struct Grower<'a> {
    bins: &'a Bins,
    settings: &'a RandomForestSettings,
    /// Those that the last node looked at come first.
    columns: Vec<usize>,
    /// Zero between two searches.
    histograms: Histograms,
}

impl<'a> Grower<'a> {
    fn new(bins: &'a Bins, settings: &'a RandomForestSettings) -> Self {
        let columns: Vec<usize> = (0..bins.columns()).collect();
        let histograms = Histograms::new(settings.columns_per_split.clamp(1, columns.len().max(1)));
        Self { bins, settings, columns, histograms }
    }

    /// Grows the branch of these rows. Its random numbers are its own, and whether another grower takes a part of it depends
    /// on the rows alone, so the number of threads does not show.
    fn grow(&mut self, rows: Rows<'_>, counts: [u64; 2], max_depth: u32, seed: u64) -> Branch {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let [all, ones] = counts;
        let may_split = max_depth > 0 && ones > 0 && ones < all;
        let Some(split) = may_split.then(|| self.find_split(&rows, counts, &mut random)).flatten() else {
            return Branch { counts, split: None };
        };
        let is_large = rows.len() > ROWS_PER_TASK;
        let [first, second] = rows.part(split.column, split.bin);
        let [of_first, of_second] = [random.random(), random.random()];
        let below = split.below;
        let above = [all - below[0], ones - below[1]];
        let children = if is_large {
            let mut other = Self::new(self.bins, self.settings);
            let grow_first = || self.grow(first, below, max_depth - 1, of_first);
            rayon::join(grow_first, || other.grow(second, above, max_depth - 1, of_second))
        } else {
            (self.grow(first, below, max_depth - 1, of_first), self.grow(second, above, max_depth - 1, of_second))
        };
        Branch { counts, split: Some((split, Box::new(children.into()))) }
    }

    /// Where it is best to part these rows; `None` where all columns are constant.
    fn find_split(&mut self, rows: &Rows<'_>, counts: [u64; 2], random: &mut impl Rng) -> Option<Split> {
        let (columns, at_a_time) = (self.columns.len(), self.histograms.0.len());
        for start in (0..columns).step_by(at_a_time) {
            let chosen = start..columns.min(start + at_a_time);
            self.shuffle(chosen.clone(), random);
            self.histograms.count(rows, &self.columns[chosen.clone()]);
            let mut best = (f64::NEG_INFINITY, None);
            for (histogram, column) in self.histograms.0.iter_mut().zip(&self.columns[chosen]) {
                let histogram = &mut histogram[..self.bins.count(*column)];
                best_of_column(histogram, *column, counts, self.settings.impurity, &mut best);
                histogram.fill(0);
            }
            if best.1.is_some() {
                return best.1;
            }
        }
        None
    }

    /// Puts random columns, none of those before, at these positions.
    fn shuffle(&mut self, positions: Range<usize>, random: &mut impl Rng) {
        let all = self.columns.len();
        for position in positions {
            self.columns.swap(position, random.random_range(position..all));
        }
    }
}

/// Of each column that is looked at and each of its bins: rows in the lower half, rows of label 1 in the upper half.
struct Histograms(Vec<[u64; MAX_BINS]>);

impl Histograms {
    fn new(columns: usize) -> Self {
        Self(vec![[0; MAX_BINS]; columns])
    }

    /// Counts the bins of these columns.
    fn count(&mut self, rows: &Rows<'_>, columns: &[usize]) {
        if rows.len() > ROWS_PER_TASK {
            let nothing = || Self::new(self.0.len());
            let add = |mut histograms: Self, rows| {
                histograms.add(rows, columns);
                histograms
            };
            *self = rows.tasks().fold(nothing, add).reduce_with(Self::merge).unwrap_or_else(nothing);
        } else {
            self.add(rows.iter(), columns);
        }
    }

    fn add<'r>(&mut self, rows: impl Iterator<Item = Drawn<'r>>, columns: &[usize]) {
        for Drawn { bins, label, times } in rows {
            let counted = u64::from(times) | (u64::from(times) * u64::from(label)) << 32;
            for (histogram, column) in self.0.iter_mut().zip(columns) {
                histogram[usize::from(bins[*column])] += counted;
            }
        }
    }

    fn merge(mut self, other: Self) -> Self {
        let counts = self.0.iter_mut().flatten().zip(other.0.iter().flatten());
        counts.for_each(|(count, more)| *count += more);
        self
    }
}

/// Replaces the best split where one in this column is better.
fn best_of_column(
    histogram: &[u64],
    column: usize,
    [rows, ones]: [u64; 2],
    impurity: Impurity,
    best: &mut (f64, Option<Split>),
) {
    let (mut below, mut last) = ([0; 2], None);
    for (next, count) in histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
        let [rows_below, ones_below] = below;
        if let Some(bin) = last {
            let above = purity(impurity, rows - rows_below, ones - ones_below);
            let purity = purity(impurity, rows_below, ones_below) + above;
            if purity > best.0 {
                *best = (purity, Some(Split { column, bin, next, below }));
            }
        }
        below = [rows_below + (*count & u64::from(u32::MAX)), ones_below + (*count >> 32)];
        last = Some(next);
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
    use crate::learn::bins::Bins;
    use crate::score::part::Part;
    use crate::{Forest, Matrix};

    fn settings(trees: u32, columns_per_split: usize) -> RandomForestSettings {
        let impurity = Impurity::Gini;
        RandomForestSettings { trees, rows_per_tree: 1_000, max_depth: 8, columns_per_split, impurity }
    }

    /// Label 1 where the first of two columns is more than 30 and the second more than 50, of 0 to 99 each.
    fn corner(count: usize) -> (Matrix, Table) {
        let mut random = random_for(1, "test", 0);
        let mut rows = Matrix::new(2);
        (0..count).for_each(|_| rows.push_row(&[0; 2].map(|_| f32::from(random.random_range(0..100u8)))));
        let mut table = Table::with_capacity(Bins::new(&rows, 64), rows.rows());
        table.push(&rows, |row| rows.row(row)[0] > 30. && rows.row(row)[1] > 50.);
        (rows, table)
    }

    fn assert_corner(trees: &[Tree]) {
        let forest = Forest::from_trees(2, vec![Part::mean(trees.len())], trees).unwrap();
        assert!(forest.score(&[80., 80.]) > 0.9, "{}", forest.score(&[80., 80.]));
        for row in [[10., 80.], [80., 20.], [10., 10.]] {
            assert!(forest.score(&row) < 0.1, "{row:?} {}", forest.score(&row));
        }
    }

    #[test]
    fn what_parts_the_classes_is_found() {
        let (_, table) = corner(1_000);
        for impurity in [Impurity::Gini, Impurity::Entropy] {
            let trees = grow_trees(&table, &RandomForestSettings { impurity, ..settings(20, 1) }, 1);
            assert_corner(&trees);
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
    fn threads_that_share_a_large_tree_do_not_show_in_it() {
        let (rows, table) = corner(3 * ROWS_PER_TASK);
        let settings = RandomForestSettings { rows_per_tree: rows.rows(), ..settings(2, 1) };
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| grow_trees(&table, &settings, 1))
        };
        let trees = on(1);
        assert_eq!(on(4), trees);
        assert_corner(&trees);
    }

    #[test]
    fn one_class_is_a_leaf() {
        let (rows, _) = corner(1_000);
        let mut table = Table::with_capacity(Bins::new(&rows, 64), rows.rows());
        table.push(&rows, |_| true);
        let trees = grow_trees(&table, &settings(3, 2), 1);
        assert!(trees.iter().all(|tree| tree.nodes().len() == 1 && (tree.nodes()[0].value - 1.).abs() < 1e-12));
    }
}
