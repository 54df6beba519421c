//! `ModelTraining`: the batch part, which reads all sites' archive of a pipeline and publishes models.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vedette_contract::gate::NewestRecords;

use crate::common::{Label, Resources};
use crate::learner::{self, Algorithm, Parameters};
use crate::pod::PodSettings;
use crate::search::Search;
use crate::status::ModelTrainingStatus;

fn utc() -> String {
    "UTC".to_owned()
}

const fn default_seed() -> i64 {
    1
}

/// Learns from a pipeline's archive and publishes models, once or again and again, at the site that it names.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vedette.io",
    version = "v1alpha1",
    kind = "ModelTraining",
    plural = "modeltrainings",
    shortname = "mt",
    category = "vedette",
    namespaced,
    derive = "PartialEq",
    status = "ModelTrainingStatus",
    doc = "Learns from all sites' archive of a pipeline, evaluates, gates and publishes model versions to the bucket.",
    cel,
    validation = Rule::new("size(self.metadata.name) <= 52 && !self.metadata.name.contains('.')")
        .message("a training's name has at most 52 characters and no '.', because the names of its Jobs are made of it"),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Model", type_ = "string", json_path = ".status.model"),
    printcolumn(name = "Score", type_ = "number", json_path = ".status.score"),
    printcolumn(name = "Records", type_ = "integer", json_path = ".status.records"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Pipeline", type_ = "string", json_path = ".spec.data.pipeline", priority = 1),
    printcolumn(name = "Site", type_ = "string", json_path = ".spec.site", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1)
)]
#[schemars(transform = learner::add_rules_of_parameters)]
#[x_kube(
    validation = Rule::new("self.algorithm != 'RandomForestClassifier' || has(self.features.label)")
        .message("RandomForestClassifier learns from labels").field_path(".features.label"),
    validation = Rule::new("self.algorithm != 'SeedForest' || !has(self.features.categorical) || size(self.features.categorical) == 0")
        .message("SeedForest learns from numeric features only").field_path(".features.categorical"),
    validation = Rule::new("!has(self.search) || self.algorithm != 'Ensemble'")
        .message("Ensemble has no parameters to search; choose another algorithm").field_path(".search"),
    validation = Rule::new("!has(self.search) || self.validation.folds >= 2")
        .message("a search compares models on 2 folds at least").field_path(".validation.folds"),
    validation = Rule::new("!has(self.search) || !has(self.search.metric) || has(self.features.label) || !(self.search.metric in ['Auprc', 'RecallAtBudget'])")
        .message("this metric needs features.label, which tells what an anomaly is; Stability, Separation and BudgetError do not").field_path(".search.metric"),
    validation = Rule::new("has(self.features.label) || !(has(self.publish.gate.minimumAuroc) || has(self.publish.gate.minimumRecall))")
        .message("a gate on AUROC or recall needs features.label, which tells what an anomaly is").field_path(".publish.gate"),
)]
pub struct ModelTrainingSpec {
    /// Site where the training runs. At every other site the object is kept and does nothing.
    #[schemars(length(max = 63), regex(pattern = crate::common::NAME_PATTERN))]
    pub site: String,
    /// Cron expression of five fields (minute, hour, day of month, month, day of week). Without it the training runs once,
    /// when `trigger.minRecords` are archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub schedule: Option<String>,
    /// IANA time zone of the schedule.
    #[serde(default = "utc")]
    #[schemars(length(max = 64))]
    pub time_zone: String,
    /// What starts a run beside the schedule.
    #[serde(default)]
    pub trigger: Trigger,
    /// No new runs; one that is under way goes on.
    #[serde(default)]
    pub suspend: bool,
    /// What is learned from.
    pub data: DataSource,
    /// Which fields are learned from.
    #[serde(default)]
    pub features: Features,
    /// The learner. Ensemble is the best that is known without labels, and has no parameters.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Parameters of the learner; what is omitted has the algorithm's default. Ensemble has none.
    #[serde(default)]
    #[schemars(transform = learner::describe_parameters)]
    pub parameters: Parameters,
    /// A search for the parameters of the learner; none where omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Seed of everything random: the same objects, parameters and seed give the same model.
    #[serde(default = "default_seed")]
    #[schemars(range(min = 0))]
    pub seed: i64,
    /// How a model is evaluated.
    #[serde(default)]
    pub validation: Validation,
    /// When a model is published, and how many stay.
    #[serde(default)]
    pub publish: Publish,
    /// The Job of a run.
    #[serde(default)]
    pub job: JobSettings,
    /// Labels of the objects that are made, beside Vedette's own: Deployments, Jobs, Services and what else there is, but not their
    /// pods (`pod.labels`). A Job keeps those that it was made with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the same objects, beside Vedette's own (`vedette.io/…`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Settings of the pods of runs.
    #[serde(default)]
    pub pod: PodSettings,
}

/// What starts a run beside the schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Trigger {
    /// No run before so many records are archived, all sites together.
    #[schemars(range(min = 1))]
    pub min_records: i64,
    /// Runs again after so many new records; never by itself where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub new_records: Option<i64>,
}

impl Default for Trigger {
    fn default() -> Self {
        Self { min_records: 10_000, new_records: None }
    }
}

const fn default_max_records() -> i64 {
    1_000_000
}

fn uuid() -> String {
    "uuid".to_owned()
}

/// What is learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataSource {
    /// Pipeline of this namespace whose archive is read. It cannot be changed: the models would be of another kind.
    #[schemars(length(max = 40), regex(pattern = crate::common::NAME_PATTERN))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("data.pipeline cannot be changed; make another training"))]
    pub pipeline: String,
    /// Sites whose archive is read; all where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63), regex(pattern = crate::common::NAME_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub sites: Vec<String>,
    /// Only records whose `utc` is at most this old, a duration such as `168h`; all where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = crate::common::DURATION_PATTERN))]
    pub lookback: Option<String>,
    /// A period that is known to be clean: only its records are learned from, however old they are. What is calibrated and
    /// evaluated on stays the stream as it is, that is all records, or those of `lookback`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_window: Option<ReferenceWindow>,
    /// Size of the uniform sample that is learned from.
    #[serde(default = "default_max_records")]
    #[schemars(range(min = 100, max = 100_000_000))]
    pub max_records: i64,
    /// Field whose repeated value means the same record delivered twice.
    #[serde(default = "uuid")]
    #[schemars(length(min = 1, max = 256))]
    pub deduplicate_by: String,
}

/// A period by the `utc` of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from < self.to").message("is an empty period: from must be before to"))]
pub struct ReferenceWindow {
    /// Its first time, such as `2026-01-01T00:00:00Z`.
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub from: Time,
    /// The first time after it.
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub to: Time,
}

/// Which fields are learned from; found in the data where neither list is given: without times, counters, identifiers, what is seldom
/// present and what is named like a label, each of which is told. A field that is listed is learned from whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Features {
    /// Numeric fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub numeric: Vec<String>,
    /// Categorical fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub categorical: Vec<String>,
    /// The label, for reports only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// How a model is evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Validation {
    /// Share of the sample that is set aside for evaluation, 0 to 1.
    #[schemars(range(min = 0.01, max = 0.9))]
    pub holdout_share: f64,
    /// Alert budget at which recall and precision are reported, in records per million.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub alert_budget_per_million: f64,
    /// Folds of the training rows. For each, a model learns from the others, and it is reported how far its alerts stand out
    /// and how many of them the other models share: quality that needs no labels. 0 or 1 for none; each costs a training.
    #[schemars(range(min = 0, max = 20))]
    pub folds: i32,
}

impl Default for Validation {
    fn default() -> Self {
        Self { holdout_share: 0.2, alert_budget_per_million: 1000.0, folds: 2 }
    }
}

/// When a model is published, and how many stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Publish {
    /// What a model must be to become current. One that is not stays in the bucket as a candidate, which somebody may promote.
    pub gate: Gate,
    /// How many versions stay in the bucket, the current one included, and how many candidates. One that a site still uses stays
    /// in any case.
    #[schemars(range(min = 2, max = 1000))]
    pub keep: i32,
}

impl Default for Publish {
    fn default() -> Self {
        Self { gate: Gate::default(), keep: 5 }
    }
}

/// What a model must be to become current.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Gate {
    /// Whether the newest records of every site are scored first: Check refuses a model that there would alert on more than three
    /// times `validation.alertBudgetPerMillion` and on more than the current model, or, while none is current, on more than a tenth of
    /// the records; and one that finds less than half of the values of its features there. Ignore does not look.
    pub newest_records: NewestRecords,
    /// Area under the ROC curve on the holdout, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub minimum_auroc: Option<f64>,
    /// Share of the anomalies of the holdout that alert at the budget, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub minimum_recall: Option<f64>,
}

/// The Job of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct JobSettings {
    /// CPU and memory of the pod; a training uses all the CPU of its limit.
    pub resources: Resources,
    /// A run that takes longer, in seconds, has failed.
    #[schemars(range(min = 1))]
    pub active_deadline_seconds: i64,
    /// How often a failed pod is tried again.
    #[schemars(range(min = 0, max = 100))]
    pub backoff_limit: i32,
    /// How long a finished Job is kept, in seconds.
    #[schemars(range(min = 0))]
    pub ttl_seconds_after_finished: i32,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            resources: Resources::default(),
            active_deadline_seconds: 3600,
            backoff_limit: 2,
            ttl_seconds_after_finished: 86_400,
        }
    }
}
