//! What is known at the moment, in memory and bounded: the newest alerts and incidents of all sites, and how the sites stand.
//! Those that read write here; those that answer read here, and a change is a number that grows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use vedette_contract::incident::{Incident, IncidentId};
use vedette_contract::progress::SiteStatus;
use vedette_registry::silences::{KeptSilence, Silences};
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
    pub(crate) trainings: BTreeMap<PipelineName, TrainingView>,
    pub(crate) people: BTreeMap<PipelineName, People>,
    /// The change by which a silence or a verdict came, or became another.
    pub(crate) people_change: u64,
    pub(crate) bucket: SourceView,
    pub(crate) kafka: SourceView,
}

/// What people wrote of a pipeline.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) silences: Silences,
    /// The newest, also those whose place a later one took.
    pub(crate) verdicts: Verdicts,
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

    /// Forgets pipelines that are not there any more.
    pub(crate) fn retain_pipelines(&self, is_there: impl Fn(&PipelineName) -> bool) {
        let mut state = self.state();
        state.sites.retain(|Owner { namespace, pipeline, site: _ }, _| {
            is_there(&PipelineName { namespace: namespace.clone(), pipeline: pipeline.clone() })
        });
        state.own.retain(|pipeline, _| is_there(pipeline));
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

    /// The silences of a pipeline, as they were read.
    pub(crate) fn set_silences(&self, pipeline: &PipelineName, silences: Silences) {
        self.change_people(pipeline, |people| std::mem::replace(&mut people.silences, silences) != people.silences);
    }

    /// The newest verdicts of a pipeline, as they were read.
    pub(crate) fn set_verdicts(&self, pipeline: &PipelineName, verdicts: Verdicts) {
        self.change_people(pipeline, |people| std::mem::replace(&mut people.verdicts, verdicts) != people.verdicts);
    }

    /// A silence that was written here just now.
    pub(crate) fn put_silence(&self, pipeline: &PipelineName, kept: KeptSilence) {
        self.change_people(pipeline, |people| {
            people.silences.all.retain(|other| other.key != kept.key);
            people.silences.all.push(kept);
            true
        });
    }

    /// A silence that was deleted here just now.
    pub(crate) fn drop_silence(&self, pipeline: &PipelineName, kept: &KeptSilence) {
        self.change_people(pipeline, |people| {
            people.silences.all.retain(|other| other.key != kept.key);
            true
        });
    }

    /// A verdict that was written here just now.
    pub(crate) fn put_verdict(&self, pipeline: &PipelineName, kept: KeptVerdict) {
        self.change_people(pipeline, |people| {
            people.verdicts.all.push(kept);
            true
        });
    }

    fn change_people(&self, pipeline: &PipelineName, change: impl FnOnce(&mut People) -> bool) {
        let mut state = self.state();
        if change(state.people.entry(pipeline.clone()).or_default()) {
            state.people_change = state.change + 1;
            self.changed(&mut state);
        }
    }

    /// The models of all trainings.
    pub(crate) fn set_trainings(&self, trainings: BTreeMap<PipelineName, TrainingView>) {
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
