//! Learners and their hyper-parameters, as they come out of the contract's table and of what was given.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vedette_contract::learner::{Algorithm, Impurity, MaxFeatures, SyntheticRows};
use vedette_contract::parameters::{Parameters, Setting, defaults};

use crate::learn::error::FitError;

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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct IsolationParameters {
    /// Number of trees.
    pub trees: u32,
    /// Rows per tree, drawn without replacement.
    pub rows_per_tree: u32,
    /// Splits between root and leaf at most.
    pub max_depth: u32,
    /// Random thresholds of which a split takes the best; 1 is the classic forest.
    pub thresholds_per_split: u32,
}

/// Hyper-parameters of a random forest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct RandomForestParameters {
    /// Number of trees.
    pub trees: u32,
    /// Rows per tree, drawn with replacement; as many as there are where absent.
    pub rows_per_tree: Option<u32>,
    /// Splits between root and leaf at most.
    pub max_depth: u32,
    /// Bins into which a column is cut at quantiles at most.
    pub max_bins: u32,
    /// Random columns of which a split takes the best.
    pub max_features: MaxFeatures,
    /// What a split makes small.
    pub impurity: Impurity,
}

/// Hyper-parameters of a random forest of real against synthetic rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct UnsupervisedParameters {
    /// Those of the forest.
    #[serde(flatten)]
    pub forest: RandomForestParameters,
    /// How synthetic rows are made.
    pub synthetic_rows: SyntheticRows,
    /// Synthetic rows as a share of the real ones.
    pub synthetic_fraction: f64,
    /// Whether repeated patterns count once.
    pub deduplicate: bool,
    /// Share of the rows, the most anomalous ones to an isolation forest, that are not taken for real.
    pub trim_fraction: f64,
}

/// Hyper-parameters of the recipe of 2016.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct SeedParameters {
    /// Number of trees.
    pub trees: u32,
    /// Splits between root and leaf at most.
    pub max_depth: u32,
    /// Synthetic rows as a share of the real ones.
    pub synthetic_fraction: f64,
}

impl Learner {
    /// The algorithm as it is where nothing else is asked for.
    pub fn defaults(algorithm: Algorithm) -> Self {
        Self::with(algorithm, defaults(algorithm))
    }

    /// The algorithm with what was given, and its own defaults for the rest.
    ///
    /// # Errors
    /// [`FitError::Parameter`] for the first parameter that is out of range, [`FitError::UnknownParameter`] for the first
    /// that the algorithm does not have.
    pub fn new(algorithm: Algorithm, given: &Parameters) -> Result<Self, FitError> {
        let given = given.given();
        if let Some((parameter, value)) = given.iter().find(|(parameter, value)| !parameter.values.contains(value)) {
            let (name, value, allowed) = (parameter.name, value.clone(), &parameter.values);
            return Err(FitError::Parameter { name, value, allowed });
        }
        let mut settings = defaults(algorithm);
        for (parameter, value) in given {
            if settings.insert(parameter.name, value).is_none() {
                return Err(FitError::UnknownParameter { name: parameter.name, algorithm: algorithm.as_str() });
            }
        }
        Ok(Self::with(algorithm, settings))
    }

    fn with(algorithm: Algorithm, settings: BTreeMap<&'static str, Setting>) -> Self {
        match algorithm {
            Algorithm::Ensemble => Self::Ensemble,
            Algorithm::IsolationForest => Self::IsolationForest(read(settings)),
            Algorithm::UnsupervisedRandomForest => Self::UnsupervisedRandomForest(read(settings)),
            Algorithm::SeedForest => Self::SeedForest(read(settings)),
            Algorithm::RandomForestClassifier => Self::RandomForestClassifier(read(settings)),
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

/// The parameters of a learner. The table has each of them, which a test proves, and what was given is in its range.
#[allow(clippy::expect_used)]
fn read<T: DeserializeOwned>(settings: BTreeMap<&'static str, Setting>) -> T {
    let parameters = serde_json::to_value(settings).and_then(serde_json::from_value);
    parameters.expect("the table has every parameter of the learner")
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
    use serde_json::json;
    use vedette_contract::parameters::PARAMETERS;

    use super::*;
    use crate::learn::bins::MAX_BINS;
    use crate::score::structure::MAX_DEPTH;

    #[test]
    fn the_table_and_the_learners_have_the_same_parameters() {
        for algorithm in Algorithm::all() {
            let in_table: BTreeMap<String, Value> = PARAMETERS
                .iter()
                .filter_map(|parameter| {
                    Some((parameter.option().replace('-', "_"), json!(parameter.default_of(*algorithm)?)))
                })
                .collect();
            assert_eq!(Learner::defaults(*algorithm).parameters(), in_table, "{algorithm:?}");
        }
    }

    #[test]
    fn a_forest_can_be_what_the_table_allows() {
        for (name, limit) in [("maxDepth", MAX_DEPTH as usize), ("maxBins", MAX_BINS)] {
            let parameter = PARAMETERS.iter().find(|parameter| parameter.name == name).unwrap();
            let allows = |count: usize| parameter.values.contains(&Setting::Count(i32::try_from(count).unwrap()));
            assert!(allows(limit) && !allows(limit + 1), "{name}");
        }
    }

    #[test]
    fn what_is_given_goes_before_the_defaults() {
        let given = Parameters { max_depth: Some(8), ..Parameters::default() };
        let learner = Learner::new(Algorithm::SeedForest, &given).unwrap();
        assert_eq!(learner, Learner::SeedForest(SeedParameters { trees: 10, max_depth: 8, synthetic_fraction: 0.1 }));
        assert_eq!(learner.algorithm(), Algorithm::SeedForest);
        assert_eq!(learner.parameters()["max_depth"], 8);
        assert_eq!(Learner::defaults(Algorithm::Ensemble).parameters(), BTreeMap::new());
    }

    #[test]
    fn a_parameter_out_of_range_or_of_another_algorithm_is_refused() {
        let none = Parameters::default;
        for (name, given) in [
            ("trees", Parameters { trees: Some(0), ..none() }),
            ("rowsPerTree", Parameters { rows_per_tree: Some(1), ..none() }),
            ("maxDepth", Parameters { max_depth: Some(65), ..none() }),
            ("thresholdsPerSplit", Parameters { thresholds_per_split: Some(0), ..none() }),
            ("maxBins", Parameters { max_bins: Some(257), ..none() }),
            ("syntheticFraction", Parameters { synthetic_fraction: Some(f64::NAN), ..none() }),
            ("trimFraction", Parameters { trim_fraction: Some(1.), ..none() }),
        ] {
            let error = Learner::new(Algorithm::UnsupervisedRandomForest, &given).unwrap_err();
            assert!(matches!(error, FitError::Parameter { name: refused, .. } if refused == name), "{error}");
        }
        let given = Parameters { deduplicate: Some(true), ..none() };
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
