//! How good a forest is: metrics of ranked scores, folds, and trials of a search.

pub mod folds;
pub mod metrics;
pub mod plan;
pub mod trials;
