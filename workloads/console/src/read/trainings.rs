//! The models of all trainings of a namespace, and how their runs ended.

use std::collections::BTreeMap;

use vedette_contract::Name;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, METADATA_FILE, ModelMetadata, TrainingResult};
use vedette_contract::progress::SiteStatus;
use vedette_registry::summary::{Listing, Summary, Trained};
use vedette_streams::bucket::BucketError;

use super::Reader;
use super::mirror::Mirror;
use crate::store::KnownTraining;
use crate::view::{RunView, TrainingView, VersionView};

/// Objects that are read in one look.
const MOST: usize = 50;
/// Runs that are shown.
const RUNS: usize = 50;

/// What of a training is read.
#[derive(Debug, Clone)]
enum Object {
    Pointer(CurrentPointer),
    Version(Box<(VersionView, Trained)>),
    Run(Box<RunView>),
}

/// One training.
#[derive(Debug, Default)]
pub(super) struct Training {
    mirror: Mirror<Object>,
}

impl Training {
    pub(super) async fn look(&mut self, reader: &Reader, keys: &ModelKeys) -> Result<(), BucketError> {
        let is_metadata =
            |key: &str| keys.version_of(key).is_some_and(|version| keys.file(&version, METADATA_FILE) == key);
        let wanted = |key: &str| key == keys.current() || key.starts_with(&keys.results_prefix()) || is_metadata(key);
        self.mirror.look(reader, &keys.prefix(), MOST, wanted, |object, bytes| read(keys, &object.key, bytes)).await
    }

    /// All of it, beside what the sites tell whose pipelines follow it.
    pub(super) fn known(&self, namespace: &Name, training: &Name, followers: &[(Name, SiteStatus)]) -> KnownTraining {
        let (mut pointer, mut versions, mut runs) = (None, BTreeMap::new(), Vec::new());
        for object in self.mirror.objects().filter_map(|(_, object)| object.value.clone()) {
            match object {
                Object::Pointer(current) => pointer = Some(current),
                Object::Version(version) => drop(versions.insert(version.0.version.clone(), *version)),
                Object::Run(run) => runs.push(*run),
            }
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.finished_utc));
        runs.truncate(RUNS);
        let (namespace, training) = (namespace.clone(), training.clone());
        let newest = versions.into_values().rev();
        let (versions, listed): (Vec<_>, Vec<_>) = newest
            .map(|(view, trained)| {
                let summary = Summary::of(&view.version, trained, pointer.as_ref(), followers);
                (view, summary)
            })
            .unzip();
        let listing = Listing {
            namespace: namespace.clone(),
            training: training.clone(),
            generation: pointer.as_ref().map(|pointer| pointer.generation),
            versions: listed,
        };
        let current = pointer.map(Into::into);
        KnownTraining { view: TrainingView { namespace, training, current, versions, runs }, listing }
    }
}

fn read(keys: &ModelKeys, key: &str, bytes: &[u8]) -> Option<Object> {
    if key == keys.current() {
        return serde_json::from_slice(bytes).ok().map(Object::Pointer);
    }
    if key.starts_with(&keys.results_prefix()) {
        let result: TrainingResult = serde_json::from_slice(bytes).ok()?;
        return Some(Object::Run(Box::new(result.into())));
    }
    let metadata: ModelMetadata = serde_json::from_slice(bytes).ok()?;
    let trained = Trained::from(&metadata);
    Some(Object::Version(Box::new((VersionView::new(keys.version_of(key)?, metadata), trained))))
}
