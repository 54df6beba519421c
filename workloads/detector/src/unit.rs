//! A unit of work: what was produced since the last commit, and how far the input was read for it. It is committed as a
//! whole or given up as a whole, by a Kafka transaction (`ExactlyOnce`) or by waiting for the broker's acknowledgements
//! before the position is committed (`AtLeastOnce`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;
use vedette_contract::TopicName;
use vedette_contract::arguments::ProcessingGuarantee;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::move_to;
use vedette_streams::kafka::{ErrorClass, MissingAcl, Watch, classify, is_refusal};

use crate::delivery::{self, DeliveryContext, Serial, Undelivered};
use crate::interruption::Interruption;
use crate::leaders::waited_for;
use crate::messages::Record;
use crate::readiness::BROKER;
use crate::refusals::Place;

/// One call to the broker; what takes longer is called again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// After shutdown was asked for, what does not succeed within this is given up: the broker aborts it by its time-out.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// So long is Kafka waited for, which has given up the transaction by then. A new process waits without its partitions: the
/// group's coordinator may be well, and others cannot have them while this one does not join again.
const BROKER_PATIENCE: Duration = Duration::from_secs(30);
/// How long it takes at most until it is known which message made a transaction void.
const REPORT_WAIT: Duration = Duration::from_millis(100);
/// No topic whose bounds are of use refuses a time that is nearer to the present.
const ODD_MILLISECONDS: u64 = 600_000;
/// Pause between two looks at deliveries. `BaseProducer::flush` would look every 100 ms only.
const DELIVERY_WAIT: Duration = Duration::from_millis(1);
/// Events of the producer that are served at once: what is delivered is none.
const EVENTS: usize = 16;

/// A record of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRecord {
    pub(crate) place: Place,
    /// Kafka's, milliseconds since 1970, which its outputs have, too.
    pub(crate) timestamp: Option<i64>,
}

/// The producer with the unit of work that is open in it.
pub(crate) struct UnitOfWork {
    producer: BaseProducer<DeliveryContext>,
    guarantee: ProcessingGuarantee,
    topic: TopicName,
    outputs: [TopicName; 3],
    watch: Watch,
    readiness: Readiness,
    /// Kafka was waited for so long that readiness says so.
    waited: Cell<bool>,
    shutdown: Shutdown,
    opened: Option<Instant>,
    /// Of each partition read: the first offset of this unit, and the offset after the last.
    positions: BTreeMap<i32, (i64, i64)>,
    /// Its records, and the serial of the first.
    records: Vec<ReadRecord>,
    first_serial: Serial,
    /// Bytes of them.
    held: usize,
}

impl UnitOfWork {
    pub(crate) fn new(
        producer: BaseProducer<DeliveryContext>,
        guarantee: ProcessingGuarantee,
        (topic, outputs): (TopicName, [TopicName; 3]),
        watch: Watch,
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            producer,
            guarantee,
            topic,
            outputs,
            watch,
            readiness,
            waited: Cell::new(false),
            shutdown,
            opened: None,
            positions: BTreeMap::new(),
            records: Vec::new(),
            first_serial: 0,
            held: 0,
        }
    }

    /// Makes the transactional producer known to the broker, which ends what an earlier process of the same name left.
    pub(crate) fn initialize(&self) -> KafkaResult<()> {
        match self.guarantee {
            ProcessingGuarantee::ExactlyOnce => {
                // Serves the token callback, which the call itself does not.
                self.serve();
                self.producer.init_transactions(CALL_TIMEOUT)
            }
            ProcessingGuarantee::AtLeastOnce => Ok(()),
        }
    }

    /// How long the unit has been open; `None` where none is.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.opened.map(|opened| opened.elapsed())
    }

    /// Whether others see what was produced only when it is committed.
    pub(crate) fn is_seen_when_committed(&self) -> bool {
        self.guarantee == ProcessingGuarantee::ExactlyOnce
    }

    /// Opens a unit unless one is open.
    pub(crate) fn open(&mut self) -> Result<(), Interruption> {
        if self.opened.is_none() {
            if self.guarantee == ProcessingGuarantee::ExactlyOnce {
                self.producer
                    .begin_transaction()
                    .map_err(|cause| Interruption::Fatal("cannot begin a transaction", cause))?;
            }
            self.opened = Some(Instant::now());
        }
        Ok(())
    }

    /// The serial of the record that is read next.
    pub(crate) fn next_serial(&self) -> Serial {
        self.first_serial + self.records.len()
    }

    /// Notes that these records of the input, which have so many bytes, belong to this unit.
    pub(crate) fn read(&mut self, records: impl Iterator<Item = ReadRecord>, bytes: usize) {
        self.held += bytes;
        for record in records {
            let (partition, offset) = record.place;
            self.positions.entry(partition).or_insert((offset, offset)).1 = offset + 1;
            self.records.push(record);
        }
    }

    /// Bytes of its records.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Of each partition read, the offset after the last record.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (i32, i64)> {
        self.positions.iter().map(|(partition, (_, end))| (*partition, *end))
    }

    /// Enqueues an output message of this input. A full queue is waited for: that is how a slow broker slows the flow.
    pub(crate) fn produce(&self, mut record: Record<'_>, serial: Serial) -> Result<(), Interruption> {
        record.delivery_opaque = serial;
        let mut full = None;
        loop {
            let (cause, refused) = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            match cause.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) if self.shutdown.is_cancelled() => return Err(Interruption::GivenUp),
                Some(RDKafkaErrorCode::QueueFull) => {
                    self.go_on_waiting(*full.get_or_insert_with(Instant::now))?;
                    self.wait();
                }
                // The input has grown since: its new partitions' records go where their keys say.
                Some(RDKafkaErrorCode::UnknownPartition) if refused.partition.is_some() => {
                    record = BaseRecord { partition: None, ..refused };
                    continue;
                }
                _ if classify(&cause) == ErrorClass::Fatal => {
                    return Err(Interruption::Fatal("the producer is of no use any more", cause));
                }
                _ => return Err(self.why_void(cause)),
            }
            record = refused;
        }
    }

    /// Serves the producer's events.
    pub(crate) fn serve(&self) {
        (0..EVENTS).for_each(|_| self.producer.poll(Duration::ZERO));
    }

    /// Polling for a millisecond would spin for one: librdkafka counts whole ones only, and less than one is left.
    fn wait(&self) {
        std::thread::sleep(DELIVERY_WAIT);
        self.serve();
    }

    /// Whether readiness was told since the last call that Kafka is waited for.
    pub(crate) fn take_trouble(&self) -> bool {
        self.waited.take()
    }

    /// Commits what was produced together with the position of the input. `committed` hears of its records.
    pub(crate) fn commit(
        &mut self,
        consumer: &GroupConsumer,
        committed: impl FnOnce(&[ReadRecord]),
    ) -> Result<(), Interruption> {
        if self.opened.is_none() {
            return Ok(());
        }
        let positions = self.positions_to_commit().map_err(Interruption::Rewind)?;
        self.wait_for_deliveries()?;
        match self.guarantee {
            ProcessingGuarantee::ExactlyOnce => {
                self.insist(|producer| {
                    // Fetched anew at each attempt: the generation may have changed.
                    let group =
                        consumer.group_metadata().ok_or(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownGroup))?;
                    self.watch.step(|| producer.send_offsets_to_transaction(&positions, &group, CALL_TIMEOUT))
                })?;
                self.insist(|producer| producer.commit_transaction(CALL_TIMEOUT))?;
            }
            ProcessingGuarantee::AtLeastOnce => self.insist(|_| consumer.commit(&positions, CommitMode::Sync))?,
        }
        committed(&self.records);
        self.close();
        Ok(())
    }

    fn close(&mut self) -> BTreeMap<i32, (i64, i64)> {
        self.opened = None;
        self.first_serial += self.records.len();
        self.records.clear();
        self.held = 0;
        std::mem::take(&mut self.positions)
    }

    /// Gives up what was produced, and puts the consumer back to where the unit began, in the partitions it still has.
    pub(crate) fn abort(&mut self, consumer: &GroupConsumer) -> Result<(), Interruption> {
        if self.opened.is_none() {
            return Ok(());
        }
        match self.guarantee {
            ProcessingGuarantee::ExactlyOnce => self.abort_transaction()?,
            // What was enqueued goes out, and the same records once more: that is what this guarantee allows.
            ProcessingGuarantee::AtLeastOnce => {}
        }
        let begun = self.close();
        rewind(consumer, &begun).map_err(|cause| Interruption::Fatal("cannot go back to the committed position", cause))
    }

    fn abort_transaction(&self) -> Result<(), Interruption> {
        let started = Instant::now();
        loop {
            // The call waits for deliveries, which only `poll` serves: a short call, then a poll, then the call again.
            let Err(cause) = self.producer.abort_transaction(Duration::from_millis(50)) else {
                return Ok(());
            };
            match classify(&cause) {
                // Kafka knows of no transaction whose only topic it refused.
                _ if cause.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidTransactionalState) => {
                    return Err(Interruption::StartAnew(cause));
                }
                ErrorClass::Retriable => {
                    self.go_on_waiting(started)?;
                    self.wait();
                }
                ErrorClass::Fatal | ErrorClass::AbortAndRewind | ErrorClass::Other => {
                    return Err(Interruption::Fatal("cannot abort the transaction", cause));
                }
            }
        }
    }

    /// Kafka has time as long as it takes anything; what is void already is not waited for.
    fn wait_for_deliveries(&self) -> Result<(), Interruption> {
        let started = Instant::now();
        let (mut left, mut progress) = (self.producer.in_flight_count(), started);
        while left > 0 {
            self.wait();
            self.check_deliveries()?;
            let now_left = self.producer.in_flight_count();
            if now_left < left {
                progress = Instant::now();
            }
            left = now_left;
            self.go_on_waiting(if self.shutdown.is_cancelled() { started } else { progress })?;
        }
        self.check_deliveries()
    }

    /// Why nothing more can be produced: what was not delivered says it, a moment later.
    fn why_void(&self, cause: KafkaError) -> Interruption {
        let started = Instant::now();
        while started.elapsed() < REPORT_WAIT {
            self.wait();
            if let Err(interruption) = self.check_deliveries() {
                return interruption;
            }
        }
        Interruption::Rewind(cause)
    }

    /// Says what was not delivered of this unit; what an earlier one left in the queue was given up with it.
    fn check_deliveries(&self) -> Result<(), Interruption> {
        let mut undelivered = self.producer.context().take();
        undelivered.retain(|undelivered| self.place(undelivered.serial).is_some());
        let Some(Undelivered { cause, topic, .. }) = undelivered.first() else { return Ok(()) };
        if self.producer.client().fatal_error().is_some() {
            return Err(Interruption::Fatal("the producer is of no use any more", cause.clone()));
        }
        let (mut refused, now) = (BTreeMap::new(), Timestamp::now());
        for at_fault in delivery::at_fault(&undelivered, self.records.len() == 1, |serial| self.is_odd(serial, now)) {
            if let Some(place) = self.place(at_fault.serial) {
                refused.entry(place).or_insert_with(|| at_fault.clone());
            }
        }
        if refused.is_empty() {
            return Err(self.undelivered(cause.clone(), topic));
        }
        Err(Interruption::RefusedRecords(refused))
    }

    fn place(&self, serial: Serial) -> Option<Place> {
        self.record(serial).map(|record| record.place)
    }

    fn is_odd(&self, serial: Serial, now: Timestamp) -> bool {
        let timestamp = self.record(serial).and_then(|record| record.timestamp);
        timestamp.is_none_or(|timestamp| now.as_millisecond().abs_diff(timestamp) > ODD_MILLISECONDS)
    }

    fn record(&self, serial: Serial) -> Option<&ReadRecord> {
        self.records.get(serial.checked_sub(self.first_serial)?)
    }

    fn undelivered(&self, cause: KafkaError, topic: &str) -> Interruption {
        match (MissingAcl::of_producer(&cause, topic), self.guarantee) {
            (None, _) => Interruption::Rewind(cause),
            (Some(_), ProcessingGuarantee::ExactlyOnce) => Interruption::StartAnew(cause),
            (Some(missing), ProcessingGuarantee::AtLeastOnce) => Interruption::Refused(missing),
        }
    }

    /// Calls until it succeeds, fails for good, or shutdown does not wait any longer.
    fn insist(
        &self,
        mut call: impl FnMut(&BaseProducer<DeliveryContext>) -> KafkaResult<()>,
    ) -> Result<(), Interruption> {
        let started = Instant::now();
        loop {
            let Err(cause) = call(&self.producer) else { return Ok(()) };
            match classify(&cause) {
                _ if is_refusal(&cause) && self.guarantee == ProcessingGuarantee::ExactlyOnce => {
                    return Err(Interruption::StartAnew(cause));
                }
                ErrorClass::Fatal => return Err(Interruption::Fatal("cannot commit", cause)),
                ErrorClass::AbortAndRewind | ErrorClass::Other => return Err(Interruption::Rewind(cause)),
                ErrorClass::Retriable => {
                    self.go_on_waiting(started)?;
                    debug!(error = %cause, "commit goes on");
                    self.producer.poll(Duration::from_millis(20));
                }
            }
        }
    }

    /// Says in readiness that Kafka is waited for, until that is given up.
    fn go_on_waiting(&self, started: Instant) -> Result<(), Interruption> {
        let waited = started.elapsed();
        if waited > CALL_TIMEOUT && !self.waited.replace(true) {
            let waits_for = waited_for(self.producer.client(), &self.outputs);
            self.readiness.fail(BROKER, format!("Kafka does not take what was done; waiting for it{waits_for}"));
        }
        patience(waited, self.shutdown.is_cancelled(), || waited_for(self.producer.client(), &self.outputs))
    }

    fn positions_to_commit(&self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, end) in self.ends() {
            list.add_partition_offset(self.topic.as_str(), partition, Offset::Offset(end))?;
        }
        Ok(list)
    }
}

/// Puts the consumer back to where the unit began, in the partitions that it still has.
fn rewind(consumer: &GroupConsumer, begun: &BTreeMap<i32, (i64, i64)>) -> KafkaResult<()> {
    let mut back = TopicPartitionList::new();
    for element in consumer.assignment()?.elements() {
        if let Some((start, _)) = begun.get(&element.partition()) {
            back.add_partition_offset(element.topic(), element.partition(), Offset::Offset(*start))?;
        }
    }
    if back.count() == 0 {
        return Ok(());
    }
    for element in consumer.seek_partitions(back, CALL_TIMEOUT)?.elements() {
        // One whose position is gone is not fetched, and only what is fetched can be sought in.
        if let (Err(cause), Some((start, _))) = (element.error(), begun.get(&element.partition())) {
            debug!(partition = element.partition(), start, error = %cause, "a partition is taken anew to go back in it");
            move_to(consumer, element.topic(), element.partition(), *start)?;
        }
    }
    Ok(())
}

fn patience(waited: Duration, is_stopping: bool, waits_for: impl FnOnce() -> String) -> Result<(), Interruption> {
    match waited {
        _ if is_stopping && waited > LAST_WORDS => Err(Interruption::GivenUp),
        _ if waited > BROKER_PATIENCE => Err(Interruption::Stalled(waits_for())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Message as _;
    use vedette_streams::kafka::group::is_position_lost;

    use super::*;
    use crate::testing::{PATIENCE, Stream};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_unit_is_given_up_also_where_the_position_of_a_partition_is_gone() {
        let stream = Stream::start().await;
        stream.produce(3);
        stream.read_from(9);
        let lost = stream.consumer.poll(PATIENCE).unwrap().unwrap_err();
        assert!(is_position_lost(&lost), "{lost}");
        let mut unit = stream.unit(ProcessingGuarantee::AtLeastOnce);
        unit.open().unwrap();
        unit.read([ReadRecord { place: (0, 1), timestamp: None }].into_iter(), 1);
        unit.abort(&stream.consumer).unwrap();
        assert_eq!(stream.consumer.poll(PATIENCE).unwrap().unwrap().offset(), 1);
    }

    #[test]
    fn kafka_is_waited_for_a_while_and_less_long_at_the_end() {
        let waits = |seconds, is_stopping| patience(Duration::from_secs(seconds), is_stopping, String::new);
        assert!(matches!((waits(29, false), waits(31, false)), (Ok(()), Err(Interruption::Stalled(_)))));
        assert!(matches!((waits(7, true), waits(9, true)), (Ok(()), Err(Interruption::GivenUp))));
        assert!(BROKER_PATIENCE > LAST_WORDS);
    }
}
