//! Reads what the bucket says through the registry and hands it on as the core's values. It only reads.

use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, ModelMetadata};
use vedette_core::roll::{self, Artifact, Pointer, RollState, VersionPolicy};
use vedette_registry::versions::Held;
use vedette_registry::{RegistryError, versions};
use vedette_service::error_chain;
use vedette_streams::bucket::Bucket;

/// What the bucket says of a training's current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointerView {
    /// For the state machine.
    pub pointer: Pointer,
    /// The pointer as it stands there, where it could be read.
    pub current: Option<CurrentPointer>,
    /// What is wrong with the bucket itself, in one word.
    pub trouble: Option<&'static str>,
}

impl PointerView {
    /// The view of a pipeline that follows no training.
    pub fn not_followed() -> Self {
        Self { pointer: Pointer::NotFollowed, current: None, trouble: None }
    }
}

impl From<Option<CurrentPointer>> for PointerView {
    fn from(current: Option<CurrentPointer>) -> Self {
        Self { pointer: current.as_ref().map_or(Pointer::Absent, Pointer::from), current, trouble: None }
    }
}

/// Reads the pointer.
pub async fn pointer(bucket: &Bucket, keys: &ModelKeys) -> PointerView {
    match vedette_registry::pointer::load(bucket, keys).await {
        Ok(stored) => stored.map(|stored| stored.pointer).into(),
        Err(error) => {
            let trouble = match &error {
                RegistryError::Bucket(error) => Some(error.reason()),
                _ => None,
            };
            PointerView { pointer: Pointer::Unreadable(error_chain(&error)), current: None, trouble }
        }
    }
}

/// The artifact that a step of the roll has to look at; none where no version is wanted, or the wanted one runs already:
/// it was looked at before, and its files never change.
pub(crate) async fn artifact_of_wanted(
    bucket: &Bucket,
    keys: &ModelKeys,
    state: &RollState,
    policy: &VersionPolicy,
    view: &PointerView,
) -> Option<Artifact> {
    let version = roll::wanted(state, policy, &view.pointer)?;
    if state.template_version() == Some(&version) {
        return None;
    }
    let expected = view.current.as_ref().filter(|current| current.version == version);
    Some(artifact(bucket, keys, &version, expected.map(|current| current.manifest_sha256.as_str())).await)
}

/// What the current version was made of.
///
/// # Errors
/// When the bucket cannot be read, or holds something else there.
pub(crate) async fn last_published(bucket: &Bucket, keys: &ModelKeys) -> Result<Option<ModelMetadata>, String> {
    let read = async || {
        let Some(stored) = vedette_registry::pointer::load(bucket, keys).await? else {
            return Ok(None);
        };
        versions::metadata(bucket, keys, &stored.pointer.version).await
    };
    read().await.map_err(|error: RegistryError| error_chain(&error))
}

/// Whether all files of a version are there and the manifest is the one that the pointer means.
async fn artifact(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
    expected_sha256: Option<&str>,
) -> Artifact {
    match versions::look_at(bucket, keys, version, expected_sha256).await {
        Ok(Held::Complete) => Artifact::Complete,
        Ok(Held::Missing(_)) => Artifact::Replicating,
        Ok(Held::Damaged(damage)) => Artifact::Damaged(error_chain(&damage)),
        Err(error) => Artifact::Unreadable(error_chain(&error)),
    }
}
