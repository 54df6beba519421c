//! Why a record was refused.

use thiserror::Error;
use vedette_contract::dead_letter::DeadLetterReason;

/// Why a record cannot be read or scored: what makes it a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Refusal {
    /// The kind, for the header and the metric.
    pub reason: DeadLetterReason,
    /// What exactly was wrong, for a person.
    pub message: String,
}

impl Refusal {
    pub fn new(reason: DeadLetterReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
