//! Names of the notifier's readiness conditions.

/// A broker answers, and takes what is written.
pub(crate) const BROKER: &str = "broker";
/// The open incidents were read, and this process is the one that acts.
pub(crate) const INCIDENTS: &str = "incidents";
/// The silences of all sites were read a few seconds ago.
pub(crate) const SILENCES: &str = "silences";
