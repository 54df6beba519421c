//! What the archiver knows and others need. The loop and the steps note it; who tells it asks here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use vedette_contract::archive::Stream;
use vedette_contract::arguments::ArchivedTopic;
use vedette_contract::health::{Gap, Health, HealthComponent, TopicHealth, Unready};
use vedette_contract::{Name, TopicName};
use vedette_service::Readiness;
use vedette_streams::kafka::standing::{Standings, topic_health};

/// Of partitions, Kafka's time of the last record, milliseconds since 1970.
type ReadAt = BTreeMap<(TopicName, i32), i64>;

/// See the module; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    site: Name,
    pod: String,
    topics: Vec<ArchivedTopic>,
    started_at: Timestamp,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    archived: BTreeMap<TopicName, u64>,
    lost: BTreeMap<TopicName, u64>,
    gaps: Vec<Gap>,
    standings: Standings,
    read_at: ReadAt,
}

impl Known {
    pub(crate) fn new(site: Name, pod: String, topics: Vec<ArchivedTopic>, started_at: Timestamp) -> Self {
        Self { site, pod, topics, started_at, state: Arc::default() }
    }

    /// An object with so many records is closed and committed.
    pub(crate) fn archived(&self, topic: &TopicName, records: u64) {
        *self.state().archived.entry(topic.clone()).or_default() += records;
    }

    /// These records were deleted before they were read.
    pub(crate) fn lost(&self, gap: Gap) {
        let mut state = self.state();
        *state.lost.entry(gap.topic.clone()).or_default() += gap.end.abs_diff(gap.start);
        gap.note(&mut state.gaps);
    }

    /// The partitions stand like this; how the topics do by that.
    pub(crate) fn stands(&self, standings: Standings, read_at: ReadAt, now: Timestamp) -> Vec<(Stream, TopicHealth)> {
        let mut state = self.state();
        (state.standings, state.read_at) = (standings, read_at);
        self.topics.iter().map(|archived| (archived.stream, state.topic(&archived.topic, now))).collect()
    }

    /// All of it, with why the process is not ready.
    pub(crate) fn told(&self, readiness: &Readiness, now: Timestamp) -> Health {
        Health { unready: Unready::all(readiness.troubles()), ..self.health(now) }
    }

    /// All of it.
    pub(crate) fn health(&self, now: Timestamp) -> Health {
        let state = self.state();
        Health {
            site: self.site.clone(),
            pod: self.pod.clone(),
            component: HealthComponent::Archiver,
            started_at: self.started_at,
            updated_at: now,
            topics: self.topics.iter().map(|archived| state.topic(&archived.topic, now)).collect(),
            gaps: state.gaps.clone(),
            unready: Vec::new(),
            detector: None,
            notifier: None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change adds up counts, so what a thread left behind that panicked is near enough.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn topic(&self, topic: &TopicName, now: Timestamp) -> TopicHealth {
        let count = |of: &BTreeMap<TopicName, u64>| of.get(topic).copied().unwrap_or_default();
        let read_at = |partition| self.read_at.get(&(topic.clone(), partition)).copied();
        let health = topic_health(topic, &self.standings, read_at, now);
        TopicHealth { records: count(&self.archived), lost_records: count(&self.lost), ..health }
    }
}
