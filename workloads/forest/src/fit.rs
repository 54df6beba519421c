//! Learning: checks what is given, then hands it to the learner of the algorithm.

use thiserror::Error;
use vedette_contract::model::Column;

use crate::bins::{Bins, Table};
use crate::forest::Forest;
use crate::isolation::{self, IsolationSettings};
use crate::parameters::{IsolationParameters, Learner, RandomForestParameters, columns_per_split};
use crate::part::Part;
use crate::random_forest::{self, RandomForestSettings};
use crate::structure::ForestError;
use crate::{Matrix, ensemble, seed_forest, unsupervised};

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum FitError {
    /// A hyper-parameter is out of range.
    #[error("the parameter {name} is {value}, allowed is {allowed}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What may be given.
        allowed: &'static str,
    },
    /// A hyper-parameter of another algorithm.
    #[error("{algorithm} has no parameter {name}")]
    UnknownParameter {
        /// Which.
        name: String,
        /// The algorithm.
        algorithm: &'static str,
    },
    /// Rows and columns do not belong together.
    #[error("the rows have {values} values and there are {columns} columns")]
    Columns {
        /// Values of a row.
        values: usize,
        /// Columns that were named.
        columns: usize,
    },
    /// A value is not a finite number.
    #[error("row {row} holds a value in column {column} that is not a finite number")]
    NotFinite {
        /// Its number.
        row: usize,
        /// Name of the column.
        column: String,
    },
    /// There is nothing to compare.
    #[error("there are {distinct} different rows, and learning needs at least 2")]
    TooFewRows {
        /// How many there are.
        distinct: usize,
    },
    /// The algorithm learns from labels.
    #[error("the labels hold {normal} normal rows and {anomalies} anomalies, and RandomForestClassifier needs both")]
    OneClass {
        /// Rows with the label normal.
        normal: usize,
        /// Rows with the label anomaly.
        anomalies: usize,
    },
    /// The algorithm reads numeric columns only.
    #[error("the algorithm SeedForest needs a numeric column")]
    NoNumericColumn,
    /// smartcore's learner failed.
    #[error("smartcore could not fit the random forest")]
    Smartcore(#[source] smartcore::error::Failed),
    /// smartcore's trees could not be read.
    #[error("could not read the trees of smartcore's random forest")]
    Trees(#[source] serde_json::Error),
    /// What came out is not a forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}

impl FitError {
    /// Stable name of the cause.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Parameter { .. } | Self::UnknownParameter { .. } => "InvalidParameter",
            Self::Columns { .. } | Self::NotFinite { .. } => "InvalidRows",
            Self::TooFewRows { .. } => "TooFewRows",
            Self::OneClass { .. } => "OneClass",
            Self::NoNumericColumn => "NoNumericColumn",
            Self::Smartcore(_) | Self::Trees(_) | Self::Forest(_) => "LearnerFailed",
        }
    }
}

/// Learns a forest. The same rows, settings and seed give the same forest, on any number of threads. Rows come as they are
/// in the stream, repeated patterns included. `labels`, where there are any, say of each row whether it is an anomaly;
/// only [`Learner::RandomForestClassifier`] looks at them, and rows without a label are then left out.
pub fn fit(
    learner: &Learner,
    rows: &Matrix,
    columns: &[Column],
    labels: &[Option<bool>],
    seed: u64,
) -> Result<Forest, FitError> {
    if rows.columns() != columns.len() {
        return Err(FitError::Columns { values: rows.columns(), columns: columns.len() });
    }
    for (number, row) in rows.iter().enumerate() {
        if let Some(column) = row.iter().position(|value| !value.is_finite()) {
            return Err(FitError::NotFinite { row: number, column: columns[column].name.clone() });
        }
    }
    if rows.iter().all(|row| row == rows.row(0)) && !matches!(learner, Learner::SeedForest(_)) {
        return Err(FitError::TooFewRows { distinct: rows.rows().min(1) });
    }
    match learner {
        Learner::Ensemble => ensemble::fit(rows, columns, seed),
        Learner::IsolationForest(parameters) => isolation(rows, parameters, seed),
        Learner::UnsupervisedRandomForest(parameters) => unsupervised::fit(rows, parameters, seed),
        Learner::SeedForest(parameters) => seed_forest::fit(rows, columns, parameters, seed),
        Learner::RandomForestClassifier(parameters) => classifier(rows, labels, parameters, seed),
    }
}

fn isolation(rows: &Matrix, parameters: &IsolationParameters, seed: u64) -> Result<Forest, FitError> {
    let IsolationParameters { trees, rows_per_tree, max_depth, thresholds_per_split } = *parameters;
    let settings = IsolationSettings { trees, rows_per_tree: rows_per_tree as usize, max_depth, thresholds_per_split };
    let trees = isolation::grow_trees(rows, &settings, seed);
    Ok(Forest::from_trees(rows.columns(), vec![Part::mean(trees.len())], &trees)?)
}

fn classifier(
    rows: &Matrix,
    labels: &[Option<bool>],
    parameters: &RandomForestParameters,
    seed: u64,
) -> Result<Forest, FitError> {
    let labelled: Vec<usize> = (0..rows.rows()).filter(|row| labels.get(*row).is_some_and(Option::is_some)).collect();
    let is_anomaly = |row: usize| labels[labelled[row]] == Some(true);
    let anomalies = (0..labelled.len()).filter(|row| is_anomaly(*row)).count();
    let normal = labelled.len() - anomalies;
    if anomalies == 0 || normal == 0 {
        return Err(FitError::OneClass { normal, anomalies });
    }
    let rows = rows.select(&labelled);
    let mut table = Table::with_capacity(Bins::new(&rows, parameters.max_bins as usize), rows.rows());
    table.push(&rows, is_anomaly);
    let trees = random_forest::grow_trees(&table, &forest_settings(parameters, &table), seed);
    Ok(Forest::from_trees(rows.columns(), vec![Part::mean(trees.len())], &trees)?)
}

/// The settings for this table.
pub(crate) fn forest_settings(parameters: &RandomForestParameters, table: &Table) -> RandomForestSettings {
    let RandomForestParameters { trees, rows_per_tree, max_depth, max_bins: _, max_features, impurity } = *parameters;
    RandomForestSettings {
        trees,
        rows_per_tree: rows_per_tree.map_or(table.rows(), |rows| table.rows().min(rows as usize)),
        max_depth,
        columns_per_split: columns_per_split(max_features, table.bins().columns()),
        impurity,
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
