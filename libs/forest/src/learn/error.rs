//! Why nothing was learned.

use thiserror::Error;
use vedette_contract::parameters::{Setting, Values};

use crate::score::structure::ForestError;

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum FitError {
    /// A hyper-parameter is out of range.
    #[error("the parameter {name} is {value}, allowed is {allowed}")]
    Parameter {
        /// Which.
        name: &'static str,
        value: Setting,
        /// What may be given.
        allowed: &'static Values,
    },
    /// A hyper-parameter of another algorithm.
    #[error("{algorithm} has no parameter {name}")]
    UnknownParameter {
        /// Which.
        name: &'static str,
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
    /// A value is infinite.
    #[error("row {row} holds an infinite value in column {column}")]
    Infinite {
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
            Self::Columns { .. } | Self::Infinite { .. } => "InvalidRows",
            Self::TooFewRows { .. } => "TooFewRows",
            Self::OneClass { .. } => "OneClass",
            Self::NoNumericColumn => "NoNumericColumn",
            Self::Smartcore(_) | Self::Trees(_) | Self::Forest(_) => "LearnerFailed",
        }
    }
}
