//! Reads alerts and incidents of the site's own pipelines from Kafka as they come. It is in no group and commits nothing: what it
//! does not see is in the archive, too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::watch;
use vedette_contract::TopicName;
use vedette_contract::archive::Origin;
use vedette_service::{Backoff, Shutdown};
use vedette_streams::kafka::{Isolation, KafkaContext, KafkaSettings, REQUEST_TIMEOUT};

use crate::error::ConsoleError;
use crate::metrics::Metrics;
use crate::read::take_record;
use crate::store::Store;

/// Topics, and of what each is; the partition means nothing.
pub(crate) type LiveTopics = BTreeMap<TopicName, Origin>;

/// The group is only named: it is neither joined nor is anything committed.
const GROUP: &str = "vedette-console";
/// So many of the messages that are there already are read of each partition.
const TAIL: i64 = 500;
/// How long a poll waits for a message.
pub(crate) const POLL: Duration = Duration::from_millis(100);
/// How often a broker is asked whether it is still there.
const LOOK: Duration = Duration::from_secs(5);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// Reads until shutdown. Blocks.
///
/// # Errors
/// When the client refuses its settings.
pub(crate) fn read_live(
    settings: &KafkaSettings,
    mut topics: watch::Receiver<LiveTopics>,
    store: &Store,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Result<(), ConsoleError> {
    let consumer = consumer(settings).map_err(ConsoleError::Consumer)?;
    let mut reading =
        Reading { consumer, topics: LiveTopics::new(), missing: Vec::new(), is_outdated: false, looked: None };
    let (mut backoff, mut wanted) = (BACKOFF, None);
    while !shutdown.is_cancelled() {
        if topics.has_changed().unwrap_or_default() || reading.is_outdated {
            wanted = Some(topics.borrow_and_update().clone());
        }
        let step = match &wanted {
            Some(topics) => reading.begin(topics),
            None => reading.step(store, metrics),
        };
        match step {
            Ok(has_answered) => {
                wanted = None;
                if has_answered {
                    store.set_kafka(reading.answer(), Timestamp::now());
                }
                backoff = BACKOFF;
            }
            Err(error) => {
                store.set_kafka(Err(error.to_string()), Timestamp::now());
                std::thread::sleep(backoff.failed());
            }
        }
    }
    Ok(())
}

struct Reading {
    consumer: BaseConsumer<KafkaContext>,
    topics: LiveTopics,
    /// Those that are not there, as of a pipeline that was deleted: they hold up no other.
    missing: Vec<TopicName>,
    /// One of either has come or gone.
    is_outdated: bool,
    looked: Option<Instant>,
}

impl Reading {
    /// Goes over to these topics. Those that it reads already go on where they are.
    fn begin(&mut self, topics: &LiveTopics) -> KafkaResult<bool> {
        let positions = self.consumer.position()?;
        let (mut list, mut there, mut missing) = (TopicPartitionList::new(), LiveTopics::new(), Vec::new());
        for (topic, origin) in topics {
            let Some(partitions) = self.find(topic)? else {
                missing.push(topic.clone());
                continue;
            };
            for partition in partitions {
                let known = positions.find_partition(topic.as_str(), partition).map(|known| known.offset());
                let known = known.filter(|offset| matches!(offset, Offset::Offset(_)));
                list.add_partition_offset(topic.as_str(), partition, known.unwrap_or(Offset::OffsetTail(TAIL)))?;
            }
            there.insert(topic.clone(), origin.clone());
        }
        self.consumer.assign(&list)?;
        (self.topics, self.missing, self.is_outdated) = (there, missing, false);
        Ok(!topics.is_empty())
    }

    /// The numbers of a topic's partitions; none where it is not there.
    fn find(&self, topic: &TopicName) -> KafkaResult<Option<Vec<i32>>> {
        match partitions(&self.consumer, topic) {
            Ok(partitions) => Ok(Some(partitions)),
            Err(error) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
                Some(_) | None => Err(error),
            },
        }
    }

    /// What is told of Kafka: that it answers, or which topics are not read.
    fn answer(&self) -> Result<(), String> {
        let missing: Vec<&str> = self.missing.iter().map(TopicName::as_str).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "Kafka of this site has no topic {}, or the console may not see it; all others are read",
            missing.join(", ")
        ))
    }

    /// Reads what is there. Returns whether a broker is known to answer.
    fn step(&mut self, store: &Store, metrics: &Metrics) -> KafkaResult<bool> {
        match self.consumer.poll(POLL) {
            Some(Ok(message)) => {
                self.take(&message, store, metrics);
                Ok(true)
            }
            // The broker is asked below, and is what counts: the client goes on by itself.
            Some(Err(_)) | None => self.look(),
        }
    }

    fn take(&self, message: &BorrowedMessage<'_>, store: &Store, metrics: &Metrics) {
        let origin = self.topics.iter().find(|(topic, _)| topic.as_str() == message.topic()).map(|(_, origin)| origin);
        let (Some(origin), Some(payload)) = (origin, message.payload()) else { return };
        if !take_record(origin, payload, store, Timestamp::now()) {
            metrics.unreadable.inc();
        }
    }

    fn look(&mut self) -> KafkaResult<bool> {
        let has_none = self.topics.is_empty() && self.missing.is_empty();
        if has_none || self.looked.is_some_and(|then| then.elapsed() < LOOK) {
            return Ok(false);
        }
        let mut is_outdated = false;
        for topic in self.topics.keys() {
            is_outdated |= self.find(topic)?.is_none();
        }
        for topic in &self.missing {
            is_outdated |= self.find(topic)?.is_some();
        }
        self.is_outdated = is_outdated;
        self.looked = Some(Instant::now());
        Ok(true)
    }
}

/// A consumer in no group, which holds little.
///
/// # Errors
/// When the client refuses its settings.
pub(crate) fn consumer(settings: &KafkaSettings) -> KafkaResult<BaseConsumer<KafkaContext>> {
    let mut config = settings.consumer(GROUP, Isolation::ReadCommitted);
    config.set("queued.max.messages.kbytes", "4096").set("fetch.message.max.bytes", "1048576");
    config.create_with_context(settings.context())
}

/// The numbers of a topic's partitions.
///
/// # Errors
/// When Kafka does not answer, or names no such topic.
pub(crate) fn partitions(consumer: &BaseConsumer<KafkaContext>, topic: &TopicName) -> KafkaResult<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic.as_str()), REQUEST_TIMEOUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic.as_str() && found.error().is_none());
    let unknown = || KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
    Ok(found.ok_or_else(unknown)?.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect())
}
