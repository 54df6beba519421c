//! Trainings that are not acted upon: unreadable or wrong. The status says why; a run that is under way goes on.

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use serde_json::json;
use vedette_crds::{ModelTraining, ModelTrainingStatus};

use super::super::RESYNC;
use super::super::apply::ApiError;
use super::super::backoff::jittered;
use super::super::context::Context;
use super::super::events::transitions;
use super::super::triggers::GuardedTraining;
use crate::status::{INVALID, refused_training_status};

/// Says why, where it is not said yet.
pub(super) async fn refuse(
    training: &ModelTraining,
    before: &ModelTrainingStatus,
    message: String,
    context: &Context,
    now: Timestamp,
) -> Result<Action, ApiError> {
    let status = refused_training_status(before, training.metadata.generation, (INVALID, message), now);
    super::write(training, before, &status, &[], context).await?;
    Ok(Action::requeue(jittered(RESYNC)))
}

/// Says why an object cannot be read. Its status is taken as it stands there, as it may not be readable either.
pub(super) async fn unreadable(
    object: &GuardedTraining,
    error: &str,
    context: &Context,
    now: Timestamp,
) -> Result<Action, ApiError> {
    let Some(found) = context.applier.read_untyped(object).await? else {
        context.forget_training(&object.name_any());
        return Ok(Action::await_change());
    };
    let before: ModelTrainingStatus = serde_json::from_value(found["status"].clone()).unwrap_or_default();
    let message = format!("the object cannot be read: {error}; apply it again with the CRD of this version");
    let status = refused_training_status(&before, object.meta().generation, (INVALID, message), now);
    if json!(status) != found["status"] {
        context.applier.status(object, &status).await?;
        let notices = transitions(&before.conditions, &status.conditions);
        context.announcer.announce(&object.object_ref(&()), &notices).await;
    }
    Ok(Action::requeue(jittered(RESYNC)))
}
