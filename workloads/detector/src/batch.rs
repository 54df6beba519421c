//! A batch: what one look at the input brings, and the messages that are made of it.

use std::time::Duration;

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use tracing::error;
use vedette_records::Refusal;
use vedette_streams::kafka::group::GroupConsumer;

use crate::allowance::Allowance;
use crate::delivery::Serial;
use crate::detector::{Detector, Output};
use crate::input::Input;
use crate::interruption::Interruption;
use crate::messages::{MessageTime, Outputs};
use crate::refusals::{Refusals, Refused};
use crate::tally::Tally;
use crate::unit::{ReadRecord, UnitOfWork};

/// A batch is what is there, but not more than this.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Messages of the input.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    pub(crate) messages: Vec<BorrowedMessage<'a>>,
    /// What they take of an [`Allowance`].
    pub(crate) bytes: usize,
    /// What ended it.
    pub(crate) trouble: Option<KafkaError>,
}

impl Batch<'_> {
    /// Whether more is there than a batch may hold.
    pub(crate) fn is_full(&self) -> bool {
        self.messages.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }
}

/// What one poll returns, and what is there without waiting, in so many bytes and the last record. A rebalance ends a batch,
/// as `poll` then returns nothing.
pub(crate) fn collect(consumer: &GroupConsumer, wait: Duration, room: usize) -> Result<Batch<'_>, Interruption> {
    let (mut batch, mut wait, room) = (Batch::default(), wait, room.min(BATCH_BYTES));
    while batch.messages.len() < BATCH_RECORDS && batch.bytes < room {
        match consumer.poll(wait) {
            None => break,
            Some(Ok(message)) => {
                batch.bytes += Allowance::of_record(message.payload_len() + message.key_len());
                batch.messages.push(message);
            }
            Some(Err(cause @ KafkaError::MessageConsumptionFatal(_))) => {
                return Err(Interruption::Fatal("the consumer is of no use any more", cause));
            }
            Some(Err(cause)) => {
                batch.trouble = Some(cause);
                break;
            }
        }
        wait = Duration::ZERO;
    }
    Ok(batch)
}

/// Enqueues what the detector makes of a batch. What ended the batch comes back whatever becomes of that.
pub(crate) fn process(
    batch: Batch<'_>,
    detector: &mut Detector,
    unit: &mut UnitOfWork,
    outputs: &Outputs,
    refusals: &Refusals,
    tally: &mut Tally,
) -> (Option<KafkaError>, Result<(), Interruption>) {
    let Batch { messages, bytes, trouble } = batch;
    if messages.is_empty() {
        return (trouble, Ok(()));
    }
    (trouble, enqueue(&messages, bytes, detector, unit, outputs, refusals, tally))
}

fn enqueue(
    messages: &[BorrowedMessage<'_>],
    bytes: usize,
    detector: &mut Detector,
    unit: &mut UnitOfWork,
    outputs: &Outputs,
    refusals: &Refusals,
    tally: &mut Tally,
) -> Result<(), Interruption> {
    unit.open()?;
    let first = unit.next_serial();
    unit.read(messages.iter().map(read_record), bytes);
    let inputs: Vec<Input<'_>> = messages.iter().map(|message| outputs.input(message)).collect();
    tally.records += messages.len() as u64;
    for message in messages {
        tally.read_at.extend(message.timestamp().to_millis().map(|millis| (message.partition(), millis)));
    }
    let now = Timestamp::now();
    let mut writer = Writer { unit, outputs, tally, now };
    let outcome = detector.process(&inputs, now, |position, output| {
        let (message, serial) = (&messages[position], first + position);
        match (refusals.of(message.partition(), message.offset()), output) {
            (Some(refused), _) => writer.refused(message, serial, refused),
            (None, Output::Enriched { value, alert, is_simulated }) => {
                writer.tally.simulated += u64::from(is_simulated);
                writer.tally.alerts += u64::from(alert.is_some() && !is_simulated);
                writer.enriched(message, serial, value, alert)
            }
            (None, Output::DeadLetter(refusal)) => {
                let time = MessageTime::of(message, outputs.keepings.dead_letters, now);
                writer.tally.redated += u64::from(time.is_another());
                writer.dead_letter(message, serial, refusal, outputs.max_message_bytes, time)
            }
        }
    });
    tally.fields.add(detector.take_tally());
    outcome
}

fn read_record(message: &BorrowedMessage<'_>) -> ReadRecord {
    ReadRecord { place: (message.partition(), message.offset()), timestamp: message.timestamp().to_millis() }
}

struct Writer<'a> {
    unit: &'a UnitOfWork,
    outputs: &'a Outputs,
    tally: &'a mut Tally,
    now: Timestamp,
}

impl Writer<'_> {
    fn enriched(
        &mut self,
        message: &BorrowedMessage<'_>,
        serial: Serial,
        value: &[u8],
        alert: Option<&[u8]>,
    ) -> Result<(), Interruption> {
        let time = MessageTime::of(message, self.outputs.keepings.enriched_data, self.now);
        let mut redated = time.is_another();
        self.unit.produce(self.outputs.enriched(message, value, time), serial)?;
        if let Some(alert) = alert {
            let time = MessageTime::of(message, self.outputs.keepings.alerts, self.now);
            redated |= time.is_another();
            self.unit.produce(self.outputs.alert(message, alert, time), serial)?;
        }
        self.tally.redated += u64::from(redated);
        Ok(())
    }

    fn dead_letter(
        &mut self,
        message: &BorrowedMessage<'_>,
        serial: Serial,
        refusal: &Refusal,
        largest: usize,
        time: MessageTime,
    ) -> Result<(), Interruption> {
        self.tally.count_dead_letter(refusal.reason);
        let letter = self.outputs.dead_letter(message, refusal, self.now, largest);
        self.unit.produce(self.outputs.dead_letter_record(message, &letter, time), serial)
    }

    /// With the present time, as its own may be what was refused.
    fn refused(
        &mut self,
        message: &BorrowedMessage<'_>,
        serial: Serial,
        Refused { refusal, largest_letter }: &Refused,
    ) -> Result<(), Interruption> {
        if let Some(largest) = largest_letter {
            return self.dead_letter(message, serial, refusal, *largest, MessageTime::present(message, self.now));
        }
        let (partition, offset, cause) = (message.partition(), message.offset(), refusal.message.as_str());
        error!(
            partition,
            offset,
            cause,
            "a record is left out: Kafka refuses its dead letter, too; check the topic of the dead letters"
        );
        self.tally.refused += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use rdkafka::error::RDKafkaErrorCode;
    use vedette_contract::arguments::{BudgetTracking, ProcessingGuarantee};
    use vedette_streams::kafka::{Keeping, Watch};

    use super::*;
    use crate::detector::DetectorSettings;
    use crate::lookups::Tables;
    use crate::messages::{Keepings, Partitions, Topics};
    use crate::metrics::Metrics;
    use crate::testing::Stream;
    use crate::threshold::Threshold;

    fn outputs() -> Outputs {
        let topic = |name: &str| name.parse().unwrap();
        let kept = Keeping::FromArrival;
        Outputs {
            topics: Topics {
                sensor_messages: topic("s"),
                enriched_data: topic("e"),
                alerts: topic("a"),
                dead_letters: topic("d"),
            },
            partitions: Partitions { sensor_messages: 1, enriched_data: 1, alerts: 1, dead_letters: 1 },
            keepings: Keepings { enriched_data: kept, alerts: kept, dead_letters: kept },
            max_message_bytes: 4096,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_ended_a_batch_is_known_also_where_its_records_cannot_be_produced() {
        let stream = Stream::start().await;
        stream.produce(1);
        stream.read_from(0);
        // It is not known to Kafka, and takes nothing.
        let mut unit = stream.unit(ProcessingGuarantee::ExactlyOnce);
        let settings = DetectorSettings {
            site: "east".parse().unwrap(),
            sensor_messages_topic: "s".parse().unwrap(),
            renamed_fields: Vec::new(),
            lookups: Vec::new(),
            calculated_fields: Vec::new(),
            threshold: Threshold::new(None, BudgetTracking::Disabled, Some(0.99)).unwrap(),
            reasons: 0,
            max_message_bytes: 4096,
        };
        let (tables, metrics) = (Tables::default(), Metrics::register(&mut Registry::default()));
        let mut detector = Detector::new(settings, &tables, None, Watch::default(), &metrics).unwrap();
        let mut batch = collect(&stream.consumer, Duration::from_secs(30), BATCH_BYTES).unwrap();
        assert_eq!(batch.messages.len(), 1);
        let lost = KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset);
        batch.trouble = Some(lost.clone());
        let (refusals, mut tally) = (Refusals::default(), Tally::default());
        let (trouble, outcome) = process(batch, &mut detector, &mut unit, &outputs(), &refusals, &mut tally);
        assert!(matches!(outcome, Err(Interruption::Fatal(..))), "{outcome:?}");
        assert_eq!(trouble, Some(lost));
    }
}
