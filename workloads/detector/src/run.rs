//! From arguments to the running loop.

use std::convert::Infallible;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use vedette_contract::ModelVersion;
use vedette_contract::arguments::{DetectorArguments, KeyValue, PipelineArguments, ServiceArguments};
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::metrics;
use vedette_forest::Model;
use vedette_registry::health;
use vedette_registry::load::Learned;
use vedette_service::{Readiness, Shutdown, registry, serve};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::{KafkaSettings, Watch};

use crate::added::{AddedFieldError, AddedFields};
use crate::detector::{Detector, DetectorSettings};
use crate::error::{DetectorError, joined};
use crate::health::{Known, Teller};
use crate::lookups::Tables;
use crate::messages::Topics;
use crate::metrics::Metrics;
use crate::model_store::{Loaded, ModelStore};
use crate::pump::{Course, Pump, PumpError};
use crate::readiness::{BROKER, GROUP, LOOKUPS, MODEL};
use crate::stability::Bins;
use crate::start::{StartSettings, start};
use crate::threshold::Threshold;

/// So many seconds a step of the model may take.
const MODEL_LOOKS: u32 = 60;

/// Runs a detector until shutdown.
///
/// # Errors
/// When the arguments or the model cannot be used, or when only a new process can go on.
pub fn run(arguments: DetectorArguments, shutdown: Shutdown) -> BoxFuture<'static, Result<(), DetectorError>> {
    detect(arguments, shutdown).boxed()
}

async fn detect(arguments: DetectorArguments, shutdown: Shutdown) -> Result<(), DetectorError> {
    let DetectorArguments {
        kafka,
        service: ServiceArguments { listen_address, pod_name },
        bucket,
        owner: PipelineArguments { namespace, pipeline, site },
        group,
        sensor_messages_topic,
        enriched_data_topic,
        alerts_topic,
        dead_letters_topic,
        max_message_bytes,
        processing_guarantee,
        renamed_fields,
        calculated_fields,
        lookups,
        lookup_files,
        lookup_interval_seconds,
        alert_budget_per_million,
        budget_tracking,
        score_threshold,
        reasons,
        model_training,
        model_version,
        model_directory,
    } = arguments;
    let threshold = Threshold::new(alert_budget_per_million, budget_tracking, score_threshold)?;
    let mut registry = registry(&metrics::detector::BUILD);
    let (metrics, bucket) = (Metrics::register(&mut registry), Bucket::new(&bucket));
    let mut tables = Tables::new(&lookups, &lookup_files, &bucket, &metrics).map_err(AddedFieldError::from)?;
    // Whatever is wrong with lookups and expressions is said now, not after the wait for tables and a model.
    AddedFields::compile(&lookups, &tables, &calculated_fields, &metrics)?;
    let readiness = Readiness::new(&[LOOKUPS, MODEL, BROKER, GROUP]);
    let server = serve(listen_address, readiness.clone(), registry, shutdown.clone()).await?;

    let keys = PipelineKeys::new(&namespace, &pipeline);
    let known = Known::new(Teller {
        site: site.clone(),
        pod: pod_name.clone(),
        topic: sensor_messages_topic.clone(),
        threshold: threshold.clone(),
        model_version: model_version.clone(),
        started_at: Timestamp::now(),
    });
    let (kafka, watch) = (KafkaSettings::new(&kafka, &pod_name), Watch::default());
    let store = |version| {
        let training = model_training.ok_or(DetectorError::NoTraining)?;
        let (bucket, keys) = (bucket.clone(), ModelKeys::new(&namespace, &training));
        Ok::<_, DetectorError>((version, ModelStore { bucket, keys, directory: model_directory, watch: watch.clone() }))
    };
    let stored = model_version.map(store).transpose()?;
    let work = async {
        if !tables.wait(&readiness, &shutdown).await {
            return Ok(());
        }
        let Some(given) = given(stored, &known, &readiness, &shutdown).await? else { return Ok(()) };
        readiness.hold(MODEL);
        given.begin(&metrics, &threshold, &calculated_fields);

        let settings = StartSettings {
            kafka: kafka.clone(),
            group,
            pod_name,
            guarantee: processing_guarantee,
            topics: Topics {
                sensor_messages: sensor_messages_topic.clone(),
                enriched_data: enriched_data_topic,
                alerts: alerts_topic,
                dead_letters: dead_letters_topic,
            },
            max_message_bytes,
            watch: Watch::default(),
        };
        let step = DetectorSettings {
            site,
            sensor_messages_topic,
            renamed_fields,
            lookups,
            calculated_fields,
            threshold,
            reasons,
            max_message_bytes,
        };
        let detector = Detector::new(step, &tables, given.model, watch.clone(), &metrics)?.with_bins(given.bins);
        tokio::spawn(tables.keep_fresh(Duration::from_secs(lookup_interval_seconds), shutdown.clone()));
        stream(settings, detector, (metrics.clone(), known.clone()), readiness.clone(), shutdown.clone()).await
    };
    let look = |now| {
        let health = known.told(&readiness, now);
        metrics.compared(known.stability().as_ref());
        health
    };
    let outcome = while_it_can(work, &watch, &kafka, health::tell(&bucket, &keys, look)).await;
    shutdown.cancel();
    // The server only answers questions about a stream that is over.
    let _ = server.handle.await;
    outcome
}

/// Works until only a new process can go on, and tells meanwhile how it stands.
async fn while_it_can(
    work: impl Future<Output = Result<(), DetectorError>>,
    watch: &Watch,
    kafka: &KafkaSettings,
    telling: impl Future<Output = Infallible>,
) -> Result<(), DetectorError> {
    tokio::select! {
        outcome = work => outcome,
        never = telling => match never {},
        () = watch.stuck(MODEL_LOOKS) => Err(DetectorError::ModelStuck),
        stranded = kafka.stranded() => Err(DetectorError::Kafka(stranded)),
    }
}

/// What was given to score with, if anything was.
#[derive(Default)]
struct Given {
    model: Option<(ModelVersion, Model)>,
    /// By which features are counted, where the model says how they were.
    bins: Option<Bins>,
}

impl Given {
    /// Has what is counted of these fields and of the model's features be there from the start, and the threshold of a model.
    fn begin(&self, metrics: &Metrics, threshold: &Threshold, calculated_fields: &[KeyValue]) {
        let features = self.model.iter().flat_map(|(_, model)| model.encoder.columns());
        self.model.iter().for_each(|_| metrics.alerts_above(threshold));
        metrics.begin(calculated_fields.iter().map(|field| field.key.as_str()), features.map(|it| it.name.as_str()));
    }
}

/// Waits for the model; `None` when shutdown came first.
async fn given(
    stored: Option<(ModelVersion, ModelStore)>,
    known: &Known,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<Given>, DetectorError> {
    let Some((version, store)) = stored else { return Ok(Some(Given::default())) };
    let Some(Loaded { model, learned }) = store.load(&version, readiness, shutdown).await? else { return Ok(None) };
    let Learned { usually_missing, distributions } = learned;
    let bins = distributions.and_then(|told| Bins::new(model.encoder.columns(), &told));
    known.learn(usually_missing, bins.clone());
    Ok(Some(Given { model: Some((version, model)), bins }))
}

/// Runs the stream to its end, on a thread of its own.
async fn stream(
    settings: StartSettings,
    mut detector: Detector,
    counted: (Metrics, Known),
    readiness: Readiness,
    shutdown: Shutdown,
) -> Result<(), DetectorError> {
    let calls = settings.watch.clone();
    let run = move || {
        while let Some(started) = start(settings.clone(), &readiness, &shutdown)? {
            match Pump::new(started, &mut detector, counted.clone(), readiness.clone(), shutdown.clone()).run()? {
                Course::StartAnew => {}
                Course::GoOn | Course::End => break,
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = tokio::task::spawn_blocking(run) => joined(ended)?,
        () = calls.client_stuck() => Err(PumpError::Stalled(String::new()).into()),
    }
}
