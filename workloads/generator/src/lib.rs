//! Generates records into a Kafka topic: from a simulator of network connections, or from a data set in the bucket.
//! A run in mode Sequential that starts anew begins at row 0 again, with the same uuids.

mod error;
mod load;
mod metrics;
mod pacing;
mod plan;
mod pump;
mod readiness;
mod record;
mod run;
mod simulator;
mod sink;
mod source;

pub use error::GeneratorError;
pub use run::run;
