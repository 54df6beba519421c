//! Brings a model before the gate: as detectors would load it, beside the current version, on the newest records of every site.

use std::sync::Arc;

use jiff::Timestamp;
use vedette_contract::ModelVersion;
use vedette_contract::arguments::TrainerArguments;
use vedette_contract::gate::{GateReport, NewestRecords};
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::ModelMetadata;
use vedette_forest::Model;
use vedette_forest::artifact::{ArtifactFiles, manifest_for};
use vedette_registry::load::{self, Fetched, LoadError};
use vedette_registry::pointer;
use vedette_service::error_chain;
use vedette_streams::bucket::Bucket;

use crate::error::TrainerError;
use crate::gate::{Contest, Gate, Promise};
use crate::newest::try_on_sites;
use crate::silenced::Silenced;

/// Has the gate look at a model.
pub(crate) async fn judge(
    bucket: &Bucket,
    arguments: &TrainerArguments,
    artifact: &ArtifactFiles,
    metadata: &ModelMetadata,
    silenced: &Arc<Silenced>,
) -> Result<GateReport, TrainerError> {
    let TrainerArguments { minimum_auroc, minimum_recall, gate_newest_records, .. } = arguments;
    let gate = Gate { minimum_auroc: *minimum_auroc, minimum_recall: *minimum_recall };
    let checks = match gate_newest_records {
        NewestRecords::Ignore => Vec::new(),
        NewestRecords::Check => {
            let contest = contest(bucket, arguments, artifact, metadata).await?;
            try_on_sites(bucket, arguments, contest, silenced).await?
        }
    };
    let promise = Promise { metrics: &metadata.metrics, missing: &metadata.missing };
    let mut refused = gate.refuses(&metadata.metrics);
    refused.extend(checks.iter().flat_map(|check| check.refuses(promise)));
    let warnings = checks.iter().filter_map(|check| check.warns(promise)).collect();
    let newest = checks.into_iter().map(|check| check.newest).collect();
    Ok(GateReport { refused, warnings, newest })
}

async fn contest(
    bucket: &Bucket,
    arguments: &TrainerArguments,
    artifact: &ArtifactFiles,
    metadata: &ModelMetadata,
) -> Result<Contest, TrainerError> {
    let ArtifactFiles { files, content_sha256 } = artifact;
    let version = ModelVersion::new(Timestamp::now(), content_sha256)?;
    let model = Model::from_files(files, &manifest_for(version, files))?;
    let models = ModelKeys::new(&arguments.owner.namespace, &arguments.training);
    let replaced = current(bucket, &models).await?;
    Ok(Contest { model, replaced, alert_budget_per_million: metadata.metrics.alert_budget_per_million })
}

/// The current model; none where there is none, or where it is damaged: it is no measure then.
async fn current(bucket: &Bucket, models: &ModelKeys) -> Result<Option<Model>, TrainerError> {
    let Some(stored) = pointer::load(bucket, models).await? else {
        return Ok(None);
    };
    let version = stored.pointer.version;
    let loaded = match load::fetch(bucket, models, &version).await {
        Ok(Fetched::Whole(files)) => load::model(&version, &files),
        Ok(Fetched::Missing(key)) => {
            tracing::warn!(%version, key, "the current version is not whole; the new one is compared with none");
            return Ok(None);
        }
        Err(error) => Err(error),
    };
    match loaded {
        Ok(model) => Ok(Some(model)),
        Err(LoadError::Bucket(error)) => Err(error.into()),
        Err(error) => {
            let error = error_chain(&error);
            tracing::warn!(%version, error, "the current version cannot be used; the new one is compared with none");
            Ok(None)
        }
    }
}
