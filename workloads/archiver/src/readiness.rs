//! Names of the archiver's readiness conditions.

/// A Kafka broker answers.
pub(crate) const BROKER: &str = "broker";
/// The consumer group was joined; it may have given this member no partition.
pub(crate) const GROUP: &str = "group";
/// The bucket takes what it is given.
pub(crate) const BUCKET: &str = "bucket";
