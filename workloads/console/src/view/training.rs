//! Trainings, their models and their runs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{CurrentPointer, Metrics, ModelMetadata, REPORT_FILE, TrainingOutcome, TrainingResult};
use vedette_contract::{ModelVersion, Name};

/// A training, its models and its runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TrainingView {
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) training: Name,
    pub(crate) current: Option<CurrentView>,
    /// The newest first.
    pub(crate) versions: Vec<VersionView>,
    /// How its Jobs ended, the newest first.
    pub(crate) runs: Vec<RunView>,
}

/// The version that followers use.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CurrentView {
    #[schemars(with = "String")]
    pub(crate) version: ModelVersion,
    pub(crate) generation: u64,
    #[schemars(with = "String")]
    pub(crate) published_utc: Timestamp,
    pub(crate) published_by: String,
}

impl From<CurrentPointer> for CurrentView {
    fn from(pointer: CurrentPointer) -> Self {
        let CurrentPointer {
            version,
            generation,
            manifest_sha256: _,
            published_at,
            published_by,
            comment: _,
            earlier: _,
        } = pointer;
        Self { version, generation, published_utc: published_at, published_by }
    }
}

/// A model version.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct VersionView {
    #[schemars(with = "String")]
    pub(crate) version: ModelVersion,
    #[schemars(with = "String")]
    pub(crate) trained_utc: Timestamp,
    #[schemars(with = "String")]
    pub(crate) trained_at_site: Name,
    pub(crate) trained_by: String,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    pub(crate) algorithm: Algorithm,
    /// Sites whose records were read.
    #[schemars(with = "Vec<String>")]
    pub(crate) sites: Vec<Name>,
    pub(crate) records: u64,
    pub(crate) learned: u64,
    pub(crate) quality: QualityView,
    pub(crate) baseline: Option<QualityView>,
    /// Whether it has a report: `reports/<namespace>/<training>/<version>` below the path of the page.
    pub(crate) has_report: bool,
}

impl VersionView {
    pub(crate) fn new(version: ModelVersion, metadata: ModelMetadata) -> Self {
        Self {
            version,
            trained_utc: metadata.trained_at,
            trained_at_site: metadata.trained_at_site,
            trained_by: metadata.trained_by,
            pipeline: metadata.pipeline,
            algorithm: metadata.algorithm,
            sites: metadata.sites,
            records: metadata.records,
            learned: metadata.learned,
            quality: metadata.metrics.into(),
            baseline: metadata.baseline.map(Into::into),
            has_report: metadata.report.as_deref() == Some(REPORT_FILE),
        }
    }
}

/// Quality of a model. What needs labels is null where there are none.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct QualityView {
    pub(crate) rows: u64,
    pub(crate) auroc: Option<f64>,
    pub(crate) auprc: Option<f64>,
    pub(crate) recall_at_budget: Option<f64>,
    pub(crate) precision_at_budget: Option<f64>,
    pub(crate) alert_budget_per_million: f64,
    pub(crate) alerts_per_million: f64,
}

impl From<Metrics> for QualityView {
    fn from(metrics: Metrics) -> Self {
        let Metrics {
            rows,
            anomalies: _,
            auroc,
            auprc,
            recall_at_budget,
            precision_at_budget,
            alert_budget_per_million,
            alerts_per_million,
            folds: _,
        } = metrics;
        Self { rows, auroc, auprc, recall_at_budget, precision_at_budget, alert_budget_per_million, alerts_per_million }
    }
}

/// How a Job of a training ended.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RunView {
    pub(crate) job: String,
    #[schemars(with = "String")]
    pub(crate) finished_utc: Timestamp,
    pub(crate) outcome: TrainingOutcome,
    pub(crate) records: u64,
    #[schemars(with = "Option<String>")]
    pub(crate) version: Option<ModelVersion>,
    pub(crate) quality: Option<QualityView>,
    pub(crate) message: String,
}

impl From<TrainingResult> for RunView {
    fn from(result: TrainingResult) -> Self {
        let TrainingResult {
            job,
            finished_at,
            outcome,
            records,
            version,
            metrics,
            baseline: _,
            report: _,
            search: _,
            message,
        } = result;
        Self { job, finished_utc: finished_at, outcome, records, version, quality: metrics.map(Into::into), message }
    }
}

/// All trainings.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrainingsView {
    pub(crate) trainings: Vec<TrainingView>,
}
