//! Errors of what this module asks of Kafka; each says what to mend.

use std::sync::Arc;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use thiserror::Error;

use crate::kafka::{ErrorClass, MissingAcl, TokenError, classify};

/// What went wrong between us and Kafka.
#[derive(Debug, Error)]
pub enum KafkaError {
    /// No broker answers.
    #[error(
        "no Kafka broker answered at {servers} within {seconds} s{detail}; \
         check that it runs and is reachable, and the bootstrap servers and security.protocol"
    )]
    Unreachable {
        servers: String,
        /// How long was waited.
        seconds: u64,
        /// What the client last said, in parentheses after a space; empty where it said nothing.
        detail: String,
        #[source]
        source: Box<ClientError>,
    },
    /// A broker answers and does not let us in.
    #[error(
        "Kafka at {servers} does not let us in ({detail}); \
         check security.protocol, the SASL user name, password and mechanism, and the TLS properties"
    )]
    Authentication {
        servers: String,
        /// What the broker says.
        detail: String,
    },
    /// Nobody gives us the token that it wants.
    #[error(transparent)]
    Token(Arc<TokenError>),
    /// A topic is not there.
    #[error(
        "topic {topic} does not exist at {servers}, or may not be seen without the ACL Describe; the topic Job creates it"
    )]
    TopicMissing { topic: String, servers: String },
    /// Kafka does not create a topic.
    #[error("Kafka refuses to create topic {topic}")]
    TopicRefused {
        topic: String,
        /// The answer's code.
        #[source]
        source: RDKafkaErrorCode,
    },
    /// A topic is missing that is not ours to make.
    #[error(
        "topic {topic} does not exist at {servers}, and is another's to make: create it, or set management: Create"
    )]
    TopicNotOurs { topic: String, servers: String },
    /// Kafka does not tell of a topic, or does not alter it.
    #[error("Kafka at {servers} refuses to read or alter topic {topic}")]
    TopicUnaltered {
        topic: String,
        servers: String,
        /// The answer's code.
        #[source]
        source: RDKafkaErrorCode,
    },
    /// A topic has a configuration that the request to alter it would lose.
    #[error(
        "topic {topic} is left as it is: {key} was set and Kafka does not tell to what, so that setting {stated} would lose it; \
         set that by another tool"
    )]
    TopicUntold {
        topic: String,
        /// What would be lost.
        key: String,
        /// What was to be set.
        stated: String,
    },
    /// The topics did not appear everywhere in time.
    #[error("topic {topic} was created, and its partitions have no leaders within {seconds} s; check the brokers")]
    TopicNotReady {
        topic: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The user may not do all that it has to.
    #[error("Kafka at {servers} refuses it to this user; grant the ACLs: {acls}")]
    AclMissing {
        servers: String,
        /// Each as a `MissingAcl` is shown.
        acls: String,
    },
    /// A client found no way back to a broker.
    #[error(
        "the Kafka client finds back to no broker at {servers} by itself any more, as can be after none was named for a moment \
         (confluentinc/librdkafka issue 5301); a new process goes on where this one ends"
    )]
    Stranded { servers: String },
    /// A property is wrong.
    #[error("the Kafka client refuses its settings; check the Kafka properties")]
    Settings(#[source] ClientError),
    /// Any other failure of a request.
    #[error("cannot {attempt} at Kafka {servers}")]
    Request {
        attempt: &'static str,
        servers: String,
        #[source]
        source: ClientError,
    },
}

impl KafkaError {
    /// Of a refusal for want of these ACLs.
    pub(super) fn missing(servers: &str, acls: &[MissingAcl]) -> Self {
        let acls = acls.iter().map(MissingAcl::to_string).collect::<Vec<_>>().join("; ");
        Self::AclMissing { servers: servers.to_owned(), acls }
    }

    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "BrokerUnreachable",
            Self::Authentication { .. } => "AuthenticationFailed",
            Self::Token(error) => error.reason(),
            Self::TopicMissing { .. } => "TopicMissing",
            Self::TopicNotOurs { .. } => "TopicNotOurs",
            Self::TopicUnaltered { .. } => "TopicUnaltered",
            Self::TopicUntold { .. } => "TopicUntold",
            Self::TopicRefused { .. } => "TopicRefused",
            Self::TopicNotReady { .. } => "TopicNotReady",
            Self::AclMissing { .. } => "AclMissing",
            Self::Stranded { .. } => "KafkaClientStranded",
            Self::Settings(_) => "InvalidKafkaSettings",
            Self::Request { .. } => "KafkaRequestFailed",
        }
    }

    /// Whether the same may succeed later without anybody changing the settings.
    pub fn is_retriable(&self) -> bool {
        match self {
            // A secret that is mended at the authorization server is mended without a word to us.
            Self::Token(_) => true,
            Self::Unreachable { .. }
            | Self::TopicMissing { .. }
            | Self::TopicNotOurs { .. }
            | Self::TopicUntold { .. }
            | Self::TopicNotReady { .. }
            | Self::Stranded { .. }
            | Self::AclMissing { .. } => true,
            // Somebody else created it just now: the next attempt finds it.
            Self::TopicRefused { source: RDKafkaErrorCode::TopicAlreadyExists, .. } => true,
            Self::TopicRefused { source, .. } | Self::TopicUnaltered { source, .. } => {
                classify(&ClientError::AdminOp(*source)) == ErrorClass::Retriable
            }
            Self::Request { source, .. } => classify(source) == ErrorClass::Retriable,
            Self::Authentication { .. } | Self::Settings(_) => false,
        }
    }
}
