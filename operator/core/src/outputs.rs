//! The output topics of pipelines. All pipelines of a site share one Kafka, and no two of them write to one topic.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vedette_crds::AnomalyPipeline;

/// A topic that a pipeline writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output<'a> {
    /// The field that describes it, in `spec`.
    pub field: &'static str,
    pub topic: &'a str,
}

/// The topics that a pipeline writes to.
pub fn outputs(pipeline: &AnomalyPipeline) -> Vec<Output<'_>> {
    let topics = &pipeline.spec.topics;
    let incidents = pipeline.spec.incidents.as_ref().map(|incidents| incidents.topic.name.as_str());
    let mut outputs = vec![
        Output { field: "topics.enrichedData", topic: &topics.enriched_data.name },
        Output { field: "topics.alerts", topic: &topics.alerts.name },
        Output { field: "topics.deadLetters", topic: &topics.dead_letters.name },
    ];
    outputs.extend(incidents.map(|topic| Output { field: "incidents.topic", topic }));
    outputs
}

/// Whether a pipeline writes to this topic.
pub fn writes_to(pipeline: &AnomalyPipeline, topic: &str) -> bool {
    outputs(pipeline).iter().any(|output| output.topic == topic)
}

/// The oldest pipeline that writes to one of this one's output topics and is older, and that topic.
pub fn older_writer<'a>(
    pipeline: &'a AnomalyPipeline,
    others: impl Iterator<Item = &'a AnomalyPipeline>,
) -> Option<(&'a AnomalyPipeline, &'a str)> {
    let mine = rank(pipeline);
    let older = others.filter(|other| other.metadata.uid != pipeline.metadata.uid && rank(other) < mine);
    older
        .filter_map(|other| Some((other, shared(other, pipeline)?)))
        .min_by(|(one, _), (other, _)| rank(one).cmp(&rank(other)))
}

/// The first topic of one that the other writes to, too.
fn shared<'a>(one: &'a AnomalyPipeline, other: &AnomalyPipeline) -> Option<&'a str> {
    outputs(one).into_iter().map(|output| output.topic).find(|topic| writes_to(other, topic))
}

/// Age, and between those of one age the name.
fn rank(pipeline: &AnomalyPipeline) -> (Option<Timestamp>, Option<&str>, Option<&str>) {
    let ObjectMeta { creation_timestamp, namespace, name, .. } = &pipeline.metadata;
    (creation_timestamp.as_ref().map(|time| time.0), namespace.as_deref(), name.as_deref())
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
        assert!(older_writer(&old, all.into_iter()).is_none());
        let (found, topic) = older_writer(&young, all.into_iter()).unwrap();
        assert_eq!((found.metadata.name.as_deref(), topic), (Some("old"), "enriched_data"));
        assert!(older_writer(&apart, all.into_iter()).is_none(), "the same input is read twice by two groups");
    }

    #[test]
    fn of_two_of_the_same_second_one_is_refused() {
        let born = "2026-11-23T08:00:00Z";
        let (a, b) = (pipeline("a", born, json!({})), pipeline("b", born, json!({})));
        assert!(older_writer(&a, [&a, &b].into_iter()).is_none());
        assert!(older_writer(&b, [&a, &b].into_iter()).is_some());
    }
}
