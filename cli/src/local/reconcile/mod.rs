//! The operator's loop without an API server: reads the bucket and the supervisor, lets the pure core decide, and hands
//! what it built to the supervisor. The decisions are all in `vedette_operator`.

mod bucket_view;
mod model;
mod training;

pub use bucket_view::{archived_ends, archived_records};
pub use model::ModelReconciler;
pub use training::TrainingReconciler;
