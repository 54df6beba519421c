//! Runs the built `vedette` as a user does and reads what it prints. Tests and benchmarks share this; it judges nothing.

pub mod local;
pub mod processes;
pub mod pumps;

pub use local::{LocalRun, RunError};
