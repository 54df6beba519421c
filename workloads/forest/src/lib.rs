//! The learning and scoring engine: it turns rows of numbers into a forest, a forest into scores between 0 and 1 with
//! their reasons, and all of it into the bytes of a model artifact. No I/O, no async, no Kafka: the detector and the
//! trainer bring the rows and carry the bytes.

pub mod artifact;
mod bins;
mod bootstrap;
pub mod calibration;
mod codec;
mod ensemble;
pub mod export;
pub mod features;
mod fit;
pub mod folds;
mod forest;
mod isolation;
mod matrix;
pub mod metrics;
mod model;
mod order;
mod parameters;
mod part;
mod random;
mod random_forest;
pub mod sample;
mod seed_forest;
mod structure;
mod synthetic;
mod tails;
mod tree;
mod unsupervised;

pub use artifact::ArtifactError;
pub use fit::{FitError, fit};
pub use forest::Forest;
pub use matrix::Matrix;
pub use model::Model;
pub use parameters::{IsolationParameters, Learner, RandomForestParameters, SeedParameters, UnsupervisedParameters};
