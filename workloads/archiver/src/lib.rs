//! Writes the enriched records and the alerts to the bucket, each exactly once. Kafka is its only memory: whatever is not
//! committed is read again after a crash and becomes the same object.

mod ends;
mod error;
mod health;
mod metrics;
mod object;
mod partition;
mod pump;
mod readiness;
mod resume;
mod run;
mod slot;
mod spool;
#[cfg(test)]
mod testing;
mod upload;

pub use error::ArchiverError;
pub use run::run;
pub use spool::SpoolError;
