//! Reconciles an `AnomalyPipeline` in a cluster.

mod apply;
mod look;

use std::sync::Arc;

use jiff::Timestamp;
use kube::Resource;
use kube::runtime::controller::Action;
use vedette_core::outputs::older_writer;
use vedette_core::pipeline::{Pipeline, PipelinePlan, PipelineSeen};
use vedette_core::platform::{ApplyFailure, Conclusion, Kind, Platform, reconcile as reconcile_on, whole_seconds};
use vedette_core::refusal::Refusal;
use vedette_core::validate::{ValidatedPipeline, validate_pipeline};
use vedette_crds::{AnomalyPipeline, AnomalyPipelineStatus};

use super::apply::ApiError;
use super::cluster::InCluster;
use super::context::Context;
use super::per_object::Reference;
use super::triggers::GuardedPipeline;
use super::unreadable;

/// One reconcile: validate → look → decide → apply → conclude → tell.
///
/// # Errors
/// What the API server refused; the status has it too, where it stays so.
pub(super) async fn reconcile(object: Arc<GuardedPipeline>, context: Arc<Context>) -> Result<Action, ApiError> {
    let is_known = context.stores.ready_in_time().await;
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = whole_seconds(Timestamp::now());
    if !is_known {
        let refusal = Refusal::namespace_unreachable(context.reach.trouble(context.scope.label()).as_deref());
        return unreadable::tell::<Pipeline, _>(&object, refusal, &context, now).await;
    }
    let pipeline = match &object.0 {
        Ok(pipeline) => pipeline,
        Err(invalid) => {
            let refusal = Refusal::unreadable(&invalid.error);
            return unreadable::tell::<Pipeline, _>(&object, refusal, &context, now).await;
        }
    };
    let before = context.pipelines.newest_status(pipeline, pipeline.status.clone().unwrap_or_default());
    let mut cluster = InCluster { object: pipeline, context: &context };
    let again = match admit(pipeline, &context).await {
        Ok(valid) => reconcile_on::<Pipeline, _>(&mut cluster, &valid, &context.site, &before, now).await?,
        Err(refusal) => {
            let conclusion = Pipeline::refuse(&cluster.refused(&before), refusal, now);
            cluster.tell(&before, &conclusion).await?;
            conclusion.again
        }
    };
    Ok(Action::requeue(again))
}

impl Platform<Pipeline> for InCluster<'_, AnomalyPipeline> {
    type Error = ApiError;

    async fn look(
        &mut self,
        object: &ValidatedPipeline,
        before: &AnomalyPipelineStatus,
    ) -> Result<PipelineSeen, ApiError> {
        look::look(self.object, object, before, self.context).await
    }

    async fn apply(&mut self, object: &ValidatedPipeline, plan: &PipelinePlan) -> Result<(), ApiError> {
        apply::apply(object, plan, self.context).await
    }

    fn failure(&self, error: &ApiError) -> ApplyFailure {
        self.apply_failure(error)
    }

    async fn tell(
        &mut self,
        before: &AnomalyPipelineStatus,
        conclusion: &Conclusion<AnomalyPipelineStatus>,
    ) -> Result<(), ApiError> {
        self.write_status_and_events(&self.context.pipelines, before, conclusion).await?;
        if let Some(update) = &conclusion.site_status {
            self.context.report.publish_site_status(&Reference::of(self.object), update.clone());
        }
        Ok(())
    }
}

/// The valid pipeline, if it is one and its topics are its own.
async fn admit(pipeline: &AnomalyPipeline, context: &Context) -> Result<Arc<ValidatedPipeline>, Refusal> {
    let validated = context.pipelines.valid(pipeline, || validate_pipeline(pipeline, &context.site));
    let valid = validated.map_err(|errors| Refusal::invalid(&errors))?;
    let others = context.all_pipelines.listed().await;
    let readable = others.iter().filter_map(|other| other.0.as_ref().ok());
    match older_writer(pipeline, readable) {
        None => Ok(valid),
        Some((older, topic)) => Err(Refusal::topic_conflict(older, topic)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::reflector;
    use kube::runtime::watcher::Event;
    use vedette_core::reason::ReadyReason;
    use vedette_testing::TestBucket;

    use super::super::context::testing;
    use super::super::scope::Scope;
    use super::super::seen::Seen;
    use super::*;

    fn pipeline(namespace: &str, created: &str) -> GuardedPipeline {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "spec": {},
            "metadata": { "namespace": namespace, "name": "flows", "uid": namespace, "creationTimestamp": created }
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn an_older_pipeline_of_a_namespace_that_is_listed_late_is_heeded() {
        let served = TestBucket::serve().await;
        let (context, _) = testing::context(&served.bucket);
        let (store, mut writer) = reflector::store();
        let seen = Seen::new(store);
        context.all_pipelines.add(&Scope::Namespace("other".parse().unwrap()), seen.clone());
        let list = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            writer.apply_watcher_event(&Event::Init);
            writer.apply_watcher_event(&Event::InitApply(pipeline("other", "2026-11-23T08:00:00Z")));
            writer.apply_watcher_event(&Event::InitDone);
            seen.has_listed();
        };
        let younger = pipeline("n", "2026-11-24T08:00:00Z").0.unwrap();
        let (admitted, ()) = tokio::join!(admit(&younger, &context), list);
        assert_eq!(admitted.unwrap_err().reason, ReadyReason::TopicConflict);
    }
}
