//! The learners and what they can be told.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Which learner made a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Algorithm {
    /// Isolation forest with pooled gain, and a random forest of real against synthetic rows beside it.
    Ensemble,
    /// Isolation forest (Liu, Ting, Zhou 2008), with pooled gain or classic.
    IsolationForest,
    /// Random forest of real against synthetic rows.
    UnsupervisedRandomForest,
    /// The recipe of 2016, kept as a baseline: a random forest of real against synthetic records on numeric columns.
    SeedForest,
    /// Random forest of normal records against anomalies; learns from labels.
    RandomForestClassifier,
}

impl Algorithm {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ensemble => "Ensemble",
            Self::IsolationForest => "IsolationForest",
            Self::UnsupervisedRandomForest => "UnsupervisedRandomForest",
            Self::SeedForest => "SeedForest",
            Self::RandomForestClassifier => "RandomForestClassifier",
        }
    }
}

/// Random columns of which a split takes the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[value(rename_all = "PascalCase")]
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

impl MaxFeatures {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqrt => "Sqrt",
            Self::Log2 => "Log2",
            Self::OneThird => "OneThird",
            Self::All => "All",
        }
    }
}

/// What a split makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Impurity {
    /// Gini impurity.
    Gini,
    /// Entropy.
    Entropy,
}

impl Impurity {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gini => "Gini",
            Self::Entropy => "Entropy",
        }
    }
}

/// How synthetic rows are made from real ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum SyntheticRows {
    /// Each column from a real row of its own.
    Marginals,
    /// A real row in which a random share of the columns is each from another real row.
    Swaps,
    /// Uniform between the smallest and the largest value of each column.
    Uniform,
}

impl SyntheticRows {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marginals => "Marginals",
            Self::Swaps => "Swaps",
            Self::Uniform => "Uniform",
        }
    }
}

/// Hyper-parameters of the learner; what is omitted has the algorithm's default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Args)]
pub struct LearnerArguments {
    /// Trees of the forest
    #[arg(long)]
    pub trees: Option<u32>,

    /// Rows per tree
    #[arg(long)]
    pub rows_per_tree: Option<u32>,

    /// Depth of a tree at most
    #[arg(long)]
    pub max_depth: Option<u32>,

    /// Random thresholds of which a split takes the best (`IsolationForest`)
    #[arg(long)]
    pub thresholds_per_split: Option<u32>,

    /// Bins of a column at most (random forests)
    #[arg(long)]
    pub max_bins: Option<u32>,

    /// Random columns of which a split takes the best (random forests)
    #[arg(long, value_enum)]
    pub max_features: Option<MaxFeatures>,

    /// What a split makes small (random forests)
    #[arg(long, value_enum)]
    pub impurity: Option<Impurity>,

    /// How synthetic rows are made (`UnsupervisedRandomForest`)
    #[arg(long, value_enum)]
    pub synthetic_rows: Option<SyntheticRows>,

    /// Synthetic rows as a share of the real ones (`UnsupervisedRandomForest`, `SeedForest`)
    #[arg(long)]
    pub synthetic_fraction: Option<f64>,

    /// Whether repeated patterns count once (`UnsupervisedRandomForest`)
    #[arg(long)]
    pub deduplicate: Option<bool>,

    /// Share of the rows, the most anomalous ones, that are not taken for real (`UnsupervisedRandomForest`)
    #[arg(long)]
    pub trim_fraction: Option<f64>,
}
