//! Records that people make up: each is sent to the input topic of a pipeline at this site, and what its detectors make of it is looked
//! for in their outputs. What became of the newest is kept in memory.

mod follow;
mod record;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use uuid::Uuid;
use vedette_contract::TopicName;
use vedette_contract::progress::SiteTopics;
use vedette_service::Shutdown;
use vedette_streams::kafka::{KafkaContext, KafkaSettings, MissingAcl};

use self::follow::{Follower, Place};
use crate::owner::Owner;

pub(crate) use self::follow::{Outcome, Scored};
pub(crate) use self::record::{MadeUp, own_fields};

/// So many are followed at once: each reads what the detectors of a pipeline make.
const FOLLOWED: usize = 4;
/// So many are kept, the newest.
const KEPT: usize = 500;
/// So long Kafka may take to have a record.
const DELIVERY: (&str, &str) = ("message.timeout.ms", "10000");
/// How long one may wait for room in the queue of a producer that has sent nothing yet.
const QUEUE_WAIT: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Simulator {
    kafka: KafkaSettings,
    kept: Arc<Mutex<VecDeque<Simulation>>>,
    room: Arc<Semaphore>,
    shutdown: Shutdown,
}

/// A record that was sent, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Simulation {
    pub(crate) uuid: Uuid,
    pub(crate) owner: Owner,
    pub(crate) sent: Timestamp,
    pub(crate) outcome: Outcome,
}

/// Why nothing was sent.
#[derive(Debug, Error)]
pub(crate) enum SimulateError {
    /// Others are still followed.
    #[error("{FOLLOWED} simulated records are on their way already: send it again when one of them has its score")]
    TooMany,
    /// A topic is not there, or may not be seen.
    #[error(
        "Kafka of this site has no topic {topic}, or the console may not see it: docs/security.md says what it needs"
    )]
    NoTopic {
        /// Which one.
        topic: TopicName,
    },
    /// Kafka lets somebody else do it.
    #[error("{}", .missing.to_grant())]
    Refused {
        /// What it looked for.
        missing: MissingAcl,
    },
    /// Kafka is away.
    #[error("Kafka of this site does not take it, so nothing was sent as far as is known")]
    Kafka(#[source] KafkaError),
    /// A part of the process ended.
    #[error("the outputs could not be looked at")]
    Part(#[from] JoinError),
}

impl SimulateError {
    fn of_reading(topic: &TopicName, error: KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Self::NoTopic { topic: topic.clone() }
            }
            _ => match MissingAcl::of_consumer(&error, "", topic.as_str()) {
                Some(missing) => Self::Refused { missing },
                None => Self::Kafka(error),
            },
        }
    }

    fn of_writing(topic: &TopicName, error: KafkaError) -> Self {
        match MissingAcl::of_producer(&error, topic.as_str()) {
            Some(missing) => Self::Refused { missing },
            None => Self::Kafka(error),
        }
    }
}

impl Simulator {
    pub(crate) fn new(kafka: KafkaSettings, shutdown: Shutdown) -> Self {
        Self { kafka, kept: Arc::default(), room: Arc::new(Semaphore::new(FOLLOWED)), shutdown }
    }

    /// The brokers that a record is sent to, as the console was told them.
    pub(crate) fn bootstrap_servers(&self) -> &str {
        self.kafka.bootstrap_servers()
    }

    /// Sends a record once Kafka has it, and looks for what becomes of it from then on.
    ///
    /// # Errors
    /// Why Kafka has it not, as far as is known.
    pub(crate) async fn send(
        &self,
        owner: Owner,
        topics: SiteTopics,
        record: &MadeUp,
    ) -> Result<Simulation, SimulateError> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| SimulateError::TooMany)?;
        // Where the outputs end is looked up first, so that nothing passes unseen.
        let (kafka, outputs) = (self.kafka.clone(), topics.clone());
        let follower = spawn_blocking(move || Follower::begin(&kafka, outputs)).await??;
        let place = self.produce(&topics.sensor_messages, record).await?;
        let simulation = Simulation { uuid: record.uuid, owner, sent: Timestamp::now(), outcome: Outcome::Pending };
        self.keep(simulation.clone());
        let (simulator, uuid) = (self.clone(), record.uuid);
        spawn_blocking(move || {
            let outcome = follower.follow(place, &simulator.shutdown);
            simulator
                .kept()
                .iter_mut()
                .filter(|kept| kept.uuid == uuid)
                .for_each(|kept| kept.outcome = outcome.clone());
            drop(room);
        });
        Ok(simulation)
    }

    /// What is known of one.
    pub(crate) fn get(&self, uuid: Uuid) -> Option<Simulation> {
        self.kept().iter().find(|kept| kept.uuid == uuid).cloned()
    }

    async fn produce(&self, topic: &TopicName, record: &MadeUp) -> Result<Place, SimulateError> {
        let failed = |error| SimulateError::of_writing(topic, error);
        let config = self.kafka.producer_with(&[DELIVERY]);
        let producer: FutureProducer<KafkaContext> =
            config.create_with_context(self.kafka.context()).map_err(failed)?;
        let message = FutureRecord::<(), str>::to(topic.as_str()).payload(&record.json);
        let delivery = producer.send(message, QUEUE_WAIT).await.map_err(|(error, _)| failed(error))?;
        Ok(Place { partition: delivery.partition, offset: delivery.offset })
    }

    fn keep(&self, simulation: Simulation) {
        let mut kept = self.kept();
        kept.truncate(KEPT - 1);
        kept.push_front(simulation);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Simulation>> {
        // Each is whole at any time.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kafka, owner};

    #[test]
    fn the_newest_are_kept_and_no_more() {
        let simulator = Simulator::new(kafka(), Shutdown::new());
        let uuids: Vec<_> = (0..KEPT + 2).map(|number| Uuid::from_u128(number as u128)).collect();
        for uuid in &uuids {
            let (sent, outcome) = (Timestamp::now(), Outcome::Pending);
            simulator.keep(Simulation { uuid: *uuid, owner: owner("east"), sent, outcome });
        }
        assert_eq!(simulator.kept().len(), KEPT);
        assert!(simulator.get(uuids[1]).is_none() && simulator.get(uuids[2]).is_some());
    }
}
