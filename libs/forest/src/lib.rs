//! The learning and scoring engine: it turns rows of numbers into a forest, a forest into scores between 0 and 1 with
//! their reasons, and all of it into the bytes of a model artifact. No I/O, no async, no Kafka: the detector and the
//! trainer bring the rows and carry the bytes.

mod evaluate;
pub mod export;
mod learn;
mod matrix;
mod model;
mod score;

pub use evaluate::{folds, metrics, plan, trials};
pub use learn::{
    FitError, IsolationParameters, Learner, RandomForestParameters, SeedParameters, UnsupervisedParameters, fit,
    with_usual,
};
pub use matrix::Matrix;
pub use model::artifact::ArtifactError;
pub use model::{Model, artifact, budget, calibration, features, rows};
pub use score::dependence::Expected;
pub use score::forest::{Explained, Forest};
