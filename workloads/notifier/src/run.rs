//! From arguments to the running loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use vedette_contract::arguments::{NotifierArguments, PipelineArguments, ServiceArguments};
use vedette_contract::incident::IncidentOwner;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::metrics;
use vedette_registry::health;
use vedette_service::{Backoff, Readiness, Shutdown, error_chain, registry, serve};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::{KafkaSettings, Watch};

use crate::alert::AlertReader;
use crate::delivery::{DeliveryMetrics, DeliverySettings, Telling, check, deliver};
use crate::error::{NotifierError, joined};
use crate::health::Teller;
use crate::incidents::Rules;
use crate::look::Looking;
use crate::metrics::Metrics;
use crate::pump::{Course, Pump};
use crate::readiness::{BROKER, INCIDENTS, SILENCES};
use crate::silences::Silences;
use crate::start::{StartSettings, start};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
/// So many starts one after the other that came to nothing are no bad luck any more.
const STARTS_WITHOUT_PROGRESS: u32 = 20;
/// So long one that Kafka does not listen to any more waits for its end: whoever runs it would begin it again at once, and then
/// it would end the other.
const FENCED_PATIENCE: Duration = Duration::from_secs(10);
/// What ran for so long came to something.
const PROGRESS: Duration = Duration::from_secs(60);

/// Runs a notifier until shutdown, or until another one of its pipeline acts.
///
/// # Errors
/// When the arguments cannot be used, or when only a new process can go on.
pub fn run(arguments: NotifierArguments, shutdown: Shutdown) -> BoxFuture<'static, Result<(), NotifierError>> {
    notify(arguments, shutdown).boxed()
}

async fn notify(arguments: NotifierArguments, shutdown: Shutdown) -> Result<(), NotifierError> {
    let NotifierArguments {
        kafka,
        bucket,
        service: ServiceArguments { listen_address, pod_name },
        owner: PipelineArguments { namespace, pipeline, site },
        group,
        alerts_topic,
        incidents_topic,
        max_message_bytes,
        window_seconds,
        group_by,
        max_open_incidents,
        receivers,
    } = arguments;
    check(&receivers)?;
    let mut registry = registry(&metrics::notifier::BUILD);
    let metrics = Metrics::register(&mut registry);
    let delivery_metrics = DeliveryMetrics::register(&mut registry);
    let readiness = Readiness::new(&[BROKER, INCIDENTS, SILENCES]);
    let server = serve(listen_address, readiness.clone(), registry, shutdown.clone()).await?;
    let (bucket, keys) = (Bucket::new(&bucket), PipelineKeys::new(&namespace, &pipeline));
    let mut looking = Looking::new(bucket.clone(), keys.clone(), metrics.silences.clone(), readiness.clone());
    let teller = Teller {
        site: site.clone(),
        pod: pod_name.clone(),
        receivers: receivers.clone(),
        readiness: readiness.clone(),
        started_at: Timestamp::now(),
    };
    // So that the first alerts meet the silences that there are.
    if let Some(looked) = shutdown.run_until_cancelled(looking.look()).await {
        joined(looked)?;
    }
    let silences = looking.known();
    let looking = tokio::spawn(looking.go_on(shutdown.clone()));
    let rules = Rules {
        owner: IncidentOwner { namespace, pipeline, site },
        window: Duration::from_secs(window_seconds),
        max_open: usize::try_from(max_open_incidents).unwrap_or(usize::MAX),
    };
    let (kafka, watch) = (KafkaSettings::new(&kafka, &pod_name), Watch::default());
    let settings = StartSettings {
        kafka: kafka.clone(),
        group,
        alerts: alerts_topic,
        incidents: incidents_topic,
        max_message_bytes,
        rules,
        watch: watch.clone(),
    };
    let delivery = DeliverySettings {
        kafka: settings.kafka.clone(),
        group: settings.group.clone(),
        topic: settings.incidents.clone(),
        owner: settings.rules.owner.clone(),
        window: settings.rules.window,
    };
    let (telling, stopping) = (Telling { begins: Shutdown::new(), ends: shutdown.child_token() }, shutdown.clone());
    let deliveries = tokio::spawn(deliver(delivery, receivers, delivery_metrics, telling.clone()));
    let stream =
        spawn_blocking(move || run_anew(&settings, &group_by, &silences, &metrics, &readiness, &telling, &stopping));
    let outcome = tokio::select! {
        outcome = stream => joined(outcome).flatten(),
        () = watch.client_stuck() => Err(NotifierError::Stalled),
        stranded = kafka.stranded() => Err(NotifierError::Kafka(stranded)),
        never = health::tell(&bucket, &keys, |now| teller.told(now)) => match never {},
    };
    shutdown.cancel();
    let told = joined(deliveries.await);
    let looked = joined(looking.await).and_then(joined);
    // The server only answers questions about a stream that is over.
    let _ = server.handle.await;
    told?;
    looked?;
    outcome
}

/// Starts again, from what is written, whenever something was not. Receivers are told from when no other notifier can write to when
/// another one does.
fn run_anew(
    settings: &StartSettings,
    group_by: &[String],
    silences: &watch::Receiver<Arc<Silences>>,
    metrics: &Metrics,
    readiness: &Readiness,
    telling: &Telling,
    shutdown: &Shutdown,
) -> Result<(), NotifierError> {
    let (mut backoff, mut fruitless) = (BACKOFF, 0);
    while let Some(started) = start(settings, readiness, shutdown)? {
        telling.begins.cancel();
        let began = Instant::now();
        let reader = AlertReader::new(group_by.to_vec());
        let (topic, metrics_of_pump) = (settings.alerts.clone(), metrics.clone());
        let (silences, readiness_of_pump) = (silences.clone(), readiness.clone());
        let pump = Pump::new(started, topic, reader, silences, metrics_of_pump, readiness_of_pump, shutdown.clone());
        let cause = match pump.run()? {
            Course::End => return Ok(()),
            Course::Fenced => {
                // Who does not write does not tell either.
                telling.ends.cancel();
                info!("another notifier of this pipeline has begun; this one ends");
                readiness.fail(INCIDENTS, "another notifier of this pipeline acts");
                let _ = Handle::current().block_on(tokio::time::timeout(FENCED_PATIENCE, shutdown.cancelled()));
                return Ok(());
            }
            Course::StartAnew(cause) => cause,
        };
        if began.elapsed() > PROGRESS {
            (backoff, fruitless) = (BACKOFF, 0);
        }
        if let Some(cause) = cause {
            metrics.restarts.inc();
            warn!(error = error_chain(&cause), "incidents were not written; they are read anew");
            fruitless += 1;
            if fruitless >= STARTS_WITHOUT_PROGRESS {
                return Err(NotifierError::NoProgress(cause));
            }
        }
        let _ = Handle::current().block_on(tokio::time::timeout(backoff.failed(), shutdown.cancelled()));
    }
    Ok(())
}
