//! Pipelines that are not acted upon: wrong, unreadable, or younger than another with the same topics. The status says why,
//! and what runs because of an earlier spec is left as it was.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use vedette_contract::Name;
use vedette_crds::{AnomalyPipeline, AnomalyPipelineStatus};

use super::super::apply::ApiError;
use super::super::backoff::jittered;
use super::super::context::Context;
use super::super::events::transitions;
use super::super::triggers::GuardedPipeline;
use super::super::unreadable::UnreadableStatus;
use super::super::{REFUSED_AGAIN, RESYNC};
use vedette_core::outputs::elder;
use vedette_core::status::{INVALID, TOPIC_CONFLICT, listed, refused_pipeline_status};
use vedette_core::validate::{ValidatedPipeline, validate_pipeline};

/// Why a pipeline is not acted upon: reason and message.
pub(super) type Refusal = (&'static str, String);

/// The valid pipeline, if it is one and its topics are its own.
pub(super) fn validate(pipeline: &AnomalyPipeline, context: &Context) -> Result<Arc<ValidatedPipeline>, Refusal> {
    let validated = context.valid_pipelines.of(pipeline, || validate_pipeline(pipeline, &context.site));
    let valid = validated.map_err(|errors| (INVALID, listed(&errors)))?;
    let others = context.pipelines.iter().flat_map(kube::runtime::reflector::Store::state);
    let readable: Vec<Arc<GuardedPipeline>> = others.collect();
    match elder(pipeline, readable.iter().filter_map(|other| other.0.as_ref().ok())) {
        None => Ok(valid),
        Some((elder, topic)) => {
            let (namespace, name) = (elder.namespace().unwrap_or_default(), elder.name_any());
            let message = format!(
                "AnomalyPipeline {namespace}/{name} is older and writes to topic {topic}, too: make another pipeline with other topics"
            );
            Err((TOPIC_CONFLICT, message))
        }
    }
}

/// Says why, where it is not said yet.
pub(super) async fn refuse(
    pipeline: &AnomalyPipeline,
    before: &AnomalyPipelineStatus,
    refusal: Refusal,
    context: &Context,
    now: Timestamp,
) -> Result<Action, ApiError> {
    let again = if refusal.0 == TOPIC_CONFLICT { REFUSED_AGAIN } else { RESYNC };
    let (generation, site) = (pipeline.metadata.generation, &context.site.site.name);
    let status = refused_pipeline_status(before, generation, site, (refusal.0, refusal.1), now);
    let notices = transitions(&before.conditions, &status.conditions);
    context.write_status(pipeline, &context.pipeline_memory, (before, &status), &notices).await?;
    Ok(Action::requeue(jittered(again)))
}

impl UnreadableStatus for AnomalyPipelineStatus {
    fn refused(&self, generation: Option<i64>, message: String, site: &Name, now: Timestamp) -> Self {
        refused_pipeline_status(self, generation, site, (INVALID, message), now)
    }

    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}
