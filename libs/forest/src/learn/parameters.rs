//! Learners and their hyper-parameters: what each has, its defaults and their ranges.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use vedette_contract::learner::{Algorithm, Impurity, LearnerArguments, MaxFeatures, SyntheticRows};

use crate::learn::bins::MAX_BINS;
use crate::learn::error::FitError;
use crate::score::structure::MAX_DEPTH;

/// An algorithm with everything that it can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Learner {
    /// Isolation forest with pooled gain, and a random forest of real against synthetic rows beside it.
    Ensemble,
    /// Isolation forest.
    IsolationForest(IsolationParameters),
    /// Random forest of real against synthetic rows.
    UnsupervisedRandomForest(UnsupervisedParameters),
    /// The recipe of 2016.
    SeedForest(SeedParameters),
    /// Random forest of normal records against anomalies.
    RandomForestClassifier(RandomForestParameters),
}

/// Hyper-parameters of an isolation forest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IsolationParameters {
    /// Number of trees, 1 to 10,000.
    pub trees: u32,
    /// Rows per tree, drawn without replacement, at least 2.
    pub rows_per_tree: u32,
    /// Splits between root and leaf at most, 1 to 64.
    pub max_depth: u32,
    /// Random thresholds of which a split takes the best, 1 to 256; 1 is the classic forest.
    pub thresholds_per_split: u32,
}

/// Hyper-parameters of a random forest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RandomForestParameters {
    /// Number of trees, 1 to 10,000.
    pub trees: u32,
    /// Rows per tree, drawn with replacement, at least 2; as many as there are where absent.
    pub rows_per_tree: Option<u32>,
    /// Splits between root and leaf at most, 1 to 64.
    pub max_depth: u32,
    /// Bins into which a column is cut at quantiles at most, 2 to 256.
    pub max_bins: u32,
    /// Random columns of which a split takes the best.
    pub max_features: MaxFeatures,
    /// What a split makes small.
    pub impurity: Impurity,
}

/// Hyper-parameters of a random forest of real against synthetic rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UnsupervisedParameters {
    /// Those of the forest.
    #[serde(flatten)]
    pub forest: RandomForestParameters,
    /// How synthetic rows are made.
    pub synthetic_rows: SyntheticRows,
    /// Synthetic rows as a share of the real ones, more than 0 and at most 10.
    pub synthetic_fraction: f64,
    /// Whether repeated patterns count once.
    pub deduplicate: bool,
    /// Share of the rows, the most anomalous ones to an isolation forest, that are not taken for real; at least 0 and
    /// less than 1.
    pub trim_fraction: f64,
}

/// Hyper-parameters of the recipe of 2016.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SeedParameters {
    /// Number of trees, 1 to 10,000.
    pub trees: u32,
    /// Splits between root and leaf at most, 1 to 64.
    pub max_depth: u32,
    /// Synthetic rows as a share of the real ones, more than 0 and at most 10.
    pub synthetic_fraction: f64,
}

impl Learner {
    /// The algorithm as it is where nothing else is asked for.
    pub fn defaults(algorithm: Algorithm) -> Self {
        Self::chosen(algorithm, &LearnerArguments::default())
    }

    /// The algorithm with what was given, and its own defaults for the rest.
    ///
    /// # Errors
    /// [`FitError::Parameter`] for the first parameter that is out of range, or that the algorithm does not have.
    pub fn new(algorithm: Algorithm, given: &LearnerArguments) -> Result<Self, FitError> {
        check(given)?;
        let learner = Self::chosen(algorithm, given);
        let (asked, known) = (by_name(given), learner.parameters());
        match asked.into_iter().find(|(name, value)| !value.is_null() && !known.contains_key(name)) {
            None => Ok(learner),
            Some((name, _)) => Err(FitError::UnknownParameter { name, algorithm: algorithm.as_str() }),
        }
    }

    fn chosen(algorithm: Algorithm, given: &LearnerArguments) -> Self {
        let LearnerArguments {
            trees,
            rows_per_tree,
            max_depth,
            thresholds_per_split,
            max_bins,
            max_features,
            impurity,
            synthetic_rows,
            synthetic_fraction,
            deduplicate,
            trim_fraction,
        } = *given;
        let forest = |rows_per_tree, depth| RandomForestParameters {
            trees: trees.unwrap_or(100),
            rows_per_tree,
            max_depth: max_depth.unwrap_or(depth),
            max_bins: max_bins.unwrap_or(256),
            max_features: max_features.unwrap_or(MaxFeatures::Sqrt),
            impurity: impurity.unwrap_or(Impurity::Gini),
        };
        match algorithm {
            Algorithm::Ensemble => Self::Ensemble,
            Algorithm::IsolationForest => Self::IsolationForest(IsolationParameters {
                trees: trees.unwrap_or(160),
                rows_per_tree: rows_per_tree.unwrap_or(256),
                max_depth: max_depth.unwrap_or(12),
                thresholds_per_split: thresholds_per_split.unwrap_or(5),
            }),
            Algorithm::UnsupervisedRandomForest => Self::UnsupervisedRandomForest(UnsupervisedParameters {
                forest: forest(rows_per_tree.or(Some(4_096)), 16),
                synthetic_rows: synthetic_rows.unwrap_or(SyntheticRows::Swaps),
                synthetic_fraction: synthetic_fraction.unwrap_or(1.),
                deduplicate: deduplicate.unwrap_or(true),
                trim_fraction: trim_fraction.unwrap_or(0.1),
            }),
            Algorithm::SeedForest => Self::SeedForest(SeedParameters {
                trees: trees.unwrap_or(10),
                max_depth: max_depth.unwrap_or(15),
                synthetic_fraction: synthetic_fraction.unwrap_or(0.1),
            }),
            Algorithm::RandomForestClassifier => Self::RandomForestClassifier(forest(rows_per_tree, 16)),
        }
    }

    /// Which algorithm it is.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ensemble => Algorithm::Ensemble,
            Self::IsolationForest(_) => Algorithm::IsolationForest,
            Self::UnsupervisedRandomForest(_) => Algorithm::UnsupervisedRandomForest,
            Self::SeedForest(_) => Algorithm::SeedForest,
            Self::RandomForestClassifier(_) => Algorithm::RandomForestClassifier,
        }
    }

    /// Its hyper-parameters by name, for the model's metadata.
    pub fn parameters(&self) -> BTreeMap<String, Value> {
        match self {
            Self::Ensemble => BTreeMap::new(),
            Self::IsolationForest(parameters) => by_name(parameters),
            Self::UnsupervisedRandomForest(parameters) => by_name(parameters),
            Self::SeedForest(parameters) => by_name(parameters),
            Self::RandomForestClassifier(parameters) => by_name(parameters),
        }
    }
}

fn by_name(parameters: &impl Serialize) -> BTreeMap<String, Value> {
    match serde_json::to_value(parameters) {
        Ok(Value::Object(parameters)) => parameters.into_iter().collect(),
        Ok(_) | Err(_) => BTreeMap::new(),
    }
}

/// Whether what was given is in its range.
fn check(given: &LearnerArguments) -> Result<(), FitError> {
    let LearnerArguments {
        trees,
        rows_per_tree,
        max_depth,
        thresholds_per_split,
        max_bins,
        max_features: _,
        impurity: _,
        synthetic_rows: _,
        synthetic_fraction,
        deduplicate: _,
        trim_fraction,
    } = *given;
    let whole = |number: Option<u32>| number.map(f64::from);
    let checks = [
        ("trees", whole(trees), 1. ..=10_000., "1 to 10000"),
        ("rows_per_tree", whole(rows_per_tree), 2. ..=f64::from(u32::MAX), "at least 2"),
        ("max_depth", whole(max_depth), 1. ..=f64::from(MAX_DEPTH), "1 to 64"),
        ("thresholds_per_split", whole(thresholds_per_split), 1. ..=256., "1 to 256"),
        ("max_bins", whole(max_bins), 2. ..=MAX_BINS as f64, "2 to 256"),
        ("synthetic_fraction", synthetic_fraction, f64::MIN_POSITIVE..=10., "more than 0 and at most 10"),
        ("trim_fraction", trim_fraction, 0. ..=1f64.next_down(), "at least 0 and less than 1"),
    ];
    for (name, value, range, allowed) in checks {
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            return Err(FitError::Parameter { name, value, allowed });
        }
    }
    Ok(())
}

/// How many of so many columns a split looks at.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a positive number of columns
pub(crate) fn columns_per_split(max_features: MaxFeatures, columns: usize) -> usize {
    let of_columns = columns as f64;
    match max_features {
        MaxFeatures::Sqrt => of_columns.sqrt().ceil() as usize,
        MaxFeatures::Log2 => of_columns.log2().ceil() as usize,
        MaxFeatures::OneThird => columns.div_ceil(3),
        MaxFeatures::All => columns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_goes_before_the_defaults() {
        let given = LearnerArguments { max_depth: Some(8), ..LearnerArguments::default() };
        let learner = Learner::new(Algorithm::SeedForest, &given).unwrap();
        assert_eq!(learner, Learner::SeedForest(SeedParameters { trees: 10, max_depth: 8, synthetic_fraction: 0.1 }));
        assert_eq!(learner.algorithm(), Algorithm::SeedForest);
        assert_eq!(learner.parameters()["max_depth"], 8);
        assert_eq!(Learner::defaults(Algorithm::Ensemble).parameters(), BTreeMap::new());
    }

    #[test]
    fn a_parameter_out_of_range_or_of_another_algorithm_is_refused() {
        let none = LearnerArguments::default;
        for (name, given) in [
            ("trees", LearnerArguments { trees: Some(0), ..none() }),
            ("rows_per_tree", LearnerArguments { rows_per_tree: Some(1), ..none() }),
            ("max_depth", LearnerArguments { max_depth: Some(65), ..none() }),
            ("thresholds_per_split", LearnerArguments { thresholds_per_split: Some(0), ..none() }),
            ("max_bins", LearnerArguments { max_bins: Some(257), ..none() }),
            ("synthetic_fraction", LearnerArguments { synthetic_fraction: Some(f64::NAN), ..none() }),
            ("trim_fraction", LearnerArguments { trim_fraction: Some(1.), ..none() }),
        ] {
            let error = Learner::new(Algorithm::UnsupervisedRandomForest, &given).unwrap_err();
            assert!(matches!(error, FitError::Parameter { name: refused, .. } if refused == name), "{error}");
        }
        let given = LearnerArguments { deduplicate: Some(true), ..none() };
        assert!(Learner::new(Algorithm::UnsupervisedRandomForest, &given).is_ok());
        let error = Learner::new(Algorithm::IsolationForest, &given).unwrap_err();
        assert_eq!(error.to_string(), "IsolationForest has no parameter deduplicate");
    }

    #[test]
    fn the_number_of_columns_follows_the_strategy() {
        use MaxFeatures::{All, Log2, OneThird, Sqrt};
        assert_eq!([Sqrt, Log2, OneThird, All].map(|of| columns_per_split(of, 38)), [7, 6, 13, 38]);
    }
}
