//! Why the console ends.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::task::JoinError;
use vedette_service::{Reason, ServiceError};

/// Why the console ended before it was asked to.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The address of the page.
    #[error("cannot listen on {address} for the page")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The server of the page.
    #[error("the page is no longer served")]
    Serve(#[source] io::Error),
    /// The site's own Kafka, in the midst of it.
    #[error(transparent)]
    Kafka(vedette_streams::kafka::KafkaError),
    /// The consumer of the site's own Kafka.
    #[error("the consumer could not be made")]
    Consumer(#[source] rdkafka::error::KafkaError),
    /// A part of the process ended that never does.
    #[error("a part of the console ended by itself")]
    Part(#[source] JoinError),
}

impl Reason for ConsoleError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Service(error) => error.reason(),
            Self::Listen { .. } => "ListenFailed",
            Self::Serve(_) => "ServeFailed",
            Self::Kafka(error) => error.reason(),
            Self::Consumer(_) => "InvalidSettings",
            Self::Part(_) => "PartFailed",
        }
    }
}
