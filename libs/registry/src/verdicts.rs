//! The verdicts of a pipeline: all sites' are read, and each is written once by one site.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use vedette_contract::Name;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::verdict::{JudgedKey, LARGEST_VERDICT, Verdict, VerdictError, VerdictId, VerdictKey};
use vedette_streams::bucket::{Bucket, BucketError, ObjectSummary, Swap};

use crate::{CLOCK, PassedObject, RegistryError, json};

/// So many objects are read at once: with 10 ms for each, 10,000 take 3 s.
const CONCURRENCY: usize = 32;
/// Of more verdicts the oldest are passed.
const MOST_VERDICTS: usize = 10_000;
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
}

fn order(kept: &KeptVerdict) -> (Timestamp, &VerdictId, &Name) {
    (kept.verdict.at(), &kept.key.id, &kept.key.site)
}

/// Reads those of all sites. An object that is none, or that the bucket does not give, is passed.
///
/// # Errors
/// When the bucket cannot be read, or gives none of them.
pub async fn read(bucket: &Bucket, keys: &PipelineKeys) -> Result<Verdicts, BucketError> {
    let (mut found, mut passed) = list(bucket, keys).await?;
    found.sort_unstable_by(|(one, _), (other, _)| (&other.id, &other.site).cmp(&(&one.id, &one.site)));
    let older = found.split_off(found.len().min(MOST_VERDICTS)).len();
    let (all, unread) = read_each(bucket, found).await?;
    passed.extend(unread);
    passed.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(Verdicts { all, passed, older })
}

type Listed = Vec<(VerdictKey, ObjectSummary)>;

/// What has the key of a verdict, and what has not.
async fn list(bucket: &Bucket, keys: &PipelineKeys) -> Result<(Listed, Vec<PassedObject>), BucketError> {
    let (mut found, mut passed) = (Vec::new(), Vec::new());
    for object in bucket.list(&keys.verdicts_prefix(), None).await? {
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

async fn read_each(bucket: &Bucket, found: Listed) -> Result<(Vec<KeptVerdict>, Vec<PassedObject>), BucketError> {
    let (mut all, mut passed, mut refusal) = (Vec::new(), Vec::new(), None);
    let mut reading = stream::iter(found).map(|(key, object)| look(bucket, key, object)).buffer_unordered(CONCURRENCY);
    while let Some(looked) = reading.next().await {
        match looked {
            Ok(Looked::Verdict(kept)) => all.push(*kept),
            Ok(Looked::None(object)) => passed.push(object),
            Ok(Looked::Gone) => {}
            // It alone, where others can be read.
            Err((key, error @ (BucketError::Denied { .. } | BucketError::Refused { .. }))) => {
                passed.push(PassedObject { key, why: error.to_string() });
                refusal = Some(error);
            }
            Err((_, error)) => return Err(error),
        }
    }
    if let Some(error) = refusal.filter(|_| all.is_empty()) {
        return Err(error);
    }
    all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok((all, passed))
}

enum Looked {
    Verdict(Box<KeptVerdict>),
    None(PassedObject),
    Gone,
}

async fn look(bucket: &Bucket, key: VerdictKey, object: ObjectSummary) -> Result<Looked, (String, BucketError)> {
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
    Ok(match Verdict::read(&found.bytes) {
        Ok(verdict) if !key.id.is_of(verdict.at()) => {
            let why =
                format!("at \"{}\": its id tells another time; verdicts are not changed, give another", verdict.at());
            Looked::None(PassedObject { key: full, why })
        }
        Ok(verdict) => {
            let sha256 = hex::encode(Sha256::digest(&found.bytes));
            Looked::Verdict(Box::new(KeptVerdict { key, sha256, verdict }))
        }
        Err(error) => Looked::None(PassedObject { key: full, why: said(&error) }),
    })
}

fn said(error: &VerdictError) -> String {
    match error {
        VerdictError::Field { .. } => error.to_string(),
        VerdictError::Json(source) => format!("{error}: {source}"),
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

/// When a verdict is given: at its time, or just after the last of the same.
async fn time_of(bucket: &Bucket, keys: &PipelineKeys, verdict: &Verdict) -> Result<Timestamp, RegistryError> {
    let (at, judged) = (verdict.at(), verdict.judged().key());
    let sure = VerdictId::new(at.saturating_sub(CLOCK).unwrap_or(at), 0);
    let (mut found, _) = list(bucket, keys).await?;
    found.retain(|(key, _)| key.id >= sure);
    let (others, _) = read_each(bucket, found).await?;
    let last =
        others.iter().filter(|other| other.verdict.judged().key() == judged).map(|other| other.verdict.at()).max();
    Ok(last.map_or(at, |last| at.max(last.saturating_add(LATER).unwrap_or(last))))
}

#[cfg(test)]
mod tests;
