//! The loop over the bucket.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use vedette_contract::archive::{ArchiveKey, Origin, Stream};
use vedette_contract::health::Health;
use vedette_contract::keys::{ModelKeys, NamespaceKeys};
use vedette_contract::progress::{Progress, ProgressKey, SiteStatus};
use vedette_contract::{Name, TopicName};
use vedette_registry::sites::follows;
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::bucket::{BucketError, ObjectSummary};

use super::Reader;
use super::archive::{Feed, Sink};
use super::mirror::{Mirror, Mirrored};
use super::pace::pause;
use super::people::{Look, People};
use super::sites::{Known, views};
use super::trainings::Training;
use crate::live::LiveTopics;
use crate::metrics::Metrics;
use crate::owner::PipelineName;
use crate::readiness::BUCKET;
use crate::store::{ArchivedPartition, KnownTraining, Store};

/// How often is looked for pipelines, trainings, models and new verdicts.
const DISCOVERY: SignedDuration = SignedDuration::from_secs(30);
/// Small objects that are read in one look, of each kind and pipeline.
const MOST_OBJECTS: usize = 200;
/// Silences, and verdicts, of all pipelines that are read in one look.
const MOST_WRITTEN: usize = 100;
/// Partitions whose archive is looked at in one look.
const MOST_PARTITIONS: usize = 200;
/// So long the archive of a partition is looked at after its progress moved: between sites objects may arrive in any order.
const RESTLESS: SignedDuration = SignedDuration::from_secs(60);

/// What is read.
#[derive(Debug, Clone)]
pub(crate) struct PollSettings {
    /// All of the bucket where there are none.
    pub(crate) namespaces: Vec<Name>,
    /// The site whose topics are read from Kafka.
    pub(crate) site: Name,
    pub(crate) requests_per_hour: u64,
}

/// Reads until shutdown. What fails is said, and tried again.
pub(crate) async fn poll(
    settings: PollSettings,
    reader: Reader,
    store: &Store,
    live: watch::Sender<LiveTopics>,
    (metrics, readiness): (Metrics, Readiness),
    shutdown: Shutdown,
) {
    let mut poller =
        Poller { settings, reader, discovered: None, pipelines: BTreeMap::new(), trainings: BTreeMap::new() };
    // What is read meanwhile because somebody asks for it counts, too.
    let mut counted = poller.reader.requests();
    while !shutdown.is_cancelled() {
        let looked = tokio::select! {
            () = shutdown.cancelled() => return,
            looked = poller.look(store, &metrics) => looked,
        };
        if let Err(error) = &looked {
            metrics.bucket_failures.inc();
            tracing::warn!(
                reason = error.reason(),
                error = error_chain(error),
                "the bucket cannot be read; it is tried again"
            );
        } else {
            readiness.hold(BUCKET);
            live.send_if_modified(|topics| {
                let next = poller.live_topics();
                let is_new = *topics != next;
                *topics = next;
                is_new
            });
        }
        store.set_bucket(looked.map_err(|error| error_chain(&error)), Timestamp::now());
        let requests = poller.reader.requests();
        let pause = pause(requests - counted, poller.settings.requests_per_hour);
        counted = requests;
        let _ = tokio::time::timeout(pause, shutdown.cancelled()).await;
    }
}

struct Poller {
    settings: PollSettings,
    reader: Reader,
    discovered: Option<Timestamp>,
    pipelines: BTreeMap<PipelineName, Pipeline>,
    trainings: BTreeMap<PipelineName, Training>,
}

/// What is known of a pipeline.
#[derive(Debug, Default)]
struct Pipeline {
    sites: Mirror<SiteStatus>,
    health: Mirror<Health>,
    progress: Mirror<Progress>,
    feed: Feed,
    people: People,
    has_begun: bool,
    /// When the progress of a partition was seen to move.
    moved: BTreeMap<ProgressKey, (Option<Timestamp>, Timestamp)>,
}

impl Poller {
    async fn look(&mut self, store: &Store, metrics: &Metrics) -> Result<(), BucketError> {
        let now = Timestamp::now();
        let is_discovery = self.discovered.is_none_or(|then| now.duration_since(then) >= DISCOVERY);
        if is_discovery {
            self.discover(store).await?;
            self.discovered = Some(now);
        }
        let sink = Sink { store, metrics, now };
        let mut silences = BTreeMap::new();
        for (name, pipeline) in &mut self.pipelines {
            pipeline.look_at_sites(&self.reader, name).await?;
            // The clocks of the sites and of this machine may differ: when something was written and what time it is, the bucket says.
            let now = self.reader.now();
            let views = pipeline.views(name, now);
            silences.extend(views.iter().filter_map(|view| {
                let heard = view.heard_utc?;
                Some((name.at(&view.site), now.duration_since(heard).as_secs_f64().max(0.0)))
            }));
            store.set_sites(name, views);
            store.set_own(name, pipeline.status(name, &self.settings.site));
            store.set_archived(name, pipeline.archived(name));
            pipeline.look_at_archive(&self.reader, name, sink).await?;
        }
        if is_discovery {
            store.set_trainings(self.known_trainings());
        }
        // Behind all that is looked at anyway: many silences of one pipeline hold up no alert of another.
        let most = (MOST_WRITTEN / self.pipelines.len().max(1)).max(1);
        for (name, pipeline) in &mut self.pipelines {
            pipeline.people.look(&self.reader, name, Look { store, metrics, most, is_discovery }).await?;
        }
        // Where the bucket does not answer, what it said last stands: no site is silent for that.
        metrics.site_silences.set(silences);
        Ok(())
    }

    async fn discover(&mut self, store: &Store) -> Result<(), BucketError> {
        let mut pipelines = Vec::new();
        for namespace in self.namespaces().await? {
            let keys = NamespaceKeys::new(&namespace);
            let directories = self.reader.directories(&keys.prefix()).await?;
            let names = directories.iter().filter_map(|directory| keys.pipeline_name_of(directory));
            pipelines.extend(names.map(|pipeline| PipelineName { namespace: namespace.clone(), pipeline }));
            self.look_at_trainings(&namespace).await?;
        }
        self.pipelines.retain(|name, _| pipelines.contains(name));
        store.retain_pipelines(|name| pipelines.contains(name));
        for name in pipelines {
            self.pipelines.entry(name).or_default();
        }
        Ok(())
    }

    /// All trainings, with what the sites tell of them.
    fn known_trainings(&self) -> BTreeMap<PipelineName, KnownTraining> {
        let known = |(name, training): (&PipelineName, &Training)| {
            let of_namespace = self.pipelines.iter().filter(|(of, _)| of.namespace == name.namespace);
            let told = of_namespace.flat_map(|(of, pipeline)| {
                let statuses = pipeline.statuses(of).filter(|(status, _)| follows(status, &name.pipeline));
                statuses.map(|(status, _)| (of.pipeline.clone(), status.clone()))
            });
            (name.clone(), training.known(&name.namespace, &name.pipeline, &told.collect::<Vec<_>>()))
        };
        self.trainings.iter().map(known).collect()
    }

    async fn namespaces(&self) -> Result<Vec<Name>, BucketError> {
        if !self.settings.namespaces.is_empty() {
            return Ok(self.settings.namespaces.clone());
        }
        let directories = self.reader.directories("").await?;
        Ok(directories.iter().filter_map(|directory| NamespaceKeys::namespace_of(directory)).collect())
    }

    /// A training's name stands where a pipeline's would.
    async fn look_at_trainings(&mut self, namespace: &Name) -> Result<(), BucketError> {
        let keys = NamespaceKeys::new(namespace);
        for directory in self.reader.directories(&keys.models()).await? {
            let Some(training) = keys.training_of(&directory) else { continue };
            let models = ModelKeys::new(namespace, &training);
            let name = PipelineName { namespace: namespace.clone(), pipeline: training };
            self.trainings.entry(name).or_default().look(&self.reader, &models).await?;
        }
        Ok(())
    }

    /// The topics of our own site, with whose they are.
    fn live_topics(&self) -> LiveTopics {
        let mut topics = LiveTopics::new();
        for (name, pipeline) in &self.pipelines {
            let Some(status) = pipeline.status(name, &self.settings.site) else { continue };
            let Some(of_site) = &status.topics else { continue };
            let both = [(Some(&of_site.alerts), Stream::Alerts), (of_site.incidents.as_ref(), Stream::Incidents)];
            for (topic, stream) in both {
                let origin = |topic: &TopicName| origin(name, stream, &self.settings.site, topic, 0);
                topics.extend(topic.map(|topic| (topic.clone(), origin(topic))));
            }
        }
        topics
    }
}

impl Pipeline {
    async fn look_at_sites(&mut self, reader: &Reader, name: &PipelineName) -> Result<(), BucketError> {
        let keys = name.keys();
        let any = |_: &str| true;
        let most = MOST_OBJECTS;
        self.sites.look(reader, &keys.sites_prefix(), most, any, read_status).await?;
        self.health.look(reader, &keys.all_health_prefix(), most, any, read_health).await?;
        let is_progress = |key: &str| keys.progress_of(key).is_some();
        self.progress
            .look(reader, &keys.progress_prefix(), most, is_progress, |_, bytes| serde_json::from_slice(bytes).ok())
            .await
    }

    fn status(&self, name: &PipelineName, site: &Name) -> Option<&SiteStatus> {
        let key = name.keys().site(site);
        self.sites.objects().find(|(found, _)| *found == key)?.1.value.as_ref()
    }

    /// What each site says of itself, and how it is known.
    fn statuses(&self, name: &PipelineName) -> impl Iterator<Item = (&SiteStatus, &Mirrored<SiteStatus>)> {
        let keys = name.keys();
        self.sites.objects().filter_map(move |(key, object)| {
            let status = object.value.as_ref().filter(|status| keys.site(&status.site) == key)?;
            Some((status, object))
        })
    }

    fn views(&self, name: &PipelineName, now: Timestamp) -> Vec<crate::view::SiteView> {
        let mut known = BTreeMap::<Name, Known<'_>>::new();
        let keys = name.keys();
        for (status, object) in self.statuses(name) {
            let site = known.entry(status.site.clone()).or_default();
            site.status = Some(status);
            // With very many sites it takes minutes until each was read again: what is new of it has been heard.
            site.wrote = site.wrote.max(object.unread());
        }
        for (key, object) in self.health.objects() {
            let is_own = |health: &&Health| keys.health(&health.site, &health.pod) == key;
            let Some(health) = object.value.as_ref().filter(is_own) else { continue };
            let site = known.entry(health.site.clone()).or_default();
            site.processes.push((health, object.before.as_ref()));
            site.wrote = site.wrote.max(object.written());
        }
        for (key, object) in self.progress.objects() {
            let Some(partition) = keys.progress_of(key) else { continue };
            let site = known.entry(partition.site).or_default();
            site.wrote = site.wrote.max(object.written());
        }
        views(name, &known, now)
    }

    /// Partitions whose records are archived, all of them and not only the alerts.
    fn archived(&self, name: &PipelineName) -> Vec<ArchivedPartition> {
        let keys = name.keys();
        let archived = self.progress.objects().filter_map(|(key, object)| {
            let (partition, progress) = (keys.progress_of(key)?, object.value.as_ref()?);
            let ProgressKey { site, topic, partition } = partition;
            let origin = origin(name, progress.stream, &site, &topic, partition);
            let last_closed = progress.last_object.as_deref().and_then(|key| key.parse::<ArchiveKey>().ok());
            Some(ArchivedPartition { origin, moved: object.written()?, last_closed: last_closed.map(|key| key.object) })
        });
        archived.filter(|partition| partition.origin.stream == Stream::EnrichedData).collect()
    }

    async fn look_at_archive(
        &mut self,
        reader: &Reader,
        name: &PipelineName,
        sink: Sink<'_>,
    ) -> Result<(), BucketError> {
        let keys = name.keys();
        let restless = self.restless(&keys, sink.now);
        if !self.has_begun {
            for stream in [Stream::Alerts, Stream::Incidents] {
                self.feed.begin(reader, &keys, stream, sink).await?;
            }
            self.has_begun = true;
            return Ok(());
        }
        for (partition, progress) in restless.into_iter().take(MOST_PARTITIONS) {
            let ProgressKey { site, topic, partition } = partition;
            let origin = origin(name, progress.stream, &site, &topic, partition);
            if self.feed.start(&origin).is_some_and(|start| progress.end < start) {
                self.feed.restart(&origin);
            }
            self.feed.advance(reader, &origin, sink).await?;
        }
        Ok(())
    }

    /// Partitions of alerts and incidents whose archive may have grown, those that moved first last.
    fn restless(
        &mut self,
        keys: &vedette_contract::keys::PipelineKeys,
        now: Timestamp,
    ) -> Vec<(ProgressKey, Progress)> {
        let mut found = Vec::new();
        for (key, object) in self.progress.objects() {
            let (Some(partition), Some(progress)) = (keys.progress_of(key), &object.value) else { continue };
            let moved = self.moved.entry(partition.clone()).or_insert((object.written(), now));
            if moved.0 != object.written() {
                *moved = (object.written(), now);
            }
            let is_shown = matches!(progress.stream, Stream::Alerts | Stream::Incidents);
            if is_shown && now.duration_since(moved.1) <= RESTLESS {
                found.push((moved.1, partition, progress.clone()));
            }
        }
        found.sort_by_key(|(moved, ..)| *moved);
        found.into_iter().map(|(_, partition, progress)| (partition, progress)).collect()
    }
}

/// By the clock of the bucket.
fn read_status(object: &ObjectSummary, bytes: &[u8]) -> Option<SiteStatus> {
    let status: SiteStatus = serde_json::from_slice(bytes).ok()?;
    Some(status.by_clock(object.last_modified))
}

/// By the clock of the bucket.
fn read_health(object: &ObjectSummary, bytes: &[u8]) -> Option<Health> {
    let health: Health = serde_json::from_slice(bytes).ok()?;
    Some(health.by_clock(object.last_modified))
}

fn origin(name: &PipelineName, stream: Stream, site: &Name, topic: &TopicName, partition: i32) -> Origin {
    Origin {
        namespace: name.namespace.clone(),
        pipeline: name.pipeline.clone(),
        stream,
        site: site.clone(),
        topic: topic.clone(),
        partition,
    }
}

#[cfg(test)]
mod tests;
