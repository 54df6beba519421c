//! Reads the open incidents back from their topic: it is the only memory that a notifier has.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{info, warn};
use vedette_contract::TopicName;
use vedette_contract::incident::{Incident, IncidentOwner};
use vedette_service::Shutdown;
use vedette_streams::kafka::group;
use vedette_streams::kafka::{Isolation, KafkaSettings};

use crate::incidents::Incidents;

const POLL_WAIT: Duration = Duration::from_millis(100);
/// So long nothing may come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The topic, and whose incidents of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History<'a> {
    pub(crate) kafka: &'a KafkaSettings,
    pub(crate) group: &'a str,
    pub(crate) topic: &'a TopicName,
    pub(crate) partitions: i32,
    pub(crate) owner: &'a IncidentOwner,
}

impl History<'_> {
    /// Reads the topic from its beginning to where it ends now. To be called when no other notifier can write any more. An end
    /// that shutdown brings is no error, and what was read then is not whole.
    ///
    /// # Errors
    /// When nothing comes for a while.
    pub(crate) fn read(&self, incidents: &mut Incidents, shutdown: &Shutdown) -> KafkaResult<()> {
        let mut config = self.kafka.consumer(self.group, Isolation::ReadCommitted);
        config.set("enable.partition.eof", "true");
        let consumer = group::create(&config, self.kafka.context())?;
        let mut unread: BTreeSet<i32> = (0..self.partitions).collect();
        consumer.assign(&self.beginnings()?)?;
        let mut heard = Instant::now();
        while !unread.is_empty() && !shutdown.is_cancelled() {
            let Some(polled) = consumer.poll(POLL_WAIT) else {
                patience(heard)?;
                continue;
            };
            match polled {
                Ok(message) => self.restore(&message, incidents),
                Err(KafkaError::PartitionEOF(partition)) => drop(unread.remove(&partition)),
                Err(error) => {
                    patience(heard)?;
                    warn!(%error, "reading the incidents has trouble and goes on");
                    continue;
                }
            }
            heard = Instant::now();
        }
        info!(open = incidents.open_count(), "incidents read");
        Ok(())
    }

    fn beginnings(&self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition_offset(self.topic.as_str(), partition, Offset::Beginning)?;
        }
        Ok(list)
    }

    fn restore(&self, message: &BorrowedMessage<'_>, incidents: &mut Incidents) {
        let (partition, offset) = (message.partition(), message.offset());
        match serde_json::from_slice::<Incident>(message.payload().unwrap_or_default()) {
            Ok(incident) if self.owner.owns(&incident) => incidents.restore(incident),
            Ok(_) => {}
            Err(error) => warn!(%error, partition, offset, "a message among the incidents is none"),
        }
    }
}

fn patience(heard: Instant) -> KafkaResult<()> {
    let timed_out = KafkaError::MessageConsumption(rdkafka::error::RDKafkaErrorCode::OperationTimedOut);
    if heard.elapsed() < PATIENCE { Ok(()) } else { Err(timed_out) }
}
