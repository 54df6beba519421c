//! The topic Job: creates those of a pipeline's topics that are missing, and ends.

mod error;
mod run;

pub use error::TopicsError;
pub use run::{Patience, run, run_with_patience};
