//! Generates records into a Kafka topic: from a simulator of network connections, or from a CSV data set in the bucket.
//! A run in mode Sequential that starts anew begins at row 0 again, with the same uuids.

pub mod columns;
pub mod dataset;
mod generate;
mod load;
mod metrics;
pub mod pacing;
pub mod plan;
pub mod record;
pub mod simulator;
mod sink;
pub mod source;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use thiserror::Error;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;
use tracing::{info, warn};
use vedette_contract::TopicName;
use vedette_contract::arguments::GeneratorArguments;
use vedette_service::{Readiness, ServiceError, Shutdown, registry, serve};
use vedette_streams::bucket::{Bucket, BucketError};
use vedette_streams::kafka::{KafkaError, KafkaSettings, check_topics};

use crate::dataset::DatasetError;
use crate::generate::{Generated, generate};
use crate::metrics::Metrics;
use crate::pacing::TokenBucket;
use crate::plan::{Plan, PlanError, SourcePlan};
use crate::record::{Identities, Stamp};
use crate::sink::{Sink, SinkError};
use crate::source::{FractionError, Source};

/// Readiness: the records' source is loaded.
const DATASET: &str = "dataset";
/// Readiness: a broker answers and the topic is there.
const BROKER: &str = "broker";

/// How long a broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the topic is waited for, which a Job creates while this process starts.
const TOPIC_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Why a generator ended.
#[derive(Debug, Error)]
pub enum GeneratorError {
    /// The arguments do not go together.
    #[error("cannot generate with these arguments")]
    Plan(#[from] PlanError),
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The bucket.
    #[error("cannot read the data set")]
    Bucket(#[from] BucketError),
    /// There is no such object.
    #[error("there is no data set {key} in the bucket: upload it, or mend the key")]
    DatasetMissing {
        /// Its full key.
        key: String,
    },
    /// The object is no data set.
    #[error("cannot use data set {key}")]
    Dataset {
        /// Its full key.
        key: String,
        /// What is wrong.
        #[source]
        source: DatasetError,
    },
    /// The data set does not give the anomalies that were asked for.
    #[error("cannot draw from the data set")]
    Fraction(#[from] FractionError),
    /// The broker.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The producer.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A data set that was to be generated once is not in Kafka as a whole.
    #[error("{missing} of {rows} rows did not reach Kafka: a new run starts at row 0, with the same uuids")]
    Incomplete {
        /// Rows of the data set.
        rows: u64,
        /// Rows that were not sent, not taken or not acknowledged.
        missing: u64,
    },
    /// A thread of ours panicked.
    #[error("a task of the generator broke")]
    Task(#[from] JoinError),
}

impl GeneratorError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Plan(_) => "InvalidArguments",
            Self::Service(source) => source.reason(),
            Self::Bucket(source) => source.reason(),
            Self::DatasetMissing { .. } => "DatasetMissing",
            Self::Dataset { source, .. } => source.reason(),
            Self::Fraction(_) => "AnomalyFractionImpossible",
            Self::Kafka(source) => source.reason(),
            Self::Sink(source) => source.reason(),
            Self::Incomplete { .. } => "Incomplete",
            Self::Task(_) => "TaskBroke",
        }
    }
}

/// Generates until shutdown, or until the last row of a data set in mode Sequential is in Kafka.
///
/// # Errors
/// When it cannot start, the producer fails for good, or mode Sequential ends before every row is in Kafka.
pub async fn run(arguments: GeneratorArguments, shutdown: Shutdown) -> Result<(), GeneratorError> {
    let plan = Plan::new(&arguments)?;
    let GeneratorArguments { kafka, service, bucket, topic, .. } = arguments;
    let readiness = Readiness::new(&[DATASET, BROKER]);
    let mut registry = registry("generator");
    let metrics = Metrics::register(&mut registry);
    serve(service.listen_address, readiness.clone(), registry, shutdown.clone()).await?;

    let settings = KafkaSettings::new(&kafka, &service.pod_name);
    let start = async {
        wait_for_topic(&settings, &topic, &readiness).await?;
        let source = open_source(&plan, &Bucket::new(&bucket), &metrics).await?;
        readiness.hold(DATASET);
        Ok::<_, GeneratorError>(source)
    };
    let source = tokio::select! {
        source = start => source?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let identities = match source.length() {
        None => Identities::random(),
        Some(_) => Identities::Sequential { seed: plan.seed },
    };
    let (rows, stamp) = (source.length(), Stamp::new(identities, Timestamp::now()));
    let token_bucket = TokenBucket::new(plan.records_per_second);
    let sink = Sink::new(&settings, topic, metrics.clone(), shutdown.clone())?;
    let started = Instant::now();
    let generated = spawn_blocking(move || generate(source, stamp, token_bucket, &sink, &shutdown)).await??;
    report(generated, rows, &metrics, started.elapsed())
}

/// Waits for the topic, which may be created while this process starts.
async fn wait_for_topic(
    settings: &KafkaSettings,
    topic: &TopicName,
    readiness: &Readiness,
) -> Result<(), GeneratorError> {
    let started = Instant::now();
    loop {
        let (asking, name) = (settings.clone(), topic.clone());
        match spawn_blocking(move || check_topics(&asking, &[&name], BROKER_TIMEOUT)).await? {
            Ok(()) => {
                readiness.hold(BROKER);
                return Ok(());
            }
            Err(missing @ KafkaError::TopicMissing { .. }) if started.elapsed() < TOPIC_TIMEOUT => {
                readiness.fail(BROKER, missing.to_string());
                sleep(LOOK_AGAIN).await;
            }
            Err(cause) => return Err(cause.into()),
        }
    }
}

async fn open_source(plan: &Plan, bucket: &Bucket, metrics: &Metrics) -> Result<Source, GeneratorError> {
    match &plan.source {
        SourcePlan::Simulator { anomaly_fraction } => Ok(Source::simulator(plan.seed, *anomaly_fraction)),
        SourcePlan::Dataset { key, label, walk } => {
            let dataset = load::load(bucket, key, label.clone()).await?;
            metrics.bad_rows.inc_by(dataset.bad_rows);
            Ok(Source::dataset(dataset, *walk, plan.seed)?)
        }
    }
}

/// Tells what was generated; in mode Sequential (`rows`) less than everything is an error, so that the run is repeated.
fn report(
    generated: Generated,
    rows: Option<u64>,
    metrics: &Metrics,
    duration: Duration,
) -> Result<(), GeneratorError> {
    let Generated { records, unanswered } = generated;
    let (acknowledged, delivery_errors) = (metrics.records.get(), metrics.delivery_errors.get());
    info!(
        records,
        acknowledged,
        bytes = metrics.bytes.get(),
        delivery_errors,
        unanswered,
        seconds = duration.as_secs_f64(),
        "generated"
    );
    match rows {
        Some(rows) if acknowledged < rows => Err(GeneratorError::Incomplete { rows, missing: rows - acknowledged }),
        Some(_) => Ok(()),
        None => {
            if unanswered > 0 {
                warn!(unanswered, "Kafka did not acknowledge the last records in time");
            }
            Ok(())
        }
    }
}
