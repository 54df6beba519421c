//! Learning: checks what is given, then hands it to the learner of the algorithm.

use thiserror::Error;
use vedette_contract::model::{Algorithm, Column};

use crate::forest::Forest;
use crate::parameters::ForestParameters;
use crate::structure::ForestError;
use crate::{Matrix, isolation, seed_forest};

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
    /// Rows and columns do not belong together.
    #[error("the rows have {values} values and there are {columns} columns")]
    Columns {
        /// Values of a row.
        values: usize,
        /// Columns that were named.
        columns: usize,
    },
    /// A value is not a finite number.
    #[error("row {row} holds a value that is not a finite number")]
    NotFinite {
        /// Its number.
        row: usize,
    },
    /// There is nothing to compare.
    #[error("there are {distinct} different rows, and learning needs at least 2")]
    TooFewRows {
        /// How many there are.
        distinct: usize,
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
            Self::Parameter { .. } => "InvalidParameter",
            Self::Columns { .. } | Self::NotFinite { .. } => "InvalidRows",
            Self::TooFewRows { .. } => "TooFewRows",
            Self::NoNumericColumn => "NoNumericColumn",
            Self::Smartcore(_) | Self::Trees(_) | Self::Forest(_) => "LearnerFailed",
        }
    }
}

/// Learns a forest from unlabelled rows. The same rows, parameters and seed give the same forest, on any number of
/// threads. Repeated patterns are dropped where the algorithm wants that, so rows come as they are in the stream.
pub fn fit(
    algorithm: Algorithm,
    rows: &Matrix,
    columns: &[Column],
    parameters: &ForestParameters,
    seed: u64,
) -> Result<Forest, FitError> {
    parameters.check()?;
    if rows.columns() != columns.len() {
        return Err(FitError::Columns { values: rows.columns(), columns: columns.len() });
    }
    if let Some(row) = rows.iter().position(|row| row.iter().any(|value| !value.is_finite())) {
        return Err(FitError::NotFinite { row });
    }
    match algorithm {
        Algorithm::IsolationForest => isolation::fit(&rows.distinct(), parameters, seed),
        Algorithm::SeedForest => seed_forest::fit(rows, columns, parameters, seed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use vedette_contract::model::ColumnKind;

    const BOTH: [Algorithm; 2] = [Algorithm::IsolationForest, Algorithm::SeedForest];

    fn columns(count: usize) -> Vec<Column> {
        let kind = || ColumnKind::Numeric { median: 0. };
        (0..count).map(|number| Column { name: format!("c{number}"), kind: kind() }).collect()
    }

    fn learn(algorithm: Algorithm, rows: &Matrix, seed: u64) -> Forest {
        fit(algorithm, rows, &columns(rows.columns()), &ForestParameters::defaults(algorithm), seed).unwrap()
    }

    /// Six columns that share a common cause, the last one with a long tail.
    fn correlated_row(random: &mut impl Rng) -> [f32; 6] {
        let cause: f32 = random.random_range(0.0..10.0);
        let mut noise = || random.random_range(-0.5..0.5f32);
        let row = [cause, 2. * cause, 20. - cause, 0.5 * cause, cause, 0.].map(|value| value + noise());
        [row[0], row[1], row[2], row[3], row[4], random.random::<f32>().max(1e-3).powf(-0.5)]
    }

    fn correlated(rows: usize, seed: u64) -> Matrix {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut matrix = Matrix::new(6);
        (0..rows).for_each(|_| matrix.push_row(&correlated_row(&mut random)));
        matrix
    }

    /// The column with the largest share, if there is one.
    fn first_column(forest: &Forest, row: &[f32]) -> Option<usize> {
        let mut shares = vec![0.; forest.columns()];
        forest.contributions(row, &mut shares);
        let total: f64 = shares.iter().sum();
        assert!(total == 0. || (total - 1.).abs() < 1e-9, "{shares:?}");
        let largest = (0..shares.len()).max_by(|left, right| shares[*left].total_cmp(&shares[*right]));
        largest.filter(|column| shares[*column] > 0.)
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
        let rows = correlated(3_000, 1);
        for algorithm in BOTH {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| learn(algorithm, &rows, 7).to_bytes())
            };
            assert_eq!(on(1), on(5), "{algorithm:?}");
            assert_ne!(on(1), learn(algorithm, &rows, 8).to_bytes(), "{algorithm:?}");
        }
    }

    #[test]
    fn repeating_a_pattern_changes_nothing_for_an_isolation_forest() {
        let rows = correlated(500, 1);
        let order: Vec<usize> = (0..500).chain([3; 400]).chain(0..500).collect();
        assert_eq!(
            learn(Algorithm::IsolationForest, &rows.select(&order), 1),
            learn(Algorithm::IsolationForest, &rows, 1)
        );
    }

    #[test]
    fn a_field_far_out_of_range_is_named_first() {
        let forest = learn(Algorithm::IsolationForest, &correlated(5_000, 1), 1);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        // The short end of the last column is left out: it is dense, and nothing is strange beyond it; see `isolation`.
        let ends: Vec<(usize, f32)> =
            (0..5).flat_map(|column| [(column, 1e4), (column, -1e4)]).chain([(5, 1e4)]).collect();
        let counts: Vec<usize> = ends
            .iter()
            .map(|(column, value)| {
                let mut corrupted = || {
                    let mut row = correlated_row(&mut random);
                    row[*column] = *value;
                    row
                };
                (0..100).filter(|_| first_column(&forest, &corrupted()) == Some(*column)).count()
            })
            .collect();
        let named: usize = counts.iter().sum();
        assert!(named >= 90 * ends.len(), "{counts:?} of 100 each at {ends:?}");
    }

    #[test]
    fn one_kind_of_anomaly_among_normal_rows_is_found_and_explained() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut draw = |count: usize| {
            let mut rows = Matrix::new(6);
            let anomalies: Vec<bool> = (0..count).map(|_| random.random_bool(0.005)).collect();
            for anomaly in &anomalies {
                let mut row = correlated_row(&mut random);
                if *anomaly {
                    row[3] += random.random_range(6.0..12.0);
                }
                rows.push_row(&row);
            }
            (rows, anomalies)
        };
        let ((training, _), (fresh, anomalies)) = (draw(20_000), draw(20_000));
        let forest = learn(Algorithm::IsolationForest, &training, 1);
        let mut scores = Vec::new();
        forest.score_batch(&fresh, &mut scores);
        let area = metrics::auroc(&scores, &anomalies).unwrap();
        assert!(area >= 0.9, "AUROC {area}");
        let planted: Vec<usize> = (0..fresh.rows()).filter(|row| anomalies[*row]).collect();
        let named = planted.iter().filter(|row| first_column(&forest, fresh.row(**row)) == Some(3)).count();
        assert!(named * 10 >= planted.len() * 9, "{named} of {}", planted.len());
    }

    #[test]
    fn constant_rows_and_few_rows_are_told_apart() {
        let mut rows = Matrix::new(1);
        rows.push_row(&[1.]);
        rows.push_row(&[1.]);
        let isolation = |rows: &Matrix| {
            let algorithm = Algorithm::IsolationForest;
            fit(algorithm, rows, &columns(1), &ForestParameters::defaults(algorithm), 1)
        };
        assert!(matches!(isolation(&rows), Err(FitError::TooFewRows { distinct: 1 })));
        rows.push_row(&[2.]);
        assert!(isolation(&rows).unwrap().score(&[3.]).is_finite());
        // Two rows that are equal: smartcore has nothing to split, which is a forest of leaves.
        let forest = learn(Algorithm::SeedForest, &rows.select(&[0, 1]), 1);
        assert!(forest.score(&[1.]).is_finite());
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let rows = correlated(10, 1);
        for algorithm in BOTH {
            let defaults = ForestParameters::defaults(algorithm);
            let try_with = |parameters| fit(algorithm, &rows, &columns(6), &parameters, 1).unwrap_err();
            for (name, parameters) in [
                ("trees", ForestParameters { trees: 0, ..defaults }),
                ("rows_per_tree", ForestParameters { rows_per_tree: 1, ..defaults }),
                ("max_depth", ForestParameters { max_depth: 65, ..defaults }),
                ("synthetic_fraction", ForestParameters { synthetic_fraction: f64::NAN, ..defaults }),
            ] {
                assert!(matches!(try_with(parameters), FitError::Parameter { name: refused, .. } if refused == name));
            }
            let error = fit(algorithm, &rows, &columns(5), &defaults, 1).unwrap_err();
            assert!(matches!(error, FitError::Columns { values: 6, columns: 5 }));
            let mut broken = rows.clone();
            broken.push_row(&[0., 0., f32::NAN, 0., 0., 0.]);
            let error = fit(algorithm, &broken, &columns(6), &defaults, 1).unwrap_err();
            assert!(matches!(error, FitError::NotFinite { row: 10 }));
        }
    }
}
