//! Where the flow is watched from. On a broker that was there before, that is where this run begins: what the detector has
//! not read yet goes in, and what comes out from now on has come out of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use vedette_contract::TopicName;
use vedette_streams::kafka::{Isolation, KafkaSettings, group};

use super::{ObserveError, ObservedTopics, ObserverSettings};

/// As long as any other step of a start may take.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Where to begin reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObserverStart {
    /// At the first record of each topic.
    Beginning,
    /// At what this group, the detectors', has not read of the sensor messages, and at the end of the other topics.
    Unread {
        /// Its name.
        group: String,
    },
}

/// The partitions of all topics, each with where to begin.
pub(super) fn positions(
    consumer: &BaseConsumer,
    settings: &ObserverSettings,
) -> Result<TopicPartitionList, ObserveError> {
    let ObserverSettings { kafka, topics, label: _, start } = settings;
    let ObservedTopics { sensor_messages, enriched_data, alerts, dead_letters } = topics;
    let mut positions = TopicPartitionList::new();
    for topic in [sensor_messages, enriched_data, alerts, dead_letters] {
        let failed = |source| ObserveError::Topic { topic: topic.clone(), source };
        let partitions = patiently(|| partitions(consumer, topic)).map_err(failed)?;
        let of_topic = match start {
            ObserverStart::Beginning => at_the_beginning(&partitions),
            ObserverStart::Unread { group } if topic == sensor_messages => unread(kafka, group, &partitions),
            ObserverStart::Unread { .. } => patiently(|| at_the_end(consumer, &partitions)),
        };
        for element in of_topic.map_err(failed)?.elements() {
            positions.add_partition_offset(element.topic(), element.partition(), element.offset()).map_err(failed)?;
        }
    }
    Ok(positions)
}

/// Where each partition of a topic that holds records ends now.
///
/// # Errors
/// When the topic cannot be read.
pub fn ends_of(kafka: &KafkaSettings, topic: &TopicName) -> Result<BTreeMap<i32, i64>, ObserveError> {
    let config = kafka.consumer("vedette-local-observer", Isolation::ReadCommitted);
    ends(&config.create().map_err(ObserveError::Consumer)?, topic)
}

/// As [`ends_of`], by a consumer that is there.
pub(super) fn ends(consumer: &BaseConsumer, topic: &TopicName) -> Result<BTreeMap<i32, i64>, ObserveError> {
    let failed = |source| ObserveError::Topic { topic: topic.clone(), source };
    let mut ends = BTreeMap::new();
    for element in patiently(|| partitions(consumer, topic)).map_err(failed)?.elements() {
        let partition = element.partition();
        let watermarks = patiently(|| consumer.fetch_watermarks(topic.as_str(), partition, PATIENCE));
        let (low, high) = watermarks.map_err(failed)?;
        if high > low {
            ends.insert(partition, high);
        }
    }
    Ok(ends)
}

/// From where these positions read the partitions of a topic, but for those that they read from the beginning.
pub(super) fn offsets_of(positions: &TopicPartitionList, topic: &TopicName) -> BTreeMap<i32, i64> {
    let of_topic = positions.elements_for_topic(topic.as_str());
    of_topic
        .iter()
        .filter_map(|element| Some((element.partition(), element.offset().to_raw()?)))
        .filter(|(_, offset)| *offset >= 0)
        .collect()
}

/// Asks again for a while: a topic that was made just now, or a leader that moves, is not known to every broker at once, and
/// neither is a coordinator.
fn patiently<T>(mut ask: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            known_or_late => return known_or_late,
        }
    }
}

/// # Errors
/// When the topic, or the leader of a partition of it, is not known.
fn partitions(consumer: &BaseConsumer, topic: &TopicName) -> KafkaResult<TopicPartitionList> {
    let metadata = consumer.fetch_metadata(Some(topic.as_str()), PATIENCE)?;
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        if partition.leader() < 0 {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable));
        }
        partitions.add_partition(topic.as_str(), partition.id());
    }
    if partitions.count() == 0 {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    Ok(partitions)
}

fn at_the_beginning(partitions: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
    let mut positions = partitions.clone();
    positions.set_all_offsets(Offset::Beginning)?;
    Ok(positions)
}

fn at_the_end(consumer: &BaseConsumer, partitions: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
    let mut positions = TopicPartitionList::new();
    for element in partitions.elements() {
        let (_, end) = consumer.fetch_watermarks(element.topic(), element.partition(), PATIENCE)?;
        positions.add_partition_offset(element.topic(), element.partition(), Offset::Offset(end))?;
    }
    Ok(positions)
}

fn unread(kafka: &KafkaSettings, group: &str, partitions: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
    let reader = group::create(&kafka.consumer(group, Isolation::ReadCommitted), kafka.context())?;
    patiently(|| group::beginnings(&reader, partitions, PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::observe::Observer;
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;
    use rdkafka::consumer::CommitMode;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    use vedette_contract::arguments::KafkaArguments;
    use vedette_embedded::broker::EmbeddedBroker;

    const PATIENCE: Duration = Duration::from_secs(240);
    const TOPICS: [&str; 4] = ["sensor_messages", "enriched_data", "alerts", "dead_letters"];

    async fn create_topics(kafka: &KafkaSettings, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = kafka.base().create().unwrap();
        let topics = TOPICS.map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1)));
        for created in admin.create_topics(&topics, &AdminOptions::new()).await.unwrap() {
            created.unwrap();
        }
    }

    fn produce(producer: &BaseProducer, topic: &str, records: u8) {
        for _ in 0..records {
            producer.send(BaseRecord::<(), _>::to(topic).payload(r#"{"a":1}"#)).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    fn commit(kafka: &KafkaSettings, group: &str, offset: i64) {
        let consumer: BaseConsumer = kafka.consumer(group, Isolation::ReadCommitted).create().unwrap();
        let mut read = TopicPartitionList::new();
        read.add_partition_offset(TOPICS[0], 0, Offset::Offset(offset)).unwrap();
        consumer.commit(&read, CommitMode::Sync).unwrap();
    }

    fn settings(kafka: &KafkaSettings, group: &str) -> ObserverSettings {
        let [sensor_messages, enriched_data, alerts, dead_letters] = TOPICS.map(|name| name.parse().unwrap());
        let topics = ObservedTopics { sensor_messages, enriched_data, alerts, dead_letters };
        ObserverSettings {
            kafka: kafka.clone(),
            topics,
            label: None,
            start: ObserverStart::Unread { group: group.to_owned() },
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_topics_with_records_a_run_counts_those_that_its_detectors_had_not_read() {
        let broker = EmbeddedBroker::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let arguments = KafkaArguments { bootstrap_servers: broker.address().to_string(), ..Default::default() };
        let kafka = KafkaSettings::new(&arguments, "test");
        create_topics(&kafka, 1).await;
        let producer: BaseProducer = kafka.producer().create().unwrap();
        produce(&producer, TOPICS[0], 5);
        produce(&producer, TOPICS[1], 2);
        commit(&kafka, "detectors", 2);
        for (group, unread) in [("detectors", 3), ("detectors of another", 6)] {
            let observer = Observer::start(settings(&kafka, group), Box::new(|_| {})).unwrap();
            produce(&producer, TOPICS[0], 1);
            produce(&producer, TOPICS[1], unread + 1);
            let deadline = Instant::now() + PATIENCE;
            let seen = loop {
                let seen = observer.snapshot();
                if seen.generated + seen.enriched >= 2 * u64::from(unread + 1) || Instant::now() > deadline {
                    break seen;
                }
                tokio::time::sleep(PAUSE).await;
            };
            let all = u64::from(unread) + 1;
            assert_eq!((seen.generated, seen.enriched, seen.lag), (all, all, 0), "{group}");
            let statistics = observer.finish();
            assert_eq!(statistics.found, u64::from(unread), "{group}");
            assert_eq!((statistics.missing(), statistics.duplicates()), (0, 0), "{group}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn topics_of_a_hundred_partitions_that_are_made_just_now_are_waited_for() {
        let broker = EmbeddedBroker::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let arguments = KafkaArguments { bootstrap_servers: broker.address().to_string(), ..Default::default() };
        let kafka = KafkaSettings::new(&arguments, "test");
        let settings = settings(&kafka, "detectors");
        let consumer: BaseConsumer = kafka.consumer("observer", Isolation::ReadCommitted).create().unwrap();
        let mut looks = 0;
        // The first looks find no topic, which is an error and no topic without partitions.
        let found = patiently(|| {
            looks += 1;
            match partitions(&consumer, &settings.topics.dead_letters) {
                Err(_) if looks == 3 => Ok(0),
                found => found.map(|partitions| partitions.count()),
            }
        });
        assert_eq!((found, looks), (Ok(0), 3));
        create_topics(&kafka, 100).await;
        assert_eq!(positions(&consumer, &settings).unwrap().count(), 400);
    }
}
