//! Makes a version current that lies in the bucket already: a candidate, or one of before. The pointer moves on, so its readers
//! go to an older version as to a newer one.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use thiserror::Error;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, MANIFEST_FILE, METADATA_FILE};
use vedette_contract::{ModelVersion, Name};
use vedette_streams::bucket::{Bucket, BucketError};

use crate::RegistryError;
use crate::pointer::{self, Change, Changed};
use crate::versions::{self, Damage, Held};

/// What came of promoting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promotion {
    /// The version is current.
    Current {
        /// What the pointer says now.
        pointer: CurrentPointer,
        /// What it named before.
        previous: Option<ModelVersion>,
    },
    /// It was already, and the pointer stays as it is.
    Already {
        /// What the pointer says.
        pointer: CurrentPointer,
    },
}

/// Why a version was not promoted. The pointer is as it was.
#[derive(Debug, Error)]
pub enum PromoteError {
    /// The bucket, or the pointer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The version is not there, or not whole.
    #[error("the bucket has no {key}")]
    Missing {
        /// What is not there.
        key: String,
    },
    /// No detector would load it.
    #[error("version {version} is damaged")]
    Damaged {
        version: ModelVersion,
        #[source]
        source: Damage,
    },
}

impl From<BucketError> for PromoteError {
    fn from(error: BucketError) -> Self {
        Self::Registry(error.into())
    }
}

/// Who makes a version current, when, and why.
#[derive(Debug, Clone, Copy)]
pub struct Attribution<'a> {
    /// A person.
    pub by: &'a str,
    /// Why, in their words.
    pub comment: Option<&'a str>,
    /// Now.
    pub at: Timestamp,
}

/// The site that writes the pointer of a training: where its newest version was trained. `None` where none says.
pub async fn writing_site(bucket: &Bucket, keys: &ModelKeys) -> Result<Option<Name>, RegistryError> {
    let listed = bucket.list(&keys.prefix(), None).await?;
    let described = listed.into_iter().filter_map(|object| {
        let version = keys.version_of(&object.key)?;
        (object.key == keys.file(&version, METADATA_FILE)).then_some(version)
    });
    let mut versions: Vec<ModelVersion> = described.collect();
    versions.sort_unstable();
    for version in versions.iter().rev() {
        match versions::metadata(bucket, keys, version).await {
            Ok(Some(metadata)) => return Ok(Some(metadata.trained_at_site)),
            // Another one says it, too.
            Ok(None) | Err(RegistryError::ObjectUnreadable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Makes a version current, in somebody's name.
pub async fn promote(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
    attribution: Attribution<'_>,
) -> Result<Promotion, PromoteError> {
    let Attribution { by, comment, at } = attribution;
    bucket.probe_conditional_writes(&keys.prefix()).await?;
    let key = keys.file(version, MANIFEST_FILE);
    let Some(manifest) = bucket.get(&key).await? else {
        return Err(PromoteError::Missing { key });
    };
    let manifest_sha256 = hex::encode(Sha256::digest(&manifest.bytes));
    match versions::look_at(bucket, keys, version, Some(&manifest_sha256)).await? {
        Held::Complete => {}
        Held::Missing(key) => return Err(PromoteError::Missing { key }),
        Held::Damaged(source) => return Err(PromoteError::Damaged { version: version.clone(), source }),
    }
    let next = CurrentPointer {
        version: version.clone(),
        generation: 0,
        manifest_sha256,
        published_at: at,
        published_by: by.to_owned(),
        comment: comment.map(str::to_owned),
        earlier: Vec::new(),
    };
    let decide = |found: Option<&CurrentPointer>| match found {
        Some(found) if found.version == *version => Change::Keep(found.clone()),
        Some(_) | None => Change::Replace(next.clone()),
    };
    let seen = pointer::load(bucket, keys).await?;
    Ok(match pointer::update(bucket, keys, seen, decide).await? {
        Changed::Replaced { pointer, previous } => Promotion::Current { pointer, previous },
        Changed::Kept(pointer) => Promotion::Already { pointer },
    })
}

#[cfg(test)]
mod tests;
