//! The detector of a pipeline: enriches, scores and alerts.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::autoscaling::Autoscaling;
use crate::common::Resources;
use crate::disruption_budget::DisruptionBudget;
use crate::lookup::Lookup;
use crate::pod::PodSettings;
use crate::rolling_update::RollingUpdate;

/// Enriches, scores and alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Detector {
    /// Number of pods; more than `topics.sensorMessages.partitions` have nothing to do. `kubectl scale` changes it.
    #[schemars(range(min = 0, max = 10_000))]
    pub replicas: i32,
    /// Lets the number of pods follow their CPU; `replicas` counts for nothing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// What a crash may repeat. ExactlyOnce uses Kafka transactions: a reader of committed records sees each once.
    /// AtLeastOnce commits after the acknowledged produces: a crash repeats records.
    pub processing_guarantee: ProcessingGuarantee,
    /// Fields of the records that get other names before anything else looks at them: a record that brings a field of a name that
    /// Vedette adds, such as `score` or `site`, is a dead letter without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub renamed_fields: Vec<RenamedField>,
    /// Tables that a record is joined with, before its fields are calculated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub lookups: Vec<Lookup>,
    /// Fields that are calculated from a record's own, and those that were looked up, and added to it. Where omitted: `total_bytes`, which is
    /// `src_bytes + dst_bytes`; `[]` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    // Of a list with keys, server-side apply drops an empty one, which says something here.
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub calculated_fields: Option<Vec<CalculatedField>>,
    /// When a record is an alert. Where omitted: `alertBudgetPerMillion: 1000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerting: Option<Alerting>,
    /// How many of the fields that made a record anomalous an alert names at most; 0 for none.
    #[schemars(range(min = 0, max = 100))]
    pub reasons: i32,
    /// How many pods a drain of nodes may take at once.
    pub disruption_budget: DisruptionBudget,
    /// How pods are replaced by those of another spec or model; one more is started before one of before is stopped.
    pub rolling_update: RollingUpdate,
    /// CPU and memory of each pod.
    pub resources: Resources,
    /// Settings of these pods, over those of `spec.pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::pod::overriding")]
    pub pod: Option<PodSettings>,
}

impl Detector {
    /// The fields that are calculated. The default is not in the schema: one that is stored could never be left by an apply.
    pub fn calculated_fields(&self) -> Vec<CalculatedField> {
        let total_bytes =
            CalculatedField { name: "total_bytes".to_owned(), expression: "src_bytes + dst_bytes".to_owned() };
        self.calculated_fields.clone().unwrap_or_else(|| vec![total_bytes])
    }

    /// When a record is an alert; the default is not in the schema, as with the calculated fields.
    pub fn alerting(&self) -> Alerting {
        self.alerting.clone().unwrap_or_default()
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            replicas: 1,
            autoscaling: None,
            processing_guarantee: ProcessingGuarantee::default(),
            renamed_fields: Vec::new(),
            lookups: Vec::new(),
            calculated_fields: None,
            alerting: None,
            reasons: 3,
            disruption_budget: DisruptionBudget::default(),
            rolling_update: RollingUpdate::default(),
            resources: Resources::default(),
            pod: None,
        }
    }
}

/// What a crash may repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProcessingGuarantee {
    /// Kafka transactions: a reader of committed records sees each once.
    #[default]
    ExactlyOnce,
    /// Acknowledged produces, then the commit: a crash repeats records.
    AtLeastOnce,
}

/// A field of the records that gets another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.name != self.to").message("must be another name").field_path(".to"))]
pub struct RenamedField {
    /// Its name in the records: of a field of the record itself, not of a member of one.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[^=]+$"))]
    pub name: String,
    /// The name that it gets, by which everything here and behind knows it. A record that has a field of this name already is a
    /// dead letter.
    #[schemars(length(max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub to: String,
}

/// A field that is calculated from a record's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CalculatedField {
    /// Name of the field. A record that brings a field of this name is a dead letter.
    #[schemars(length(max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// CEL expression over the record's fields, each a variable. `a.b` is the field of this name or the member `b` of the object
    /// `a`; `record["a b"]` is a field of any name. Where integers and other numbers mix, all are 64-bit floats.
    #[schemars(length(min = 1, max = 2048))]
    pub expression: String,
}

/// When a record is an alert: by a budget or a score, one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.alertBudgetPerMillion) != has(self.scoreThreshold)")
    .message("set either alertBudgetPerMillion or scoreThreshold"),
    validation = Rule::new("!has(self.budgetTracking) || has(self.alertBudgetPerMillion)")
    .message("goes with alertBudgetPerMillion: a scoreThreshold stays where it is").field_path(".budgetTracking"))]
pub struct Alerting {
    /// How many records per million may alert; the threshold follows from the model's calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub alert_budget_per_million: Option<f64>,
    /// Whether detectors hold the budget between trainings: Enabled, where omitted, moves the threshold slowly, to that of three times
    /// the budget or a third of it at most; with Disabled it stays where the calibration has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_tracking: Option<BudgetTracking>,
    /// A record alerts if its score is greater than this, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub score_threshold: Option<f64>,
}

impl Default for Alerting {
    fn default() -> Self {
        Self { alert_budget_per_million: Some(1000.0), budget_tracking: None, score_threshold: None }
    }
}

/// Whether detectors hold the budget between trainings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BudgetTracking {
    /// The threshold follows the stream, slowly and not far.
    #[default]
    Enabled,
    /// The threshold is that of the model's calibration.
    Disabled,
}
