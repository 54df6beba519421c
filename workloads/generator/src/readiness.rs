//! Names of the generator's readiness conditions.

/// The records' source is loaded.
pub(crate) const DATASET: &str = "dataset";
/// A broker answers and the topic is there.
pub(crate) const BROKER: &str = "broker";
