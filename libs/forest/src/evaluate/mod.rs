//! How good a forest is: metrics of ranked scores, and folds.

pub mod folds;
pub mod metrics;
