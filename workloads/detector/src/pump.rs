//! The loop: poll, process, produce, commit. It owns the consumer and the producer, runs on a thread of its own and blocks
//! there; everything it decides about a record is decided in [`Detector`].

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use thiserror::Error;
use tracing::warn;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::group::{self, GroupConsumer, Rebalance};

use crate::detector::{Detector, Input, Output};
use crate::messages::{Outputs, input};
use crate::metrics::{DeadLetterLabel, Metrics, Reason};
use crate::readiness::{BROKER, GROUP};
use crate::start::Started;
use crate::unit::{Interruption, UnitOfWork};

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
/// How long one turn waits for the group's coordinator, which may be slow. Others wait for this member meanwhile.
const COORDINATOR_WAIT: Duration = Duration::from_secs(5);

/// Why the stream ended before it was asked to.
#[derive(Debug, Error)]
pub enum PumpError {
    /// A client that is of no use any more.
    #[error("{attempt}")]
    Client {
        /// What happened.
        attempt: &'static str,
        #[source]
        source: KafkaError,
    },
    /// Kafka takes nothing any more.
    #[error("Kafka did not take a unit of work; beginning anew without partitions")]
    Stalled,
    /// The same work was given up again and again.
    #[error("{REWINDS_WITHOUT_PROGRESS} units of work one after the other were given up")]
    NoProgress(#[source] KafkaError),
}

/// The running stream.
pub(crate) struct Pump {
    consumer: GroupConsumer,
    unit: UnitOfWork,
    detector: Detector,
    outputs: Outputs,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
    rewinds: u32,
    broker_in_doubt: bool,
}

impl Pump {
    pub(crate) fn new(
        started: Started,
        detector: Detector,
        metrics: Metrics,
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> Self {
        let Started { consumer, unit, outputs } = started;
        Self { consumer, unit, detector, outputs, metrics, readiness, shutdown, rewinds: 0, broker_in_doubt: false }
    }

    /// Processes records until shutdown, then commits what is done and leaves the group.
    ///
    /// # Errors
    /// When only a new process can go on.
    pub(crate) fn run(mut self) -> Result<(), PumpError> {
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
    fn recover(&mut self, outcome: Result<(), Interruption>) -> Result<bool, PumpError> {
        let cause = match outcome {
            Ok(()) => return Ok(true),
            Err(Interruption::Rewind(cause)) => cause,
            Err(Interruption::Fatal(attempt, source)) => return Err(PumpError::Client { attempt, source }),
            Err(Interruption::Stalled) => return Err(PumpError::Stalled),
            Err(Interruption::GivenUp) => {
                warn!("shutdown does not wait for the broker; what is not committed is done by another detector");
                return Ok(false);
            }
        };
        self.metrics.aborts.inc();
        self.rewinds += 1;
        warn!(error = %cause, "unit of work given up, its records are read again");
        if self.rewinds >= REWINDS_WITHOUT_PROGRESS {
            return Err(PumpError::NoProgress(cause));
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
            process(&batch, &mut self.detector, &mut self.unit, &self.outputs, &self.metrics)?;
            self.metrics.processing_seconds.observe(started.elapsed().as_secs_f64());
        }
        drop(batch);
        self.unit.serve();
        if self.unit.age().is_some_and(|age| idle || age >= COMMIT_INTERVAL) {
            self.commit()?;
        }
        self.follow_group()?;
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

    /// Does what the group decided, as far as Kafka tells what that takes.
    fn follow_group(&mut self) -> Result<(), Interruption> {
        while let Some(rebalance) = self.consumer.context().take_rebalance() {
            let done = match rebalance {
                Rebalance::Assigned(partitions) => self.take(partitions),
                Rebalance::Revoked(partitions) => self.give_up(partitions).map(Some),
            };
            let Some(done) = done? else { return Ok(()) };
            group::follow(&self.consumer, &done)
                .map_err(|cause| Interruption::Fatal("cannot follow a rebalance of the group", cause))?;
            if let Rebalance::Assigned(_) = done {
                self.readiness.hold(GROUP);
            }
        }
        Ok(())
    }

    /// Looks from where partitions are read. `None` where the group's coordinator does not know yet: they are taken later.
    fn take(&mut self, partitions: TopicPartitionList) -> Result<Option<Rebalance>, Interruption> {
        // The coordinator may not answer for longer than an open unit lives.
        self.close_unit()?;
        match group::beginnings(&self.consumer, &partitions, COORDINATOR_WAIT) {
            Ok(beginnings) => Ok(Some(Rebalance::Assigned(beginnings))),
            Err(cause) => {
                self.readiness.fail(GROUP, format!("the group does not tell yet from where to read: {cause}"));
                self.consumer.context().put_back(Rebalance::Assigned(partitions));
                Ok(None)
            }
        }
    }

    /// Partitions are given up only after what was done of them is committed, or is void.
    fn give_up(&mut self, partitions: TopicPartitionList) -> Result<Rebalance, Interruption> {
        if self.consumer.assignment_lost() {
            self.readiness.fail(GROUP, "the group went on without this detector; joining again");
            self.metrics.aborts.inc();
            self.unit.abort(&self.consumer)?;
        } else {
            self.close_unit()?;
        }
        Ok(Rebalance::Revoked(partitions))
    }

    /// Commits the open unit or gives it up: a rebalance has to be settled whatever becomes of it.
    fn close_unit(&mut self) -> Result<(), Interruption> {
        match self.commit() {
            Err(Interruption::Rewind(cause)) => {
                warn!(error = %cause, "unit of work given up before a rebalance");
                self.metrics.aborts.inc();
                self.unit.abort(&self.consumer)
            }
            outcome => outcome,
        }
    }

    /// After a complaint of the client, readiness follows whether a broker answers. A stream that flows is not held up.
    fn watch_broker(&mut self, idle: bool) {
        self.broker_in_doubt |= self.consumer.context().take_trouble() | self.unit.take_trouble();
        if !self.broker_in_doubt {
            return;
        }
        if idle {
            let topic = self.outputs.topics.sensor_messages.as_str();
            if let Err(cause) = self.consumer.fetch_metadata(Some(topic), BROKER_CHECK) {
                self.readiness.fail(BROKER, cause.to_string());
                return;
            }
        }
        self.readiness.hold(BROKER);
        self.broker_in_doubt = false;
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        group::prepare_to_leave(&self.consumer);
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
                warn!(error = %cause, "reading from Kafka has trouble and goes on");
                consumer.context().note_trouble();
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
    outputs: &Outputs,
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
                unit.produce(outputs.enriched(message, value))?;
                if let Some(alert) = alert {
                    metrics.alerts.inc();
                    unit.produce(outputs.alert(message, alert))?;
                }
                Ok(())
            }
            Output::DeadLetter(refusal) => {
                let label = DeadLetterLabel { reason: Reason(refusal.reason) };
                metrics.dead_letters.get_or_create(&label).inc();
                let letter = outputs.dead_letter(message, refusal, now);
                unit.produce(outputs.dead_letter_record(message, &letter))
            }
        }
    })
}
