//! What an error of the Kafka client asks of whoever meets it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The client is of no use any more: the process ends, and its successor starts afresh.
    Fatal,
    /// What is in flight is void: abort the transaction and read again from the committed position.
    AbortAndRewind,
    /// The same may succeed a little later.
    Retriable,
    /// Nothing of the above: a setting, a permission or a record is wrong.
    Other,
}

/// Classifies an error of any client. Kafka's own flags decide where an error carries them (errors of transactions).
pub fn classify(error: &KafkaError) -> ErrorClass {
    match error {
        KafkaError::Transaction(cause) if cause.is_fatal() => ErrorClass::Fatal,
        KafkaError::Transaction(cause) if cause.txn_requires_abort() => ErrorClass::AbortAndRewind,
        KafkaError::Transaction(cause) if cause.is_retriable() => ErrorClass::Retriable,
        KafkaError::Transaction(cause) => classify_code(cause.code()),
        KafkaError::MessageConsumptionFatal(_) | KafkaError::Canceled => ErrorClass::Fatal,
        _ => error.rdkafka_error_code().map_or(ErrorClass::Other, classify_code),
    }
}

fn classify_code(code: Code) -> ErrorClass {
    match code {
        Code::Fatal
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::FencedInstanceId
        | Code::TransactionCoordinatorFenced => ErrorClass::Fatal,

        // The group went on without us, or a record of the transaction was not written.
        Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::RebalanceInProgress
        | Code::AssignmentLost
        | Code::FencedMemberEpoch
        | Code::StaleMemberEpoch
        | Code::PollExceeded
        | Code::MessageTimedOut
        | Code::PurgeQueue
        | Code::PurgeInflight => ErrorClass::AbortAndRewind,

        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::TimedOutQueue
        | Code::WaitingForCoordinator
        | Code::WaitCache
        | Code::InProgress
        | Code::PreviousInProgress
        | Code::Outdated
        | Code::Retry
        | Code::QueueFull
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopicId
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::RequestTimedOut
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::NetworkException
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::NotController
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::ConcurrentTransactions
        | Code::KafkaStorageError
        | Code::OffsetNotAvailable
        | Code::UnstableOffsetCommit
        | Code::ThrottlingQuotaExceeded => ErrorClass::Retriable,

        _ => ErrorClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        for (error, class) in [
            (KafkaError::MessageConsumptionFatal(Code::Unknown), ErrorClass::Fatal),
            (KafkaError::MessageProduction(Code::ProducerFenced), ErrorClass::Fatal),
            (KafkaError::ConsumerCommit(Code::IllegalGeneration), ErrorClass::AbortAndRewind),
            (KafkaError::ConsumerCommit(Code::UnknownMemberId), ErrorClass::AbortAndRewind),
            (KafkaError::MessageProduction(Code::PurgeQueue), ErrorClass::AbortAndRewind),
            (KafkaError::MessageConsumption(Code::AllBrokersDown), ErrorClass::Retriable),
            (KafkaError::MessageProduction(Code::QueueFull), ErrorClass::Retriable),
            (KafkaError::MessageProduction(Code::MessageSizeTooLarge), ErrorClass::Other),
            (KafkaError::MessageProduction(Code::TopicAuthorizationFailed), ErrorClass::Other),
            (KafkaError::Subscription("x".to_owned()), ErrorClass::Other),
        ] {
            assert_eq!(classify(&error), class, "{error:?}");
        }
    }
}
