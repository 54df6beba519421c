//! The models of all trainings of a namespace, and how their runs ended.

use std::collections::BTreeMap;

use vedette_contract::Name;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, METADATA_FILE, ModelMetadata, TrainingResult};
use vedette_streams::bucket::BucketError;

use super::Reader;
use super::mirror::Mirror;
use crate::view::{CurrentView, RunView, TrainingView, VersionView};

/// Objects that are read in one look.
const MOST: usize = 50;
/// Runs that are shown.
const RUNS: usize = 50;

/// What of a training is read.
#[derive(Debug, Clone)]
enum Object {
    Pointer(CurrentView),
    Version(Box<VersionView>),
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

    pub(super) fn view(&self, namespace: &Name, training: &Name) -> TrainingView {
        let (mut current, mut versions, mut runs) = (None, BTreeMap::new(), Vec::new());
        for object in self.mirror.objects().filter_map(|(_, object)| object.value.clone()) {
            match object {
                Object::Pointer(pointer) => current = Some(pointer),
                Object::Version(version) => drop(versions.insert(version.version.clone(), *version)),
                Object::Run(run) => runs.push(*run),
            }
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.finished_utc));
        runs.truncate(RUNS);
        let versions = versions.into_values().rev().collect();
        TrainingView { namespace: namespace.clone(), training: training.clone(), current, versions, runs }
    }
}

fn read(keys: &ModelKeys, key: &str, bytes: &[u8]) -> Option<Object> {
    if key == keys.current() {
        let pointer: CurrentPointer = serde_json::from_slice(bytes).ok()?;
        return Some(Object::Pointer(pointer.into()));
    }
    if key.starts_with(&keys.results_prefix()) {
        let result: TrainingResult = serde_json::from_slice(bytes).ok()?;
        return Some(Object::Run(Box::new(result.into())));
    }
    let metadata: ModelMetadata = serde_json::from_slice(bytes).ok()?;
    Some(Object::Version(Box::new(VersionView::new(keys.version_of(key)?, metadata))))
}
