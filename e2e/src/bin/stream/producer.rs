//! What producing costs by itself: librdkafka with the generator's settings, and records that are there already.

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use vedette_e2e::RunError;
use vedette_streams::kafka::Isolation;
use vedette_streams::kafka::place::at_offset;

use crate::bed::{self, failed};

/// The word that makes this program one.
pub(crate) const PRODUCER: &str = "bare-producer";
/// Records that are read first, and produced again and again.
const RECORDS: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);
/// The generator's.
const ONCE: [(&str, &str); 2] = [("message.timeout.ms", "0"), ("max.in.flight.requests.per.connection", "1")];

/// Produces records of a topic into another at a pace, until it is killed. Its arguments are its name, the topics and the records
/// of a second.
pub(crate) fn produce(arguments: &[String]) -> Result<(), RunError> {
    let [name, input, output, rate] = arguments else {
        return Err(failed(format!("usage: stream {PRODUCER} NAME INPUT OUTPUT RECORDS-PER-SECOND")));
    };
    let rate: f64 = rate.parse().map_err(failed)?;
    let records = read(name, input).map_err(failed)?;
    send(name, output, &records, rate).map_err(failed)
}

/// The first records of a partition.
fn read(name: &str, input: &str) -> KafkaResult<Vec<OwnedMessage>> {
    let consumer: BaseConsumer = bed::kafka(name).consumer(name, Isolation::ReadUncommitted).create()?;
    consumer.assign(&at_offset(input, 0, 0)?)?;
    let mut records = Vec::new();
    while records.len() < RECORDS {
        match consumer.poll(PATIENCE) {
            Some(message) => records.push(message?.detach()),
            None => break,
        }
    }
    Ok(records)
}

fn send(name: &str, output: &str, records: &[OwnedMessage], rate: f64) -> KafkaResult<()> {
    let producer: BaseProducer = bed::kafka(name).producer_with(&ONCE).create()?;
    let (began, mut sent) = (Instant::now(), 0_u64);
    for record in records.iter().cycle() {
        while sent as f64 >= began.elapsed().as_secs_f64() * rate {
            producer.poll(Duration::ZERO);
            std::thread::sleep(PAUSE);
        }
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(output);
        (message.key, message.payload) = (record.key(), record.payload());
        while let Err((cause, refused)) = producer.send(message) {
            if cause != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(cause);
            }
            producer.poll(PAUSE);
            message = refused;
        }
        sent += 1;
    }
    producer.flush(PATIENCE)
}
