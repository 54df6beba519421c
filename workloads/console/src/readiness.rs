//! Names of the console's readiness conditions.

/// The bucket was read once. Later troubles are said on the page, which shows what was read before.
pub(crate) const BUCKET: &str = "bucket";
