//! Names of the detector's readiness conditions.

/// Each lookup has a table.
pub(crate) const LOOKUPS: &str = "lookups";
/// The model that was given is loaded, or none was given.
pub(crate) const MODEL: &str = "model";
/// A broker answers.
pub(crate) const BROKER: &str = "broker";
/// The group was joined; how many partitions it gave does not matter.
pub(crate) const GROUP: &str = "group";
