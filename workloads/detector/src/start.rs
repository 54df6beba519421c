//! What has to hold before the detector joins its group: a broker answers, the topics are there and may be written, and the
//! transactional producer is known. Until then the old detectors keep the partitions.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use tokio::runtime::Handle;
use vedette_contract::arguments::ProcessingGuarantee;
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::kafka::group::{self, GroupConsumer};
use vedette_streams::kafka::{
    self, Isolation, KafkaSettings, StartError, TopicReader, Watch, check_writable, fit_messages, insist_on,
    wait_for_topics,
};

use crate::delivery::DeliveryContext;
use crate::messages::{Keepings, Outputs, Partitions, Topics};
use crate::readiness::{BROKER, GROUP};
use crate::unit::UnitOfWork;

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the stream is and how it is read and written.
#[derive(Debug, Clone)]
pub(crate) struct StartSettings {
    pub(crate) kafka: KafkaSettings,
    pub(crate) group: String,
    /// Transactional id: the process's own name.
    pub(crate) pod_name: String,
    pub(crate) guarantee: ProcessingGuarantee,
    pub(crate) topics: Topics,
    pub(crate) max_message_bytes: usize,
    /// Of the producer's calls.
    pub(crate) watch: Watch,
}

/// What the loop works with.
pub(crate) struct Started {
    pub(crate) kafka: KafkaSettings,
    pub(crate) consumer: GroupConsumer,
    pub(crate) group: String,
    pub(crate) unit: UnitOfWork,
    pub(crate) outputs: Outputs,
}

/// Waits until a broker answers and the topics are there, then joins the group. `None` when shutdown came first. Blocks;
/// call it where that is allowed, inside a runtime.
///
/// # Errors
/// When waiting cannot help.
pub(crate) fn start(
    settings: StartSettings,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<Started>, StartError> {
    let config = settings.kafka.consumer(&settings.group, Isolation::ReadCommitted);
    let consumer = group::create(&config, settings.kafka.context()).map_err(StartError::Settings)?;
    let unit = unit_of_work(&settings, readiness, shutdown)?;
    let Some((partitions, keepings)) = wait_for_outputs(&settings, readiness, shutdown)? else { return Ok(None) };
    let initialize = || {
        unit.initialize().map_err(|source| StartError::Refused { attempt: "start the transactional producer", source })
    };
    let told = |cause: &StartError| readiness.fail(BROKER, error_chain(cause));
    let Some(()) = insist_on(initialize, told, shutdown)? else { return Ok(None) };
    let StartSettings { topics, max_message_bytes, group, kafka, pod_name: _, guarantee: _, watch: _ } = settings;
    readiness.hold(BROKER);
    readiness.fail(GROUP, "joining");
    consumer
        .subscribe(&[topics.sensor_messages.as_str()])
        .map_err(|source| StartError::Refused { attempt: "subscribe to the input", source })?;
    let outputs = Outputs { topics, partitions, keepings, max_message_bytes };
    Ok(Some(Started { kafka, consumer, group, unit, outputs }))
}

fn unit_of_work(
    settings: &StartSettings,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<UnitOfWork, StartError> {
    let StartSettings { kafka, pod_name, guarantee, topics, max_message_bytes, watch, group: _ } = settings;
    let mut config = match guarantee {
        ProcessingGuarantee::ExactlyOnce => kafka.transactional_producer(pod_name),
        ProcessingGuarantee::AtLeastOnce => kafka.producer(),
    };
    fit_messages(&mut config, *max_message_bytes);
    // What was taken is freed at once: its report would keep it until the loop comes to it.
    config.set("delivery.report.only.error", "true");
    let producer = config.create_with_context(DeliveryContext::new(kafka.context())).map_err(StartError::Settings)?;
    let Topics { sensor_messages, enriched_data, alerts, dead_letters } = topics.clone();
    let topics = (sensor_messages, [enriched_data, alerts, dead_letters]);
    Ok(UnitOfWork::new(producer, *guarantee, topics, watch.clone(), readiness.clone(), shutdown.clone()))
}

/// Waits until the topics are there and may be written; `None` when shutdown came first.
fn wait_for_outputs(
    settings: &StartSettings,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<(Partitions, Keepings)>, StartError> {
    let asked = settings.clone();
    let look = move |reader: &TopicReader| {
        let partitions = partitions(reader, &asked.topics)?;
        check_outputs(&asked)?;
        Ok((partitions, keepings(&asked)?))
    };
    let told = |error: &kafka::KafkaError| readiness.fail(BROKER, error_chain(error));
    let waiting = shutdown.run_until_cancelled(wait_for_topics(&settings.kafka, None, look, told));
    Ok(Handle::current().block_on(waiting).transpose()?)
}

/// Before its producer is known, as the probe fences it. Without transactions nothing can be tried that leaves no trace.
fn check_outputs(settings: &StartSettings) -> Result<(), kafka::KafkaError> {
    let Topics { sensor_messages: _, enriched_data, alerts, dead_letters } = &settings.topics;
    match settings.guarantee {
        ProcessingGuarantee::ExactlyOnce => {
            check_writable(&settings.kafka, &settings.pod_name, &[enriched_data, alerts, dead_letters])
        }
        ProcessingGuarantee::AtLeastOnce => Ok(()),
    }
}

/// Asked for where it may block, which is no task of the runtime.
fn keepings(settings: &StartSettings) -> Result<Keepings, kafka::KafkaError> {
    let Topics { sensor_messages: _, enriched_data, alerts, dead_letters } = &settings.topics;
    let asked = kafka::keepings(&settings.kafka, [enriched_data, alerts, dead_letters], BROKER_TIMEOUT);
    let [enriched_data, alerts, dead_letters] = Handle::current().block_on(asked)?;
    Ok(Keepings { enriched_data, alerts, dead_letters })
}

/// Checks that all topics are there, and counts their partitions.
fn partitions(reader: &TopicReader, topics: &Topics) -> Result<Partitions, kafka::KafkaError> {
    let Topics { sensor_messages, enriched_data, alerts, dead_letters } = topics;
    let [sensor_messages, enriched_data, alerts, dead_letters] =
        reader.count_partitions([sensor_messages, enriched_data, alerts, dead_letters], BROKER_TIMEOUT)?;
    Ok(Partitions { sensor_messages, enriched_data, alerts, dead_letters })
}
