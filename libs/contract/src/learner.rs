//! The learners, and the choices that some of their hyper-parameters are.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Which learner made a forest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[value(rename_all = "PascalCase")]
pub enum Algorithm {
    /// Isolation forest with pooled gain, and a random forest of real against synthetic records beside it.
    #[default]
    Ensemble,
    /// Isolation forest (Liu, Ting, Zhou 2008), with pooled gain or classic.
    IsolationForest,
    /// Random forest of real against synthetic records.
    UnsupervisedRandomForest,
    /// The recipe of 2016, kept as a baseline: a random forest of real against synthetic records on numeric columns.
    SeedForest,
    /// Random forest of normal records against anomalies; learns from labels.
    RandomForestClassifier,
}

impl Algorithm {
    /// Each of them.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

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
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
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

/// What a split makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[value(rename_all = "PascalCase")]
pub enum Impurity {
    /// Gini impurity.
    Gini,
    /// Entropy.
    Entropy,
}

/// How synthetic records are made from real ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[value(rename_all = "PascalCase")]
pub enum SyntheticRows {
    /// Each column from a real record of its own.
    Marginals,
    /// A real record in which a random share of the columns is each from another real record.
    Swaps,
    /// Uniform between the smallest and the largest value of each column.
    Uniform,
}
