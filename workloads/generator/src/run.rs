//! From arguments to the running loop, and what came of it.

use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use vedette_contract::TopicName;
use vedette_contract::arguments::GeneratorArguments;
use vedette_contract::metrics;
use vedette_service::{Readiness, Shutdown, error_chain, registry, serve};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::{KafkaError, KafkaSettings, TopicReader, largest_message, wait_for_topics};

use crate::error::GeneratorError;
use crate::load;
use crate::metrics::Metrics;
use crate::pacing::TokenBucket;
use crate::plan::{Plan, SourcePlan, Walk};
use crate::pump::{Generated, generate};
use crate::readiness::{BROKER, DATASET};
use crate::record::{Identities, Stamp};
use crate::sink::{Sink, SinkSettings};
use crate::source::Source;

/// How long a broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long who walks a data set waits for broker, topic and grants: it is a Job, which is to say why it does not get on. Others
/// wait until they are there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Generates until shutdown, or until the last row of a data set in mode Sequential is in Kafka.
///
/// # Errors
/// When it cannot start, the producer fails for good, or mode Sequential ends before every row is in Kafka.
pub fn run(arguments: GeneratorArguments, shutdown: Shutdown) -> BoxFuture<'static, Result<(), GeneratorError>> {
    until_done(arguments, shutdown).boxed()
}

async fn until_done(arguments: GeneratorArguments, shutdown: Shutdown) -> Result<(), GeneratorError> {
    let plan = Plan::new(&arguments)?;
    let GeneratorArguments { kafka, service, bucket, topic, max_message_bytes, .. } = arguments;
    let readiness = Readiness::new(&[DATASET, BROKER]);
    let mut registry = registry(&metrics::generator::BUILD);
    let metrics = Metrics::register(&mut registry);
    serve(service.listen_address, readiness.clone(), registry, shutdown.clone()).await?;

    let settings = KafkaSettings::new(&kafka, &service.pod_name);
    let patience = is_walk(&plan.source).then_some(PATIENCE);
    let start = async {
        let accepted = wait_for_topic(&settings, &topic, max_message_bytes, patience, &readiness).await?;
        let source = open_source(&plan, &Bucket::new(&bucket), &metrics).await?;
        readiness.hold(DATASET);
        Ok::<_, GeneratorError>((source, accepted))
    };
    let (source, max_message_bytes) = tokio::select! {
        source = start => source?,
        () = shutdown.cancelled() => return if is_walk(&plan.source) { Err(GeneratorError::Interrupted) } else { Ok(()) },
    };
    let identities = match source.length() {
        None => Identities::random(),
        Some(_) => Identities::Sequential { seed: plan.seed },
    };
    let (rows, stamp) = (source.length(), Stamp::new(identities, Timestamp::now()));
    let token_bucket = TokenBucket::new(plan.records_per_second);
    let sink_settings = SinkSettings { kafka: settings.clone(), topic, max_message_bytes, patience };
    let sink = Sink::new(sink_settings, metrics.clone(), readiness, shutdown.clone())?;
    let started = Instant::now();
    let generated = tokio::select! {
        generated = spawn_blocking(move || generate(source, stamp, token_bucket, sink, &shutdown)) => generated??,
        stranded = settings.stranded() => return Err(stranded.into()),
    };
    report(generated, rows, &metrics, started.elapsed())
}

/// Whether a data set is walked to its end, which has to be repeated where that is not reached.
fn is_walk(source: &SourcePlan) -> bool {
    match source {
        SourcePlan::Dataset { key: _, settings: _, walk: Walk::Sequential } => true,
        SourcePlan::Dataset { key: _, settings: _, walk: Walk::Random { .. } } | SourcePlan::Simulator { .. } => false,
    }
}

/// Returns how large a message the topic accepts, so many bytes at most.
async fn wait_for_topic(
    settings: &KafkaSettings,
    topic: &TopicName,
    max_message_bytes: usize,
    patience: Option<Duration>,
    readiness: &Readiness,
) -> Result<usize, GeneratorError> {
    let (asked, topic) = (settings.clone(), topic.clone());
    // Asked for where it may block, which is no task of the runtime.
    let look = move |reader: &TopicReader| {
        reader.check(std::slice::from_ref(&topic), BROKER_TIMEOUT)?;
        Handle::current().block_on(largest_message(&asked, &topic, max_message_bytes, BROKER_TIMEOUT))
    };
    let told = |error: &KafkaError| readiness.fail(BROKER, error_chain(error));
    let accepted = wait_for_topics(settings, patience, look, told).await?;
    readiness.hold(BROKER);
    Ok(accepted)
}

async fn open_source(plan: &Plan, bucket: &Bucket, metrics: &Metrics) -> Result<Source, GeneratorError> {
    match &plan.source {
        SourcePlan::Simulator { anomaly_fraction } => Ok(Source::simulator(plan.seed, *anomaly_fraction)),
        SourcePlan::Dataset { key, settings, walk } => {
            let dataset = load::load(bucket, key, settings.clone()).await?;
            metrics.count_left_out(&dataset.left_out);
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
