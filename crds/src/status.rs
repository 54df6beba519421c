//! What the operator says of both kinds. Conditions tell how things stand; the rest is what the next step needs to know.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// How a pipeline stands at this site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnomalyPipelineStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "looked_at")]
    pub observed_generation: Option<i64>,
    /// Ready, TopicsReady, BucketReachable, GeneratorAvailable, DetectorAvailable, ArchiverAvailable, NotifierAvailable, ModelCurrent,
    /// StreamComplete, FeaturesPresent, ScoresStable, BudgetHeld and ReceiversUsable; Reconciling or Stalled while it is not Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// This site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Number of detector pods.
    #[serde(default)]
    pub replicas: i32,
    /// Label selector of the detector pods, for autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The model roll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelStatus>,
    /// The topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topics: Option<TopicsStatus>,
    /// The generator of a data set that is walked once; absent before it is at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<GeneratorStatus>,
}

/// Where the model roll stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// The training whose versions these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<String>,
    /// The last version that all detectors loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// The one before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The version that is being rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<ModelTarget>,
    /// Versions that were rolled back, newest last; none of them is tried again before a pin or a new value of the
    /// annotation `vedette.io/retry-model` asks for it, or the detectors have another image or other resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
    /// A hash of the detectors' image and resources with which they were rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_with: Option<String>,
    /// The largest generation of the current pointer that was followed.
    #[serde(default)]
    pub generation: i64,
    /// The version that was pinned last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// The value of the annotation `vedette.io/retry-model` that was last acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<String>,
}

/// A rollout under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelTarget {
    /// The version.
    pub version: String,
    /// When the detectors' template got it.
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub since: Time,
    /// How far the pods with it came, all together: each is scheduled, then started.
    #[serde(default)]
    pub steps: i32,
    /// The most of them that were ready.
    #[serde(default)]
    pub ready: i32,
    /// Since when they have come no further; absent while there is nothing to judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub unmoved_since: Option<Time>,
}

/// What is known of the topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopicsStatus {
    /// Name of the last topic Job that completed; it carries a hash of what it created.
    pub completed_job: String,
    /// What of the topics is not as the spec says, as that Job found it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// What of the topics keeps records from passing, as that Job found it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<String>,
    /// When it completed. Where anything is stated of a topic it runs again some six hours later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub looked_at: Option<Time>,
}

/// What is known of a generator in mode Sequential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratorStatus {
    /// Name of the Job that generated every record of the data set; it carries a hash of the generator's own settings. It does
    /// not run again, also when it was deleted.
    pub completed_job: String,
}

/// How a training stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelTrainingStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "looked_at")]
    pub observed_generation: Option<i64>,
    /// Ready, DataAvailable, Trained, GatePassed and Published; Reconciling or Stalled while it is not Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What it does now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<TrainingPhase>,
    /// The version that the last successful run published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The version of the last run that made a model, where the gate refused it: it is in the bucket, and not current unless somebody
    /// has promoted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// AUROC of `model` on its holdout, 0 to 1; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Records in the archive, all sites together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<i64>,
    /// The scheduled time that was last acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub last_schedule_time: Option<Time>,
    /// The schedule that is in effect; absent without one, while the training is suspended, and where it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleStatus>,
    /// The last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<TrainingRun>,
    /// The value of the run annotation that was last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_request: Option<String>,
    /// Runs in a row that failed or found too few records, since the spec was changed last: the pause before the next grows with
    /// it.
    #[serde(default)]
    pub failures: i32,
    /// What came of the last runs, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub history: Vec<TrainingResult>,
}

/// A schedule that is in effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStatus {
    /// The cron expression and its time zone.
    pub schedule: String,
    /// Since when it is in effect: of a schedule that was added or changed, or was suspended, no earlier time counts.
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub since: Time,
}

/// What a training does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TrainingPhase {
    /// Nothing, `spec.suspend` is set.
    Suspended,
    /// Nothing, it runs at the site that `spec.site` names.
    RunsAtOtherSite,
    /// It waits for records.
    WaitingForData,
    /// It waits for its time, or for new records.
    Scheduled,
    /// A Job is under way.
    Running,
    /// The last run failed, and will be tried again.
    Failed,
    /// Nothing more will come by itself.
    Done,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrainingRun {
    /// Its Job.
    pub job: String,
    /// When it was started.
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub started_at: Time,
    /// When it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub finished_at: Option<Time>,
    /// Records in the archive when it was started.
    pub records: i64,
}

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrainingResult {
    /// Its Job.
    pub job: String,
    /// When it ended.
    #[schemars(schema_with = "crate::common::embedded::<Time>")]
    pub finished_at: Time,
    /// Published, GateRefused, NotEnoughData or Failed.
    pub outcome: String,
    /// The version, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// AUROC on the holdout; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auroc: Option<f64>,
    /// Records that were read.
    pub records: i64,
    /// Key in the bucket of the model's report, a page for a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// What came of the search, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchResult>,
    /// One sentence for a person.
    pub message: String,
}

/// What came of a search for hyper-parameters; the model's metadata has every trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchResult {
    /// By what trials were compared.
    pub metric: String,
    /// Trials that were made.
    pub trials: i64,
    /// Those of them that failed.
    pub failed: i64,
    /// The best ones, the best first.
    #[schemars(length(max = 3))]
    pub best: Vec<SearchTrial>,
}

/// One of the best trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchTrial {
    /// Its parameters.
    pub parameters: String,
    /// Its figure.
    pub value: f64,
}

/// The CRD's default is -1: nobody has looked at the object yet.
fn looked_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<i64>::deserialize(deserializer)?.filter(|generation| *generation >= 0))
}

fn conditions(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::common::embedded::<Vec<Condition>>(generator)
}
