//! From arguments to the running loop.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tracing::warn;
use vedette_contract::TopicName;
use vedette_contract::arguments::{ArchiverArguments, ServiceArguments};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::metrics;
use vedette_registry::health;
use vedette_service::{Backoff, Readiness, Shutdown, error_chain, registry, serve};
use vedette_streams::bucket::{Bucket, BucketError};
use vedette_streams::kafka::{Isolation, KafkaError, KafkaSettings, TopicReader, group, wait_for_topics};

use crate::error::ArchiverError;
use crate::health::Known;
use crate::metrics::Metrics;
use crate::object::Closing;
use crate::pump::{Pump, Subscription};
use crate::readiness::{BROKER, BUCKET, GROUP};
use crate::spool::SpoolDirectory;
use crate::upload::{CommitOffset, Uploader};

/// How long the broker may take to answer at the start.
const BROKER_TIMEOUT: Duration = Duration::from_secs(20);
/// Of a bucket that cannot be used yet.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

/// Archives the topics until shutdown, then closes what is open.
///
/// # Errors
/// When the spool cannot be used, the bucket ignores conditional writes, or Kafka gives
/// this consumer up. A broker or a bucket that cannot be reached is no error: it is waited for.
pub fn run(arguments: ArchiverArguments, shutdown: Shutdown) -> BoxFuture<'static, Result<(), ArchiverError>> {
    archive(arguments, shutdown).boxed()
}

async fn archive(arguments: ArchiverArguments, shutdown: Shutdown) -> Result<(), ArchiverError> {
    let ArchiverArguments {
        kafka,
        service: ServiceArguments { listen_address, pod_name },
        bucket,
        owner,
        group,
        topics,
        rolling_max_bytes,
        rolling_max_age_seconds,
        tail_interval_seconds,
        spool_directory,
    } = arguments;
    let mut registry = registry(&metrics::archiver::BUILD);
    let metrics = Metrics::register(&mut registry);
    metrics.begin(topics.iter().map(|archived| archived.stream));
    let known = Known::new(owner.site.clone(), pod_name.clone(), topics.clone(), Timestamp::now());
    let readiness = Readiness::new(&[BROKER, BUCKET, GROUP]);
    let spool = SpoolDirectory::prepare(&spool_directory)?;
    serve(listen_address, readiness.clone(), registry, shutdown.clone()).await?;

    let settings = KafkaSettings::new(&kafka, &pod_name);
    let topic_names: Vec<_> = topics.iter().map(|archived| archived.topic.clone()).collect();
    let bucket = Bucket::new(&bucket);
    let keys = PipelineKeys::new(&owner.namespace, &owner.pipeline);
    let waiting = async {
        wait_for_broker(&settings, topic_names, &readiness).await?;
        wait_for_bucket(&bucket, &keys, &readiness).await
    };
    let (told_bucket, told_keys) = (bucket.clone(), keys.clone());
    let look = {
        let (known, readiness) = (known.clone(), readiness.clone());
        move |now| known.told(&readiness, now)
    };
    let mut telling = pin!(health::tell(&told_bucket, &told_keys, look));
    tokio::select! {
        outcome = waiting => outcome?,
        () = shutdown.cancelled() => return Ok(()),
        never = &mut telling => match never {},
    }

    let consumer = group::create(&settings.patient_consumer(&group, Isolation::ReadCommitted), settings.context())
        .map_err(|source| ArchiverError::kafka("create the consumer", source))?;
    let consumer = Arc::new(consumer);
    let commits: Arc<dyn CommitOffset> = Arc::clone(&consumer) as _;
    let subscription = Subscription { kafka: settings.clone(), owner, group, topics, consumer };
    let closing = Closing {
        max_bytes: rolling_max_bytes,
        max_age: Duration::from_secs(rolling_max_age_seconds),
        tail_interval: Duration::from_secs(tail_interval_seconds),
    };
    let uploader = Uploader { bucket, keys, commits, metrics, known };
    let pump = Pump::new(subscription, closing, spool, uploader, readiness, shutdown);
    tokio::select! {
        outcome = spawn_blocking(|| pump.run()) => outcome.map_err(ArchiverError::Step)?,
        stranded = settings.stranded() => Err(stranded.into()),
        never = &mut telling => match never {},
    }
}

/// The topics are made by a Job of their own, which may be later than this process.
async fn wait_for_broker(
    settings: &KafkaSettings,
    topics: Vec<TopicName>,
    readiness: &Readiness,
) -> Result<(), ArchiverError> {
    let look = move |reader: &TopicReader| reader.check(&topics, BROKER_TIMEOUT);
    let told = |error: &KafkaError| readiness.fail(BROKER, error_chain(error));
    wait_for_topics(settings, None, look, told).await?;
    readiness.hold(BROKER);
    Ok(())
}

/// Asks the bucket whether it means its conditional writes, as soon as it answers.
async fn wait_for_bucket(bucket: &Bucket, keys: &PipelineKeys, readiness: &Readiness) -> Result<(), ArchiverError> {
    let mut backoff = BACKOFF;
    loop {
        match bucket.probe_conditional_writes(&keys.prefix()).await {
            Ok(()) => {
                readiness.hold(BUCKET);
                return Ok(());
            }
            Err(error @ BucketError::ConditionalWritesIgnored { .. }) => return Err(error.into()),
            Err(error) => {
                let (chain, wait) = (error_chain(&error), backoff.failed());
                warn!(error = chain, wait_seconds = wait.as_secs_f64(), "the bucket cannot be used yet");
                readiness.fail(BUCKET, chain);
                tokio::time::sleep(wait).await;
            }
        }
    }
}
