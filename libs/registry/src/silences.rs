//! The silences of a pipeline: all sites' are read, and each is written by one site, which deletes it long after its end.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::timeout;
use vedette_contract::Name;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::silence::{LARGEST_SILENCE, Silence, SilenceKey};
use vedette_streams::bucket::{Bucket, BucketError, ETag, Object, ObjectSummary, Swap};

use crate::each::each;
use crate::{CLOCK, PassedObject, RegistryError, json};

/// So many that may be over are looked at at once.
const DELETING: usize = 8;
/// Keys that one request lists.
const PAGE: usize = 1_000;
/// Of more silences the oldest are passed.
const MOST_SILENCES: usize = 10_000;
/// Times of a bucket may be whole seconds: what was read so soon after it was written may have been written once more since.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);
/// So long after its end a silence is kept for those who ask what was silenced then, and why.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// So many that may be over for that long are looked at when another is added.
const MOST_OLD: usize = 200;
/// So long that may take: whoever adds one waits for it, and some no longer than 10 s.
const DELETION: Duration = Duration::from_secs(3);
/// How often a silence is tried to be ended when others are faster.
const ATTEMPTS: u32 = 10;

/// A silence, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptSilence {
    #[serde(flatten)]
    pub key: SilenceKey,
    #[serde(flatten)]
    pub silence: Silence,
}

/// What stands below the silences of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Silences {
    /// By site and id.
    pub all: Vec<KeptSilence>,
    pub passed: Vec<PassedObject>,
}

/// Reads silences again and again, and of their objects those that are new or were written anew.
#[derive(Debug, Default)]
pub struct SilenceReader {
    seen: BTreeMap<String, Seen>,
    requests: usize,
}

#[derive(Debug, Clone)]
struct Seen {
    object: ObjectSummary,
    /// By the bucket's clock.
    read_at: Timestamp,
    read: Result<Silence, String>,
    /// That the bucket does not give it, which it may do next time.
    is_refused: bool,
}

impl Seen {
    /// Whether an object of a listing is surely still as it was read.
    fn is(&self, object: &ObjectSummary) -> bool {
        let is_settled = |written: Timestamp| self.read_at.duration_since(written) > SETTLED;
        !self.is_refused && self.object == *object && object.last_modified.is_some_and(is_settled)
    }
}

impl SilenceReader {
    /// How often the bucket was asked so far.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// What is there now.
    ///
    /// # Errors
    /// When the bucket cannot be read: what was read before stands.
    pub async fn read(&mut self, bucket: &Bucket, keys: &PipelineKeys) -> Result<Silences, BucketError> {
        self.read_some(bucket, keys, usize::MAX).await
    }

    /// What is there now, of which at most so many objects are read, the newest first. Those that are new and were not read are not
    /// there yet; those that were written anew are as they were.
    ///
    /// # Errors
    /// When the bucket cannot be read: what was read before stands.
    pub async fn read_some(
        &mut self,
        bucket: &Bucket,
        keys: &PipelineKeys,
        most: usize,
    ) -> Result<Silences, BucketError> {
        let mut passed = Vec::new();
        let mut found: Vec<(SilenceKey, ObjectSummary)> = Vec::new();
        let listed = bucket.list(&keys.silences_prefix(), None).await?;
        self.requests += 1 + listed.len() / PAGE;
        for object in listed {
            match keys.silence_of(&object.key) {
                Some(key) => found.push((key, object)),
                None => passed.push(PassedObject { key: object.key, why: "is not <site>/<id>.json".to_owned() }),
            }
        }
        found.sort_unstable_by(|(one, _), (other, _)| other.id.cmp(&one.id));
        let old = found.split_off(found.len().min(MOST_SILENCES)).into_iter();
        let too_many = format!("is older than {MOST_SILENCES} others");
        passed.extend(old.map(|(_, object)| PassedObject { key: object.key, why: too_many.clone() }));

        let mut known = std::mem::take(&mut self.seen);
        let (mut unread, mut refused) = (Vec::new(), Vec::new());
        for (_, object) in &found {
            let seen = known.remove(&object.key);
            match &seen {
                Some(seen) if seen.is(object) => {}
                Some(Seen { is_refused: true, .. }) => refused.push(object.clone()),
                Some(_) | None => unread.push(object.clone()),
            }
            self.seen.extend(seen.map(|seen| (object.key.clone(), seen)));
        }
        // What was refused before waits for what was not asked for yet.
        unread.extend(refused);
        unread.truncate(most);
        self.requests += unread.len();
        // What was read stays so, also where somebody gives up in the middle of many.
        let bucket = bucket.clone();
        let mut reading = each(unread, move |object| look(bucket.clone(), object));
        let mut refusal = None;
        while let Some(looked) = reading.next().await {
            match looked {
                Ok((key, Some(seen))) => drop(self.seen.insert(key, seen)),
                Ok((key, None)) => drop(self.seen.remove(&key)),
                // It alone, where others can be read.
                Err((object, read_at, error @ (BucketError::Denied { .. } | BucketError::Refused { .. }))) => {
                    let (key, read) = (object.key.clone(), Err(error.to_string()));
                    self.seen.insert(key, Seen { object, read_at, read, is_refused: true });
                    refusal = Some(error);
                }
                Err((_, _, error)) => return Err(error),
            }
        }
        if let Some(error) = refusal.filter(|_| self.seen.values().all(|seen| seen.is_refused)) {
            return Err(error);
        }
        let mut all = Vec::new();
        for (key, object) in found {
            match self.seen.get(&object.key).map(|seen| seen.read.clone()) {
                Some(Ok(silence)) => all.push(KeptSilence { key, silence }),
                Some(Err(why)) => passed.push(PassedObject { key: object.key, why }),
                None => {}
            }
        }
        all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        passed.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(Silences { all, passed })
    }
}

type Looked = Result<(String, Option<Seen>), (ObjectSummary, Timestamp, BucketError)>;

/// Reads an object of a listing; none where it is gone by now.
fn look(bucket: Bucket, object: ObjectSummary) -> BoxFuture<'static, Looked> {
    async move {
        let (read_at, key) = (bucket.now(), object.key.clone());
        if object.length > LARGEST_SILENCE {
            let read = Err(format!("has {} bytes, which no silence has", object.length));
            return Ok((key, Some(Seen { object, read_at, read, is_refused: false })));
        }
        let found = match bucket.get(&object.key).await {
            Ok(found) => found,
            Err(error) => return Err((object, read_at, error)),
        };
        let read = |found: Object| Silence::read(&found.bytes).map_err(|error| error.whole());
        Ok((key, found.map(|found| Seen { object, read_at, read: read(found), is_refused: false })))
    }
    .boxed()
}

/// Writes a silence that is not there yet, and deletes those of its site that were over long ago, so that they do not pile up: who adds
/// one is who writes there.
///
/// # Errors
/// When the bucket does not take it.
pub async fn add(
    bucket: &Bucket,
    keys: &PipelineKeys,
    key: &SilenceKey,
    silence: &Silence,
) -> Result<(), RegistryError> {
    let written = keys.silence(key);
    match bucket.swap(&written, json::pretty(silence)?, None).await? {
        Swap::Swapped(_) => {}
        Swap::Conflict => return Err(RegistryError::Contention { key: written, attempts: 1 }),
    }
    match timeout(DELETION, delete_old(bucket, keys, &key.site)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(reason = error.reason(), %error, "silences that were over long ago are not deleted; the next that is added tries again");
        }
        Err(_) => {
            tracing::info!("not all silences that were over long ago are deleted yet; the next that is added goes on");
        }
    }
    Ok(())
}

/// Deletes the silences of a site that were over long ago, some at a time. Those by which records are left out of trainings stay: trainings
/// need them as long as the archive has the records.
async fn delete_old(bucket: &Bucket, keys: &PipelineKeys, site: &Name) -> Result<(), BucketError> {
    let now = bucket.now();
    let is_old = |written: Timestamp| now.duration_since(written) >= KEPT;
    let listed = bucket.list(&keys.silences_prefix_of(site), None).await?;
    let mut old: Vec<ObjectSummary> = listed
        .into_iter()
        .filter(|object| keys.silence_of(&object.key).is_some() && object.length <= LARGEST_SILENCE)
        .filter(|object| object.last_modified.is_some_and(is_old))
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    // From anywhere, so that those that stay keep no other from its turn.
    let start = usize::try_from(now.as_millisecond()).unwrap_or(0) % old.len();
    old.rotate_left(start);
    old.truncate(MOST_OLD);
    let deleting = stream::iter(old).map(|ObjectSummary { key, .. }| async move {
        let Some(object) = bucket.get(&key).await? else { return Ok(()) };
        // What is none is told by those who read it, and is somebody else's.
        let Ok(silence) = Silence::read(&object.bytes) else { return Ok(()) };
        if !silence.excludes_from_training() && is_old(silence.until()) {
            bucket.delete(&key).await?;
        }
        Ok::<(), BucketError>(())
    });
    deleting.buffer_unordered(DELETING).try_collect().await
}

/// What became of a silence that was to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It ended now.
    Now(Silence),
    /// It was over before.
    Before(Silence),
    /// It had not begun, so it was deleted.
    Deleted(Silence),
    /// There is none.
    Missing,
}

/// Ends a silence at this time, which is now.
///
/// # Errors
/// When the object is no silence, or the bucket does not take it.
pub async fn end(
    bucket: &Bucket,
    keys: &PipelineKeys,
    key: &SilenceKey,
    now: Timestamp,
) -> Result<Ended, RegistryError> {
    let key = keys.silence(key);
    for _ in 0..ATTEMPTS {
        let Some((silence, tag)) = load(bucket, &key).await? else { return Ok(Ended::Missing) };
        // It may have been ended just now, by a clock before ours.
        if silence.until() <= now.saturating_add(CLOCK).unwrap_or(now) {
            return Ok(Ended::Before(silence));
        }
        let Some(ended) = silence.ended(now) else {
            bucket.delete(&key).await?;
            return Ok(Ended::Deleted(silence));
        };
        match bucket.swap(&key, json::pretty(&ended)?, Some(&tag)).await? {
            Swap::Swapped(_) => return Ok(Ended::Now(ended)),
            Swap::Conflict => {}
        }
    }
    Err(RegistryError::Contention { key, attempts: ATTEMPTS })
}

async fn load(bucket: &Bucket, key: &str) -> Result<Option<(Silence, ETag)>, RegistryError> {
    let Some(object) = bucket.get(key).await? else { return Ok(None) };
    let unreadable = |source| RegistryError::NoSilence { key: key.to_owned(), source };
    Ok(Some((Silence::read(&object.bytes).map_err(unreadable)?, object.etag)))
}

#[cfg(test)]
mod tests {
    use vedette_contract::silence::SilenceFields;
    use vedette_testing::TestBucket;
    use vedette_testing::bucket::Behaviour;

    use super::*;

    fn keys() -> PipelineKeys {
        PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
    }

    fn key(site: &str, number: u8) -> SilenceKey {
        let id = format!("20261123T0842{number:02}Z-1a2b3c4d").parse().unwrap();
        SilenceKey { site: site.parse().unwrap(), id }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn silence() -> Silence {
        let fields = SilenceFields {
            matches: Some("true".to_owned()),
            from: Some(at("2026-11-23T08:00:00Z")),
            until: Some(at("2026-11-23T10:00:00Z")),
            by: Some("ada".to_owned()),
            why: Some("a test".to_owned()),
            exclude_from_training: false,
        };
        fields.try_into().unwrap()
    }

    #[tokio::test]
    async fn those_of_all_sites_are_read_and_what_is_none_is_told_and_passed() {
        let (served, keys, mut reader) = (TestBucket::serve().await, keys(), SilenceReader::default());
        assert_eq!(reader.read(&served.bucket, &keys).await.unwrap(), Silences::default());
        for key in [key("west", 1), key("east", 2)] {
            add(&served.bucket, &keys, &key, &silence()).await.unwrap();
        }
        assert!(
            add(&served.bucket, &keys, &key("east", 2), &silence().ended(at("2026-11-23T09:00:00Z")).unwrap())
                .await
                .is_err()
        );
        served.put(&keys.silence(&key("east", 3)), "{half").await;
        served.put(&keys.silence(&key("east", 4)), vec![b' '; 20_000]).await;
        served.put("team/flows/silences/notes.txt", "x").await;
        served.put("team/flows/silences/east/x.json", "x").await;
        let Silences { all, passed } = reader.read(&served.bucket, &keys).await.unwrap();
        let found: Vec<_> = all.iter().map(|kept| kept.key.clone()).collect();
        assert_eq!((found, &all[0].silence), (vec![key("east", 2), key("west", 1)], &silence()));
        let why: Vec<_> =
            passed.iter().map(|passed| passed.why.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(why, ["is not", "has 20000", "is not", "is not"], "{passed:?}");
    }

    #[tokio::test]
    async fn what_has_not_changed_is_not_read_again_and_what_is_ended_is() {
        let (served, keys, mut reader) = (TestBucket::serve().await, keys(), SilenceReader::default());
        for number in 0..2 {
            add(&served.bucket, &keys, &key("east", number), &silence()).await.unwrap();
            served.age(&keys.silence(&key("east", number)), SignedDuration::from_secs(60));
        }
        let before = reader.read(&served.bucket, &keys).await.unwrap();
        served.behave(Behaviour::OnlyLists);
        assert_eq!(reader.read(&served.bucket, &keys).await.unwrap(), before);
        assert!(SilenceReader::default().read(&served.bucket, &keys).await.is_err(), "a new reader has to read");
        // One that the bucket does not give is passed, and asked for again.
        served.behave(Behaviour::Honest);
        add(&served.bucket, &keys, &key("east", 2), &silence()).await.unwrap();
        served.behave(Behaviour::OnlyLists);
        let one_is_refused = reader.read(&served.bucket, &keys).await.unwrap();
        assert_eq!(one_is_refused.all, before.all);
        assert!(one_is_refused.passed[0].why.contains("access denied"), "{one_is_refused:?}");
        served.behave(Behaviour::Honest);
        assert_eq!(reader.read(&served.bucket, &keys).await.unwrap().all.len(), 3);
        let ended = end(&served.bucket, &keys, &key("east", 1), at("2026-11-23T09:00:00Z")).await.unwrap();
        let Ended::Now(ended) = ended else { panic!("{ended:?}") };
        let after = reader.read(&served.bucket, &keys).await.unwrap();
        assert_eq!((&after.all[0], &after.all[1].silence), (&before.all[0], &ended));
    }

    #[tokio::test]
    async fn what_was_over_long_ago_goes_when_another_is_added_but_what_trainings_go_by() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        let now = Timestamp::now();
        let over = |since: i64, excludes: bool| {
            let (from, until) = (now - days(since + 1), now - days(since));
            serde_json::json!({ "match": "true", "from": from, "until": until, "by": "ada", "why": "a test",
                "excludeFromTraining": excludes })
        };
        let put = async |site: &str, number: u8, silence: &serde_json::Value, age: i64| {
            let key = keys.silence(&key(site, number));
            served.put_json(&key, silence).await;
            served.age(&key, days(age));
        };
        put("east", 1, &over(91, false), 92).await;
        put("east", 2, &over(91, true), 92).await;
        put("east", 3, &over(89, false), 92).await;
        // It came late, and was over before.
        put("east", 4, &over(91, false), 1).await;
        put("east", 5, &serde_json::json!("none"), 92).await;
        put("west", 6, &over(91, false), 92).await;
        add(&served.bucket, &keys, &key("east", 7), &silence()).await.unwrap();
        let listed = served.bucket.list(&keys.silences_prefix(), None).await.unwrap();
        let left: Vec<_> = listed.iter().filter_map(|object| keys.silence_of(&object.key)).collect();
        let of_east = (2..=5).chain([7]).map(|number| key("east", number));
        assert_eq!(left, of_east.chain([key("west", 6)]).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn of_many_that_are_new_so_many_are_read_at_once_the_newest_first() {
        let (served, keys, mut reader) = (TestBucket::serve().await, keys(), SilenceReader::default());
        for number in 0..5 {
            add(&served.bucket, &keys, &key("east", number), &silence()).await.unwrap();
            served.age(&keys.silence(&key("east", number)), SignedDuration::from_secs(60));
        }
        for expected in [&[3, 4][..], &[1, 2, 3, 4], &[0, 1, 2, 3, 4]] {
            let before = reader.requests();
            let read = reader.read_some(&served.bucket, &keys, 2).await.unwrap();
            let expected: Vec<_> = expected.iter().map(|number| key("east", *number)).collect();
            assert_eq!(read.all.into_iter().map(|kept| kept.key).collect::<Vec<_>>(), expected);
            assert!(reader.requests() - before <= 3);
        }
        // One that was written anew and has to wait is as it was.
        end(&served.bucket, &keys, &key("east", 0), at("2026-11-23T09:00:00Z")).await.unwrap();
        assert_eq!(reader.read_some(&served.bucket, &keys, 0).await.unwrap().all[0].silence, silence());
        assert_ne!(reader.read_some(&served.bucket, &keys, 1).await.unwrap().all[0].silence, silence());
    }

    #[tokio::test]
    async fn a_silence_ends_once_and_one_that_has_not_begun_was_never() {
        let (served, keys) = (TestBucket::serve().await, keys());
        let end =
            async |number: u8, now: &str| end(&served.bucket, &keys, &key("east", number), at(now)).await.unwrap();
        for number in 0..2 {
            add(&served.bucket, &keys, &key("east", number), &silence()).await.unwrap();
        }
        let ended = silence().ended(at("2026-11-23T09:00:00Z")).unwrap();
        assert_eq!(end(0, "2026-11-23T09:00:00Z").await, Ended::Now(ended.clone()));
        for again in ["2026-11-23T09:30:00Z", "2026-11-23T08:59:58Z"] {
            assert_eq!(end(0, again).await, Ended::Before(ended.clone()));
        }
        assert_eq!(end(1, "2026-11-23T07:00:00Z").await, Ended::Deleted(silence()));
        assert_eq!(end(1, "2026-11-23T09:00:00Z").await, Ended::Missing);
        served.put(&keys.silence(&key("east", 3)), "{half").await;
        let refused = super::end(&served.bucket, &keys, &key("east", 3), at("2026-11-23T09:00:00Z")).await.unwrap_err();
        assert_eq!(refused.reason(), "ObjectUnreadable");
    }
}
