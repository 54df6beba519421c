//! The verdicts of a pipeline: all sites' are read, and each is written once by one site.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use vedette_contract::Name;
use vedette_contract::WrittenError;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::verdict::{JudgedKey, LARGEST_VERDICT, Verdict, VerdictId, VerdictKey};
use vedette_streams::bucket::{Bucket, BucketError, ObjectSummary, Swap};

use crate::each::each;
use crate::{CLOCK, PassedObject, RegistryError, json};

/// Of more verdicts the oldest are passed.
const MOST_VERDICTS: usize = 10_000;
/// What of a refusal of an object is told.
const LONGEST_WHY: usize = 300;
/// By so much a verdict is later than the one whose place it takes, where their times tell otherwise.
const LATER: SignedDuration = SignedDuration::from_millis(1);

/// A verdict, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptVerdict {
    #[serde(flatten)]
    pub key: VerdictKey,
    /// Lower-case hexadecimal SHA-256 of the object.
    pub sha256: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What stands below the verdicts of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// By site and id, also those whose place a later one took.
    pub all: Vec<KeptVerdict>,
    /// By key.
    pub passed: Vec<PassedObject>,
    /// So many more there are, older than all of these; they were not read.
    pub older: usize,
}

impl Verdicts {
    /// Of all of the same the one that was given last, whichever site wrote it: by its time, its id and its site, so that everybody
    /// comes to the same.
    pub fn standing(&self) -> BTreeMap<JudgedKey<'_>, &KeptVerdict> {
        let mut standing = BTreeMap::<_, &KeptVerdict>::new();
        for kept in &self.all {
            let last = standing.entry(kept.verdict.judged().key()).or_insert(kept);
            if order(kept) > order(last) {
                *last = kept;
            }
        }
        standing
    }

    /// The last of this alert or incident.
    pub fn standing_of(&self, judged: JudgedKey<'_>) -> Option<&KeptVerdict> {
        self.all
            .iter()
            .filter(|kept| kept.verdict.judged().key() == judged)
            .max_by(|one, other| order(one).cmp(&order(other)))
    }
}

fn order(kept: &KeptVerdict) -> (Timestamp, &VerdictId, &Name) {
    (kept.verdict.at(), &kept.key.id, &kept.key.site)
}

/// Reads those of all sites. An object that is none, or that the bucket does not give, is passed.
///
/// # Errors
/// When the bucket cannot be read, or gives none of them.
pub async fn read(bucket: &Bucket, keys: &PipelineKeys) -> Result<Verdicts, BucketError> {
    let prefix = keys.verdicts_prefix();
    let (mut found, mut passed) = list(bucket, keys, &prefix).await?;
    found.sort_unstable_by(|(one, _), (other, _)| (&other.id, &other.site).cmp(&(&one.id, &one.site)));
    let older = found.split_off(found.len().min(MOST_VERDICTS)).len();
    let Given { mut all, passed: unread, refusal } = read_each(bucket, found).await?;
    if let Some(error) = refusal.filter(|_| all.is_empty()) {
        return Err(error);
    }
    all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    passed.extend(unread);
    passed.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(Verdicts { all, passed, older })
}

type Listed = Vec<(VerdictKey, ObjectSummary)>;

/// What has the key of a verdict, and what has not.
async fn list(bucket: &Bucket, keys: &PipelineKeys, prefix: &str) -> Result<(Listed, Vec<PassedObject>), BucketError> {
    let (mut found, mut passed) = (Vec::new(), Vec::new());
    for object in bucket.list(prefix, None).await? {
        match keys.verdict_of(&object.key) {
            Some(key) => found.push((key, object)),
            None => passed.push(PassedObject {
                key: object.key,
                why: "is not <site>/<yyyy-mm>/<id>.json, with the month of its id".to_owned(),
            }),
        }
    }
    Ok((found, passed))
}

/// What the bucket gave.
#[derive(Default)]
struct Given {
    all: Vec<KeptVerdict>,
    passed: Vec<PassedObject>,
    /// Why it did not give one of those that were passed.
    refusal: Option<BucketError>,
}

async fn read_each(bucket: &Bucket, found: Listed) -> Result<Given, BucketError> {
    let (mut given, bucket) = (Given::default(), bucket.clone());
    let mut reading = each(found, move |(key, object)| look(bucket.clone(), key, object));
    while let Some(looked) = reading.next().await {
        match looked {
            Ok(Looked::Verdict(kept)) => given.all.push(*kept),
            Ok(Looked::None(object)) => given.passed.push(object),
            Ok(Looked::Gone) => {}
            // It alone, as others may be there.
            Err((
                key,
                error @ (BucketError::Denied { .. } | BucketError::Refused { .. } | BucketError::Server { .. }),
            )) => {
                given.passed.push(PassedObject { key, why: error.to_string() });
                given.refusal = Some(error);
            }
            Err((_, error)) => return Err(error),
        }
    }
    Ok(given)
}

enum Looked {
    Verdict(Box<KeptVerdict>),
    None(PassedObject),
    Gone,
}

fn look(
    bucket: Bucket,
    key: VerdictKey,
    object: ObjectSummary,
) -> BoxFuture<'static, Result<Looked, (String, BucketError)>> {
    async move {
        let ObjectSummary { key: full, length, last_modified: _ } = object;
        if length > LARGEST_VERDICT {
            let why = format!("has {length} bytes, which no verdict has");
            return Ok(Looked::None(PassedObject { key: full, why }));
        }
        let found = match bucket.get(&full).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Looked::Gone),
            Err(error) => return Err((full, error)),
        };
        Ok(match understood(key, &found.bytes) {
            Ok(kept) => Looked::Verdict(Box::new(kept)),
            Err(why) => Looked::None(PassedObject { key: full, why }),
        })
    }
    .boxed()
}

/// The verdict that stands there.
///
/// # Errors
/// Why it is none.
pub fn understood(key: VerdictKey, bytes: &[u8]) -> Result<KeptVerdict, String> {
    let verdict = Verdict::read(bytes).map_err(|error| said(&error))?;
    if !key.id.is_of(verdict.at()) {
        let at = verdict.at();
        return Err(format!("at \"{at}\": its id tells another time; verdicts are not changed, give another"));
    }
    let sha256 = hex::encode(Sha256::digest(bytes));
    Ok(KeptVerdict { key, sha256, verdict })
}

fn said(error: &WrittenError) -> String {
    let whole = error.whole();
    match whole.char_indices().nth(LONGEST_WHY) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

/// Writes a verdict, with a number by chance, as several may be given at once. It takes the place of those that are there of the same,
/// also where their times are not yet over: it is given a later one then.
///
/// # Errors
/// When the bucket does not take it.
pub async fn add(
    bucket: &Bucket,
    keys: &PipelineKeys,
    (site, chance): (&Name, u32),
    verdict: Verdict,
) -> Result<KeptVerdict, RegistryError> {
    let at = time_of(bucket, keys, &verdict).await?;
    let (verdict, key) = (verdict.given(at), VerdictKey { site: site.clone(), id: VerdictId::new(at, chance) });
    let (full, json) = (keys.verdict(&key), json::pretty(&verdict)?);
    let sha256 = hex::encode(Sha256::digest(&json));
    match bucket.swap(&full, json, None).await? {
        Swap::Swapped(_) => Ok(KeptVerdict { key, sha256, verdict }),
        Swap::Conflict => Err(RegistryError::Contention { key: full, attempts: 1 }),
    }
}

/// When a verdict is given: at its time, or just after the last of the same that the bucket gives.
async fn time_of(bucket: &Bucket, keys: &PipelineKeys, verdict: &Verdict) -> Result<Timestamp, RegistryError> {
    let (at, judged) = (verdict.at(), verdict.judged().key());
    let sure = VerdictId::new(at.saturating_sub(CLOCK).unwrap_or(at), 0);
    let mut found = Vec::new();
    for month in months_from(bucket, keys, &sure.month()).await? {
        let (listed, _) = list(bucket, keys, &month).await?;
        found.extend(listed.into_iter().filter(|(key, _)| key.id >= sure));
    }
    let others = read_each(bucket, found).await?.all;
    let last =
        others.iter().filter(|other| other.verdict.judged().key() == judged).map(|other| other.verdict.at()).max();
    Ok(last.map_or(at, |last| at.max(last.saturating_add(LATER).unwrap_or(last))))
}

/// The prefixes of this month and later ones at all sites.
async fn months_from(bucket: &Bucket, keys: &PipelineKeys, first: &str) -> Result<Vec<String>, BucketError> {
    let mut months = Vec::new();
    for site in bucket.list_directories(&keys.verdicts_prefix()).await? {
        let of_site = bucket.list_directories(&site).await?;
        months.extend(
            of_site
                .into_iter()
                .filter(|month| month.strip_prefix(&site).is_some_and(|month| month.trim_end_matches('/') >= first)),
        );
    }
    Ok(months)
}

#[cfg(test)]
mod tests;
