//! Names of the archiver's readiness conditions.

/// A Kafka broker answers.
pub(crate) const BROKER: &str = "broker";
/// The consumer group was joined; it may have given this member no partition.
pub(crate) const GROUP: &str = "group";
/// The bucket answered once, and means its conditional writes. That it is away later does not unset it: archiving waits, with
/// Kafka as its spool, and a pod that is not ready would be replaced by one that cannot do better.
pub(crate) const BUCKET: &str = "bucket";
