//! How often an object is looked at, whatever was seen: the safety net below the watches.

use std::time::Duration;

pub(crate) const RESYNC: Duration = Duration::from_secs(600);
