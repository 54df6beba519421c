//! The loop: one thread owns the consumer and all partitions, and never waits for the bucket, so that a slow bucket
//! costs neither the membership in the group nor memory. Steps in the bucket run beside it, one per partition.

mod positions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tracing::{info, warn};
use vedette_contract::archive::Origin;
use vedette_contract::arguments::{ArchivedTopic, PipelineArguments};
use vedette_contract::timing::ARCHIVER_CLOSING_PATIENCE;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::group::{self, GroupConsumer, Rebalance};
use vedette_streams::kafka::place::{at_offset, committed};
use vedette_streams::kafka::standing::Standings;
use vedette_streams::kafka::{ErrorClass, KafkaSettings, MissingAcl, classify};

use self::positions::report;
use crate::ends::Ends;
use crate::error::ArchiverError;
use crate::object::Closing;
use crate::partition::{Partition, Record};
use crate::readiness::{BROKER, GROUP};
use crate::resume::{Resume, Search, Sought};
use crate::slot::{Slot, close_within};
use crate::spool::{SpoolDirectory, SpoolError};
use crate::upload::Uploader;

/// How long the loop waits for a record before it looks after its partitions.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// How many records it takes before it looks after its partitions.
const POLL_RECORDS: usize = 2_000;
/// How long a rebalance of the whole group may wait for our objects to close.
const REVOCATION_PATIENCE: Duration = Duration::from_secs(8);
/// How long the group's coordinator may take to tell what is committed.
const COORDINATOR_WAIT: Duration = Duration::from_secs(5);
/// How often a broker that went away is looked for.
const BROKER_CHECK: Duration = Duration::from_secs(2);

/// What is archived, whose it is, and who reads it.
pub(crate) struct Subscription {
    pub(crate) kafka: KafkaSettings,
    pub(crate) owner: PipelineArguments,
    pub(crate) group: String,
    pub(crate) topics: Vec<ArchivedTopic>,
    pub(crate) consumer: Arc<GroupConsumer>,
}

/// Everything the loop owns.
pub(crate) struct Pump {
    owner: PipelineArguments,
    group: String,
    topics: Vec<ArchivedTopic>,
    consumer: Arc<GroupConsumer>,
    closing: Closing,
    spool: SpoolDirectory,
    uploader: Arc<Uploader>,
    readiness: Readiness,
    shutdown: Shutdown,
    runtime: Handle,
    resume: Arc<Resume>,
    /// Of partitions that are ours and not taken yet.
    searches: Vec<Search>,
    slots: Vec<Slot>,
    /// Of those that are paused.
    ends: Ends,
    broker_lost: Option<Instant>,
    /// Kafka refused to read, and nothing was read since.
    refused: bool,
}

impl Pump {
    /// Its steps in the bucket run on the runtime of whoever calls.
    pub(crate) fn new(
        subscription: Subscription,
        closing: Closing,
        spool: SpoolDirectory,
        uploader: Uploader,
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> Self {
        let Subscription { kafka, owner, group, topics, consumer } = subscription;
        let uploader = Arc::new(uploader);
        let (reads, writes, tells) = (Arc::clone(&consumer), Arc::clone(&uploader), readiness.clone());
        let resume = Arc::new(Resume::new(kafka, group.clone(), reads, writes, tells));
        Self {
            owner,
            group,
            topics,
            consumer,
            closing,
            spool,
            uploader,
            readiness,
            shutdown,
            runtime: Handle::current(),
            resume,
            searches: Vec::new(),
            slots: Vec::new(),
            ends: Ends::default(),
            broker_lost: None,
            refused: false,
        }
    }

    /// Archives until shutdown. Blocks; to be called from a thread that may.
    pub(crate) fn run(mut self) -> Result<(), ArchiverError> {
        let outcome = self.run_until_shutdown();
        // On an error the open objects are dropped as after a crash: Kafka still has their records.
        let closed = if outcome.is_ok() { self.close_everything() } else { Ok(()) };
        self.leave_group();
        outcome.and(closed)
    }

    fn run_until_shutdown(&mut self) -> Result<(), ArchiverError> {
        let topics: Vec<_> = self.topics.iter().map(|archived| archived.topic.as_str()).collect();
        self.consumer.subscribe(&topics).map_err(|source| ArchiverError::kafka("subscribe to the topics", source))?;
        while !self.shutdown.is_cancelled() {
            self.read()?;
            self.follow_group()?;
            self.search_shortened();
            self.take_found()?;
            self.advance()?;
            self.look_for_broker();
        }
        Ok(())
    }

    /// Takes what has arrived, up to a bound.
    fn read(&mut self) -> Result<(), ArchiverError> {
        let consumer = Arc::clone(&self.consumer);
        let mut wait = POLL_WAIT;
        for _ in 0..POLL_RECORDS {
            match consumer.poll(wait) {
                None => return Ok(()),
                Some(Err(error)) => return self.consumer_failed(&error),
                Some(Ok(message)) => {
                    if std::mem::take(&mut self.refused) {
                        self.readiness.hold(BROKER);
                    }
                    let value = message.payload().unwrap_or_default();
                    let timestamp_millis = message.timestamp().to_millis();
                    let record = Record { offset: message.offset(), timestamp_millis, value };
                    self.take(message.topic(), message.partition(), record)?;
                }
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn take(&mut self, topic: &str, partition: i32, record: Record<'_>) -> Result<(), ArchiverError> {
        // A record of a partition that was given up, or that is about to be read from elsewhere, comes again.
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.is(topic, partition)) else {
            return Ok(());
        };
        if !slot.is_read() {
            return Ok(());
        }
        slot.partition.append(record, &self.spool, &self.closing, Instant::now())?;
        slot.read_at = record.timestamp_millis;
        slot.counters.records.inc();
        slot.counters.bytes.inc_by(record.value.len() as u64);
        if slot.partition.is_saturated() {
            pause(&self.consumer, slot)?;
        }
        Ok(())
    }

    fn consumer_failed(&mut self, error: &KafkaError) -> Result<(), ArchiverError> {
        match error.rdkafka_error_code() {
            _ if group::is_position_lost(error) => return self.find_lost_positions(),
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.broker_lost.get_or_insert_with(Instant::now);
                self.readiness.fail(BROKER, "no broker can be reached; reading goes on when one can");
            }
            _ if classify(error) == ErrorClass::Fatal => {
                return Err(ArchiverError::kafka("go on reading", error.clone()));
            }
            _ => {
                warn!(%error, "reading from Kafka has trouble and goes on");
                self.missing_acl(error).iter().for_each(|missing| self.refuse(missing));
            }
        }
        Ok(())
    }

    fn missing_acl(&self, error: &KafkaError) -> Option<MissingAcl> {
        let topics: Vec<_> = self.topics.iter().map(|archived| archived.topic.as_str()).collect();
        MissingAcl::of_consumer(error, &self.group, &topics.join(" or "))
    }

    /// Says which ACL is missing. Nothing tells that it was granted but that records arrive, or the group is joined.
    fn refuse(&mut self, missing: &MissingAcl) {
        if let MissingAcl::ReadGroup(_) = missing {
            self.readiness.fail(GROUP, missing.to_grant());
        } else {
            self.readiness.fail(BROKER, missing.to_grant());
            self.refused = true;
        }
    }

    /// While brokers were lost nothing tells that they are back where no record arrives.
    fn look_for_broker(&mut self) {
        let Some(since) = self.broker_lost.filter(|since| since.elapsed() >= BROKER_CHECK) else {
            return;
        };
        if self.consumer.fetch_metadata(None, Duration::from_secs(1)).is_ok() {
            info!(seconds = since.elapsed().as_secs(), "a broker answers again");
            self.broker_lost = None;
            if !self.refused {
                self.readiness.hold(BROKER);
            }
        }
    }

    /// Does what the group decided, as far as Kafka tells what that takes.
    fn follow_group(&mut self) -> Result<(), ArchiverError> {
        while let Some(rebalance) = self.consumer.context().take_rebalance() {
            let done = match rebalance {
                Rebalance::Assigned(partitions) => {
                    if !self.search(&partitions) {
                        self.consumer.context().put_back(Rebalance::Assigned(partitions));
                        return Ok(());
                    }
                    // Each is taken when it is known from where it is read; the group need not wait for that.
                    Rebalance::Assigned(TopicPartitionList::new())
                }
                Rebalance::Revoked(partitions) => {
                    self.revoke(&partitions)?;
                    Rebalance::Revoked(partitions)
                }
            };
            self.follow(&done)?;
        }
        Ok(())
    }

    fn follow(&self, rebalance: &Rebalance) -> Result<(), ArchiverError> {
        group::follow(&self.consumer, rebalance)
            .map_err(|source| ArchiverError::kafka("agree to a rebalance", source))?;
        if matches!(rebalance, Rebalance::Assigned(_)) && self.searches.is_empty() {
            self.readiness.hold(GROUP);
        }
        Ok(())
    }

    /// Looks from where partitions are read; not yet where the group's coordinator does not tell what is committed. Without that a
    /// chain would break.
    fn search(&mut self, partitions: &TopicPartitionList) -> bool {
        let found = match committed(&self.consumer, partitions, COORDINATOR_WAIT) {
            Ok(found) => found,
            Err(error) => {
                let missing = self.missing_acl(&error).map(|missing| missing.to_grant());
                let reason = missing.unwrap_or_else(|| format!("the committed offsets cannot be read: {error}"));
                self.readiness.fail(BROKER, reason);
                return false;
            }
        };
        self.readiness.hold(BROKER);
        for (topic, partition, committed) in found {
            let Some(origin) = self.origin(&topic, partition) else { continue };
            self.searches.push(Search::begin(&self.resume, origin, Sought::Committed(committed), &self.runtime));
        }
        true
    }

    /// Takes the partitions of which it is known from where they are read.
    fn take_found(&mut self) -> Result<(), ArchiverError> {
        let found: Vec<_> = self.searches.extract_if(.., |search| search.is_over()).collect();
        if found.is_empty() {
            return Ok(());
        }
        let mut offsets = TopicPartitionList::with_capacity(found.len());
        for search in found {
            let (origin, beginning) = self.runtime.block_on(search.found()).map_err(ArchiverError::Step)?;
            report(&self.uploader, &origin, beginning);
            let offset = beginning.offset();
            offsets
                .add_partition_offset(origin.topic.as_str(), origin.partition, Offset::Offset(offset))
                .map_err(|source| ArchiverError::kafka("take a partition", source))?;
            let opened = Partition::new(origin, beginning.read_to()).map_err(ArchiverError::Compressor)?;
            self.slots.push(Slot::new(opened, &self.uploader.metrics));
        }
        self.follow(&Rebalance::Assigned(offsets))
    }

    fn origin(&self, topic: &str, partition: i32) -> Option<Origin> {
        let archived = self.topics.iter().find(|archived| archived.topic.as_str() == topic)?;
        let ArchivedTopic { stream, topic } = archived.clone();
        let PipelineArguments { namespace, pipeline, site } = self.owner.clone();
        Some(Origin { namespace, pipeline, stream, site, topic, partition })
    }

    /// Closes the objects of partitions that another member gets, within its patience.
    fn revoke(&mut self, partitions: &TopicPartitionList) -> Result<(), ArchiverError> {
        let is_revoked = |slot: &mut Slot| partitions.elements().iter().any(|e| slot.is(e.topic(), e.partition()));
        let mut revoked: Vec<_> = self.slots.extract_if(.., is_revoked).collect();
        self.resume_all(&mut revoked);
        self.searches.retain(|search| !partitions.elements().iter().any(|e| search.is(e.topic(), e.partition())));
        if self.consumer.assignment_lost() {
            warn!("the group went on without this process; what was open is archived by others");
            self.readiness.fail(GROUP, "the group went on without this process; it joins again");
            return Ok(());
        }
        self.close(revoked, REVOCATION_PATIENCE)
    }

    fn close_everything(&mut self) -> Result<(), ArchiverError> {
        let all = std::mem::take(&mut self.slots);
        self.close(all, ARCHIVER_CLOSING_PATIENCE)
    }

    fn close(&self, slots: Vec<Slot>, patience: Duration) -> Result<(), ArchiverError> {
        self.runtime.block_on(close_within(patience, slots, &self.uploader, &self.closing))
    }

    /// Looks after every partition: steps in the bucket, positions and pauses.
    fn advance(&mut self) -> Result<(), SpoolError> {
        let now = Instant::now();
        for slot in &mut self.slots {
            slot.advance(&self.uploader, &self.closing, &self.runtime, now)?;
        }
        self.steer();
        let count = |of: fn(&Slot) -> bool| {
            i64::try_from(self.slots.iter().filter(|slot| of(slot)).count()).unwrap_or(i64::MAX)
        };
        self.uploader.metrics.partitions.set(count(|_| true));
        self.uploader.metrics.open_objects.set(count(|slot| slot.partition.is_open()));
        self.uploader.metrics.paused_partitions.set(count(|slot| slot.paused));
        if let Some(standings) = self.consumer.context().take_standings() {
            self.tell(standings);
        }
        Ok(())
    }

    fn tell(&mut self, mut standings: Standings) {
        let paused = self.slots.iter().filter(|slot| slot.paused).map(|slot| {
            let Origin { topic, partition, .. } = &slot.partition.origin;
            ((topic.clone(), *partition), slot.partition.position())
        });
        self.ends.put_right(&mut standings.told, &paused.collect(), &self.consumer, &self.runtime);
        for standing in &standings.told {
            let slot = self.slots.iter_mut().find(|slot| slot.is(&standing.topic, standing.partition));
            slot.into_iter().for_each(|slot| slot.stands(standing));
        }
        let read_at = self.slots.iter().filter_map(|slot| {
            let Origin { topic, partition, .. } = &slot.partition.origin;
            Some(((topic.clone(), *partition), slot.read_at?))
        });
        let topics = self.uploader.known.stands(standings, read_at.collect(), Timestamp::now());
        topics.iter().for_each(|(stream, health)| self.uploader.metrics.lags(*stream, health));
    }

    /// Leaves the group, which gives the partitions to others at once.
    fn leave_group(mut self) {
        self.slots.clear();
        self.searches.clear();
        group::prepare_to_leave(&self.consumer);
        drop(self.consumer);
    }
}

fn pause(consumer: &GroupConsumer, slot: &mut Slot) -> Result<(), ArchiverError> {
    if slot.paused {
        return Ok(());
    }
    let Origin { topic, partition, .. } = &slot.partition.origin;
    at_offset(topic.as_str(), *partition, slot.partition.position())
        .and_then(|partitions| consumer.pause(&partitions))
        .map_err(|source| ArchiverError::kafka("pause a partition", source))?;
    slot.paused = true;
    info!(%topic, partition, "paused until the bucket has taken what is sealed");
    Ok(())
}
