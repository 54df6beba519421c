//! What the processes of a pipeline know: each tells it by an object of its own, and whoever looks after the pipeline at their site
//! deletes what has grown old.

use std::convert::Infallible;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};
use vedette_contract::Name;
use vedette_contract::health::{GAPS_TOLD, Gap, HEALTH_KEPT, Health};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::{Bucket, BucketError, JsonError, ObjectSummary};

use crate::RegistryError;

/// How often is looked whether there is anything new to tell.
const LOOK: Duration = Duration::from_secs(10);
/// So many objects are read at once.
const CONCURRENCY: usize = 8;
/// What is not new is told again after this long: readers go by its age.
const AGAIN: SignedDuration = SignedDuration::from_secs(50);

/// Writes what a process knows, whatever was there.
pub async fn write(bucket: &Bucket, keys: &PipelineKeys, health: &Health) -> Result<(), RegistryError> {
    let body = serde_json::to_vec(health).map_err(RegistryError::Json)?;
    Ok(bucket.put(&keys.health(&health.site, &health.pod), body.into()).await?)
}

/// What the processes of a site tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// By pod. What was not written for as long as losses are told is left out, and so is what cannot be read: its process writes it again.
    pub all: Vec<Health>,
    /// When that was, by the clock of the bucket, by which all times of it are.
    pub now: Timestamp,
}

/// Reads what the processes of a site tell, and deletes what was not written for a day.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn load_all(bucket: &Bucket, keys: &PipelineKeys, site: &Name) -> Result<Told, BucketError> {
    let objects = bucket.list(&keys.health_prefix(site), None).await?;
    let now = bucket.now();
    let Aged { old, recent } = Aged::of(objects, now);
    for object in old {
        delete(bucket, &object.key).await;
    }
    let all = stream::iter(recent).map(|object| load(bucket, object)).buffered(CONCURRENCY);
    let all: Vec<Option<Health>> = all.try_collect().await?;
    Ok(Told { all: all.into_iter().flatten().collect(), now })
}

/// Reads what the processes of all sites of a pipeline tell, and changes nothing. Each is what its key says.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn load_all_sites(bucket: &Bucket, keys: &PipelineKeys) -> Result<Told, BucketError> {
    let objects = bucket.list(&keys.all_health_prefix(), None).await?;
    let now = bucket.now();
    let load_own = async |object: ObjectSummary| {
        let key = object.key.clone();
        let told = load(bucket, object).await?;
        Ok(told.filter(|health| keys.health(&health.site, &health.pod) == key))
    };
    let all: Vec<Option<Health>> =
        stream::iter(Aged::of(objects, now).recent).map(load_own).buffered(CONCURRENCY).try_collect().await?;
    Ok(Told { all: all.into_iter().flatten().collect(), now })
}

/// Objects by when they were written; what is neither needs no look.
#[derive(Debug, Default, PartialEq, Eq)]
struct Aged {
    old: Vec<ObjectSummary>,
    recent: Vec<ObjectSummary>,
}

impl Aged {
    /// A server that does not say when it was written is asked for it always.
    fn of(objects: Vec<ObjectSummary>, now: Timestamp) -> Self {
        let mut aged = Self::default();
        for object in objects {
            match object.last_modified.map(|written| now.duration_since(written)) {
                Some(age) if age > HEALTH_KEPT => aged.old.push(object),
                Some(age) if age > GAPS_TOLD => {}
                Some(_) | None => aged.recent.push(object),
            }
        }
        aged
    }
}

async fn load(bucket: &Bucket, object: ObjectSummary) -> Result<Option<Health>, BucketError> {
    match bucket.get_json::<Health>(&object.key).await {
        Ok(health) => Ok(health.map(|health| health.by_clock(object.last_modified))),
        Err(JsonError::Bucket(error)) => Err(error),
        Err(JsonError::Content { key, source }) => {
            warn!(key, error = %source, "what a process tells cannot be read");
            Ok(None)
        }
    }
}

/// That it stays does no harm; it is deleted at the next look.
async fn delete(bucket: &Bucket, key: &str) {
    if let Err(error) = bucket.delete(key).await {
        warn!(key, %error, "what a process told long ago cannot be deleted yet");
    }
}

/// Tells what a process knows for as long as it runs. `look` is asked every ten seconds. The gaps that a process of this pod told
/// before, whose end may have been the next thing, are told again. A bucket that does not take it is told of once, and tried again.
pub async fn tell(bucket: &Bucket, keys: &PipelineKeys, look: impl FnMut(Timestamp) -> Health) -> Infallible {
    tell_every(LOOK, bucket, keys, look).await
}

async fn tell_every(
    pause: Duration,
    bucket: &Bucket,
    keys: &PipelineKeys,
    mut look: impl FnMut(Timestamp) -> Health,
) -> Infallible {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut written, mut failing): (Option<Vec<Gap>>, Option<Health>, Option<Instant>) =
        (None, None, None);
    loop {
        ticks.tick().await;
        let health = look(Timestamp::now());
        if before.is_none() {
            before = gaps_told_before(bucket, keys, &health).await;
        }
        let Some(before) = &before else { continue };
        let health = Health { gaps: Gap::last(before, &health.gaps), ..health };
        if !is_due(written.as_ref(), &health) {
            continue;
        }
        match write(bucket, keys, &health).await {
            Ok(()) => {
                written = Some(health);
                if let Some(since) = failing.take() {
                    info!(seconds = since.elapsed().as_secs(), "what this process knows is told again");
                }
            }
            Err(error) if failing.is_none() => {
                failing = Some(Instant::now());
                warn!(reason = error.reason(), %error, "what this process knows cannot be told; it goes on and tries again");
            }
            Err(_) => {}
        }
    }
}

/// What a process of this pod told as lost; `None` where the bucket may tell later. One that does not let it be read, or holds what is no
/// health, knows of none.
async fn gaps_told_before(bucket: &Bucket, keys: &PipelineKeys, health: &Health) -> Option<Vec<Gap>> {
    match bucket.get_json::<Health>(&keys.health(&health.site, &health.pod)).await {
        Ok(told) => Some(told.map(|told| told.gaps).unwrap_or_default()),
        Err(JsonError::Bucket(error)) if error.is_retriable() => None,
        Err(error) => {
            warn!(%error, "what this pod told before cannot be read");
            Some(Vec::new())
        }
    }
}

/// Whether this has to be written, the last one written being that.
fn is_due(last: Option<&Health>, next: &Health) -> bool {
    last.is_none_or(|last| {
        next.updated_at.duration_since(last.updated_at) >= AGAIN
            || *last != Health { updated_at: last.updated_at, ..next.clone() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_contract::health::HealthComponent;
    use vedette_testing::TestBucket;

    fn keys() -> PipelineKeys {
        PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
    }

    fn health(pod: &str, at: &str) -> Health {
        let at = at.parse().unwrap();
        Health {
            site: "east".parse().unwrap(),
            pod: pod.to_owned(),
            component: HealthComponent::Detector,
            started_at: at,
            updated_at: at,
            topics: Vec::new(),
            gaps: Vec::new(),
            unready: Vec::new(),
            detector: None,
            notifier: None,
        }
    }

    #[tokio::test]
    async fn each_process_is_heard_by_the_clock_of_the_bucket_and_what_is_a_day_old_goes() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let east: Name = "east".parse().unwrap();
        let key = |pod: &str| keys.health(&east, pod);
        // The clock of its node is wrong.
        write(&served.bucket, &keys, &health("d-1", "2031-01-01T08:00:00Z")).await.unwrap();
        for pod in ["d-2", "d-3"] {
            write(&served.bucket, &keys, &health(pod, "2026-11-22T08:00:00Z")).await.unwrap();
        }
        served.put(&keys.health(&"west".parse().unwrap(), "d-4"), "{}").await;
        for pod in ["d-5", "d-6"] {
            served.put(&key(pod), "{half").await;
        }
        served.age(&key("d-2"), SignedDuration::from_hours(2));
        for pod in ["d-3", "d-6"] {
            served.age(&key(pod), SignedDuration::from_hours(25));
        }
        let Told { all, now } = load_all(&served.bucket, &keys, &east).await.unwrap();
        assert!(all.len() == 1 && all[0].pod == "d-1" && all[0].is_fresh(now), "{all:?} {now}");
        let left: Vec<String> = served
            .bucket
            .list(&keys.health_prefix(&east), None)
            .await
            .unwrap()
            .into_iter()
            .map(|object| object.key)
            .collect();
        assert_eq!(left, [key("d-1"), key("d-2"), key("d-5")]);
    }

    #[test]
    fn what_no_condition_depends_on_is_not_read() {
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let object = |age: Option<i64>| ObjectSummary {
            key: format!("{age:?}"),
            length: 1,
            last_modified: age.map(|seconds| now - SignedDuration::from_secs(seconds)),
        };
        let all = [None, Some(-9), Some(3_600), Some(3_601), Some(86_400), Some(86_401)].map(object);
        let Aged { old, recent } = Aged::of(all.to_vec(), now);
        assert_eq!(recent, all[..3]);
        assert_eq!(old, all[5..]);
    }

    #[test]
    fn what_is_new_is_told_and_what_is_not_before_it_grows_old() {
        let first = health("d-1", "2026-11-22T08:00:00Z");
        let later = |second: u8| Health {
            updated_at: format!("2026-11-22T08:00:{second:02}Z").parse().unwrap(),
            ..first.clone()
        };
        assert!(is_due(None, &first) && !is_due(Some(&first), &later(40)) && is_due(Some(&first), &later(50)));
        let news = Health { component: HealthComponent::Archiver, ..later(1) };
        assert!(is_due(Some(&first), &news));
    }

    #[tokio::test]
    async fn a_process_that_begins_anew_goes_on_telling_what_was_lost() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let gap = |start: i64| Gap {
            topic: "s".parse().unwrap(),
            partition: 0,
            start,
            end: start + 9,
            found_at: "2026-11-22T08:00:00Z".parse().unwrap(),
        };
        let before = Health { gaps: vec![gap(0)], ..health("d-1", "2026-11-22T08:00:00Z") };
        write(&served.bucket, &keys, &before).await.unwrap();
        let telling = tell_every(Duration::from_millis(10), &served.bucket, &keys, |_| Health {
            gaps: vec![gap(50)],
            ..health("d-1", "2026-11-22T09:00:00Z")
        });
        let key = keys.health(&"east".parse().unwrap(), "d-1");
        let heard = vedette_testing::eventually("both are told", async || {
            served.json::<Health>(&key).await.is_some_and(|told| told.gaps == [gap(0), gap(50)])
        });
        tokio::select! {
            never = telling => match never {},
            () = heard => {}
        }
    }

    #[tokio::test]
    async fn a_bucket_that_is_away_is_tried_again() {
        let (mut served, keys) = (TestBucket::serve().await, keys());
        let bucket = served.bucket.clone();
        served.go_away().await;
        let looks = std::cell::Cell::new(0);
        let telling = tell_every(Duration::from_millis(10), &bucket, &keys, |_| {
            looks.set(looks.get() + 1);
            health("d-1", "2026-11-22T08:00:00Z")
        });
        let heard = async {
            while looks.get() < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            served.come_back().await;
            while served.json::<Health>(&keys.health(&"east".parse().unwrap(), "d-1")).await.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            never = telling => match never {},
            heard = tokio::time::timeout(Duration::from_secs(240), heard) => heard.unwrap(),
        }
    }
}
