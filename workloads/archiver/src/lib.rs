//! Writes the enriched records and the alerts to the bucket, each exactly once, and verifies what is there. Kafka is its
//! only memory: whatever is not committed is read again after a crash and becomes the same object.

mod archive;
mod error;
mod group;
mod metrics;
mod object;
mod partition;
mod readiness;
mod slot;
mod spool;
mod start;
mod upload;
pub mod verify;

pub use error::ArchiverError;
pub use spool::SpoolError;
pub use start::run;
