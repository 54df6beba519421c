//! What stands among the small objects of people and is none of them.

use serde::Serialize;

/// An object that is none of those among which it stands, or one too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedObject {
    /// Its full key.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}
