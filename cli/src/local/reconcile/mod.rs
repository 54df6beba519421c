//! The operator's loop without an API server: reads the bucket and the supervisor, lets the pure core decide, and hands
//! what it built to the supervisor. The decisions, and what the bucket says, are all in `vedette_operator`.

mod model;
mod training;

pub use model::ModelReconciler;
pub use training::TrainingReconciler;
