//! What the models of a search have in common. Rows are put into bins, repeated patterns found and rows ranked by how anomalous
//! they are once, for all trials and folds: a model of some of the rows then costs a copy of their bytes, and its trees.
//! Where that differs from a fit of the same rows by themselves is in bins, patterns and ranks, which are those of all rows.

mod synthetic;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use vedette_contract::learner::SyntheticRows;
use vedette_contract::model::Column;
use xxhash_rust::xxh3::xxh3_128;

use crate::Matrix;
use crate::learn::bins::{Bins, Table};
use crate::learn::error::FitError;
use crate::learn::fit::fit;
use crate::learn::isolation::{self, IsolationSettings};
use crate::learn::parameters::{Learner, RandomForestParameters, UnsupervisedParameters};
use crate::learn::quantiles::{quantile, sorted};
use crate::learn::random::random_for;
use crate::learn::synthetic::Bounds;
use crate::learn::unsupervised::{ROWS_FOR_BINS, TRIMMING, sample, synthetic_count};
use crate::learn::{random_forest, seed_forest};
use crate::model::features;
use crate::score::forest::{Forest, means};
use crate::score::part::Part;

/// Rows that are copied at a time on one thread.
const ROWS_PER_TASK: usize = 4_096;
/// Rows of which the 2016 recipe would sample as many anyway.
const SEED_FOREST_ROWS: usize = 50_000;

/// Rows, and what was found out of them for these learners.
pub(crate) struct Shared<'a> {
    rows: Cow<'a, Matrix>,
    labels: &'a [Option<bool>],
    columns: &'a [Column],
    seed: u64,
    /// How anomalous a row is to an isolation forest, where a learner trims.
    ranks: Vec<f64>,
    /// The number of a row's pattern, where a learner counts each once.
    patterns: Vec<u32>,
    /// The box around the rows.
    bounds: Bounds,
    binned: BTreeMap<Cut, Binned>,
}

/// What the bins of a learner hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    max_bins: u32,
    of: CutOf,
}

/// Of what the quantiles are that bins are cut at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum CutOf {
    /// The rows that have a label.
    Labelled,
    /// All rows.
    All,
    /// Each pattern once.
    Distinct,
    /// These, and so many uniform rows for each, as bits.
    WithUniform { distinct: bool, fraction: u64 },
}

/// All rows as bytes, one for each column.
struct Binned {
    bins: Arc<Bins>,
    bytes: Vec<u8>,
}

impl Cut {
    fn of(learner: &Learner) -> Option<Self> {
        match learner {
            Learner::Ensemble | Learner::IsolationForest(_) | Learner::SeedForest(_) => None,
            Learner::RandomForestClassifier(parameters) => {
                Some(Self { max_bins: parameters.max_bins, of: CutOf::Labelled })
            }
            Learner::UnsupervisedRandomForest(parameters) => Some(Self::of_unsupervised(parameters)),
        }
    }

    fn of_unsupervised(parameters: &UnsupervisedParameters) -> Self {
        let UnsupervisedParameters { forest, synthetic_rows, synthetic_fraction, deduplicate, trim_fraction: _ } =
            parameters;
        let of = match (synthetic_rows, deduplicate) {
            // A column has the same quantiles among the rows that are made of its own values.
            (SyntheticRows::Marginals | SyntheticRows::Swaps, true) => CutOf::Distinct,
            (SyntheticRows::Marginals | SyntheticRows::Swaps, false) => CutOf::All,
            (SyntheticRows::Uniform, _) => {
                CutOf::WithUniform { distinct: *deduplicate, fraction: synthetic_fraction.to_bits() }
            }
        };
        Self { max_bins: forest.max_bins, of }
    }
}

impl<'a> Shared<'a> {
    /// Finds out of the rows what the learners need. Labels are those that a learner learns from.
    ///
    /// # Errors
    /// When there are no two different rows.
    pub(crate) fn new(
        rows: &'a Matrix,
        labels: &'a [Option<bool>],
        columns: &'a [Column],
        learners: &[Learner],
        seed: u64,
    ) -> Result<Self, FitError> {
        let rows = rows.filled(&columns.iter().map(features::typical).collect::<Vec<_>>());
        if rows.iter().all(|row| row == rows.row(0)) {
            return Err(FitError::TooFewRows { distinct: rows.rows().min(1) });
        }
        let unsupervised = || {
            learners.iter().filter_map(|learner| match learner {
                Learner::UnsupervisedRandomForest(parameters) => Some(parameters),
                Learner::Ensemble
                | Learner::IsolationForest(_)
                | Learner::SeedForest(_)
                | Learner::RandomForestClassifier(_) => None,
            })
        };
        let bounds = Bounds::new(&sample(&rows, ROWS_FOR_BINS, &mut random_for(seed, "rows of the box", 0)));
        let (ranks, patterns, binned) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut shared = Self { rows, labels, columns, seed, ranks, patterns, bounds, binned };
        if unsupervised().any(|parameters| parameters.trim_fraction > 0.) {
            shared.ranks = means(&isolation::grow_trees(&shared.rows, &TRIMMING, seed), &shared.rows)?;
        }
        if unsupervised().any(|parameters| parameters.deduplicate) {
            shared.patterns = patterns_of(&shared.rows);
        }
        for cut in learners.iter().filter_map(Cut::of) {
            if !shared.binned.contains_key(&cut) {
                let binned = shared.binned(cut);
                shared.binned.insert(cut, binned);
            }
        }
        Ok(shared)
    }

    /// All rows, in which nothing is missing.
    pub(crate) fn rows(&self) -> &Matrix {
        &self.rows
    }

    /// Learns from the rows with these numbers.
    ///
    /// # Errors
    /// When the learner refuses them.
    pub(crate) fn fit(&self, learner: &Learner, among: &[u32]) -> Result<Forest, FitError> {
        if among.len() < 2 {
            return Err(FitError::TooFewRows { distinct: among.len() });
        }
        let selected = |count: usize| {
            let numbers: Vec<usize> = among.iter().take(count).map(|row| *row as usize).collect();
            self.rows.select(&numbers)
        };
        let mut forest = match learner {
            Learner::Ensemble => fit(learner, &selected(among.len()), self.columns, &[], self.seed)?,
            Learner::IsolationForest(parameters) => {
                let settings = IsolationSettings::of(parameters);
                let trees = isolation::grow_trees_among(&self.rows, among, &settings, self.seed);
                Forest::from_trees(self.rows.columns(), vec![Part::mean(trees.len())], &trees)?
            }
            Learner::SeedForest(parameters) => {
                seed_forest::fit(&selected(SEED_FOREST_ROWS), self.columns, parameters, self.seed)?
            }
            Learner::RandomForestClassifier(parameters) => self.classifier(parameters, among)?,
            Learner::UnsupervisedRandomForest(parameters) => self.unsupervised(parameters, among)?,
        };
        forest.know_typical(self.columns.iter().map(features::typical));
        Ok(forest)
    }

    fn classifier(&self, parameters: &RandomForestParameters, among: &[u32]) -> Result<Forest, FitError> {
        let label = |row: &u32| self.labels.get(*row as usize).copied().flatten();
        let labelled: Vec<u32> = among.iter().copied().filter(|row| label(row).is_some()).collect();
        let anomalies = labelled.iter().filter(|row| label(row) == Some(true)).count();
        let normal = labelled.len() - anomalies;
        if anomalies == 0 || normal == 0 {
            return Err(FitError::OneClass { normal, anomalies });
        }
        let cut = Cut { max_bins: parameters.max_bins, of: CutOf::Labelled };
        let mut table = self.table(cut, labelled.len());
        self.copy(cut, &labelled, |row| u8::from(label(&row) == Some(true)), &mut table);
        self.grow(parameters, &table)
    }

    fn unsupervised(&self, parameters: &UnsupervisedParameters, among: &[u32]) -> Result<Forest, FitError> {
        let UnsupervisedParameters { forest, synthetic_rows, synthetic_fraction, deduplicate, trim_fraction } =
            parameters;
        let cut = Cut::of_unsupervised(parameters);
        let real = self.real(among, *deduplicate, *trim_fraction);
        let count = synthetic_count(real.len(), *synthetic_fraction);
        let mut table = self.table(cut, real.len() + count);
        self.copy(cut, &real, |_| 0, &mut table);
        match synthetic_rows {
            SyntheticRows::Marginals => synthetic::from_marginals(count, self.seed, &mut table),
            SyntheticRows::Swaps => synthetic::with_swaps(count, self.seed, &mut table),
            SyntheticRows::Uniform => synthetic::uniform(&self.bounds, count, self.seed, &mut table),
        }
        self.grow(forest, &table)
    }

    /// Those of the rows that are taken for real: without the most anomalous ones, and each pattern once.
    fn real(&self, among: &[u32], deduplicate: bool, trim_fraction: f64) -> Vec<u32> {
        let limit = (trim_fraction > 0.).then(|| {
            let ranks = sorted(among.iter().map(|row| self.ranks[*row as usize]).collect());
            quantile(&ranks, 1. - trim_fraction)
        });
        let mut seen = vec![false; if deduplicate { self.rows.rows() } else { 0 }];
        let is_taken = |row: &u32| {
            let row = *row as usize;
            limit.is_none_or(|limit| self.ranks[row] <= limit)
                && (!deduplicate || !std::mem::replace(&mut seen[self.patterns[row] as usize], true))
        };
        among.iter().copied().filter(is_taken).collect()
    }

    fn grow(&self, parameters: &RandomForestParameters, table: &Table) -> Result<Forest, FitError> {
        let trees = random_forest::grow_trees(table, &random_forest::settings(parameters, table), self.seed);
        Ok(Forest::from_trees(self.rows.columns(), vec![Part::mean(trees.len())], &trees)?)
    }

    fn table(&self, cut: Cut, rows: usize) -> Table {
        Table::with_capacity(self.binned[&cut].bins.clone(), rows)
    }

    /// Copies the bytes of these rows, each with its label.
    fn copy(&self, cut: Cut, rows: &[u32], label: impl Fn(u32) -> u8 + Sync, table: &mut Table) {
        let (columns, width) = (self.rows.columns(), table.width());
        let from = &self.binned[&cut].bytes;
        let (_, added) = table.extend(rows.len());
        let tasks = added.par_chunks_mut(width * ROWS_PER_TASK).zip(rows.par_chunks(ROWS_PER_TASK));
        tasks.for_each(|(added, rows)| {
            for (bytes, row) in added.chunks_exact_mut(width).zip(rows) {
                let start = *row as usize * columns;
                bytes[..columns].copy_from_slice(&from[start..start + columns]);
                bytes[columns] = label(*row);
            }
        });
    }

    fn binned(&self, Cut { max_bins, of }: Cut) -> Binned {
        let bins = Arc::new(Bins::new(&self.cut_at(of), max_bins as usize));
        let columns = self.rows.columns();
        let mut bytes = vec![0; self.rows.rows() * columns];
        bytes.par_chunks_mut(columns * ROWS_PER_TASK).enumerate().for_each(|(task, bytes)| {
            for (number, bytes) in bytes.chunks_exact_mut(columns).enumerate() {
                let row = self.rows.row(task * ROWS_PER_TASK + number);
                bytes.iter_mut().zip(bins.row(row)).for_each(|(byte, bin)| *byte = bin);
            }
        });
        Binned { bins, bytes }
    }

    /// The rows whose quantiles are the bins.
    fn cut_at(&self, of: CutOf) -> Matrix {
        let distinct = |distinct: bool, count: usize| {
            #[allow(clippy::cast_possible_truncation)] // fewer rows than fit into memory
            let all: Vec<u32> = (0..self.rows.rows() as u32).collect();
            let rows: Vec<usize> = self.real(&all, distinct, 0.).into_iter().map(|row| row as usize).collect();
            let mut random = random_for(self.seed, "rows for bins", 0);
            let mut chosen = rand::seq::index::sample(&mut random, rows.len(), rows.len().min(count)).into_vec();
            chosen.sort_unstable();
            self.rows.select(&chosen.into_iter().map(|position| rows[position]).collect::<Vec<_>>())
        };
        match of {
            CutOf::All => distinct(false, ROWS_FOR_BINS),
            CutOf::Distinct => distinct(true, ROWS_FOR_BINS),
            CutOf::Labelled => {
                let is_labelled = |row: &usize| self.labels.get(*row).is_some_and(Option::is_some);
                self.rows.select(&(0..self.rows.rows()).filter(is_labelled).collect::<Vec<_>>())
            }
            CutOf::WithUniform { distinct: once, fraction } => {
                let share = f64::from_bits(fraction) / (1. + f64::from_bits(fraction));
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of the rows
                let uniform = (ROWS_FOR_BINS as f64 * share) as usize;
                let mut rows = distinct(once, ROWS_FOR_BINS - uniform);
                let uniform = synthetic_count(rows.rows(), f64::from_bits(fraction)).min(uniform.max(1));
                self.bounds.uniform(uniform, &mut random_for(self.seed, "uniform rows for bins", 0), &mut rows);
                rows
            }
        }
    }
}

/// The pattern of each row: the number of the first one that is the same bit by bit. Patterns of one 128-bit hash count as
/// the same.
fn patterns_of(rows: &Matrix) -> Vec<u32> {
    let hash = |row: usize| {
        let bytes: Vec<u8> = rows.row(row).iter().flat_map(|value| value.to_bits().to_le_bytes()).collect();
        xxh3_128(&bytes)
    };
    #[allow(clippy::cast_possible_truncation)] // fewer rows than fit into memory
    let mut hashes: Vec<(u128, u32)> = (0..rows.rows()).into_par_iter().map(|row| (hash(row), row as u32)).collect();
    hashes.par_sort_unstable();
    let mut patterns = vec![0; rows.rows()];
    for group in hashes.chunk_by(|(one, _), (other, _)| one == other) {
        group.iter().for_each(|(_, row)| patterns[*row as usize] = group[0].1);
    }
    patterns
}

#[cfg(test)]
mod tests;
