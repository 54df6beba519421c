//! What learns, and what it can be told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// Isolation forest with pooled gain, and a random forest of real against synthetic records beside it.
    #[default]
    Ensemble,
    /// Isolation forest, with pooled gain or, with one threshold per split, the classic one.
    IsolationForest,
    /// Random forest of real against synthetic records.
    UnsupervisedRandomForest,
    /// The recipe of 2016, kept as a baseline: a random forest of real against synthetic records on numeric columns.
    SeedForest,
    /// Random forest of normal records against anomalies, which learns from the label.
    RandomForestClassifier,
}

/// Random columns of which a split takes the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MaxFeatures {
    /// The square root of their number.
    Sqrt,
    /// The binary logarithm of their number.
    Log2,
    /// A third of them.
    OneThird,
    /// All.
    All,
}

/// What a split makes small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Impurity {
    /// Gini impurity.
    Gini,
    /// Entropy.
    Entropy,
}

/// How synthetic records are made from real ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SyntheticRows {
    /// Each column from a real record of its own.
    Marginals,
    /// A real record in which a random share of the columns is each from another real record.
    Swaps,
    /// Uniform between the smallest and the largest value of each column.
    Uniform,
}

/// Parameters of the learner; what is omitted has the algorithm's default. Ensemble has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Parameters {
    /// Number of trees (IsolationForest 160, SeedForest 10, the other forests 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: Option<i32>,
    /// Rows that a tree learns from (IsolationForest 256, UnsupervisedRandomForest 4096, RandomForestClassifier all).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1_000_000_000))]
    pub rows_per_tree: Option<i32>,
    /// Splits between the root and a leaf at most (IsolationForest 12, SeedForest 15, the other forests 16).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub max_depth: Option<i32>,
    /// Random thresholds of which a split of IsolationForest takes the best (5); 1 is the classic forest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub thresholds_per_split: Option<i32>,
    /// Bins into which UnsupervisedRandomForest and RandomForestClassifier cut a column at most (256).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 256))]
    pub max_bins: Option<i32>,
    /// Random columns of which a split of UnsupervisedRandomForest and RandomForestClassifier takes the best (Sqrt).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_features: Option<MaxFeatures>,
    /// What a split of UnsupervisedRandomForest and RandomForestClassifier makes small (Gini).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impurity: Option<Impurity>,
    /// How UnsupervisedRandomForest makes synthetic records (Swaps).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthetic_rows: Option<SyntheticRows>,
    /// Synthetic records as a share of the real ones (UnsupervisedRandomForest 1, SeedForest 0.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.001, max = 10))]
    pub synthetic_fraction: Option<f64>,
    /// Whether repeated patterns count once for UnsupervisedRandomForest (true).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deduplicate: Option<bool>,
    /// Share of the records, the most anomalous ones to an isolation forest, that UnsupervisedRandomForest does not take
    /// for real (0.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 0.9))]
    pub trim_fraction: Option<f64>,
}
