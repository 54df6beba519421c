//! What every platform reads from the bucket before it decides, as the core's values. It only reads, but for what has grown old.

pub mod bucket_view;

use std::collections::BTreeSet;

use vedette_contract::Name;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_core::health::HealthSeen;
use vedette_core::job_state::JobState;
use vedette_core::pipeline::{BucketAnswer, BucketSeen, BucketTrouble};
use vedette_core::platform::whole_seconds;
use vedette_core::reason::{BucketReason, Reason};
use vedette_core::roll::{Artifact, Pointer};
use vedette_core::schedule::Run;
use vedette_core::status::{roll_state, schedule_state};
use vedette_core::training::{ArchiveSeen, RunSeen};
use vedette_core::validate::{ValidatedPipeline, ValidatedTraining};
use vedette_crds::{AnomalyPipelineStatus, ModelTrainingStatus};
use vedette_registry::health::Told;
use vedette_registry::{RegistryError, health, progress, results, sites};
use vedette_service::error_chain;
use vedette_streams::bucket::{Bucket, BucketError};

use self::bucket_view::PointerView;

/// The model of a pipeline, its pointer having been read; and how the bucket stands, by the last write too.
pub async fn model(
    bucket: &Bucket,
    object: &ValidatedPipeline,
    before: &AnomalyPipelineStatus,
    view: PointerView,
    last_write: BucketAnswer,
) -> BucketSeen {
    let artifact = match &object.model.training {
        None => None,
        Some(training) => {
            let keys = ModelKeys::new(&object.namespace, training);
            let state = roll_state(before, Some(training));
            bucket_view::artifact_of_wanted(bucket, &keys, &state, &object.model.policy, &view).await
        }
    };
    let answer = last_read(&view, artifact.as_ref()).and(last_write);
    BucketSeen { pointer: view.pointer, artifact, answer }
}

/// What the processes of a pipeline tell at this site, by the clock of the bucket. What was not written for a day is deleted.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn health(bucket: &Bucket, keys: &PipelineKeys, site: &Name) -> Result<HealthSeen, BucketError> {
    let Told { all, now } = health::load_all(bucket, keys, site).await?;
    Ok(HealthSeen::new(&all, now))
}

/// What there is to learn from, and what was learned. A training of another site is nobody's concern here.
pub async fn archive(
    bucket: &Bucket,
    object: &ValidatedTraining,
    before: &ModelTrainingStatus,
    runs_here: bool,
) -> ArchiveSeen {
    if !runs_here {
        return ArchiveSeen { records: Err("its Jobs run at another site".to_owned()), last_published: None };
    }
    let keys = PipelineKeys::new(&object.namespace, &object.data.pipeline);
    let records = progress::enriched_records(bucket, &keys, &object.data.sites).await;
    let records = records.map_err(|error| error_chain(&error));
    if schedule_state(before).last_run.is_some() {
        return ArchiveSeen { records, last_published: None };
    }
    match bucket_view::last_published(bucket, &ModelKeys::new(&object.namespace, &object.name)).await {
        Ok(published) => ArchiveSeen { records, last_published: published.map(Run::from).map(in_whole_seconds) },
        // Without it the same records could be learned again.
        Err(error) => ArchiveSeen { records: Err(error), last_published: None },
    }
}

/// The sites that are known of a training, as [`NamesSeen`](vedette_core::training::NamesSeen) has them; none where they cannot
/// be read.
pub async fn sites(bucket: &Bucket, object: &ValidatedTraining) -> Option<Vec<Name>> {
    match known_sites(bucket, object).await {
        Ok(known) => Some(known.into_iter().collect()),
        Err(error) => {
            tracing::warn!(training = %object.name, error, "what the sites tell cannot be read yet");
            None
        }
    }
}

/// A run under way whose Job stands like this.
pub async fn run(bucket: &Bucket, object: &ValidatedTraining, name: &str, job: JobState) -> RunSeen {
    let keys = ModelKeys::new(&object.namespace, &object.name);
    match results::load(bucket, &keys, name).await {
        Ok(left) => RunSeen::Seen { job, left: left.map(Box::new) },
        Err(RegistryError::Bucket(error)) => {
            let error = error_chain(&error);
            tracing::warn!(training = %object.name, error, "a training's result cannot be read yet");
            RunSeen::Unreadable
        }
        Err(damaged) => {
            let message = error_chain(&damaged);
            tracing::warn!(message, "a training's result counts as none");
            RunSeen::Seen { job, left: None }
        }
    }
}

async fn known_sites(bucket: &Bucket, object: &ValidatedTraining) -> Result<BTreeSet<Name>, String> {
    let keys = PipelineKeys::new(&object.namespace, &object.data.pipeline);
    let told = sites::load_all(bucket, &keys).await.map_err(|error| error_chain(&error))?;
    let published = bucket_view::last_published(bucket, &ModelKeys::new(&object.namespace, &object.name)).await?;
    let learned_at = published.map(|metadata| metadata.trained_at_site);
    Ok(told.into_iter().map(|status| status.site).chain(learned_at).collect())
}

fn last_read(view: &PointerView, artifact: Option<&Artifact>) -> BucketAnswer {
    match (&view.pointer, view.trouble, artifact) {
        (Pointer::Unreadable(message), Some(reason), _) => {
            BucketAnswer::Trouble(BucketTrouble { reason, message: message.clone() })
        }
        (_, _, Some(Artifact::Unreadable(message))) => BucketAnswer::Trouble(BucketTrouble {
            reason: BucketReason::BucketUnreadable.as_str(),
            message: message.clone(),
        }),
        (Pointer::NotFollowed, _, None) => BucketAnswer::Unasked,
        _ => BucketAnswer::Answers,
    }
}

/// As a status can remember it.
fn in_whole_seconds(run: Run) -> Run {
    Run { started_at: whole_seconds(run.started_at), finished_at: run.finished_at.map(whole_seconds), ..run }
}
