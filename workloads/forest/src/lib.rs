//! The learning and scoring engine: it turns rows of numbers into a forest, a forest into scores between 0 and 1 with
//! their reasons, and all of it into the bytes of a model artifact. No I/O, no async, no Kafka: the detector and the
//! trainer bring the rows and carry the bytes.

pub mod artifact;
pub mod calibration;
mod codec;
pub mod features;
mod fit;
mod forest;
mod isolation;
mod matrix;
pub mod metrics;
mod model;
mod parameters;
pub mod sample;
mod seed_forest;
mod structure;

pub use artifact::ArtifactError;
pub use fit::{FitError, fit};
pub use forest::Forest;
pub use matrix::Matrix;
pub use model::Model;
pub use parameters::ForestParameters;
