//! Kafka: client settings, the topics, and what its errors mean. Consuming and producing stay with the workloads,
//! but for the group's rebalances.

mod acl;
mod admin;
mod alteration;
mod classify;
mod comparison;
mod context;
mod described;
mod error;
pub mod group;
mod keeping;
mod leaders;
mod metadata;
pub mod place;
mod settings;
pub mod standing;
mod start;
mod stranded;
mod token;
mod topics;
mod wait;
mod watch;
mod wire;
mod writable;

use std::time::Duration;

pub use acl::{MissingAcl, is_refusal};
pub use classify::{ErrorClass, classify};
pub use context::KafkaContext;
pub use described::largest_message;
pub use error::KafkaError;
pub use keeping::{Keeping, keepings};
pub use leaders::leaderless;
pub use metadata::{TopicReader, check_broker};
pub use settings::{Isolation, KafkaSettings, fit_messages};
pub use start::{StartError, insist_on};
pub use token::TokenError;
pub use topics::ensure_topics;
pub use wait::wait_for_topics;
pub use watch::Watch;
pub use writable::check_writable;

/// How long one question about offsets or partitions may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A message's Kafka timestamp; `None` where the producer set none.
pub fn timestamp_of(message: &impl rdkafka::Message) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(message.timestamp().to_millis()?).ok()
}
