//! The consumer's side of rebalances. They are not served inside `poll`, where librdkafka reports them, but put aside for
//! the loop that owns the open unit of work: it commits first and gives partitions up after. So nothing is shared between
//! a callback and the loop but this list.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;
use tracing::{info, warn};
use vedette_streams::kafka::KafkaContext;

pub type GroupConsumer = BaseConsumer<GroupContext>;

/// What the group decided and the consumer has not yet done.
#[derive(Debug)]
pub enum Rebalance {
    Assign(TopicPartitionList),
    Revoke(TopicPartitionList),
}

/// What the consumer's callbacks leave for the loop.
#[derive(Debug, Default)]
pub struct GroupContext {
    pending: Mutex<Vec<Rebalance>>,
    closing: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl GroupContext {
    /// The rebalances since the last call, in order.
    pub fn take_rebalances(&self) -> Vec<Rebalance> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on partitions are given up at once: the consumer is about to be closed, and no loop looks any more.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// What the client complained of since the last call.
    pub fn take_trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes a complaint.
    pub fn note_trouble(&self, text: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// Does what the group decided.
pub fn apply(consumer: &GroupConsumer, rebalance: &Rebalance) -> KafkaResult<()> {
    let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
    match rebalance {
        Rebalance::Assign(partitions) => {
            info!(partitions = %numbers(partitions), "partitions assigned");
            if cooperative { consumer.incremental_assign(partitions) } else { consumer.assign(partitions) }
        }
        Rebalance::Revoke(partitions) => {
            info!(partitions = %numbers(partitions), "partitions given up");
            if cooperative { consumer.incremental_unassign(partitions) } else { consumer.unassign() }
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> String {
    let mut numbers: Vec<i32> = partitions.elements().iter().map(TopicPartitionListElem::partition).collect();
    numbers.sort_unstable();
    format!("{numbers:?}")
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        KafkaContext.log(level, facility, text);
    }

    fn error(&self, cause: KafkaError, text: &str) {
        KafkaContext.error(cause, text);
        self.note_trouble(text.to_owned());
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &GroupConsumer, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let rebalance = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions.clone()),
            // Any other code asks for the same: librdkafka reports no third kind, and giving up is always safe.
            _ => Rebalance::Revoke(partitions.clone()),
        };
        if !self.closing.load(Ordering::SeqCst) {
            self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(rebalance);
        } else if let Err(cause) = apply(consumer, &rebalance) {
            warn!(error = %cause, "partitions could not be given up while closing");
        }
    }
}
