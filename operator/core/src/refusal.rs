//! Why an object is not acted upon.

use std::time::Duration;

use vedette_crds::AnomalyPipeline;

use crate::FieldError;
use crate::field_error::title;
use crate::reason::ReadyReason;
use crate::resync::RESYNC;

/// How soon what nobody tells of is looked at again.
const UNTOLD: Duration = Duration::from_secs(30);

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

    /// Its status cannot be read: every such field, with why.
    pub fn status_unreadable(fields: &[String]) -> Self {
        let message = format!(
            "the status cannot be read, as another version of the operator wrote it: {}; what runs and what is remembered stays as it is: run a version that reads these fields, or take them out with kubectl edit --subresource=status",
            fields.join("; ")
        );
        Self { reason: ReadyReason::Invalid, message }
    }

    /// An older pipeline writes to one of its topics.
    pub fn topic_conflict(older: &AnomalyPipeline, topic: &str) -> Self {
        let older = title("AnomalyPipeline", older.metadata.namespace.as_deref(), older.metadata.name.as_deref());
        let message =
            format!("{older} is older and writes to topic {topic}, too: make another pipeline with other topics");
        Self { reason: ReadyReason::TopicConflict, message }
    }

    /// What there is in its namespace is not known; with why, if that is known.
    pub fn namespace_unreachable(trouble: Option<&str>) -> Self {
        let trouble = trouble.unwrap_or("the API server has not listed everything yet");
        let message = format!(
            "what runs in this namespace is not known, and is left as it is: {trouble}; see that the operator's Role and RoleBinding there are those of its version, or its ClusterRole where namespaces are selected"
        );
        Self { reason: ReadyReason::NamespaceUnreachable, message }
    }

    /// When to look again.
    pub(crate) fn again(&self) -> Duration {
        match self.reason {
            ReadyReason::TopicConflict | ReadyReason::NamespaceUnreachable => UNTOLD,
            ReadyReason::Running
            | ReadyReason::Suspended
            | ReadyReason::SecretMissing
            | ReadyReason::Invalid
            | ReadyReason::ApplyFailed
            | ReadyReason::ApplyRetrying => RESYNC,
        }
    }
}
