//! Pipelines that are not acted upon: wrong, unreadable, or younger than another with the same topics. The status says why,
//! and what runs because of an earlier spec is left as it was.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
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

/// The eldest pipeline that writes to one of this one's output topics, and that topic.
fn elder<'a>(
    pipeline: &AnomalyPipeline,
    others: impl Iterator<Item = &'a AnomalyPipeline>,
) -> Option<(&'a AnomalyPipeline, String)> {
    let own = outputs(pipeline);
    let mine = rank(pipeline);
    let shared = others.filter_map(|other| {
        let topic = outputs(other).into_iter().find(|topic| own.contains(topic))?;
        Some((other, topic.to_owned()))
    });
    shared
        .filter(|(other, _)| other.metadata.uid != pipeline.metadata.uid && rank(other) < mine)
        .min_by(|(one, _), (other, _)| rank(one).cmp(&rank(other)))
}

/// Age, and between those of one age the name.
fn rank(pipeline: &AnomalyPipeline) -> (Option<Timestamp>, Option<&str>, Option<&str>) {
    let ObjectMeta { creation_timestamp, namespace, name, .. } = &pipeline.metadata;
    (creation_timestamp.as_ref().map(|time| time.0), namespace.as_deref(), name.as_deref())
}

fn outputs(pipeline: &AnomalyPipeline) -> [&str; 3] {
    let topics = &pipeline.spec.topics;
    [&topics.enriched_data.name, &topics.alerts.name, &topics.dead_letters.name].map(String::as_str)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pipeline(name: &str, born: &str, topics: Value) -> AnomalyPipeline {
        serde_json::from_value(json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline",
            "metadata": { "namespace": "n", "name": name, "uid": name, "creationTimestamp": born },
            "spec": { "topics": topics }
        }))
        .unwrap()
    }

    #[test]
    fn the_younger_of_two_with_the_same_output_is_refused() {
        let old = pipeline("old", "2026-11-23T08:00:00Z", json!({}));
        let young = pipeline("young", "2026-11-23T09:00:00Z", json!({ "sensorMessages": { "name": "other" } }));
        let apart = pipeline(
            "apart",
            "2026-11-23T09:00:00Z",
            json!({
                "enrichedData": { "name": "e" }, "alerts": { "name": "a" }, "deadLetters": { "name": "d" }
            }),
        );
        let all = [&old, &young, &apart];
        assert_eq!(elder(&old, all.into_iter()).map(|(elder, _)| elder.name_any()), None);
        let (found, topic) = elder(&young, all.into_iter()).unwrap();
        assert_eq!((found.name_any().as_str(), topic.as_str()), ("old", "enriched_data"));
        assert!(elder(&apart, all.into_iter()).is_none(), "the same input is read twice by two groups");
    }

    #[test]
    fn of_two_of_the_same_second_one_is_refused() {
        let born = "2026-11-23T08:00:00Z";
        let (a, b) = (pipeline("a", born, json!({})), pipeline("b", born, json!({})));
        assert!(elder(&a, [&a, &b].into_iter()).is_none());
        assert!(elder(&b, [&a, &b].into_iter()).is_some());
    }
}
