//! What the processes of a pipeline know: each tells it by an object of its own, and whoever looks after the pipeline at their site
//! deletes what has grown old.

use std::convert::Infallible;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};
use vedette_contract::Name;
use vedette_contract::health::{Gap, HEALTH_KEPT, Health};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::{Bucket, BucketError, JsonError};

use crate::RegistryError;

/// How often is looked whether there is anything new to tell.
const LOOK: Duration = Duration::from_secs(10);
/// What is not new is told again after this long: readers go by its age.
const AGAIN: SignedDuration = SignedDuration::from_secs(50);

/// Writes what a process knows, whatever was there.
pub async fn write(bucket: &Bucket, keys: &PipelineKeys, health: &Health) -> Result<(), RegistryError> {
    let body = serde_json::to_vec(health).map_err(RegistryError::Json)?;
    Ok(bucket.put(&keys.health(&health.site, &health.pod), body.into()).await?)
}

/// What the processes of a site tell. What cannot be read is left out: its process writes it again. What was not written for a day
/// is deleted.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn load_all(
    bucket: &Bucket,
    keys: &PipelineKeys,
    site: &Name,
    now: Timestamp,
) -> Result<Vec<Health>, BucketError> {
    let mut all = Vec::new();
    for object in bucket.list(&keys.health_prefix(site), None).await? {
        match bucket.get_json::<Health>(&object.key).await {
            Ok(Some(health)) if now.duration_since(health.updated_at) > HEALTH_KEPT => {
                delete(bucket, &object.key).await;
            }
            Ok(health) => all.extend(health),
            Err(JsonError::Bucket(error)) => return Err(error),
            Err(JsonError::Content { key, source }) => {
                warn!(key, error = %source, "what a process tells cannot be read");
            }
        }
    }
    Ok(all)
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
            detector: None,
        }
    }

    #[tokio::test]
    async fn each_process_is_heard_and_what_is_a_day_old_goes() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let east: Name = "east".parse().unwrap();
        let (old, new) = (health("d-1", "2026-11-22T07:59:59Z"), health("d-2", "2026-11-22T08:00:00Z"));
        for health in [&old, &new] {
            write(&served.bucket, &keys, health).await.unwrap();
        }
        served.put(&keys.health(&"west".parse().unwrap(), "d-3"), "{}").await;
        served.put(&keys.health(&east, "d-4"), "{half").await;
        let load = async |now: &str| load_all(&served.bucket, &keys, &east, now.parse().unwrap()).await.unwrap();
        assert_eq!(load("2026-11-23T07:59:59Z").await, [old, new.clone()]);
        assert_eq!(load("2026-11-23T08:00:00Z").await, std::slice::from_ref(&new));
        assert_eq!(load("2026-11-23T07:59:59Z").await, [new], "it is gone");
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
            heard = tokio::time::timeout(Duration::from_secs(60), heard) => heard.unwrap(),
        }
    }
}
