//! What every error that ends a process has beside its text.

use std::error::Error;

/// An error with a static word for logs, conditions, events and metric labels, `CamelCase` as Kubernetes spells reasons.
pub trait Reason: Error {
    /// The word; of an error that only passes another one on, that one's.
    fn reason(&self) -> &'static str;

    /// Whether the model that the process was given is to blame, and nothing else.
    fn blames_the_model(&self) -> bool {
        false
    }
}
