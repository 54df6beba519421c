//! The detector: it reads sensor messages, enriches them, scores them with the model that it was given, and publishes
//! enriched messages, alerts and dead letters. The step is pure ([`detector`]); the loop around it ([`stream`]) owns Kafka.

mod alert;
pub mod calculated;
pub mod detector;
mod group;
pub mod metrics;
pub mod model_store;
pub mod scoring;
pub mod stream;
#[cfg(test)]
mod testing;
mod unit;

use thiserror::Error;
use vedette_contract::arguments::{DetectorArguments, PipelineArguments, ServiceArguments};
use vedette_contract::keys::ModelKeys;
use vedette_registry::load::LoadError;
use vedette_service::{Readiness, ServiceError, Shutdown};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::KafkaSettings;

use calculated::{CalculatedFieldError, CalculatedFields};
use detector::{Detector, DetectorSettings};
use metrics::Metrics;
use model_store::ModelStore;
use scoring::{Threshold, ThresholdError};
use stream::{StartError, StreamError, StreamSettings, Topics};

/// Readiness: the model that was given is loaded, or none was given.
const MODEL: &str = "model";
/// Readiness: a broker answers.
const BROKER: &str = "broker";
/// Readiness: the group was joined; how many partitions it gave does not matter.
const GROUP: &str = "group";

/// Why the detector ended before it was asked to.
#[derive(Debug, Error)]
pub enum DetectorError {
    /// The alert budget or threshold.
    #[error("the alerting arguments cannot be used")]
    Threshold(#[from] ThresholdError),
    /// A calculated field.
    #[error(transparent)]
    CalculatedField(#[from] CalculatedFieldError),
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The model that was given.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// A model version was given without the training that it belongs to.
    #[error("a model version was given without its training")]
    NoTraining,
    /// The stream did not start.
    #[error("the stream cannot start")]
    Start(#[from] StartError),
    /// The stream ended.
    #[error("the stream broke off")]
    Stream(#[from] StreamError),
    /// The thread of the stream ended by itself.
    #[error("the stream's thread broke off")]
    Thread(#[source] tokio::task::JoinError),
}

impl DetectorError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Threshold(_) => "InvalidThreshold",
            Self::CalculatedField(_) => "InvalidCalculatedField",
            Self::Service(error) => error.reason(),
            Self::Model(error) => error.reason(),
            Self::NoTraining => "NoTraining",
            Self::Start(error) => error.reason(),
            Self::Stream(_) => "StreamFailed",
            Self::Thread(_) => "ThreadFailed",
        }
    }
}

/// Runs a detector until shutdown.
///
/// # Errors
/// When the arguments or the model cannot be used, or when only a new process can go on.
pub async fn run(arguments: DetectorArguments, shutdown: Shutdown) -> Result<(), DetectorError> {
    let DetectorArguments {
        kafka,
        service: ServiceArguments { listen_address, pod_name },
        bucket,
        owner: PipelineArguments { namespace, pipeline: _, site },
        group,
        sensor_messages_topic,
        enriched_data_topic,
        alerts_topic,
        dead_letters_topic,
        max_message_bytes,
        processing_guarantee,
        calculated_fields,
        alert_budget_per_million,
        score_threshold,
        reasons,
        model_training,
        model_version,
        model_directory,
    } = arguments;
    let threshold = Threshold::new(alert_budget_per_million, score_threshold)?;
    // Whatever is wrong with the expressions is said now, not after the wait for a model.
    CalculatedFields::compile(&calculated_fields)?;

    let mut registry = vedette_service::registry("detector");
    let metrics = Metrics::new(&mut registry);
    let readiness = Readiness::new(&[MODEL, BROKER, GROUP]);
    let server = vedette_service::serve(listen_address, readiness.clone(), registry, shutdown.clone()).await?;

    let model = match model_version {
        None => None,
        Some(version) => {
            let training = model_training.ok_or(DetectorError::NoTraining)?;
            let keys = ModelKeys::new(&namespace, &training);
            let store = ModelStore { bucket: Bucket::new(&bucket), keys, directory: model_directory };
            match store.load(&version, &readiness, &shutdown).await? {
                None => return Ok(()),
                Some(model) => Some((version, model)),
            }
        }
    };
    readiness.hold(MODEL);

    let settings = StreamSettings {
        kafka: KafkaSettings::new(&kafka, &pod_name),
        group,
        pod_name,
        guarantee: processing_guarantee,
        topics: Topics {
            sensor_messages: sensor_messages_topic.clone(),
            enriched_data: enriched_data_topic,
            alerts: alerts_topic,
            dead_letters: dead_letters_topic,
            dead_letter_partitions: 0,
            max_message_bytes,
        },
    };
    let step =
        DetectorSettings { site, sensor_messages_topic, calculated_fields, threshold, reasons, max_message_bytes };
    let detector = Detector::new(step, model, metrics.clone())?;
    let stopping = shutdown.clone();
    let stream = tokio::task::spawn_blocking(move || -> Result<(), DetectorError> {
        if let Some(stream) = stream::start(settings, detector, metrics, readiness, stopping)? {
            stream.run()?;
        }
        Ok(())
    });
    let outcome = stream.await.map_err(DetectorError::Thread).flatten();
    shutdown.cancel();
    // The server only answers questions about a stream that is over.
    let _ = server.handle.await;
    outcome
}
