//! A unit of work: what was produced since the last commit, and how far the input was read for it. It is committed as a
//! whole or given up as a whole, by a Kafka transaction (`ExactlyOnce`) or by waiting for the broker's acknowledgements
//! before the position is committed (`AtLeastOnce`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use tracing::{debug, warn};
use vedette_contract::TopicName;
use vedette_contract::arguments::ProcessingGuarantee;
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::{ErrorClass, KafkaContext, MissingAcl, classify, is_refusal};

use crate::readiness::BROKER;

/// One call to the broker; what takes longer is called again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// After shutdown was asked for, what does not succeed within this is given up: the broker aborts it by its time-out.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// So long is Kafka waited for, which has given up the transaction by then. A new process waits without its partitions: the
/// group's coordinator may be well, and others cannot have them while this one does not join again.
const BROKER_PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks at deliveries. `BaseProducer::flush` would look every 100 ms only.
const DELIVERY_WAIT: Duration = Duration::from_millis(1);

/// Why work stops in the middle.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// The unit of work is void: abort it, and read again from where it began.
    Rewind(KafkaError),
    /// As a rewind, and it goes on so until somebody grants this.
    Refused(MissingAcl),
    /// As a rewind, for which this producer is of no use any more, and a new one is: Kafka refused it something.
    StartAnew(KafkaError),
    /// Nothing more can be done in this process.
    Fatal(&'static str, KafkaError),
    /// Kafka does not take the unit.
    Stalled,
    /// Shutdown was asked for, and the broker does not answer.
    GivenUp,
}

/// The producer with the unit of work that is open in it.
pub(crate) struct UnitOfWork {
    producer: BaseProducer<DeliveryContext>,
    guarantee: ProcessingGuarantee,
    topic: TopicName,
    readiness: Readiness,
    /// Kafka was waited for so long that readiness says so.
    waited: Cell<bool>,
    shutdown: Shutdown,
    opened: Option<Instant>,
    /// Of each partition read: the first offset of this unit, and the offset after the last.
    positions: BTreeMap<i32, (i64, i64)>,
}

impl UnitOfWork {
    pub(crate) fn new(
        producer: BaseProducer<DeliveryContext>,
        guarantee: ProcessingGuarantee,
        topic: TopicName,
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> Self {
        let (waited, positions) = (Cell::new(false), BTreeMap::new());
        Self { producer, guarantee, topic, readiness, waited, shutdown, opened: None, positions }
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

    /// Notes that a record of the input belongs to this unit.
    pub(crate) fn read(&mut self, partition: i32, offset: i64) {
        self.positions.entry(partition).or_insert((offset, offset)).1 = offset + 1;
    }

    /// Enqueues an output message. A full queue is waited for: that is how a slow broker slows the flow.
    pub(crate) fn produce(&self, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), Interruption> {
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
                    self.producer.poll(DELIVERY_WAIT);
                }
                // The input has grown since: its new partitions' records go where their keys say.
                Some(RDKafkaErrorCode::UnknownPartition) if refused.partition.is_some() => {
                    record = BaseRecord { partition: None, ..refused };
                    continue;
                }
                _ if classify(&cause) == ErrorClass::Fatal => {
                    return Err(Interruption::Fatal("the producer is of no use any more", cause));
                }
                _ => return Err(Interruption::Rewind(cause)),
            }
            record = refused;
        }
    }

    /// Serves the producer's events.
    pub(crate) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Whether readiness was told since the last call that Kafka is waited for.
    pub(crate) fn take_trouble(&self) -> bool {
        self.waited.take()
    }

    /// Commits what was produced together with the position of the input.
    pub(crate) fn commit(&mut self, consumer: &GroupConsumer) -> Result<(), Interruption> {
        if self.opened.is_none() {
            return Ok(());
        }
        let positions = self.ends().map_err(Interruption::Rewind)?;
        self.wait_for_deliveries()?;
        match self.guarantee {
            ProcessingGuarantee::ExactlyOnce => {
                self.insist(|producer| {
                    // Fetched anew at each attempt: the generation may have changed.
                    let group =
                        consumer.group_metadata().ok_or(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownGroup))?;
                    producer.send_offsets_to_transaction(&positions, &group, CALL_TIMEOUT)
                })?;
                self.insist(|producer| producer.commit_transaction(CALL_TIMEOUT))?;
            }
            ProcessingGuarantee::AtLeastOnce => self.insist(|_| consumer.commit(&positions, CommitMode::Sync))?,
        }
        self.opened = None;
        self.positions.clear();
        Ok(())
    }

    /// Gives up what was produced, and puts the consumer back to where the unit began, in the partitions it still has.
    pub(crate) fn abort(&mut self, consumer: &GroupConsumer) -> Result<(), Interruption> {
        if self.opened.is_none() {
            return Ok(());
        }
        match self.guarantee {
            ProcessingGuarantee::ExactlyOnce => self.abort_transaction()?,
            // What was enqueued goes out, and the same records once more: that is what this guarantee allows.
            ProcessingGuarantee::AtLeastOnce => self.producer.context().forget(),
        }
        self.opened = None;
        let begun = std::mem::take(&mut self.positions);
        let rewind = || {
            let mut back = TopicPartitionList::new();
            for element in consumer.assignment()?.elements() {
                if let Some((start, _)) = begun.get(&element.partition()) {
                    back.add_partition_offset(element.topic(), element.partition(), Offset::Offset(*start))?;
                }
            }
            if back.count() > 0 {
                consumer
                    .seek_partitions(back, CALL_TIMEOUT)?
                    .elements()
                    .iter()
                    .try_for_each(TopicPartitionListElem::error)?;
            }
            Ok(())
        };
        rewind().map_err(|cause| Interruption::Fatal("cannot go back to the committed position", cause))
    }

    fn abort_transaction(&self) -> Result<(), Interruption> {
        let started = Instant::now();
        loop {
            // The call waits for deliveries, which only `poll` serves: a short call, then a poll, then the call again.
            let Err(cause) = self.producer.abort_transaction(Duration::from_millis(50)) else {
                self.producer.context().forget();
                return Ok(());
            };
            match classify(&cause) {
                // Kafka knows of no transaction whose only topic it refused.
                _ if cause.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidTransactionalState) => {
                    return Err(Interruption::StartAnew(cause));
                }
                ErrorClass::Retriable => {
                    self.go_on_waiting(started)?;
                    self.producer.poll(DELIVERY_WAIT);
                }
                ErrorClass::Fatal | ErrorClass::AbortAndRewind | ErrorClass::Other => {
                    return Err(Interruption::Fatal("cannot abort the transaction", cause));
                }
            }
        }
    }

    fn wait_for_deliveries(&self) -> Result<(), Interruption> {
        let started = Instant::now();
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(DELIVERY_WAIT);
            self.go_on_waiting(started)?;
        }
        match self.producer.context().take_failure() {
            None => Ok(()),
            Some(Undelivered { cause, .. }) if self.producer.client().fatal_error().is_some() => {
                Err(Interruption::Fatal("the producer is of no use any more", cause))
            }
            Some(Undelivered { cause, topic }) => Err(self.undelivered(cause, &topic)),
        }
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
        if waited > CALL_TIMEOUT {
            self.waited.set(true);
            self.readiness.fail(BROKER, "Kafka does not take what was done; waiting for it");
        }
        patience(waited, self.shutdown.is_cancelled())
    }

    fn ends(&self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, (_, end)) in &self.positions {
            list.add_partition_offset(self.topic.as_str(), *partition, Offset::Offset(*end))?;
        }
        Ok(list)
    }
}

fn patience(waited: Duration, is_stopping: bool) -> Result<(), Interruption> {
    match waited {
        _ if is_stopping && waited > LAST_WORDS => Err(Interruption::GivenUp),
        _ if waited > BROKER_PATIENCE => Err(Interruption::Stalled),
        _ => Ok(()),
    }
}

/// A message that the broker did not take.
#[derive(Debug)]
struct Undelivered {
    topic: String,
    cause: KafkaError,
}

/// Remembers the first message that the broker did not take.
#[derive(Debug)]
pub(crate) struct DeliveryContext {
    context: KafkaContext,
    failure: Mutex<Option<Undelivered>>,
}

impl DeliveryContext {
    pub(crate) fn new(context: KafkaContext) -> Self {
        Self { context, failure: Mutex::default() }
    }

    fn take_failure(&self) -> Option<Undelivered> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn forget(&self) {
        self.take_failure();
    }
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(configuration)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.log(level, facility, text);
    }

    fn error(&self, cause: KafkaError, text: &str) {
        self.context.error(cause, text);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((cause, message)) = result else { return };
        if matches!(cause.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)) {
            return; // We threw it away ourselves, with its transaction.
        }
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            let topic = message.topic().to_owned();
            warn!(error = %cause, topic, "a message was not delivered");
            *failure = Some(Undelivered { topic, cause: cause.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_is_waited_for_a_while_and_less_long_at_the_end() {
        let waits = |seconds, is_stopping| patience(Duration::from_secs(seconds), is_stopping);
        assert!(matches!((waits(29, false), waits(31, false)), (Ok(()), Err(Interruption::Stalled))));
        assert!(matches!((waits(7, true), waits(9, true)), (Ok(()), Err(Interruption::GivenUp))));
        assert!(BROKER_PATIENCE > LAST_WORDS);
    }
}
