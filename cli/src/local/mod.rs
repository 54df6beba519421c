//! `vedette local`: the whole flow on one machine, from the first record to the summary.

mod afterwards;
mod console;
pub mod dataset;
mod error;
mod lookups;
pub mod observe;
mod options;
mod placement;
mod reconcile;
mod servers;
mod setup;
pub mod supervisor;
mod train;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_core::desired::labels::Component;
use vedette_core::desired::{GeneratorChild, PipelineChildren, names};
use vedette_core::platform::whole_seconds;
use vedette_core::validate::ValidatedPipeline;
use vedette_records::Label;
use vedette_registry::progress;
use vedette_service::Shutdown;

pub use self::error::LocalError;
use self::lookups::ConfigMaps;
use self::observe::{ObservedTopics, Observer, ObserverSettings, ObserverStart, Phase, Snapshot, ends_of};
pub use self::options::LocalOptions;
use self::reconcile::{LocalPipeline, LocalTraining};
use self::servers::Servers;
use self::supervisor::{JobStatus, Sources, Supervisor, SupervisorEvent, SupervisorOptions};
pub(crate) use self::train::{Trained, WantedRun, train};
use crate::output::{self, Console};

/// How long a run without a terminal and without `--for` lasts.
const DEFAULT_DURATION: Duration = Duration::from_secs(120);
/// How often the bucket and the processes are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How often a progress line is printed.
const PROGRESS: Duration = Duration::from_secs(5);
/// A step of the orderly stop, or of the start, that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Latencies count as steady so long after the last start or roll.
const SETTLING: Duration = Duration::from_secs(3);

/// Runs until `--for` is over, Ctrl-C, or the end of a sequential data set; prints the summary.
///
/// # Errors
/// One clear error; nothing is left running.
pub async fn run(options: LocalOptions, shutdown: Shutdown) -> Result<(), LocalError> {
    let console = Arc::new(Console::new(options.json));
    let namespace = default_namespace();
    let plan = setup::plan(&options, &namespace)?;
    let looked_at = dataset::look_at(&options, &plan.pipeline)?;
    if let Some(dataset) = &looked_at {
        console.say(&format!("the data set has {}", dataset.words));
    }
    let config_maps = lookups::config_maps(&options, &plan.pipeline)?;
    let servers = servers::start(&options).await?;
    let pipeline = &plan.pipeline;
    console.say(&format!(
        "Kafka {} and bucket {} are up",
        servers.site.kafka.bootstrap_servers,
        servers.site.bucket.endpoint.as_deref().unwrap_or_default()
    ));
    dataset::upload(&options, pipeline, &servers.bucket, &console).await?;
    lookups::upload(&options, pipeline, &servers, &console).await?;
    if placement::is_said(&plan) {
        console.say("what the manifest says of nodes, priority, accounts and rolling updates of pods means nothing on one machine");
    }

    let supervisor = start_supervisor(&options, &servers, config_maps, &console)?;
    let result = supervise(&options, &plan, &servers, &supervisor, &console, &shutdown).await;
    // Also after a failure nothing may be left running.
    supervisor.stop_all().await;
    // What a process had begun to write when it was ended is written.
    if let Some(bucket) = servers.embedded_bucket {
        bucket.stop().await;
    }
    let summary = observe::Summary { dataset: looked_at, ..result? };
    if options.json {
        console.write(&summary.to_string());
        let json = serde_json::to_string(&summary)
            .map_err(|error| LocalError::System { what: "write the summary", source: error.into() })?;
        output::print(|out| writeln!(out, "{json}"))?;
    } else {
        let next = afterwards::lines(&options, pipeline, &summary);
        output::print(|out| write!(out, "{summary}{next}"))?;
    }
    if pipeline.generator.is_some() && summary.nothing_generated() {
        return Err(LocalError::NothingGenerated);
    }
    Ok(())
}

#[allow(clippy::expect_used)]
fn default_namespace() -> vedette_contract::Name {
    "default".parse().expect("the constant is a name")
}

fn start_supervisor(
    options: &LocalOptions,
    servers: &Servers,
    config_maps: ConfigMaps,
    console: &Arc<Console>,
) -> Result<Supervisor, LocalError> {
    let broker = servers.broker.clone();
    let for_events = Arc::clone(console);
    let supervisor = Supervisor::start(
        SupervisorOptions { binary_directory: options.bin_dir.clone() },
        Sources { secrets: servers.secrets.clone(), config_maps },
        Box::new(move |client_id: String| {
            let broker = broker.clone();
            Box::pin(async move {
                if let Some(broker) = broker {
                    broker.process_died(&client_id).await;
                }
            })
        }),
        Box::new(move |event: SupervisorEvent| for_events.say(&event.to_string())),
    )?;
    Ok(supervisor)
}

async fn supervise(
    options: &LocalOptions,
    plan: &setup::Plan,
    servers: &Servers,
    supervisor: &Supervisor,
    console: &Arc<Console>,
    shutdown: &Shutdown,
) -> Result<observe::Summary, LocalError> {
    let pipeline = &plan.pipeline;
    let (site, bucket) = (&servers.site, &servers.bucket);
    let mut reconciled = LocalPipeline::new(pipeline.clone(), site.clone(), bucket.clone(), supervisor, console);
    if !options.no_console {
        console::start(options.console_listen, &pipeline.namespace, servers, supervisor, console)?;
    }
    // The topics come first, and nothing else of the pipeline.
    reconciled.step(now()).await?;
    await_topics(reconciled.children(), supervisor).await?;
    bound_memory(pipeline, servers);
    let observer = start_observer(options, plan, servers, console)?;
    let mut trainings: Vec<_> = plan
        .trainings
        .iter()
        .map(|training| LocalTraining::new(training.clone(), site.clone(), bucket.clone(), supervisor, console, now()))
        .collect();
    // The model that the bucket already has is in the template from the first process on.
    let began = Timestamp::now();
    reconciled.step(now()).await?;

    let flow = Flow { options, pipeline, servers, supervisor, console, observer: &observer };
    flow.watch(&mut reconciled, &mut trainings, shutdown).await?;
    console.say("stopping: generator, then what is under way, detector, archiver");
    // Not what there was at the start: detectors that wait for a model came later.
    if let Some(children) = reconciled.children() {
        flow.drain(children, began).await?;
    }

    let seconds = observer.snapshot().flowing.as_secs_f64();
    let statistics = observer.finish();
    let keys = PipelineKeys::new(&pipeline.namespace, &pipeline.name);
    let archive = observe::archive_totals(&servers.bucket, &keys).await?;
    let versions = match &pipeline.model.training {
        Some(training) => {
            observe::model_versions(&servers.bucket, &ModelKeys::new(&pipeline.namespace, training)).await?
        }
        None => Vec::new(),
    };
    Ok(observe::summarize(&statistics, seconds, archive, versions))
}

async fn await_topics(children: Option<&PipelineChildren>, supervisor: &Supervisor) -> Result<(), LocalError> {
    let name = children.and_then(|children| children.topics_job.metadata.name.clone()).unwrap_or_default();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match supervisor.job_status(&name) {
            JobStatus::Complete => return Ok(()),
            JobStatus::Failed { cause } => return Err(LocalError::Topics { cause }),
            JobStatus::Running | JobStatus::Absent if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            JobStatus::Running | JobStatus::Absent => {
                return Err(LocalError::TooLong { what: "the creation of the topics", within: PATIENCE });
            }
        }
    }
}

/// Tells the embedded broker who reads what, so that it keeps no more than what is still to be read.
fn bound_memory(pipeline: &ValidatedPipeline, servers: &Servers) {
    let Some(broker) = &servers.broker else { return };
    let detector = names::group(&pipeline.namespace, &pipeline.name, Component::Detector);
    let archiver = names::group(&pipeline.namespace, &pipeline.name, Component::Archiver);
    let topics = &pipeline.topics;
    broker.drop_what_was_read(topics.sensor_messages.name.as_str(), &[&detector]);
    broker.drop_what_was_read(topics.enriched_data.name.as_str(), &[&archiver]);
    let notifier = names::notifier_group(&pipeline.namespace, &pipeline.name, &servers.site.site.name);
    let alerts_readers = [Some(archiver.as_str()), pipeline.incidents.as_ref().map(|_| notifier.as_str())];
    let alerts_readers: Vec<&str> = alerts_readers.into_iter().flatten().collect();
    broker.drop_what_was_read(topics.alerts.name.as_str(), &alerts_readers);
    broker.drop_what_was_read(topics.dead_letters.name.as_str(), &[]);
}

fn start_observer(
    options: &LocalOptions,
    plan: &setup::Plan,
    servers: &Servers,
    console: &Arc<Console>,
) -> Result<Observer, LocalError> {
    let ValidatedPipeline { namespace, name, topics, .. } = &plan.pipeline;
    let label = plan.trainings.iter().find_map(|training| training.features.label.as_ref());
    let settings = ObserverSettings {
        kafka: servers.kafka.clone(),
        topics: ObservedTopics {
            sensor_messages: topics.sensor_messages.name.clone(),
            enriched_data: topics.enriched_data.name.clone(),
            alerts: topics.alerts.name.clone(),
            dead_letters: topics.dead_letters.name.clone(),
        },
        label: label.map(|label| Label::new(&label.field, &label.normal)),
        start: match &options.broker {
            Some(_) => ObserverStart::Unread { group: names::group(namespace, name, Component::Detector) },
            None => ObserverStart::Beginning,
        },
    };
    let console = Arc::clone(console);
    Ok(Observer::start(settings, Box::new(move |line| console.alert(&line.text)))?)
}

/// What a run looks at again and again.
struct Flow<'a> {
    options: &'a LocalOptions,
    pipeline: &'a ValidatedPipeline,
    servers: &'a Servers,
    supervisor: &'a Supervisor,
    console: &'a Console,
    observer: &'a Observer,
}

impl Flow<'_> {
    /// Reconciles and prints until the run is over.
    async fn watch(
        &self,
        pipeline: &mut LocalPipeline<'_>,
        trainings: &mut [LocalTraining<'_>],
        shutdown: &Shutdown,
    ) -> Result<(), LocalError> {
        let duration = self.options.duration.or_else(|| (!std::io::stdout().is_terminal()).then_some(DEFAULT_DURATION));
        let deadline = duration.map(|duration| Instant::now() + duration);
        let mut printed = (Instant::now(), Snapshot::default());
        let (mut unsettled, mut phase) = (Instant::now(), Phase::Starting);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                error = bucket_failure(self.servers) => return Err(error),
                () = tokio::time::sleep(POLL) => {}
            }
            pipeline.step(now()).await?;
            for training in &mut *trainings {
                training.step(now()).await?;
            }
            if !pipeline.is_settled() || !self.supervisor.is_settled() {
                unsettled = Instant::now();
            }
            phase = match phase {
                _ if unsettled.elapsed() >= SETTLING => Phase::Steady,
                Phase::Starting => Phase::Starting,
                Phase::Steady | Phase::Rolling => Phase::Rolling,
            };
            self.observer.set_phase(phase);
            if printed.0.elapsed() >= PROGRESS {
                printed = self.print_progress(printed.0, &printed.1).await;
            }
            let over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if over || self.data_set_is_through(pipeline.children())? {
                return Ok(());
            }
        }
    }

    async fn print_progress(&self, since: Instant, before: &Snapshot) -> (Instant, Snapshot) {
        let snapshot = self.observer.snapshot();
        let rate = snapshot.generated.saturating_sub(before.generated) as f64 / since.elapsed().as_secs_f64();
        let keys = PipelineKeys::new(&self.pipeline.namespace, &self.pipeline.name);
        let archived = match progress::enriched_records(&self.servers.bucket, &keys, &[]).await {
            Ok(records) => records.to_string(),
            Err(error) => format!("({})", error.reason()),
        };
        let latency = snapshot.latency_ms.map_or_else(String::new, |latency| {
            format!(", latency p50 {:.0} ms p99 {:.0} ms", latency.p50, latency.p99)
        });
        self.console.say(&format!(
            "{rate:.0} records/s, {} enriched, lag {}{latency}, {} alerts, {archived} records archived, model {}",
            snapshot.enriched,
            snapshot.lag,
            snapshot.alerts,
            snapshot.model_version.as_deref().unwrap_or("none yet")
        ));
        (Instant::now(), snapshot)
    }

    /// A sequential data set ends; when all of it is through, or its Job has given up, the run is over.
    fn data_set_is_through(&self, children: Option<&PipelineChildren>) -> Result<bool, LocalError> {
        let Some(GeneratorChild::Job(job)) = children.and_then(|children| children.generator.as_ref()) else {
            return Ok(false);
        };
        match self.supervisor.job_status(job.metadata.name.as_deref().unwrap_or_default()) {
            JobStatus::Complete => Ok(self.observer.snapshot().lag == 0),
            JobStatus::Failed { cause } => Err(LocalError::GeneratorFailed { cause }),
            JobStatus::Running | JobStatus::Absent => Ok(false),
        }
    }

    /// Generator, then until the lag is zero, detector, archiver: so that everything generated is enriched and archived.
    async fn drain(&self, children: &PipelineChildren, began: Timestamp) -> Result<(), LocalError> {
        let name = |metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
            metadata.name.clone().unwrap_or_default()
        };
        match &children.generator {
            Some(GeneratorChild::Deployment(deployment)) => self.supervisor.stop(&name(&deployment.metadata)).await,
            Some(GeneratorChild::Job(job)) => self.supervisor.stop(&name(&job.metadata)).await,
            None => {}
        }
        // What was produced last may not have been seen yet, and counts.
        let (kafka, input) = (self.servers.kafka.clone(), self.pipeline.topics.sensor_messages.name.clone());
        let ends = tokio::task::spawn_blocking(move || ends_of(&kafka, &input))
            .await
            .map_err(|error| LocalError::System { what: "look where the input ends", source: error.into() })?
            .unwrap_or_else(|error| {
                self.console.say(&format!("where the input ends is not known: {error}"));
                BTreeMap::new()
            });
        self.wait_until("what was generated is not enriched yet", || async {
            let Snapshot { lag, input_ends, .. } = self.observer.snapshot();
            let is_seen = ends.iter().all(|(partition, end)| input_ends.get(partition) >= Some(end));
            Ok(lag == 0 && is_seen)
        })
        .await?;
        if let Some(detector) = &children.detector {
            self.supervisor.stop(&name(&detector.metadata)).await;
        }
        self.wait_until("what was enriched is not archived yet", || self.is_archived(began)).await?;
        self.supervisor.stop(&name(&children.archiver.metadata)).await;
        if let Some(notifier) = &children.notifier {
            self.supervisor.stop(&name(&notifier.metadata)).await;
        }
        Ok(())
    }

    /// Whether this run's archiver has written all that the observer saw.
    async fn is_archived(&self, began: Timestamp) -> Result<bool, LocalError> {
        let keys = PipelineKeys::new(&self.pipeline.namespace, &self.pipeline.name);
        let archived = progress::ends(&self.servers.bucket, &keys, &self.servers.site.site.name).await?;
        Ok(self.observer.snapshot().ends.iter().all(|(partition, end)| {
            archived.get(partition).is_some_and(|(archived, at)| archived >= end && *at >= began)
        }))
    }

    /// What does not come in time is said, and the stop goes on: the summary then shows what is missing.
    async fn wait_until<F: Future<Output = Result<bool, LocalError>>>(
        &self,
        otherwise: &str,
        mut holds: impl FnMut() -> F,
    ) -> Result<(), LocalError> {
        let deadline = Instant::now() + PATIENCE;
        while !holds().await? {
            if Instant::now() >= deadline {
                self.console.say(&format!("gave up after {} s: {otherwise}", PATIENCE.as_secs()));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

async fn bucket_failure(servers: &Servers) -> LocalError {
    match &servers.embedded_bucket {
        Some(bucket) => bucket.failed().await.into(),
        None => std::future::pending().await,
    }
}

/// The time as a status has it.
fn now() -> Timestamp {
    whole_seconds(Timestamp::now())
}
