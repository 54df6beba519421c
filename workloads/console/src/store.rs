//! What is known at the moment, in memory and bounded: the newest alerts and incidents of all sites, and how the sites stand.
//! Those that read write here; those that answer read here, and a change is a number that grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use vedette_contract::archive::{ArchiveObjectKey, Origin};
use vedette_contract::console::MOST_VERDICTS;
use vedette_contract::incident::{Incident, IncidentId};
use vedette_contract::progress::SiteStatus;
use vedette_contract::silence::SilenceKey;
use vedette_registry::silences::{KeptSilence, Silences};
use vedette_registry::summary::Listing;
use vedette_registry::verdicts::{KeptVerdict, Verdicts};

use crate::alert::{Alert, AlertId};
use crate::history::History;
use crate::metrics::Metrics;
use crate::owner::{Owner, PipelineName};
use crate::ring::{Limits, Ring};
use crate::view::{SiteView, SourceView, TrainingView};

const ALERTS: Limits = Limits { count: 10_000, bytes: 32 << 20 };
const INCIDENTS: Limits = Limits { count: 5_000, bytes: 16 << 20 };

/// See the module.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    metrics: Metrics,
}

/// What is known.
#[derive(Debug)]
pub(crate) struct State {
    change: u64,
    pub(crate) alerts: Ring<AlertId, Alert>,
    pub(crate) incidents: Ring<IncidentId, Incident>,
    pub(crate) history: History,
    pub(crate) sites: BTreeMap<Owner, SiteView>,
    /// What this site tells of its pipelines.
    pub(crate) own: BTreeMap<PipelineName, SiteStatus>,
    /// The change by which a site became another.
    pub(crate) sites_change: u64,
    /// Of each pipeline the partitions whose records are archived.
    pub(crate) archived: BTreeMap<PipelineName, Arc<[ArchivedPartition]>>,
    pub(crate) trainings: BTreeMap<PipelineName, KnownTraining>,
    pub(crate) people: BTreeMap<PipelineName, People>,
    /// The change by which a silence or a verdict came, or became another.
    pub(crate) people_change: u64,
    pub(crate) bucket: SourceView,
    pub(crate) kafka: SourceView,
}

/// A partition whose records are archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArchivedPartition {
    pub(crate) origin: Origin,
    /// When its archiver wrote last how far it is, by the bucket's clock.
    pub(crate) moved: Timestamp,
    /// The object that it closed last, where it has closed one.
    pub(crate) last_closed: Option<ArchiveObjectKey>,
}

/// A training, as the page shows it and as its versions are listed.
#[derive(Debug)]
pub(crate) struct KnownTraining {
    pub(crate) view: TrainingView,
    pub(crate) listing: Listing,
}

/// What people wrote of a pipeline.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// Shared, as there may be thousands: who answers looks through them outside of the lock.
    pub(crate) silences: Arc<Silences>,
    /// The newest, also those whose place a later one took.
    pub(crate) verdicts: Verdicts,
    /// How often a silence was written here.
    written: u64,
}

impl People {
    /// Verdicts never change nor go, so those that are read and those that were given here are one.
    fn add_verdicts(&mut self, read: Vec<KeptVerdict>) -> bool {
        let all = &mut self.verdicts.all;
        let known: BTreeSet<_> = all.iter().map(|kept| kept.key.clone()).collect();
        all.extend(read.into_iter().filter(|kept| !known.contains(&kept.key)));
        let is_new = all.len() > known.len();
        all.sort_unstable_by(|one, other| (&other.key.id, &other.key.site).cmp(&(&one.key.id, &one.key.site)));
        all.truncate(MOST_VERDICTS);
        is_new
    }

    /// Takes the place of a silence, or takes it away.
    fn replace(&mut self, key: &SilenceKey, kept: Option<KeptSilence>) -> bool {
        self.written += 1;
        let all = &mut Arc::make_mut(&mut self.silences).all;
        all.retain(|other| other.key != *key);
        all.extend(kept);
        true
    }
}

impl Store {
    pub(crate) fn new(metrics: Metrics) -> Self {
        let state = State {
            change: 0,
            alerts: Ring::new(ALERTS),
            incidents: Ring::new(INCIDENTS),
            history: History::default(),
            sites: BTreeMap::new(),
            own: BTreeMap::new(),
            sites_change: 0,
            archived: BTreeMap::new(),
            trainings: BTreeMap::new(),
            people: BTreeMap::new(),
            people_change: 0,
            bucket: SourceView::unread(),
            kafka: SourceView::unread(),
        };
        Self { state: Mutex::new(state), changes: watch::Sender::new(0), metrics }
    }

    /// What is known now. Hold it for as short as can be.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // What is changed is whole after each statement that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of each change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes in an alert, unless it is known.
    pub(crate) fn add_alert(&self, alert: Alert, now: Timestamp) {
        let mut state = self.state();
        if !alert.simulated {
            state.history.count(&alert.owner, alert.id, alert.detected, now);
        }
        if state.alerts.get(alert.id).is_some() {
            return;
        }
        let (id, detected, size, change) = (alert.id, alert.detected, alert.size(), state.change + 1);
        if state.alerts.insert(id, detected, alert, size, change) {
            self.metrics.kept_alerts.set(i64::try_from(state.alerts.len()).unwrap_or(i64::MAX));
            self.changed(&mut state);
        }
    }

    /// Takes in how an incident stands, unless that is known, or what came after it.
    pub(crate) fn add_incident(&self, incident: Incident, size: usize) {
        let mut state = self.state();
        if state.incidents.get(incident.id).is_some_and(|known| known.revision >= incident.revision) {
            return;
        }
        let (id, last, change) = (incident.id, incident.last_utc, state.change + 1);
        if state.incidents.insert(id, last, incident, size * 2 + 512, change) {
            self.changed(&mut state);
        }
    }

    /// How the sites of a pipeline stand.
    pub(crate) fn set_sites(&self, pipeline: &PipelineName, sites: Vec<SiteView>) {
        let mut state = self.state();
        let is_of = |owner: &Owner| owner.namespace == pipeline.namespace && owner.pipeline == pipeline.pipeline;
        let next: BTreeMap<_, _> = sites.into_iter().map(|site| (pipeline.at(&site.site), site)).collect();
        let before = state.sites.iter().filter(|(owner, _)| is_of(owner));
        if before.eq(next.iter()) {
            return;
        }
        state.sites.retain(|owner, _| !is_of(owner));
        state.sites.extend(next);
        state.sites_change = state.change + 1;
        self.changed(&mut state);
    }

    /// Forgets pipelines that are not there any more. Their alerts stay until newer ones take their place: whoever looks at one just then
    /// need not lose it, and nothing is written of it.
    pub(crate) fn retain_pipelines(&self, is_there: impl Fn(&PipelineName) -> bool) {
        let mut state = self.state();
        state.sites.retain(|Owner { namespace, pipeline, site: _ }, _| {
            is_there(&PipelineName { namespace: namespace.clone(), pipeline: pipeline.clone() })
        });
        state.own.retain(|pipeline, _| is_there(pipeline));
        state.archived.retain(|pipeline, _| is_there(pipeline));
        state.people.retain(|pipeline, _| is_there(pipeline));
    }

    /// What this site tells of a pipeline.
    pub(crate) fn set_own(&self, pipeline: &PipelineName, status: Option<&SiteStatus>) {
        let mut state = self.state();
        match status {
            Some(status) => drop(state.own.insert(pipeline.clone(), status.clone())),
            None => drop(state.own.remove(pipeline)),
        }
    }

    /// The partitions of a pipeline whose records are archived.
    pub(crate) fn set_archived(&self, pipeline: &PipelineName, partitions: Vec<ArchivedPartition>) {
        self.state().archived.insert(pipeline.clone(), partitions.into());
    }

    /// How often a silence of a pipeline was written here: what is read after this is asked has all of them.
    pub(crate) fn written(&self, pipeline: &PipelineName) -> u64 {
        self.state().people.get(pipeline).map_or(0, |people| people.written)
    }

    /// The silences of a pipeline, as they were read, unless one was written here meanwhile: they are read again.
    pub(crate) fn set_silences(&self, pipeline: &PipelineName, silences: Silences, written: u64) {
        self.change_people(pipeline, |people| {
            if people.written != written || *people.silences == silences {
                return false;
            }
            people.silences = Arc::new(silences);
            true
        });
    }

    /// Verdicts of a pipeline that were read.
    pub(crate) fn add_verdicts(&self, pipeline: &PipelineName, read: Vec<KeptVerdict>) {
        if !read.is_empty() {
            self.change_people(pipeline, |people| people.add_verdicts(read));
        }
    }

    /// A silence that was written here just now.
    pub(crate) fn put_silence(&self, pipeline: &PipelineName, kept: KeptSilence) {
        self.change_people(pipeline, |people| people.replace(&kept.key.clone(), Some(kept)));
    }

    /// A silence that was deleted here just now.
    pub(crate) fn drop_silence(&self, pipeline: &PipelineName, kept: &KeptSilence) {
        self.change_people(pipeline, |people| people.replace(&kept.key, None));
    }

    /// A verdict that was written here just now.
    pub(crate) fn put_verdict(&self, pipeline: &PipelineName, kept: KeptVerdict) {
        self.add_verdicts(pipeline, vec![kept]);
    }

    fn change_people(&self, pipeline: &PipelineName, change: impl FnOnce(&mut People) -> bool) {
        let mut state = self.state();
        if change(state.people.entry(pipeline.clone()).or_default()) {
            state.people_change = state.change + 1;
            self.changed(&mut state);
        }
    }

    /// The models of all trainings.
    pub(crate) fn set_trainings(&self, trainings: BTreeMap<PipelineName, KnownTraining>) {
        self.state().trainings = trainings;
    }

    /// Whether the bucket answers.
    pub(crate) fn set_bucket(&self, answer: Result<(), String>, now: Timestamp) {
        let mut state = self.state();
        if state.bucket.set(answer, now) {
            state.sites_change = state.change + 1;
            self.changed(&mut state);
        }
    }

    /// Whether Kafka answers.
    pub(crate) fn set_kafka(&self, answer: Result<(), String>, now: Timestamp) {
        let mut state = self.state();
        if state.kafka.set(answer, now) {
            state.sites_change = state.change + 1;
            self.changed(&mut state);
        }
    }

    fn changed(&self, state: &mut State) {
        state.change += 1;
        self.changes.send_replace(state.change);
    }
}

impl State {
    /// The number of the last change.
    pub(crate) fn change(&self) -> u64 {
        self.change
    }

    /// Whether a pipeline is one of those that are shown: a site has told of it.
    pub(crate) fn shows(&self, pipeline: &PipelineName) -> bool {
        let PipelineName { namespace, pipeline } = pipeline;
        self.sites.keys().any(|owner| owner.namespace == *namespace && owner.pipeline == *pipeline)
    }

    /// All alerts, the newest first.
    pub(crate) fn newest_alerts(&self) -> Vec<Arc<Alert>> {
        self.alerts.newest().map(|kept| Arc::clone(&kept.value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use vedette_contract::silence::Silence;
    use vedette_contract::verdict::JudgedKey;

    use super::*;
    use crate::testing::alert;

    #[test]
    fn an_alert_that_is_read_twice_is_one() {
        let (store, now) = (Store::new(Metrics::default()), "2026-11-23T12:00:00Z".parse().unwrap());
        let changes = store.changes();
        for _ in 0..2 {
            store.add_alert(alert("east", "2026-11-23T11:59:00Z", "{}"), now);
        }
        assert_eq!((store.state().alerts.len(), *changes.borrow()), (1, 1));
        store.add_alert(alert("west", "2026-11-23T11:59:00Z", "1"), now);
        assert_eq!((store.state().alerts.len(), *changes.borrow()), (2, 2));
    }

    fn pipeline() -> PipelineName {
        crate::testing::owner("east").pipeline_name()
    }

    fn silence(number: u8) -> KeptSilence {
        let key = format!("team/flows/silences/east/20261123T0842{number:02}Z-1a2b3c4d.json");
        let silence = serde_json::json!({
            "match": "true", "from": "2026-11-23T08:00:00Z", "until": "2026-11-23T10:00:00Z", "by": "ada", "why": "a test",
        });
        KeptSilence {
            key: pipeline().keys().silence_of(&key).unwrap(),
            silence: Silence::read(silence.to_string().as_bytes()).unwrap(),
        }
    }

    #[test]
    fn what_was_read_before_a_silence_was_written_here_does_not_take_it_away() {
        let (store, pipeline) = (Store::new(Metrics::default()), pipeline());
        let kept = || store.state().people[&pipeline].silences.all.clone();
        let read = |all: &[KeptSilence]| Silences { all: all.to_vec(), passed: Vec::new() };
        let before = store.written(&pipeline);
        store.put_silence(&pipeline, silence(1));
        store.set_silences(&pipeline, read(&[]), before);
        assert_eq!(kept(), [silence(1)]);
        // Somebody else deletes it, and what is read is what was read before it was written.
        store.set_silences(&pipeline, read(&[]), store.written(&pipeline));
        assert!(kept().is_empty());
        store.set_silences(&pipeline, read(&[silence(2)]), store.written(&pipeline));
        let before = store.written(&pipeline);
        store.drop_silence(&pipeline, &silence(2));
        store.set_silences(&pipeline, read(&[silence(2)]), before);
        assert!(kept().is_empty());
    }

    #[test]
    fn a_verdict_that_was_given_here_stays_while_older_ones_are_read() {
        let (store, pipeline) = (Store::new(Metrics::default()), pipeline());
        let verdict = |number: u8, finding: &str| {
            let key = format!("team/flows/labels/east/2026-11/20261123T0842{number:02}Z-1a2b3c4d.json");
            let verdict = serde_json::json!({
                "alert": {"uuid": "u", "site": "east", "detectedUtc": "2026-11-23T08:00:00Z"}, "verdict": finding,
                "by": "ada", "why": "a test", "at": format!("2026-11-23T08:42:{number:02}Z"),
            });
            let key = pipeline.keys().verdict_of(&key).unwrap();
            vedette_registry::verdicts::understood(key, verdict.to_string().as_bytes()).unwrap()
        };
        store.put_verdict(&pipeline, verdict(9, "anomaly"));
        let change = store.state().change();
        store.add_verdicts(&pipeline, vec![verdict(9, "anomaly")]);
        assert_eq!(store.state().change(), change, "it is known");
        store.add_verdicts(&pipeline, vec![verdict(1, "expected")]);
        let state = store.state();
        let verdicts = &state.people[&pipeline].verdicts;
        assert_eq!(
            verdicts.all.iter().map(|kept| kept.key.clone()).collect::<Vec<_>>(),
            [verdict(9, "anomaly").key, verdict(1, "expected").key]
        );
        let site = "east".parse().unwrap();
        let standing = verdicts.standing_of(JudgedKey::Alert { site: &site, uuid: "u" }).unwrap();
        assert_eq!(standing.verdict.finding().as_str(), "anomaly");
    }

    #[test]
    fn that_a_source_does_not_answer_is_news_once() {
        let (store, now) = (Store::new(Metrics::default()), "2026-11-23T12:00:00Z".parse().unwrap());
        store.set_bucket(Ok(()), now);
        let change = store.state().change();
        for _ in 0..2 {
            store.set_bucket(Err("no".to_owned()), now);
        }
        assert_eq!(store.state().change(), change + 1);
        assert_eq!(store.state().bucket.trouble.as_deref(), Some("no"));
    }
}
