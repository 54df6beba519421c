//! The loop: poll, process, produce, commit. It owns the consumer and the producer, runs on a thread of its own and blocks
//! there; everything it decides about a record is decided in [`Detector`].

mod start;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use thiserror::Error;
use tracing::warn;
use vedette_contract::TopicName;
use vedette_records::dead_letter::{DeadLetter, FittedLetter, Limit, Origin};
use vedette_records::size;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::timestamp_of;

use crate::detector::{Detector, Input, Output};
use crate::group::{self, GroupConsumer, Rebalance};
use crate::metrics::{DeadLetterLabel, Metrics, Reason};
use crate::unit::{Interruption, UnitOfWork};
use crate::{BROKER, GROUP};

pub use start::{StartError, StreamSettings, start};

/// How long a poll waits when there is nothing to do; also how soon shutdown is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// A unit of work is committed when it is this old, or earlier when a poll finds nothing.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
/// A batch is what is there, but not more than this.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// So many units given up one after the other are no bad luck any more.
const REWINDS_WITHOUT_PROGRESS: u32 = 20;
const LONGEST_REWIND_PAUSE: Duration = Duration::from_secs(1);
const BROKER_CHECK: Duration = Duration::from_secs(1);

/// Why the stream ended before it was asked to.
#[derive(Debug, Error)]
pub enum StreamError {
    /// A client that is of no use any more.
    #[error("{attempt}")]
    Client {
        /// What happened.
        attempt: &'static str,
        /// The client's error.
        #[source]
        source: KafkaError,
    },
    /// The same work was given up again and again.
    #[error("{REWINDS_WITHOUT_PROGRESS} units of work one after the other were given up")]
    NoProgress(#[source] KafkaError),
}

/// Where messages go.
#[derive(Debug, Clone)]
pub struct Topics {
    pub sensor_messages: TopicName,
    pub enriched_data: TopicName,
    pub alerts: TopicName,
    pub dead_letters: TopicName,
    /// Of the dead letters; the other two have as many as the input.
    pub dead_letter_partitions: i32,
    pub max_message_bytes: usize,
}

/// The running stream.
pub struct Stream {
    consumer: GroupConsumer,
    unit: UnitOfWork,
    detector: Detector,
    topics: Topics,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
    rewinds: u32,
    broker_in_doubt: bool,
}

impl Stream {
    /// Processes records until shutdown, then commits what is done and leaves the group.
    ///
    /// # Errors
    /// When only a new process can go on.
    pub fn run(mut self) -> Result<(), StreamError> {
        while !self.shutdown.is_cancelled() {
            let turn = self.turn();
            if !self.recover(turn)? {
                return Ok(());
            }
        }
        let last = self.commit();
        self.recover(last).map(|_| ())
    }

    /// Whether to go on after an interruption.
    fn recover(&mut self, outcome: Result<(), Interruption>) -> Result<bool, StreamError> {
        let cause = match outcome {
            Ok(()) => return Ok(true),
            Err(Interruption::Rewind(cause)) => cause,
            Err(Interruption::Fatal(attempt, source)) => return Err(StreamError::Client { attempt, source }),
            Err(Interruption::GivenUp) => {
                warn!("shutdown does not wait for the broker; what is not committed is done by another detector");
                return Ok(false);
            }
        };
        self.metrics.aborts.inc();
        self.rewinds += 1;
        warn!(error = %cause, "unit of work given up, its records are read again");
        if self.rewinds >= REWINDS_WITHOUT_PROGRESS {
            return Err(StreamError::NoProgress(cause));
        }
        let aborted = self.unit.abort(&self.consumer);
        let go_on = self.recover(aborted)?;
        if !self.shutdown.is_cancelled() {
            std::thread::sleep((self.rewinds * Duration::from_millis(20)).min(LONGEST_REWIND_PAUSE));
        }
        Ok(go_on)
    }

    fn turn(&mut self) -> Result<(), Interruption> {
        let wait = if self.unit.age().is_some() { Duration::ZERO } else { POLL_WAIT };
        let batch = collect(&self.consumer, wait)?;
        let idle = batch.is_empty();
        if !idle {
            let started = Instant::now();
            process(&batch, &mut self.detector, &mut self.unit, &self.topics, &self.metrics)?;
            self.metrics.processing_seconds.observe(started.elapsed().as_secs_f64());
        }
        drop(batch);
        self.unit.serve();
        if self.unit.age().is_some_and(|age| idle || age >= COMMIT_INTERVAL) {
            self.commit()?;
        }
        for rebalance in self.consumer.context().take_rebalances() {
            self.settle(&rebalance)?;
        }
        self.watch_broker(idle);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Interruption> {
        if self.unit.age().is_none() {
            return Ok(());
        }
        let started = Instant::now();
        self.unit.commit(&self.consumer)?;
        self.metrics.commits.inc();
        self.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        self.rewinds = 0;
        Ok(())
    }

    /// Does what the group decided. Partitions are given up only after what was done of them is committed, or is void.
    fn settle(&mut self, rebalance: &Rebalance) -> Result<(), Interruption> {
        match rebalance {
            Rebalance::Assign(_) => self.readiness.hold(GROUP),
            Rebalance::Revoke(_) if self.consumer.assignment_lost() => {
                self.readiness.fail(GROUP, "the group went on without this detector; joining again");
                self.metrics.aborts.inc();
                self.unit.abort(&self.consumer)?;
            }
            Rebalance::Revoke(_) => match self.commit() {
                // The rebalance has to be settled whatever becomes of the unit.
                Err(Interruption::Rewind(cause)) => {
                    warn!(error = %cause, "unit of work given up with its partitions");
                    self.metrics.aborts.inc();
                    self.unit.abort(&self.consumer)?;
                }
                outcome => outcome?,
            },
        }
        group::apply(&self.consumer, rebalance)
            .map_err(|cause| Interruption::Fatal("cannot follow a rebalance of the group", cause))
    }

    /// After a complaint of the client, readiness follows whether a broker answers. A stream that flows is not held up.
    fn watch_broker(&mut self, idle: bool) {
        self.broker_in_doubt |= self.consumer.context().take_trouble().is_some();
        if !self.broker_in_doubt {
            return;
        }
        if idle {
            let topic = self.topics.sensor_messages.as_str();
            if let Err(cause) = self.consumer.fetch_metadata(Some(topic), BROKER_CHECK) {
                self.readiness.fail(BROKER, cause.to_string());
                return;
            }
        }
        self.readiness.hold(BROKER);
        self.broker_in_doubt = false;
    }
}

impl Drop for Stream {
    /// Closing the consumer waits until its partitions are given up, so nothing may be put aside for a loop any more.
    fn drop(&mut self) {
        let context = self.consumer.context().clone();
        context.close();
        for rebalance in context.take_rebalances() {
            if let Err(cause) = group::apply(&self.consumer, &rebalance) {
                warn!(error = %cause, "a rebalance could not be followed while closing");
            }
        }
    }
}

/// What one poll returns, and what is there without waiting. A rebalance ends a batch, as `poll` then returns nothing.
fn collect(consumer: &GroupConsumer, wait: Duration) -> Result<Vec<BorrowedMessage<'_>>, Interruption> {
    let (mut batch, mut bytes, mut wait) = (Vec::new(), 0, wait);
    while batch.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
        match consumer.poll(wait) {
            None => break,
            Some(Ok(message)) => {
                bytes += message.payload_len() + message.key_len();
                batch.push(message);
            }
            Some(Err(cause @ KafkaError::MessageConsumptionFatal(_))) => {
                return Err(Interruption::Fatal("the consumer is of no use any more", cause));
            }
            Some(Err(cause)) => {
                consumer.context().note_trouble(cause.to_string());
                break;
            }
        }
        wait = Duration::ZERO;
    }
    Ok(batch)
}

fn process(
    batch: &[BorrowedMessage<'_>],
    detector: &mut Detector,
    unit: &mut UnitOfWork,
    topics: &Topics,
    metrics: &Metrics,
) -> Result<(), Interruption> {
    unit.open()?;
    for message in batch {
        unit.read(message.partition(), message.offset());
    }
    let inputs: Vec<Input<'_>> = batch.iter().map(input).collect();
    let now = Timestamp::now();
    metrics.records.inc_by(batch.len() as u64);
    metrics.batch_records.observe(batch.len() as f64);
    detector.process(&inputs, now, |position, output| {
        let message = &batch[position];
        match output {
            Output::Enriched { value, alert } => {
                unit.produce(copy(&topics.enriched_data, message, value))?;
                if let Some(alert) = alert {
                    metrics.alerts.inc();
                    unit.produce(copy(&topics.alerts, message, alert))?;
                }
                Ok(())
            }
            Output::DeadLetter(refusal) => {
                let label = DeadLetterLabel { reason: Reason(refusal.reason) };
                metrics.dead_letters.get_or_create(&label).inc();
                let (partition, offset) = (message.partition(), message.offset());
                let origin = Origin { topic: topics.sensor_messages.clone(), partition, offset };
                let max_message_bytes = topics.max_message_bytes;
                let limit = Limit { inherited_bytes: inherited_bytes(message), max_message_bytes };
                let letter = DeadLetter::fit(origin, refusal.clone(), now, message.payload(), limit);
                unit.produce(dead_letter_record(topics, message, &letter))
            }
        }
    })
}

fn input<'a>(message: &'a BorrowedMessage<'_>) -> Input<'a> {
    Input {
        value: message.payload(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: timestamp_of(message),
        overhead: size::message(0, inherited_bytes(message), &[]),
    }
}

/// Bytes of the key and the headers that the copies of a message keep.
fn inherited_bytes(message: &BorrowedMessage<'_>) -> usize {
    let headers = message.headers().map_or(0, |headers| {
        headers.iter().map(|header| size::header(header.key.len(), header.value.map_or(0, <[u8]>::len))).sum()
    });
    message.key_len() + headers
}

/// An output message with the key, Kafka timestamp, headers and partition number of its input.
fn copy<'a>(topic: &'a TopicName, message: &'a BorrowedMessage<'_>, value: &'a [u8]) -> BaseRecord<'a, [u8], [u8]> {
    let mut record = BaseRecord::to(topic.as_str()).partition(message.partition()).payload(value);
    record.key = message.key();
    record.timestamp = message.timestamp().to_millis();
    record.headers = message.headers().map(BorrowedHeaders::detach);
    record
}

fn dead_letter_record<'a>(
    topics: &'a Topics,
    message: &'a BorrowedMessage<'_>,
    letter: &'a FittedLetter<'_>,
) -> BaseRecord<'a, [u8], [u8]> {
    let mut headers = OwnedHeaders::new();
    let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topics.dead_letters.as_str());
    record.payload = letter.value;
    record.timestamp = message.timestamp().to_millis();
    if message.partition() < topics.dead_letter_partitions {
        record = record.partition(message.partition());
    }
    if letter.keeps_key_and_headers {
        record.key = message.key();
        headers = message.headers().map_or(headers, BorrowedHeaders::detach);
    }
    for (key, value) in &letter.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    record.headers(headers)
}
