//! What Kafka's client costs by itself: processes of librdkafka with the workloads' own settings, which do as little as can be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use vedette_e2e::RunError;
use vedette_streams::kafka::Isolation;

use crate::bed;

/// The word that makes this program a [`pipe`].
pub(crate) const PIPE: &str = "bare-pipe";

const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);
const DELIVERY_WAIT: Duration = Duration::from_millis(1);
/// The client's events are served after so many records, as a detector does.
const SERVED_AFTER: usize = 1_000;

/// Copies a topic into another in transactions of 100 ms, until it is killed. Its arguments are its group and the two topics.
pub(crate) fn pipe(arguments: &[String]) -> Result<(), RunError> {
    let [group, input, output] = arguments else {
        return Err(bed::failed(format!("usage: stream {PIPE} GROUP INPUT OUTPUT")));
    };
    Pipe::start(group, input, output).and_then(|pipe| pipe.run()).map_err(bed::failed)
}

struct Pipe<'a> {
    consumer: BaseConsumer,
    producer: BaseProducer,
    input: &'a str,
    output: &'a str,
}

impl<'a> Pipe<'a> {
    fn start(group: &str, input: &'a str, output: &'a str) -> KafkaResult<Self> {
        let kafka = bed::kafka(group);
        // As detectors have it.
        let producer = kafka.transactional_producer(group).set("delivery.report.only.error", "true").clone();
        let producer: BaseProducer = producer.create()?;
        producer.init_transactions(PATIENCE)?;
        let consumer: BaseConsumer = kafka.consumer(group, Isolation::ReadCommitted).create()?;
        consumer.subscribe(&[input])?;
        Ok(Self { consumer, producer, input, output })
    }

    fn run(&self) -> KafkaResult<()> {
        loop {
            if let Some(message) = self.consumer.poll(COMMIT_INTERVAL) {
                self.unit(message?)?;
            }
        }
    }

    /// One transaction, which begins with this message.
    fn unit<'m>(&'m self, first: BorrowedMessage<'m>) -> KafkaResult<()> {
        let (began, mut ends, mut next) = (Instant::now(), BTreeMap::new(), Some(first));
        self.producer.begin_transaction()?;
        for copied in 1.. {
            let Some(message) = next else { break };
            self.copy(&message)?;
            ends.insert(message.partition(), message.offset() + 1);
            if copied % SERVED_AFTER == 0 {
                self.producer.poll(Duration::ZERO);
            }
            let left = COMMIT_INTERVAL.saturating_sub(began.elapsed());
            next = if left.is_zero() { None } else { self.consumer.poll(left).transpose()? };
        }
        self.commit(ends)
    }

    fn commit(&self, ends: BTreeMap<i32, i64>) -> KafkaResult<()> {
        let mut positions = TopicPartitionList::new();
        for (partition, end) in ends {
            positions.add_partition_offset(self.input, partition, Offset::Offset(end))?;
        }
        let group = self.consumer.group_metadata().ok_or(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownGroup))?;
        // `flush` would look every 100 ms only.
        while self.producer.in_flight_count() > 0 {
            self.wait();
        }
        self.producer.send_offsets_to_transaction(&positions, &group, PATIENCE)?;
        self.producer.commit_transaction(PATIENCE)
    }

    /// Polling for a millisecond would spin for one.
    fn wait(&self) {
        std::thread::sleep(DELIVERY_WAIT);
        self.producer.poll(Duration::ZERO);
    }

    fn copy(&self, message: &BorrowedMessage<'_>) -> KafkaResult<()> {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(self.output).partition(message.partition());
        (record.key, record.payload, record.timestamp) =
            (message.key(), message.payload(), message.timestamp().to_millis());
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    self.wait();
                    record = refused;
                }
                Err((cause, _)) => return Err(cause),
            }
        }
    }
}
