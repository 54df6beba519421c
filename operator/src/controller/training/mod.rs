//! Reconciles a `ModelTraining` in a cluster.

mod apply;
mod look;

use std::sync::Arc;

use jiff::Timestamp;
use kube::Resource;
use kube::runtime::controller::Action;
use vedette_core::platform::{ApplyFailure, Conclusion, Kind, Platform, reconcile as reconcile_on, whole_seconds};
use vedette_core::refusal::Refusal;
use vedette_core::schedule::Run;
use vedette_core::training::{Training, TrainingPlan, TrainingSeen};
use vedette_core::validate::{ValidatedTraining, validate_training};
use vedette_crds::{ModelTraining, ModelTrainingStatus};

use super::apply::ApiError;
use super::cluster::InCluster;
use super::context::Context;
use super::triggers::GuardedTraining;
use super::unreadable;

/// One reconcile: validate → look → decide → apply → conclude → tell.
///
/// # Errors
/// What the API server refused; the status has it too, where it stays so.
pub(super) async fn reconcile(object: Arc<GuardedTraining>, context: Arc<Context>) -> Result<Action, ApiError> {
    let is_known = context.stores.ready_in_time().await;
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = whole_seconds(Timestamp::now());
    if !is_known {
        let refusal = Refusal::namespace_unreachable(context.reach.trouble(context.scope.label()).as_deref());
        return unreadable::tell::<Training, _>(&object, refusal, &context, now).await;
    }
    let training = match &object.0 {
        Ok(training) => training,
        Err(invalid) => {
            let refusal = Refusal::unreadable(&invalid.error);
            return unreadable::tell::<Training, _>(&object, refusal, &context, now).await;
        }
    };
    let before = context.trainings.newest_status(training, training.status.clone().unwrap_or_default());
    let mut cluster = InCluster { object: training, context: &context };
    let again = match context.trainings.valid(training, || validate_training(training)) {
        Ok(valid) => reconcile_on::<Training, _>(&mut cluster, &valid, &context.site, &before, now).await?,
        Err(errors) => {
            let conclusion = Training::refuse(&cluster.refused(&before), Refusal::invalid(&errors), now);
            cluster.tell(&before, &conclusion).await?;
            conclusion.again
        }
    };
    Ok(Action::requeue(again))
}

impl Platform<Training> for InCluster<'_, ModelTraining> {
    type Error = ApiError;

    async fn look(
        &mut self,
        object: &ValidatedTraining,
        before: &ModelTrainingStatus,
    ) -> Result<TrainingSeen, ApiError> {
        look::look(self.object, object, before, self.context).await
    }

    async fn apply(&mut self, object: &ValidatedTraining, plan: &TrainingPlan) -> Result<Option<Run>, ApiError> {
        if let Some(ended) = plan.ended_job() {
            apply::clear(&object.namespace, ended, self.context).await?;
        }
        match &plan.start {
            None => Ok(None),
            Some(start) => apply::apply(object, start, self.context).await,
        }
    }

    fn failure(&self, error: &ApiError) -> ApplyFailure {
        self.apply_failure(error)
    }

    async fn tell(
        &mut self,
        before: &ModelTrainingStatus,
        conclusion: &Conclusion<ModelTrainingStatus>,
    ) -> Result<(), ApiError> {
        self.write_status_and_events(&self.context.trainings, before, conclusion).await
    }
}
