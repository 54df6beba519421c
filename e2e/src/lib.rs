//! Runs the built `vedette` as a user does and reads what it prints, and reaches the kind clusters of the end-to-end tests.
//! Tests and benchmarks share this; it judges nothing.

pub mod archive;
pub mod cluster;
pub mod figure;
pub mod found;
pub mod local;
pub mod processes;
pub mod pumps;
pub mod schedule;
pub mod topic;

pub use cluster::{Cluster, ClusterError};
pub use local::{LocalRun, RunError};
