//! The loop: alerts in, incidents out. It owns the consumer, the writer and the open incidents, runs on a thread of its own and
//! blocks there; what becomes of an alert is decided in [`Incidents`].

use std::collections::BTreeMap;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tracing::{debug, info, warn};
use vedette_contract::TopicName;
use vedette_contract::incident::AlertOrigin;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::group::{GroupConsumer, is_position_lost};
use vedette_streams::kafka::{ErrorClass, MissingAcl, classify, timestamp_of};

use crate::alert::{Alert, AlertMessage, AlertReader};
use crate::error::NotifierError;
use crate::incidents::{Incidents, Taken};
use crate::metrics::Metrics;
use crate::readiness::BROKER;
use crate::silences::Silences;
use crate::start::Started;
use crate::still::Still;
use crate::watermark::Watermark;
use crate::writer::{WriteError, Writer};
use vedette_records::Refusal;

/// How long a poll waits when there is nothing to do; also how soon shutdown is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// What changed is written when nothing more is there, and at the latest after this long.
const WRITE_INTERVAL: Duration = Duration::from_millis(200);
/// So often is written although there is no news: incidents that grew a little, and how far was read, so that whoever Kafka does
/// not listen to any more notices.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A turn is what is there, but not more than this.
const TURN_ALERTS: usize = 2_000;
/// How often is looked for new partitions.
const PARTITIONS_CHECK: Duration = Duration::from_secs(30);
const BROKER_TIMEOUT: Duration = Duration::from_secs(1);

/// How the loop ended.
#[derive(Debug)]
pub(crate) enum Course {
    /// Something was not written, alerts are not where they were read up to, or they have more partitions: what is in memory is void.
    StartAnew(Option<WriteError>),
    /// Another one acts.
    Fenced,
    End,
}

/// The running notifier.
pub(crate) struct Pump {
    consumer: GroupConsumer,
    writer: Writer,
    incidents: Incidents,
    topic: TopicName,
    reader: AlertReader,
    silences: watch::Receiver<Arc<Silences>>,
    /// The next offset of each partition, where it is known.
    positions: BTreeMap<i32, i64>,
    watermark: Watermark,
    still: Still,
    partitions: usize,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
    written: Instant,
    is_behind: bool,
    checked: Instant,
    broker_in_doubt: bool,
    /// The position of some partition is gone.
    position_lost: bool,
    /// That a record has a severity that is none is said once.
    complained: Once,
    /// It was said that there was no room for an incident.
    overflowed: Once,
}

impl Pump {
    pub(crate) fn new(
        started: Started,
        topic: TopicName,
        reader: AlertReader,
        silences: watch::Receiver<Arc<Silences>>,
        metrics: Metrics,
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> Self {
        let Started { consumer, writer, incidents, beginnings } = started;
        let known = beginnings.iter().filter_map(|(partition, beginning)| Some((*partition, (*beginning)?)));
        let positions = known.clone().map(|(partition, beginning)| (partition, beginning.offset())).collect();
        metrics.lost_alerts.inc_by(known.map(|(_, beginning)| beginning.lost()).sum());
        Self {
            consumer,
            writer,
            incidents,
            topic,
            reader,
            silences,
            positions,
            watermark: Watermark::new(beginnings.iter().map(|(partition, _)| *partition)),
            still: Still::default(),
            partitions: beginnings.len(),
            metrics,
            readiness,
            shutdown,
            written: Instant::now(),
            is_behind: false,
            checked: Instant::now(),
            broker_in_doubt: false,
            position_lost: false,
            complained: Once::new(),
            overflowed: Once::new(),
        }
    }

    /// Groups alerts until shutdown, then writes what changed.
    ///
    /// # Errors
    /// When only a new process can go on.
    pub(crate) fn run(mut self) -> Result<Course, NotifierError> {
        while !self.shutdown.is_cancelled() {
            let idle = self.read()?;
            if self.position_lost {
                return Ok(Course::StartAnew(None));
            }
            self.pass_marks();
            self.close_quiet();
            if self.is_due(idle)
                && let Err(error) = self.write()
            {
                return Ok(after(error));
            }
            if idle && !self.look_at_broker() {
                return Ok(Course::StartAnew(None));
            }
        }
        while self.incidents.is_due() {
            if let Err(error) = self.write() {
                return Ok(after(error));
            }
        }
        Ok(self.write().map_or_else(after, |()| Course::End))
    }

    /// Takes what is there. Whether nothing was.
    fn read(&mut self) -> Result<bool, NotifierError> {
        let mut wait = if self.is_behind { Duration::ZERO } else { POLL_WAIT };
        for taken in 0..TURN_ALERTS {
            let Self { consumer, reader, topic, .. } = self;
            let polled = consumer.poll(wait).map(|polled| polled.map(|message| read_alert(reader, topic, &message)));
            match polled {
                None => {
                    // What was read and makes no news is written with the next, and nobody waits for it without a pause.
                    self.is_behind &= taken > 0;
                    return Ok(taken == 0);
                }
                Some(Ok((origin, alert))) => self.take(&origin, alert),
                Some(Err(KafkaError::PartitionEOF(partition))) => self.watermark.ended(partition),
                Some(Err(error)) => {
                    self.note_trouble(error)?;
                    return Ok(false);
                }
            }
            wait = Duration::ZERO;
        }
        Ok(false)
    }

    fn take(&mut self, origin: &AlertOrigin, alert: Result<Alert, Refusal>) {
        let AlertOrigin { topic: _, partition, offset } = *origin;
        self.positions.insert(partition, offset + 1);
        self.is_behind = true;
        self.metrics.alerts.inc();
        match alert {
            Ok(alert) if alert.is_simulated => {
                self.watermark.read(partition, alert.utc);
                self.metrics.simulated_alerts.inc();
            }
            Ok(alert) => {
                let read = self.watermark.has_caught_up().then(Timestamp::now);
                self.watermark.read(partition, alert.utc);
                self.note_what_is_strange(&alert, read);
                let silences = Arc::clone(&self.silences.borrow());
                let taken = self.incidents.take(alert, read, &silences);
                self.count(taken);
            }
            Err(refusal) => {
                self.metrics.unreadable_alerts.inc();
                debug!(partition, offset, error = %refusal, "a message among the alerts is no record");
            }
        }
    }

    fn note_what_is_strange(&mut self, alert: &Alert, read: Option<Timestamp>) {
        if alert.is_severity_strange {
            self.metrics.strange_severities.inc();
            let AlertOrigin { topic: _, partition, offset } = alert.origin;
            self.complained.call_once(|| {
                warn!(
                    partition,
                    offset,
                    "a record has a severity that is none of low, medium, high and critical; that of the detector counts"
                );
            });
        }
        let lag = read.map(|read| read.duration_since(alert.utc).unsigned_abs()).unwrap_or_default();
        if lag >= self.incidents.window() {
            self.metrics.late_alerts.inc();
            let seconds = i64::try_from(lag.as_secs()).unwrap_or(i64::MAX);
            self.metrics.largest_lag.set(seconds.max(self.metrics.largest_lag.get()));
        }
    }

    fn count(&self, taken: Taken) {
        let counter = match taken {
            Taken::Joined => return,
            Taken::Opened => &self.metrics.opened,
            Taken::Overflowed => {
                self.overflowed.call_once(|| {
                    warn!(
                        open = self.incidents.open_count(),
                        "as many incidents are open as may be, and alerts without one share one; group by fields of few values"
                    );
                });
                &self.metrics.overflowed_alerts
            }
        };
        counter.inc();
    }

    fn note_trouble(&mut self, error: KafkaError) -> Result<(), NotifierError> {
        if classify(&error) == ErrorClass::Fatal {
            return Err(NotifierError::Consumer(error));
        }
        if is_position_lost(&error) {
            warn!(%error, "alerts are not where they were read up to any more; beginning anew with what is there");
            self.position_lost = true;
            return Ok(());
        }
        warn!(%error, "reading from Kafka has trouble and goes on");
        self.broker_in_doubt = true;
        if let Some(missing) = MissingAcl::of_consumer(&error, "", self.topic.as_str()) {
            self.readiness.fail(BROKER, missing.to_grant());
        }
        Ok(())
    }

    /// Goes on behind the marks of transactions, which nobody hands over.
    fn pass_marks(&mut self) {
        if let Some(standings) = self.consumer.context().take_standings() {
            for (partition, end) in self.still.stands(&standings.told) {
                let position = self.positions.entry(partition).or_insert(end);
                *position = end.max(*position);
            }
        }
    }

    fn close_quiet(&mut self) {
        if let Some(until) = self.watermark.read_until(Timestamp::now()) {
            self.incidents.close_quiet(until);
        }
    }

    fn is_due(&self, idle: bool) -> bool {
        let waited = self.written.elapsed();
        (self.incidents.is_due() && (idle || waited >= WRITE_INTERVAL)) || waited >= HEARTBEAT
    }

    fn write(&mut self) -> Result<(), WriteError> {
        let started = Instant::now();
        let failed = |source| WriteError::Failed { attempt: "name the positions of the alerts", source };
        let positions = self.position_list().map_err(failed)?;
        let changes = self.incidents.take_changes();
        if positions.count() > 0 || !changes.is_empty() {
            self.writer.write(&changes, &positions, &self.consumer)?;
            self.metrics.write_seconds.observe(started.elapsed().as_secs_f64());
        }
        self.metrics.written.inc_by(changes.len() as u64);
        self.metrics.open.set(i64::try_from(self.incidents.open_count()).unwrap_or(i64::MAX));
        (self.written, self.is_behind) = (Instant::now(), false);
        Ok(())
    }

    fn position_list(&self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in &self.positions {
            list.add_partition_offset(self.topic.as_str(), *partition, Offset::Offset(*next))?;
        }
        Ok(list)
    }

    /// Whether the alerts have as many partitions as were assigned, and whether a broker answers after trouble.
    fn look_at_broker(&mut self) -> bool {
        self.broker_in_doubt |= self.consumer.context().take_trouble();
        if !self.broker_in_doubt && self.checked.elapsed() < PARTITIONS_CHECK {
            return true;
        }
        self.checked = Instant::now();
        match self.consumer.fetch_metadata(Some(self.topic.as_str()), BROKER_TIMEOUT) {
            Err(cause) => {
                self.broker_in_doubt = true;
                self.readiness.fail(BROKER, cause.to_string());
                true
            }
            Ok(metadata) => {
                self.broker_in_doubt = false;
                self.readiness.hold(BROKER);
                let partitions = metadata.topics().iter().map(|topic| topic.partitions().len()).sum::<usize>();
                if partitions > self.partitions {
                    info!(partitions, before = self.partitions, "the alerts have more partitions");
                }
                partitions <= self.partitions
            }
        }
    }
}

fn after(error: WriteError) -> Course {
    match error {
        WriteError::Fenced => Course::Fenced,
        error @ (WriteError::Failed { .. } | WriteError::Json(_)) => Course::StartAnew(Some(error)),
    }
}

fn read_alert(
    reader: &mut AlertReader,
    topic: &TopicName,
    message: &BorrowedMessage<'_>,
) -> (AlertOrigin, Result<Alert, Refusal>) {
    let origin = AlertOrigin { topic: topic.clone(), partition: message.partition(), offset: message.offset() };
    let value = message.payload().unwrap_or_default();
    let timestamp = timestamp_of(message);
    (origin.clone(), reader.read(&AlertMessage { origin, value, timestamp }, Timestamp::now()))
}
