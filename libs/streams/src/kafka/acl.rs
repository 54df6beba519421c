//! Which ACL is missing, of a refusal: Kafka only says for what kind of thing one is.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

/// An ACL that Kafka's authorizer looked for and did not find, shown as `Write on topic alerts`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MissingAcl {
    /// To consume from a topic, or one of these topics.
    #[error("Read on topic {0}")]
    ReadTopic(String),
    /// To produce to a topic.
    #[error("Write on topic {0}")]
    WriteTopic(String),
    /// To know of a topic at all.
    #[error("Describe on topic {0}")]
    DescribeTopic(String),
    /// To make a topic.
    #[error("Create on topic {0}")]
    CreateTopic(String),
    /// To give a topic more partitions.
    #[error("Alter on topic {0}")]
    AlterTopic(String),
    /// To read a topic's configuration.
    #[error("DescribeConfigs on topic {0}")]
    DescribeTopicConfigs(String),
    /// To set a topic's configuration.
    #[error("AlterConfigs on topic {0}")]
    AlterTopicConfigs(String),
    /// To be a member of a consumer group.
    #[error("Read on group {0}")]
    ReadGroup(String),
    /// To use transactions.
    #[error("Write and Describe on transactional ID {0}")]
    UseTransactionalId(String),
    /// To produce without duplicates, which brokers before Kafka 3.0 guard.
    #[error("IdempotentWrite on the cluster")]
    WriteIdempotently,
}

impl MissingAcl {
    /// Of an error of a consumer of this group and these topics, whose names are joined.
    pub fn of_consumer(error: &KafkaError, group: &str, topics: &str) -> Option<Self> {
        match error.rdkafka_error_code()? {
            Code::TopicAuthorizationFailed => Some(Self::ReadTopic(topics.to_owned())),
            Code::GroupAuthorizationFailed => Some(Self::ReadGroup(group.to_owned())),
            _ => None,
        }
    }

    /// Of an error of a producer to this topic.
    pub fn of_producer(error: &KafkaError, topic: &str) -> Option<Self> {
        match error.rdkafka_error_code()? {
            Code::TopicAuthorizationFailed => Some(Self::WriteTopic(topic.to_owned())),
            Code::ClusterAuthorizationFailed => Some(Self::WriteIdempotently),
            _ => None,
        }
    }

    /// Of an error of a transactional producer to this topic.
    pub fn of_transaction(error: &KafkaError, transactional_id: &str, topic: &str) -> Option<Self> {
        match error.rdkafka_error_code()? {
            Code::TransactionalIdAuthorizationFailed => Some(Self::UseTransactionalId(transactional_id.to_owned())),
            _ => Self::of_producer(error, topic),
        }
    }

    /// For readiness: what to do about it.
    pub fn to_grant(&self) -> String {
        format!("Kafka refuses it to this user; grant the ACL: {self}")
    }
}

/// Whether Kafka's authorizer is what refuses.
pub fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed
                | Code::ClusterAuthorizationFailed
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_acl_to_grant() {
        let read =
            |code| MissingAcl::of_consumer(&KafkaError::MessageConsumption(code), "team.flows.detector", "input");
        let write =
            |code| MissingAcl::of_transaction(&KafkaError::MessageProduction(code), "flows-detector-0", "alerts");
        for (found, shown) in [
            (read(Code::TopicAuthorizationFailed), "Read on topic input"),
            (read(Code::GroupAuthorizationFailed), "Read on group team.flows.detector"),
            (write(Code::TopicAuthorizationFailed), "Write on topic alerts"),
            (
                write(Code::TransactionalIdAuthorizationFailed),
                "Write and Describe on transactional ID flows-detector-0",
            ),
            (write(Code::ClusterAuthorizationFailed), "IdempotentWrite on the cluster"),
        ] {
            assert_eq!(found.unwrap().to_string(), shown);
        }
        assert_eq!(read(Code::AllBrokersDown), None);
        assert_eq!(write(Code::MessageSizeTooLarge), None);
    }
}
