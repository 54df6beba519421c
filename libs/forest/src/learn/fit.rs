//! Learning: checks what is given, then hands it to the learner of the algorithm.

use vedette_contract::model::Column;

use crate::Matrix;
use crate::learn::bins::{Bins, Table};
use crate::learn::error::FitError;
use crate::learn::isolation::{self, IsolationSettings};
use crate::learn::parameters::{IsolationParameters, Learner, RandomForestParameters};
use crate::learn::random_forest;
use crate::learn::{ensemble, seed_forest, unsupervised};
use crate::model::features;
use crate::score::forest::Forest;
use crate::score::part::Part;

/// Learns a forest. The same rows, settings and seed give the same forest, on any number of threads. Rows come as they are
/// in the stream, repeated patterns included; a value that is not a number is missing. `labels`, where there are any, say of each row whether it is an anomaly;
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
        if let Some(column) = row.iter().position(|value| value.is_infinite()) {
            return Err(FitError::Infinite { row: number, column: columns[column].name.clone() });
        }
    }
    let typical = || columns.iter().map(features::typical);
    let given = rows;
    let filled = rows.filled(&typical().collect::<Vec<_>>());
    let rows = &filled;
    if rows.iter().all(|row| row == rows.row(0)) && !matches!(learner, Learner::SeedForest(_)) {
        return Err(FitError::TooFewRows { distinct: rows.rows().min(1) });
    }
    let mut forest = match learner {
        Learner::Ensemble => ensemble::fit(given, rows, columns, seed),
        Learner::IsolationForest(parameters) => isolation(rows, parameters, seed),
        Learner::UnsupervisedRandomForest(parameters) => unsupervised::fit(rows, parameters, seed),
        Learner::SeedForest(parameters) => seed_forest::fit(rows, columns, parameters, seed),
        Learner::RandomForestClassifier(parameters) => classifier(rows, labels, parameters, seed),
    }?;
    forest.know_typical(typical());
    Ok(forest)
}

fn isolation(rows: &Matrix, parameters: &IsolationParameters, seed: u64) -> Result<Forest, FitError> {
    let trees = isolation::grow_trees(rows, &IsolationSettings::of(parameters), seed);
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
    let trees = random_forest::grow_trees(&table, &random_forest::settings(parameters, &table), seed);
    Ok(Forest::from_trees(rows.columns(), vec![Part::mean(trees.len())], &trees)?)
}

#[cfg(test)]
mod tests;
