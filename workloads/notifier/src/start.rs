//! What has to hold before alerts are read: a broker answers, the topics are there and may be written, no other notifier of the
//! pipeline can write any more, and its incidents were read.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tracing::warn;
use vedette_contract::TopicName;
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::kafka::group::{self, GroupConsumer};
use vedette_streams::kafka::place::{Beginning, beginning, committed};
use vedette_streams::kafka::{
    Isolation, KafkaSettings, StartError, TopicReader, Watch, check_writable, insist_on, largest_message, leaderless,
};

use crate::history::History;
use crate::incidents::{Incidents, Rules};
use crate::readiness::{BROKER, INCIDENTS};
use crate::writer::Writer;

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// What is read and written, and by what rules.
#[derive(Debug, Clone)]
pub(crate) struct StartSettings {
    pub(crate) kafka: KafkaSettings,
    /// Consumer group, and transactional id.
    pub(crate) group: String,
    pub(crate) alerts: TopicName,
    pub(crate) incidents: TopicName,
    /// As the topic of the incidents accepts them, or less.
    pub(crate) max_message_bytes: usize,
    pub(crate) rules: Rules,
    /// Of the producer's calls.
    pub(crate) watch: Watch,
}

/// What the loop works with.
pub(crate) struct Started {
    pub(crate) consumer: GroupConsumer,
    pub(crate) writer: Writer,
    pub(crate) incidents: Incidents,
    /// Of the alerts, with where each begins if that is known: of one that was never read librdkafka finds out.
    pub(crate) beginnings: Vec<(i32, Option<Beginning>)>,
}

/// Waits until all of it holds. `None` when shutdown came first. Blocks; call it where that is allowed, inside a runtime.
///
/// # Errors
/// When waiting cannot help.
pub(crate) fn start(
    settings: &StartSettings,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<Started>, StartError> {
    let reader = TopicReader::new(&settings.kafka)?;
    let told = |cause: &StartError| readiness.fail(BROKER, error_chain(cause));
    insist_on(|| attempt(&reader, settings, readiness, shutdown), told, shutdown).map(Option::flatten)
}

fn attempt(
    reader: &TopicReader,
    settings: &StartSettings,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<Started>, StartError> {
    let StartSettings { kafka, group, alerts, incidents: topic, max_message_bytes, rules, watch } = settings;
    let [alert_partitions, partitions] = reader.count_partitions([alerts, topic], BROKER_TIMEOUT)?;
    check_writable(kafka, group, &[topic])?;
    let asked = largest_message(kafka, topic, *max_message_bytes, BROKER_TIMEOUT);
    let max_message_bytes = Handle::current().block_on(asked)?;
    readiness.hold(BROKER);
    let writer =
        Writer::create(kafka, group, topic.clone(), max_message_bytes, watch.clone()).map_err(StartError::Settings)?;
    writer.initialize().map_err(refused("start the transactional producer"))?;

    let mut incidents = Incidents::new(rules.clone());
    let history = History { kafka, group, topic, partitions, owner: &rules.owner };
    history.read(&mut incidents, shutdown).map_err(refused("read the incidents"))?;
    if shutdown.is_cancelled() {
        return Ok(None);
    }
    let mut config = kafka.consumer(group, Isolation::ReadCommitted);
    config.set("enable.partition.eof", "true");
    let consumer = group::create(&config, kafka.context()).map_err(StartError::Settings)?;
    let beginnings =
        assign(&consumer, alerts, alert_partitions).map_err(refused("go to where alerts were read up to"))?;
    readiness.hold(INCIDENTS);
    Ok(Some(Started { consumer, writer, incidents, beginnings }))
}

/// All partitions, without the group's consent: who writes decides who acts.
fn assign(consumer: &GroupConsumer, topic: &TopicName, partitions: i32) -> KafkaResult<Vec<(i32, Option<Beginning>)>> {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(topic.as_str(), partition);
    }
    let known = committed(consumer, &list, BROKER_TIMEOUT)?;
    let leaderless = leaderless(consumer.client(), topic);
    let (mut places, mut beginnings) = (TopicPartitionList::new(), Vec::new());
    for (_, partition, committed) in known {
        let begins = committed.map(|committed| {
            let is_led = !leaderless.contains(&partition);
            if is_led { go_on(consumer, topic, partition, committed) } else { Beginning::Committed(committed) }
        });
        let offset = begins.map_or(Offset::Beginning, |beginning| Offset::Offset(beginning.offset()));
        places.add_partition_offset(topic.as_str(), partition, offset)?;
        beginnings.push((partition, begins));
    }
    consumer.assign(&places)?;
    for (partition, begins) in &beginnings {
        begins.iter().for_each(|beginning| beginning.report(topic.as_str(), *partition));
    }
    Ok(beginnings)
}

/// Where Kafka does not tell what the partition holds, it is read from what is committed: if that is gone, its leader says so later.
fn go_on(consumer: &GroupConsumer, topic: &TopicName, partition: i32, committed: i64) -> Beginning {
    beginning(consumer, topic.as_str(), partition, Some(committed)).unwrap_or_else(|error| {
        warn!(%topic, partition, %error, "Kafka does not tell yet whether the alerts are there that come next");
        Beginning::Committed(committed)
    })
}

fn refused(attempt: &'static str) -> impl FnOnce(KafkaError) -> StartError {
    move |source| StartError::Refused { attempt, source }
}
