//! `current.json`, the one mutable object of a training: loaded with the tag that it can be swapped by, and swapped only
//! for what was decided about exactly that content.

use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::CurrentPointer;
use vedette_streams::bucket::{Bucket, ETag, Swap};

use crate::{RegistryError, json};

/// How often a swap is tried when others are faster.
const ATTEMPTS: u32 = 10;

/// The pointer as it stood when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub pointer: CurrentPointer,
    tag: ETag,
}

/// What is to become of the pointer that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// This takes its place, with the generation that follows and what the one before it remembers.
    Replace(CurrentPointer),
    /// It stays, for this reason.
    Keep(T),
}

/// What became of the pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<T> {
    /// It was swapped.
    Replaced {
        /// What it says now.
        pointer: CurrentPointer,
        /// The version that it named before.
        previous: Option<ModelVersion>,
    },
    /// It stayed, for this reason.
    Kept(T),
}

/// Reads the pointer; `None` when nothing was published yet.
pub async fn load(bucket: &Bucket, keys: &ModelKeys) -> Result<Option<Stored>, RegistryError> {
    let key = keys.current();
    let Some(object) = bucket.get(&key).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&object.bytes) {
        Ok(pointer) => Ok(Some(Stored { pointer, tag: object.etag })),
        Err(source) => Err(RegistryError::PointerUnreadable { key, source }),
    }
}

/// Changes the pointer from what was seen; where another came between, it is decided anew about that one.
pub async fn update<T>(
    bucket: &Bucket,
    keys: &ModelKeys,
    mut seen: Option<Stored>,
    decide: impl Fn(Option<&CurrentPointer>) -> Change<T>,
) -> Result<Changed<T>, RegistryError> {
    let key = keys.current();
    for _ in 0..ATTEMPTS {
        let old = seen.as_ref().map(|seen| &seen.pointer);
        let mut pointer = match decide(old) {
            Change::Keep(why) => return Ok(Changed::Kept(why)),
            Change::Replace(pointer) => pointer,
        };
        pointer.generation = old.map_or(0, |old| old.generation) + 1;
        pointer.earlier = old.map(CurrentPointer::so_far).unwrap_or_default();
        match bucket.swap(&key, json::pretty(&pointer)?, seen.as_ref().map(|seen| &seen.tag)).await? {
            Swap::Swapped(_) => {
                return Ok(Changed::Replaced { pointer, previous: seen.map(|seen| seen.pointer.version) });
            }
            Swap::Conflict => seen = load(bucket, keys).await?,
        }
    }
    Err(RegistryError::Contention { key, attempts: ATTEMPTS })
}

#[cfg(test)]
mod tests {
    use vedette_contract::model::EARLIER;

    use super::*;
    use crate::testing::{after, models, pointer};
    use vedette_testing::TestBucket;

    /// Makes a version of day 20 current where another pointer came after the one that was seen.
    async fn replace(first: Option<CurrentPointer>, between: CurrentPointer) -> (Changed<u64>, CurrentPointer) {
        let served = TestBucket::serve().await;
        let put = async |pointer: &CurrentPointer| {
            served.bucket.put(&models().current(), json::pretty(pointer).unwrap()).await.unwrap();
        };
        if let Some(first) = &first {
            put(first).await;
        }
        let seen = load(&served.bucket, &models()).await.unwrap();
        assert_eq!(seen.as_ref().map(|seen| &seen.pointer), first.as_ref());
        put(&between).await;
        let decide = |old: Option<&CurrentPointer>| match old {
            Some(old) if old.generation > 100 => Change::Keep(old.generation),
            _ => Change::Replace(pointer(20, 0, "daily-9")),
        };
        let changed = update(&served.bucket, &models(), seen, decide).await.unwrap();
        (changed, load(&served.bucket, &models()).await.unwrap().unwrap().pointer)
    }

    #[tokio::test]
    async fn the_generation_follows_the_pointer_that_is_replaced_and_not_the_one_that_was_seen() {
        for first in [None, Some(pointer(10, 3, "daily-1"))] {
            let (changed, now) = replace(first, pointer(19, 7, "daily-8")).await;
            assert_eq!(now, after(&pointer(19, 7, "daily-8"), pointer(20, 8, "daily-9")));
            assert_eq!(changed, Changed::Replaced { pointer: now, previous: Some(pointer(19, 7, "").version) });
        }
    }

    #[tokio::test]
    async fn what_came_between_is_decided_about_anew_also_where_nothing_was_seen() {
        for first in [None, Some(pointer(10, 3, "daily-1"))] {
            let between = pointer(19, 101, "daily-8");
            let (changed, now) = replace(first, between.clone()).await;
            assert_eq!((changed, now), (Changed::Kept(101), between));
        }
    }

    #[tokio::test]
    async fn what_was_current_is_remembered_newest_first_and_not_for_ever() {
        let served = TestBucket::serve().await;
        for swap in 0..25 {
            let seen = load(&served.bucket, &models()).await.unwrap();
            let job = format!("daily-{swap}");
            let replace = |_: Option<&CurrentPointer>| Change::<()>::Replace(pointer(swap + 1, 0, &job));
            update(&served.bucket, &models(), seen, replace).await.unwrap();
        }
        let now = load(&served.bucket, &models()).await.unwrap().unwrap().pointer;
        let version = |day| pointer(day, 0, "").version;
        assert_eq!((now.generation, now.earlier.len()), (25, EARLIER));
        assert_eq!((now.previous(), now.earlier[0].published_by.as_str()), (Some(&version(24)), "daily-23"));
        assert_eq!([25, 5, 4].map(|day| now.has_named(&version(day))), [true, true, false]);
    }

    #[tokio::test]
    async fn a_pointer_that_is_none_is_an_error_and_stays() {
        let served = TestBucket::serve().await;
        served.bucket.put(&models().current(), "{half".into()).await.unwrap();
        let refused = load(&served.bucket, &models()).await.unwrap_err();
        assert_eq!(refused.reason(), "PointerUnreadable");
        assert!(refused.to_string().contains("team/models/daily/current.json"), "{refused}");
        let replace = |_: Option<&CurrentPointer>| Change::<()>::Replace(pointer(20, 0, "daily-9"));
        assert!(update(&served.bucket, &models(), None, replace).await.is_err());
        assert_eq!(served.bucket.get(&models().current()).await.unwrap().unwrap().bytes, "{half");
    }
}
