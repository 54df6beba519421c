//! How a pipeline stands at its sites, from the objects that each site writes: its status, what its processes know, and how far its
//! archive has come.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use vedette_contract::health::{DetectorHealth, Health, HealthComponent};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;
use vedette_contract::{ModelVersion, Name};
use vedette_streams::bucket::{Bucket, BucketError, JsonError};

use crate::health;

/// A site of which nothing was heard for so long is silent: its operator tells every five minutes, its processes every minute.
const SILENCE: SignedDuration = SignedDuration::from_mins(6);

/// What runs of a pipeline that is deleted has ended within so long; whatever is heard of it later, it is there.
const ENDING: SignedDuration = SignedDuration::from_mins(15);

/// What one site wrote.
#[derive(Debug, Clone, Default)]
pub struct Heard<'a> {
    /// Its status.
    pub status: Option<&'a SiteStatus>,
    /// What its processes tell.
    pub processes: Vec<&'a Health>,
    /// When one of them wrote anything, by the bucket's clock.
    pub wrote: Option<Timestamp>,
}

/// How a pipeline stands at a site. Sums are over the processes that are there; those of a detector count from its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether the pipeline is Ready there, as its operator says; none where it has not said anything.
    pub ready: Option<bool>,
    /// The training whose models it follows.
    pub training: Option<Name>,
    /// The version that its detectors run.
    pub model_version: Option<ModelVersion>,
    /// When anything was heard of the site last.
    pub heard_utc: Option<Timestamp>,
    /// The same, where that is too long ago; none where the site speaks.
    pub silent_since_utc: Option<Timestamp>,
    /// Detectors that are there.
    pub detectors: usize,
    /// Records that they have read.
    pub records: u64,
    /// Alerts among them.
    pub alerts: u64,
    /// Records that they have not come to yet.
    pub lag_records: u64,
    /// How long the oldest of these waits.
    pub lag_seconds: f64,
    /// Records that retention deleted before any process read them.
    pub lost_records: u64,
    /// Records that could not be read or scored.
    pub dead_letters: u64,
    /// A record alerts whose score is greater.
    pub threshold: Option<f64>,
    /// How many records per million may alert, as its operator says; none where a score was chosen, or it does not say.
    pub alert_budget_per_million: Option<f64>,
    /// Conditions of readiness that do not hold.
    pub unready: Vec<UnreadyProcess>,
}

/// A condition of readiness of a process that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadyProcess {
    /// Name of its pod.
    pub pod: String,
    /// The condition, as `/readyz` has it.
    pub condition: String,
    /// Why it does not hold: what to do.
    pub reason: String,
}

impl<'a> Heard<'a> {
    /// Whether the pipeline was deleted at the site, as its operator said last: nothing more is to be heard of it there.
    pub fn is_over(&self) -> bool {
        let deleted = self.status.filter(|status| status.deleted).map(|status| status.updated_at);
        deleted.is_some_and(|deleted| self.last().is_none_or(|last| last.duration_since(deleted) <= ENDING))
    }

    /// When anything was heard of it last.
    fn last(&self) -> Option<Timestamp> {
        let Self { status, processes, wrote } = self;
        let told = processes.iter().map(|health| health.updated_at);
        told.chain(status.map(|status| status.updated_at)).chain(*wrote).max()
    }

    /// The processes that are still there, as far as one can tell.
    pub fn fresh(&self, now: Timestamp) -> impl Iterator<Item = &'a Health> {
        self.processes.iter().copied().filter(move |health| health.is_fresh(now))
    }
}

impl Standing {
    /// By what was heard of a site until now.
    pub fn of(heard: &Heard<'_>, now: Timestamp) -> Self {
        let (status, last) = (heard.status, heard.last());
        let fresh: Vec<&Health> = heard.fresh(now).collect();
        let detectors = || fresh.iter().filter(|health| health.component == HealthComponent::Detector);
        let told = || detectors().filter_map(|health| health.detector.as_ref());
        let sum = |of: fn(&DetectorHealth) -> u64| told().map(of).sum::<u64>();
        let read = || detectors().flat_map(|health| &health.topics);
        let running = || told().find_map(|detector| detector.model_version.clone());
        Self {
            ready: status.map(|status| status.ready),
            training: status.and_then(|status| status.training.clone()),
            model_version: status.and_then(|status| status.model_version.clone()).or_else(running),
            heard_utc: last,
            silent_since_utc: last.filter(|last| now.duration_since(*last) > SILENCE),
            detectors: detectors().count(),
            records: read().map(|topic| topic.records).sum(),
            alerts: sum(|detector| detector.alerts),
            lag_records: read().map(|topic| topic.lag_records).sum(),
            lag_seconds: read().filter_map(|topic| topic.lag_seconds).fold(0.0, f64::max),
            lost_records: fresh.iter().flat_map(|health| &health.topics).map(|topic| topic.lost_records).sum(),
            dead_letters: sum(|detector| detector.dead_letters.values().sum()),
            threshold: told().map(|detector| detector.threshold).next_back(),
            alert_budget_per_million: status.and_then(|status| status.alert_budget_per_million),
            unready: fresh.iter().flat_map(|health| unready(health)).collect(),
        }
    }
}

fn unready(health: &Health) -> impl Iterator<Item = UnreadyProcess> {
    health.unready.iter().map(|unready| UnreadyProcess {
        pod: health.pod.clone(),
        condition: unready.condition.clone(),
        reason: unready.reason.clone(),
    })
}

/// How the pipeline stands at each site that has told of itself and where it was not deleted, by the clock of the bucket. It only reads.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn load_all(bucket: &Bucket, keys: &PipelineKeys) -> Result<BTreeMap<Name, Standing>, BucketError> {
    let mut statuses = BTreeMap::new();
    for object in bucket.list(&keys.sites_prefix(), None).await? {
        let Some(site) = keys.site_of(&object.key) else { continue };
        let status = match bucket.get_json::<SiteStatus>(&object.key).await {
            Ok(status) => status.map(|status| status.by_clock(object.last_modified)),
            Err(JsonError::Bucket(error)) => return Err(error),
            // The others are told of, and of this one what else is known.
            Err(error @ JsonError::Content { .. }) => {
                tracing::warn!(%error, %site, "what the operator of a site says of the pipeline is passed");
                None
            }
        };
        statuses.insert(site, status);
    }
    let health::Told { all, now } = health::load_all_sites(bucket, keys).await?;
    let mut heard = BTreeMap::<Name, Heard<'_>>::new();
    for (site, status) in &statuses {
        heard.entry(site.clone()).or_default().status = status.as_ref();
    }
    for health in &all {
        heard.entry(health.site.clone()).or_default().processes.push(health);
    }
    // What is too old to be read tells when it was written.
    for prefix in [keys.all_health_prefix(), keys.progress_prefix()] {
        for object in bucket.list(&prefix, None).await? {
            let Some(site) = keys.site_of(&object.key) else { continue };
            let heard = heard.entry(site).or_default();
            heard.wrote = heard.wrote.max(object.last_modified);
        }
    }
    let there = heard.into_iter().filter(|(_, heard)| !heard.is_over());
    Ok(there.map(|(site, heard)| (site, Standing::of(&heard, now))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_testing::TestBucket;

    fn keys() -> PipelineKeys {
        PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
    }

    fn health(site: &str, pod: &str) -> serde_json::Value {
        serde_json::json!({
            "site": site, "pod": pod, "component": "detector", "started_at": "2026-11-23T08:00:00Z",
            "updated_at": "2026-11-23T08:00:00Z", "topics": [{ "topic": "t", "records": 100, "lag_records": 5, "lag_seconds": 1.5 }],
            "unready": [{ "condition": "model", "reason": "publish one" }],
            "detector": { "alerts": 3, "threshold": 0.9, "dead_letters": { "empty": 2 }, "model_version": "20261123T084210Z-1a2b3c4d" }
        })
    }

    #[tokio::test]
    async fn a_site_whose_clock_is_before_is_silent_since_its_status_was_written() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let site: Name = "east".parse().unwrap();
        let status = serde_json::json!({
            "site": site, "training": null, "model_version": null, "ready": true, "updated_at": "2999-01-01T00:00:00Z",
        });
        served.put_json(&keys.site(&site), &status).await;
        let standing = async || load_all(&served.bucket, &keys).await.unwrap().remove(&site).unwrap();
        assert_eq!(standing().await.silent_since_utc, None);
        served.age(&keys.site(&site), SignedDuration::from_hours(2));
        let silent = served.bucket.now().duration_since(standing().await.silent_since_utc.unwrap());
        assert!((119..=121).contains(&silent.as_mins()), "{silent}");
    }

    #[tokio::test]
    async fn a_pipeline_that_was_deleted_is_not_silent_but_gone_unless_something_is_heard_of_it() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let site: Name = "east".parse().unwrap();
        let status = |deleted: bool| {
            serde_json::json!({
                "site": site, "training": null, "model_version": null, "ready": false, "deleted": deleted,
                "updated_at": "2026-11-23T08:00:00Z",
            })
        };
        let standing = async || load_all(&served.bucket, &keys).await.unwrap().remove(&site);
        served.put_json(&keys.health(&site, "d-1"), &health("east", "d-1")).await;
        served.put_json(&keys.site(&site), &status(true)).await;
        assert_eq!(standing().await, None, "what runs of it has some minutes to end");
        for key in [keys.site(&site), keys.health(&site, "d-1")] {
            served.age(&key, SignedDuration::from_hours(2));
        }
        assert_eq!(standing().await, None);
        served.put_json(&keys.health(&site, "d-1"), &health("east", "d-1")).await;
        assert_eq!(standing().await.unwrap().detectors, 1, "it runs all the same");
        served.age(&keys.health(&site, "d-1"), SignedDuration::from_hours(1));
        assert!(standing().await.unwrap().silent_since_utc.is_some(), "and then does not");
        served.put_json(&keys.site(&site), &status(false)).await;
        assert_eq!(standing().await.unwrap().silent_since_utc, None, "it was made again");
    }

    #[tokio::test]
    async fn a_site_is_the_sum_of_its_processes_and_one_that_is_not_heard_is_silent_since_its_last_word() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let [east, west]: [Name; 2] = ["east", "west"].map(|site| site.parse().unwrap());
        for pod in ["d-1", "d-2"] {
            served.put_json(&keys.health(&east, pod), &health("east", pod)).await;
        }
        // What lies under another site's key is not what that site told.
        served.put_json(&keys.health(&east, "stranger"), &health("west", "stranger")).await;
        served.put_json(&keys.health(&west, "d-1"), &health("west", "d-1")).await;
        served.age(&keys.health(&west, "d-1"), SignedDuration::from_hours(2));
        let all = load_all(&served.bucket, &keys).await.unwrap();
        let (here, gone) = (&all[&east], &all[&west]);
        assert_eq!((here.detectors, here.records, here.alerts, here.lag_records), (2, 200, 6, 10));
        assert_eq!((here.lag_seconds, here.dead_letters, here.ready, here.silent_since_utc), (1.5, 4, None, None));
        assert_eq!((here.unready.len(), here.unready[0].reason.as_str()), (2, "publish one"));
        assert_eq!(here.model_version.as_ref().unwrap().as_str(), "20261123T084210Z-1a2b3c4d");
        let silent = served.bucket.now().duration_since(gone.silent_since_utc.unwrap());
        assert!((119..=121).contains(&silent.as_mins()), "{silent}");
        assert_eq!((gone.detectors, gone.records, gone.model_version.as_ref()), (0, 0, None));
    }
}
