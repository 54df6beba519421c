//! The loop: poll, process, produce, commit. It owns the consumer and the producer, runs on a thread of its own and blocks
//! there; everything it decides about a record is decided in [`Detector`].

mod places;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use thiserror::Error;
use tracing::warn;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::group::{self, GroupConsumer, Rebalance};
use vedette_streams::kafka::{KafkaSettings, MissingAcl};

use self::places::Waiting;
use crate::allowance::{Allowance, Haste};
use crate::batch::{collect, process};
use crate::delivery::may_be_of_one_record;
use crate::detector::Detector;
use crate::health::Known;
use crate::idle::{Idle, commit_end};
use crate::interruption::Interruption;
use crate::marks::Marks;
use crate::messages::Outputs;
use crate::metrics::Metrics;
use crate::readiness::{BROKER, GROUP};
use crate::refusals::Refusals;
use crate::start::Started;
use crate::tally::Tally;
use crate::unit::UnitOfWork;

/// How long a poll waits when there is nothing to do; also how soon shutdown is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// So many units given up one after the other are no bad luck any more.
const REWINDS_WITHOUT_PROGRESS: u32 = 20;
/// After the first; after the second it is twice as long.
const REWIND_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_REWIND_PAUSE: Duration = Duration::from_secs(1);
const BROKER_CHECK: Duration = Duration::from_secs(1);

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
    #[error("Kafka did not take a unit of work{0}; beginning anew without partitions")]
    Stalled(String),
    /// The same work was given up again and again.
    #[error("{REWINDS_WITHOUT_PROGRESS} units of work one after the other were given up")]
    NoProgress(#[source] KafkaError),
}

/// What follows a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    GoOn,
    /// With another producer and another place in the group.
    StartAnew,
    End,
}

/// The running stream.
pub(crate) struct Pump<'a> {
    kafka: KafkaSettings,
    consumer: GroupConsumer,
    group: String,
    unit: UnitOfWork,
    detector: &'a mut Detector,
    outputs: Outputs,
    metrics: Metrics,
    known: Known,
    readiness: Readiness,
    shutdown: Shutdown,
    rewinds: u32,
    allowance: Allowance,
    refusals: Refusals,
    idle: Idle,
    waiting: Waiting,
    /// Of the open unit.
    tally: Tally,
    /// Of the last turn.
    haste: Haste,
    marks: Marks,
    broker_in_doubt: bool,
    /// Kafka refused to read or write, and nothing was read and written since.
    refused: bool,
    /// The position of some partition may be gone.
    position_lost: bool,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        started: Started,
        detector: &'a mut Detector,
        (metrics, known): (Metrics, Known),
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> Self {
        let Started { kafka, consumer, group, unit, outputs } = started;
        let (rewinds, broker_in_doubt, refused) = (0, false, false);
        Self {
            kafka,
            consumer,
            group,
            unit,
            detector,
            outputs,
            metrics,
            known,
            readiness,
            shutdown,
            rewinds,
            allowance: Allowance::default(),
            refusals: Refusals::default(),
            idle: Idle::default(),
            waiting: Waiting::default(),
            tally: Tally::default(),
            haste: Haste::Usual,
            marks: Marks::default(),
            broker_in_doubt,
            refused,
            position_lost: false,
        }
    }

    /// Processes records until shutdown, then commits what is done and leaves the group.
    ///
    /// # Errors
    /// When only a new process can go on.
    pub(crate) fn run(mut self) -> Result<Course, PumpError> {
        while !self.shutdown.is_cancelled() {
            let turn = self.turn();
            match self.recover(turn)? {
                Course::GoOn => {}
                course @ (Course::StartAnew | Course::End) => return Ok(course),
            }
        }
        let last = self.commit();
        self.recover(last).map(|_| Course::End)
    }

    /// How to go on after an interruption.
    fn recover(&mut self, outcome: Result<(), Interruption>) -> Result<Course, PumpError> {
        match outcome {
            Ok(()) => return Ok(Course::GoOn),
            Err(Interruption::RefusedRecords(records)) => {
                self.refusals.note(records, self.outputs.max_message_bytes);
            }
            Err(Interruption::Rewind(cause)) if may_be_of_one_record(&cause) => {
                warn!(error = %cause, "Kafka refuses a batch; smaller units find out whether for one of its records");
            }
            Err(Interruption::Rewind(cause)) => {
                self.rewinds += 1;
                warn!(error = %cause, "unit of work given up, its records are read again");
                if self.rewinds >= REWINDS_WITHOUT_PROGRESS {
                    return Err(PumpError::NoProgress(cause));
                }
            }
            Err(Interruption::Refused(missing)) => self.refuse(&missing),
            Err(Interruption::StartAnew(cause)) => {
                self.metrics.aborts.inc();
                warn!(error = %cause, "Kafka refuses something to this user; the stream starts anew and says what");
                return Ok(Course::StartAnew);
            }
            Err(Interruption::Fatal(attempt, source)) => return Err(PumpError::Client { attempt, source }),
            Err(Interruption::Stalled(waits_for)) => return Err(PumpError::Stalled(waits_for)),
            Err(Interruption::GivenUp) => {
                warn!("shutdown does not wait for the broker; what is not committed is done by another detector");
                return Ok(Course::End);
            }
        }
        let aborted = self.abort();
        let course = self.recover(aborted)?;
        if !self.shutdown.is_cancelled() {
            std::thread::sleep(self.rewind_pause());
        }
        Ok(course)
    }

    fn rewind_pause(&self) -> Duration {
        if self.refused { LONGEST_REWIND_PAUSE } else { (self.rewinds * REWIND_PAUSE).min(LONGEST_REWIND_PAUSE) }
    }

    /// Says which ACL is missing. Nothing tells that it was granted but that records pass, or the group is joined.
    fn refuse(&mut self, missing: &MissingAcl) {
        if let MissingAcl::ReadGroup(_) = missing {
            self.readiness.fail(GROUP, missing.to_grant());
        } else {
            self.readiness.fail(BROKER, missing.to_grant());
            self.refused = true;
        }
    }

    fn note_trouble(&mut self, cause: &KafkaError) {
        if group::is_position_lost(cause) {
            self.position_lost = true;
            return;
        }
        warn!(error = %cause, "reading from Kafka has trouble and goes on");
        match MissingAcl::of_consumer(cause, &self.group, self.outputs.topics.sensor_messages.as_str()) {
            Some(missing) => self.refuse(&missing),
            None => self.consumer.context().note_trouble(),
        }
    }

    fn turn(&mut self) -> Result<(), Interruption> {
        let wait = if self.unit.age().is_some() { Duration::ZERO } else { POLL_WAIT };
        if self.haste != Haste::Backlog {
            self.marks.wait();
        }
        let batch = collect(&self.consumer, wait, self.allowance.room(self.unit.held()))?;
        let (records, is_backlog, started) = (batch.messages.len(), batch.is_full(), Instant::now());
        let (trouble, processed) =
            process(batch, self.detector, &mut self.unit, &self.outputs, &self.refusals, &mut self.tally);
        // What the client says it says once, whatever becomes of the records that came before.
        trouble.iter().for_each(|cause| self.note_trouble(cause));
        processed?;
        let idle = records == 0;
        if !idle {
            self.metrics.batch_records.observe(records as f64);
            self.metrics.processing_seconds.observe(started.elapsed().as_secs_f64());
        }
        self.unit.serve();
        self.haste = self.haste(is_backlog);
        let is_used_up = |age| self.allowance.is_used_up(self.unit.held(), age, self.haste);
        if self.unit.age().is_some_and(|age| idle || is_used_up(age)) {
            self.commit()?;
        }
        if self.position_lost {
            self.find_lost_positions()?;
        }
        self.look_again()?;
        self.follow_group()?;
        group::join_without_delay(&self.consumer);
        self.watch_broker(idle);
        self.take_standings();
        Ok(())
    }

    fn haste(&self, is_backlog: bool) -> Haste {
        match self.unit.is_seen_when_committed() && self.tally.alerts > 0 {
            _ if is_backlog => Haste::Backlog,
            true => Haste::Alert,
            false => Haste::Usual,
        }
    }

    fn take_standings(&mut self) {
        if let Some(standings) = self.consumer.context().take_standings() {
            // Kafka may not answer for longer than an open unit lives.
            if let Some(idle) = self.idle.stands(&standings.told).filter(|_| self.unit.age().is_none()) {
                let looked = commit_end(&self.kafka, &self.group, &self.consumer, idle);
                self.idle.looked(idle.partition, looked);
            }
            self.metrics.lags(&self.known.stands(standings, Timestamp::now()));
        }
    }

    fn commit(&mut self) -> Result<(), Interruption> {
        if self.unit.age().is_none() {
            return Ok(());
        }
        let (started, held, ends) = (Instant::now(), self.unit.held(), self.unit.ends().collect::<Vec<_>>());
        self.unit.commit(&self.consumer, |records| self.metrics.count_latency(records, Timestamp::now()))?;
        if self.unit.is_seen_when_committed() {
            self.marks.begin();
        }
        self.allowance.after_commit(held, started.elapsed());
        ends.iter().for_each(|(partition, end)| self.refusals.committed(*partition, *end));
        let tally = std::mem::take(&mut self.tally);
        self.metrics.count_committed(&tally);
        if let Some(threshold) = self.detector.committed(tally.fields.scored, tally.alerts) {
            self.metrics.alerts_above(threshold);
            self.known.alerts_above(threshold);
        }
        self.known.committed(tally);
        self.metrics.commits.inc();
        self.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        self.rewinds = 0;
        if std::mem::take(&mut self.refused) {
            self.readiness.hold(BROKER);
        }
        Ok(())
    }

    /// Does what the group decided, as far as Kafka tells what that takes.
    fn follow_group(&mut self) -> Result<(), Interruption> {
        while let Some(rebalance) = self.consumer.context().take_rebalance() {
            match rebalance {
                Rebalance::Assigned(partitions) => {
                    if !self.take(partitions)? {
                        return Ok(());
                    }
                    self.readiness.hold(GROUP);
                }
                Rebalance::Revoked(partitions) => {
                    self.waiting.give_up(&partitions);
                    let given_up = self.give_up();
                    let goes_on =
                        matches!(given_up, Ok(()) | Err(Interruption::Refused(_) | Interruption::StartAnew(_)));
                    if goes_on {
                        self.follow(&Rebalance::Revoked(partitions))?;
                    }
                    given_up?;
                }
            }
        }
        Ok(())
    }

    /// Partitions are given up only after what was done of them is committed, or is void.
    fn give_up(&mut self) -> Result<(), Interruption> {
        if self.consumer.assignment_lost() {
            self.readiness.fail(GROUP, "the group went on without this detector; joining again");
            return self.abort();
        }
        self.close_unit()
    }

    /// Commits the open unit or gives it up: a rebalance has to be settled whatever becomes of it.
    fn close_unit(&mut self) -> Result<(), Interruption> {
        match self.commit() {
            Err(Interruption::Rewind(cause)) => warn!(error = %cause, "unit of work given up before a rebalance"),
            Err(Interruption::RefusedRecords(records)) => self.refusals.note(records, self.outputs.max_message_bytes),
            outcome => return outcome,
        }
        self.abort()
    }

    fn abort(&mut self) -> Result<(), Interruption> {
        self.metrics.aborts.inc();
        self.tally = Tally::default();
        self.allowance.after_abort(self.unit.held());
        self.unit.abort(&self.consumer)
    }

    /// After a complaint of the client, readiness follows whether a broker answers. A stream that flows is not held up.
    fn watch_broker(&mut self, idle: bool) {
        self.broker_in_doubt |= self.consumer.context().take_trouble() | self.unit.take_trouble();
        if !self.broker_in_doubt || self.refused {
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

impl Drop for Pump<'_> {
    fn drop(&mut self) {
        group::prepare_to_leave(&self.consumer);
    }
}
