//! Why an object is not acted upon.

use vedette_crds::AnomalyPipeline;

use crate::FieldError;
use crate::field_error::title;
use crate::reason::ReadyReason;

/// Why an object is not acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason of `Ready`.
    pub reason: ReadyReason,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Refusal {
    /// It is wrong: every error, a line each.
    pub fn invalid(errors: &[FieldError]) -> Self {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self { reason: ReadyReason::Invalid, message: lines.join("\n") }
    }

    /// It cannot be read.
    pub fn unreadable(error: &str) -> Self {
        let message = format!("the object cannot be read: {error}; apply it again with the CRD of this version");
        Self { reason: ReadyReason::Invalid, message }
    }

    /// An older pipeline writes to one of its topics.
    pub fn topic_conflict(older: &AnomalyPipeline, topic: &str) -> Self {
        let older = title("AnomalyPipeline", older.metadata.namespace.as_deref(), older.metadata.name.as_deref());
        let message =
            format!("{older} is older and writes to topic {topic}, too: make another pipeline with other topics");
        Self { reason: ReadyReason::TopicConflict, message }
    }
}
