//! Trainings that are not acted upon: unreadable or wrong. The status says why; a run that is under way goes on.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::controller::Action;
use vedette_contract::Name;
use vedette_crds::{ModelTraining, ModelTrainingStatus};

use super::super::RESYNC;
use super::super::apply::ApiError;
use super::super::backoff::jittered;
use super::super::context::Context;
use super::super::unreadable::UnreadableStatus;
use vedette_core::status::{INVALID, refused_training_status};

/// Says why, where it is not said yet.
pub(super) async fn refuse(
    training: &ModelTraining,
    before: &ModelTrainingStatus,
    message: String,
    context: &Context,
    now: Timestamp,
) -> Result<Action, ApiError> {
    let status = refused_training_status(before, training.metadata.generation, (INVALID, message), now);
    super::write(training, before, &status, Vec::new(), context).await?;
    Ok(Action::requeue(jittered(RESYNC)))
}

impl UnreadableStatus for ModelTrainingStatus {
    fn refused(&self, generation: Option<i64>, message: String, _site: &Name, now: Timestamp) -> Self {
        refused_training_status(self, generation, (INVALID, message), now)
    }

    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}
