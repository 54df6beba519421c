//! How each object of ours stands, as metrics: what its status says, for alerts. Of an object that is gone, and once another
//! process leads, there are none.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use vedette_contract::ModelVersion;
use vedette_contract::metrics::operator;
use vedette_core::status::READY;
use vedette_crds::{AnomalyPipelineStatus, ModelTrainingStatus};
use vedette_service::register;

use super::per_object::{PerObject, Reference};

/// What of a status metrics tell.
pub(super) trait ShownStatus {
    fn conditions(&self) -> &[Condition];

    /// The version that the detectors run, or that a training published last.
    fn model_version(&self) -> Option<&str>;
}

impl ShownStatus for AnomalyPipelineStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn model_version(&self) -> Option<&str> {
        self.model.as_ref()?.active.as_deref()
    }
}

impl ShownStatus for ModelTrainingStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn model_version(&self) -> Option<&str> {
        self.model.as_deref()
    }
}

/// Which condition of which object. Prometheus has a label `namespace` of its own, that of the operator's pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ConditionLabel {
    kind: &'static str,
    object_namespace: String,
    name: String,
    condition: String,
}

/// Which object, and what is to be read of it beside its conditions: one series each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ObjectLabel {
    kind: &'static str,
    object_namespace: String,
    name: String,
    reason: String,
    model_version: String,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    kind: &'static str,
    object_namespace: String,
    name: String,
}

/// The series of one object.
#[derive(Debug, Default)]
struct Shown {
    conditions: BTreeSet<ConditionLabel>,
    object: Option<ObjectLabel>,
}

/// How objects stand; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectMetrics {
    conditions: Family<ConditionLabel, Gauge>,
    objects: Family<ObjectLabel, Gauge>,
    model_times: Family<NameLabel, Gauge>,
    shown: Arc<PerObject<Shown>>,
}

impl ObjectMetrics {
    /// Registers them.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        register(registry, &operator::OBJECT_CONDITION, metrics.conditions.clone());
        register(registry, &operator::OBJECT_INFO, metrics.objects.clone());
        register(registry, &operator::MODEL_TIMESTAMP, metrics.model_times.clone());
        metrics
    }

    /// An object stands like this.
    pub(super) fn show(&self, object: &Reference, status: &impl ShownStatus) {
        let held = |condition: &Condition| match condition.status.as_str() {
            "True" => 1,
            "False" => 0,
            _ => -1,
        };
        self.shown.with(object, |shown| {
            let mut conditions = BTreeSet::new();
            for condition in status.conditions() {
                let label = condition_label(object, condition);
                self.conditions.get_or_create(&label).set(held(condition));
                conditions.insert(label);
            }
            for gone in shown.conditions.difference(&conditions) {
                self.conditions.remove(gone);
            }
            shown.conditions = conditions;
            let label = object_label(object, status);
            if shown.object.as_ref() != Some(&label) {
                shown.object.iter().for_each(|before| _ = self.objects.remove(before));
                match published(&label.model_version) {
                    Some(time) => _ = self.model_times.get_or_create(&name_label(object)).set(time),
                    None => _ = self.model_times.remove(&name_label(object)),
                }
                self.objects.get_or_create(&label).set(1);
                shown.object = Some(label);
            }
        });
    }

    /// The object is gone.
    pub(super) fn forget(&self, object: &Reference) {
        self.shown.with_known(object, |shown| {
            shown.conditions.iter().for_each(|label| _ = self.conditions.remove(label));
            shown.object.iter().for_each(|label| _ = self.objects.remove(label));
            self.model_times.remove(&name_label(object));
        });
        self.shown.forget(object);
    }

    /// Another process tells of them now.
    pub(super) fn forget_all(&self) {
        self.shown.choose(|(object, _)| Some(object.clone())).iter().for_each(|object| self.forget(object));
    }
}

fn condition_label(object: &Reference, condition: &Condition) -> ConditionLabel {
    let Reference { kind, namespace, name } = object.clone();
    ConditionLabel { kind, object_namespace: namespace, name, condition: condition.type_.clone() }
}

fn name_label(object: &Reference) -> NameLabel {
    let Reference { kind, namespace, name } = object.clone();
    NameLabel { kind, object_namespace: namespace, name }
}

/// When a version was published, in seconds since 1970.
fn published(version: &str) -> Option<i64> {
    Some(version.parse::<ModelVersion>().ok()?.time()?.as_second())
}

fn object_label(object: &Reference, status: &impl ShownStatus) -> ObjectLabel {
    let Reference { kind, namespace, name } = object.clone();
    let ready = status.conditions().iter().find(|condition| condition.type_ == READY);
    ObjectLabel {
        kind,
        object_namespace: namespace,
        name,
        reason: ready.map(|ready| ready.reason.clone()).unwrap_or_default(),
        model_version: status.model_version().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use vedette_crds::AnomalyPipeline;
    use vedette_testing::metrics::assert_served;

    fn status(conditions: &[(&str, &str, &str)], model: Value) -> AnomalyPipelineStatus {
        let conditions = conditions.iter().map(|(kind, status, reason)| {
            json!({ "type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-11-23T08:00:00Z" })
        });
        let conditions: Vec<Value> = conditions.collect();
        serde_json::from_value(json!({ "conditions": conditions, "model": { "active": model } })).unwrap()
    }

    fn lines(registry: &Registry) -> Vec<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        if !lines.is_empty() {
            assert_served(&text, operator::ALL);
        }
        lines.sort();
        lines
    }

    #[test]
    fn an_object_has_the_series_of_its_newest_status_and_none_when_it_is_gone() {
        let mut registry = Registry::default();
        let metrics = ObjectMetrics::register(&mut registry);
        let object = Reference::new::<AnomalyPipeline>("n", "flows");
        let stalled =
            [("Ready", "False", "Stuck"), ("Stalled", "True", "Stuck"), ("StreamComplete", "Unknown", "NotTold")];
        metrics.show(&object, &status(&stalled, Value::Null));
        let of = |rest: &str| format!("{{kind=\"AnomalyPipeline\",object_namespace=\"n\",name=\"flows\",{rest}");
        assert_eq!(
            lines(&registry),
            [
                format!("vedette_operator_object_condition{}", of("condition=\"Ready\"} 0")),
                format!("vedette_operator_object_condition{}", of("condition=\"Stalled\"} 1")),
                format!("vedette_operator_object_condition{}", of("condition=\"StreamComplete\"} -1")),
                format!("vedette_operator_object_info{}", of("reason=\"Stuck\",model_version=\"\"} 1")),
            ]
        );
        let version = "20261123T084210Z-1a2b3c4d";
        metrics.show(&object, &status(&[("Ready", "True", "Running")], json!(version)));
        assert_eq!(
            lines(&registry),
            [
                "vedette_operator_model_timestamp_seconds{kind=\"AnomalyPipeline\",object_namespace=\"n\",name=\"flows\"} 1795423330"
                    .to_owned(),
                format!("vedette_operator_object_condition{}", of("condition=\"Ready\"} 1")),
                format!("vedette_operator_object_info{}", of(&format!("reason=\"Running\",model_version=\"{version}\"}} 1"))),
            ]
        );
        metrics.show(&object, &status(&[("Ready", "True", "Running")], json!("v1")));
        assert_eq!(lines(&registry).len(), 2, "a text that is no version has no time");
        metrics.show(&object, &status(&[("Ready", "True", "Running")], json!(version)));
        metrics.show(&Reference::new::<AnomalyPipeline>("n", "other"), &status(&[], Value::Null));
        metrics.forget(&object);
        assert_eq!(lines(&registry).len(), 1, "the other");
        metrics.forget_all();
        assert_eq!(lines(&registry), [""; 0]);
    }
}
