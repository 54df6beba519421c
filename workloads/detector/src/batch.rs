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
use crate::detector::{Detector, Input, Output};
use crate::interruption::Interruption;
use crate::messages::Outputs;
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

/// Enqueues what the detector makes of a batch.
pub(crate) fn process(
    batch: &Batch<'_>,
    detector: &mut Detector,
    unit: &mut UnitOfWork,
    outputs: &Outputs,
    refusals: &Refusals,
    tally: &mut Tally,
) -> Result<(), Interruption> {
    let Batch { messages, bytes, trouble: _ } = batch;
    unit.open()?;
    let first = unit.next_serial();
    unit.read(messages.iter().map(read_record), *bytes);
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
            (None, Output::Enriched { value, alert }) => writer.enriched(message, serial, value, alert),
            (None, Output::DeadLetter(refusal)) => {
                let largest = outputs.max_message_bytes;
                writer.dead_letter(message, serial, refusal, largest, message.timestamp().to_millis())
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
        self.unit.produce(self.outputs.enriched(message, value), serial)?;
        if let Some(alert) = alert {
            self.tally.alerts += 1;
            self.unit.produce(self.outputs.alert(message, alert), serial)?;
        }
        Ok(())
    }

    fn dead_letter(
        &mut self,
        message: &BorrowedMessage<'_>,
        serial: Serial,
        refusal: &Refusal,
        largest: usize,
        timestamp: Option<i64>,
    ) -> Result<(), Interruption> {
        self.tally.count_dead_letter(refusal.reason);
        let letter = self.outputs.dead_letter(message, refusal, self.now, largest);
        self.unit.produce(self.outputs.dead_letter_record(message, &letter, timestamp), serial)
    }

    /// With the present time, as its own may be what was refused.
    fn refused(
        &mut self,
        message: &BorrowedMessage<'_>,
        serial: Serial,
        Refused { refusal, largest_letter }: &Refused,
    ) -> Result<(), Interruption> {
        if let Some(largest) = largest_letter {
            return self.dead_letter(message, serial, refusal, *largest, Some(self.now.as_millisecond()));
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
