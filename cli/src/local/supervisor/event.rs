//! What happens to processes, as values and as lines for people.

use std::fmt;

/// Something that happened to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupervisorEvent {
    /// A process was started.
    Started {
        pod: String,
        /// Its process id.
        process_id: Option<u32>,
    },
    /// It became ready.
    Ready { pod: String },
    /// It was ready, and is no more.
    Unready {
        pod: String,
        /// The answer of its probe.
        cause: String,
    },
    /// It ended by itself, or could not be started.
    Exited {
        pod: String,
        /// How, and what it said last.
        cause: String,
    },
    /// It ended because it was told to.
    Stopped {
        pod: String,
        /// How.
        status: String,
    },
}

impl fmt::Display for SupervisorEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { pod, process_id: Some(id) } => write!(formatter, "{pod} started (process {id})"),
            Self::Started { pod, process_id: None } => write!(formatter, "{pod} started"),
            Self::Ready { pod } => write!(formatter, "{pod} is ready"),
            Self::Unready { pod, cause } => write!(formatter, "{pod} is not ready any more: {cause}"),
            Self::Exited { pod, cause } => write!(formatter, "{pod} ended: {cause}"),
            Self::Stopped { pod, status } => write!(formatter, "{pod} stopped ({status})"),
        }
    }
}
