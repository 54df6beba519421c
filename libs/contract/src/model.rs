//! The model artifact: an immutable directory of files, a manifest that hashes them, and the pointer to the current one.

mod judged;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::distribution::Distributions;
use crate::gate::GateReport;
use crate::learner::Algorithm;
use crate::search::{SearchReport, SearchSummary};
use crate::silence::SilenceKey;
use crate::{ModelVersion, Name, ReferenceWindow};

pub use judged::{JudgedVersion, ReadVerdict, Uncounted};

/// Schema of the artifact that this build writes, and the newest that it reads.
pub const SCHEMA: u32 = 1;
/// Node tables of the forest (format: crate `vedette-forest`).
pub const FOREST_FILE: &str = "forest.bin";
/// A [`FeatureSpecification`] as JSON.
pub const FEATURES_FILE: &str = "features.json";
/// A [`Calibration`] as JSON.
pub const CALIBRATION_FILE: &str = "calibration.json";
/// A [`ModelMetadata`] as JSON.
pub const METADATA_FILE: &str = "metadata.json";
/// A page for a browser that shows what the metadata says, and more.
pub const REPORT_FILE: &str = "report.html";
/// A [`ModelManifest`] as JSON; written last, so where it is, the version was written whole by its own site.
pub const MANIFEST_FILE: &str = "manifest.json";
/// How far back a current pointer remembers.
pub const EARLIER: usize = 20;

/// `current.json`: the only mutable object of a training, swapped by a conditional PUT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentPointer {
    /// The version that followers of `Latest` use.
    pub version: ModelVersion,
    /// Grows with every swap; a reader never goes to a smaller one unless pinned.
    pub generation: u64,
    /// Lower-case hexadecimal SHA-256 of the version's manifest.
    pub manifest_sha256: String,
    /// When the pointer was swapped.
    pub published_at: Timestamp,
    /// The Job, or the person, that swapped it.
    pub published_by: String,
    /// Why, in the words of a person; a Job says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What it said before, newest first, [`EARLIER`] at most; builds before this one did not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierPointer>,
}

/// What a current pointer said before it was swapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierPointer {
    /// The version that was current.
    pub version: ModelVersion,
    /// Of the pointer then.
    pub generation: u64,
    /// When it became so.
    pub published_at: Timestamp,
    /// Who made it so.
    pub published_by: String,
    /// Why, in the words of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl CurrentPointer {
    /// The version that was current before.
    pub fn previous(&self) -> Option<&ModelVersion> {
        self.earlier.first().map(|earlier| &earlier.version)
    }

    /// Whether this version is current or was, as far back as the pointer says.
    pub fn has_named(&self, version: &ModelVersion) -> bool {
        self.version == *version || self.earlier.iter().any(|earlier| earlier.version == *version)
    }

    /// What the next pointer says of the past.
    pub fn so_far(&self) -> Vec<EarlierPointer> {
        let Self { version, generation, manifest_sha256: _, published_at, published_by, comment, earlier } = self;
        let this = EarlierPointer {
            version: version.clone(),
            generation: *generation,
            published_at: *published_at,
            published_by: published_by.clone(),
            comment: comment.clone(),
        };
        std::iter::once(this).chain(earlier.iter().cloned()).take(EARLIER).collect()
    }
}

/// Hashes of every other file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelManifest {
    /// [`SCHEMA`] of the artifact.
    pub schema: u32,
    /// The version that this is.
    pub version: ModelVersion,
    /// File name to hash.
    pub files: BTreeMap<String, FileHash>,
}

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// How a record becomes a row of numbers: the detector takes its features from here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSpecification {
    /// [`SCHEMA`] of the artifact.
    pub schema: u32,
    /// The columns in the order of the forest's feature numbers.
    pub columns: Vec<Column>,
}

/// One column of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Field of the record.
    pub name: String,
    /// How its value becomes a number.
    #[serde(flatten)]
    pub kind: ColumnKind,
}

/// How a value becomes a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ColumnKind {
    /// A JSON number, a text that is a number, or a boolean as 0 and 1; anything else, and a missing field, is missing.
    Numeric {
        /// Median of the column in the training sample.
        median: f32,
        /// Values that stand for none, such as -9999: as good as missing. They compare after the cut to the range of `f32`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sentinels: Vec<f32>,
        /// What its values were; absent where none was learned from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usual: Option<UsualNumbers>,
    },
    /// Text, or the JSON text of any other scalar: the position of the value in this list, which is ordered by falling
    /// frequency, then by value. A value that is not there, and a missing field, is the length of the list.
    Categorical {
        /// Values seen in training.
        values: Vec<String>,
        /// Shares of the rows that have the first of them, 0 to 1.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shares: Vec<f64>,
    },
}

/// What the numbers of a column were in the rows that were learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UsualNumbers {
    /// Their 5th percentile.
    pub low: f32,
    /// Their 95th percentile.
    pub high: f32,
    /// A number that is at most this, or
    pub beyond_low: f32,
    /// greater than this, is outside everything that was learned.
    pub beyond_high: f32,
}

impl ColumnKind {
    /// Numbers without sentinels, of which nothing more is known.
    pub const fn numeric(median: f32) -> Self {
        Self::Numeric { median, sentinels: Vec::new(), usual: None }
    }

    /// Values of which nothing more is known.
    pub const fn categorical(values: Vec<String>) -> Self {
        Self::Categorical { values, shares: Vec::new() }
    }
}

/// A quantile table of raw scores over a uniform sample of the stream, repeated patterns kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`SCHEMA`] of the artifact.
    pub schema: u32,
    /// Rows in the sample.
    pub rows: u64,
    /// Raw score and its mid-rank in the sample (0 to 1), both strictly rising.
    pub quantiles: Vec<(f64, f64)>,
}

/// What a model was made of, and how good it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMetadata {
    /// [`SCHEMA`] of the artifact.
    pub schema: u32,
    /// Version of Vedette that trained it.
    pub vedette_version: String,
    /// The training.
    pub training: Name,
    /// The pipeline whose archive was read.
    pub pipeline: Name,
    /// Site where the training ran.
    pub trained_at_site: Name,
    /// The Job that trained it.
    pub trained_by: String,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// The learner.
    pub algorithm: Algorithm,
    /// Its hyper-parameters by name, as used.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Seed of everything random.
    pub seed: u64,
    /// Archive objects that were read, full keys, sorted.
    pub objects: Vec<String>,
    /// Sites whose objects were read, sorted.
    pub sites: Vec<Name>,
    /// Records read from the objects.
    pub records: u64,
    /// Records dropped because their identity was seen before.
    pub duplicates: u64,
    /// Lines that could not be read.
    pub unreadable: u64,
    /// Archive objects that are damaged.
    #[serde(default)]
    pub damaged: u64,
    /// Records of theirs that could not be read, as far as their writer said how many there are.
    #[serde(default)]
    pub lost: u64,
    /// Records that were left out of what is learned from, calibrated and evaluated on, as a silence says so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silenced: u64,
    /// Records that were left out of the same, as somebody made them up to see what becomes of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub simulated: u64,
    /// The silences that say so, as they were read, whether they matched a record or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<LearnedWithout>,
    /// The verdicts that were read, by site and id, also those whose place a later one took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<ReadVerdict>,
    /// What they come to, of each version whose alerts were judged; the oldest first, and first what no version is known of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<JudgedVersion>,
    /// What of the verdicts counts for nothing; none where all of them count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts_uncounted: Option<Uncounted>,
    /// What arrived as text in numeric features, by field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, TextValues>,
    /// The period that was learned from, where not from all that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Rows of the uniform sample.
    pub sampled: u64,
    /// Rows that the learner was given, after the holdout was set aside.
    pub learned: u64,
    /// What the calibration is of; absent in models of builds before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated_on: Option<CalibrationRows>,
    /// Values that were found to stand for none, by field: they count as missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sentinels: BTreeMap<String, Vec<f32>>,
    /// Share of the rows without a value that a feature can use, 0 to 1, of every feature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, f64>,
    /// How scores and features are distributed; absent in models of builds that did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distributions: Option<Distributions>,
    /// Fields that were found and are no features, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
    /// Features that tell the label by themselves, and may be it under another name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub separating: Vec<String>,
    /// Newest `utc` among the records read.
    pub last_utc: Option<String>,
    /// Quality on the holdout.
    pub metrics: Metrics,
    /// The search that the hyper-parameters are from, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchReport>,
    /// Name of the file of the version that is its report, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Quality of the `SeedForest` on the same holdout, trained on the same rows.
    pub baseline: Option<Metrics>,
    /// What the gate made of it.
    #[serde(default)]
    pub gate: GateReport,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A silence by which records were left out, as it was then: its end may have come earlier since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedWithout {
    /// Where it stands.
    #[serde(flatten)]
    pub key: SilenceKey,
    /// A CEL expression over a record.
    #[serde(rename = "match")]
    pub matches: String,
    /// The first `utc` of a record that it may match.
    pub from: Timestamp,
    /// The first after that which it may not.
    pub until: Timestamp,
}

/// A period that is known to be clean, and what was found in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The period.
    #[serde(flatten)]
    pub window: ReferenceWindow,
    /// Its records.
    pub records: u64,
}

/// The rows that a calibration is of. No forest that scored them had learned from them, but where there are too few.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRows {
    /// Rows at random.
    pub at_random: u64,
    /// The newest, scored by a forest that learned from those before. They have half of the weight where there are any.
    pub newest: u64,
    /// How many of the newest would alert, per million, were the calibration that of the others.
    pub newest_alerts_per_million: Option<f64>,
    /// How far from the budget of the metrics the alerts may be by chance, records per million: one standard deviation.
    pub budget_error_per_million: f64,
}

/// Values of a numeric feature that arrived as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextValues {
    /// Those that are numbers.
    pub numbers: u64,
    /// Those that are none, and count as missing.
    pub missing: u64,
}

impl TextValues {
    /// Counts one, which is a number or not.
    pub fn note(&mut self, is_number: bool) {
        let Self { numbers, missing } = self;
        *(if is_number { numbers } else { missing }) += 1;
    }

    /// Takes in what another counted.
    pub fn add(&mut self, other: Self) {
        self.numbers += other.numbers;
        self.missing += other.missing;
    }
}

/// Quality of a model on rows that it did not learn from. Where there are no labels, what needs them is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Rows that were scored.
    pub rows: u64,
    /// Rows whose label says anomaly.
    pub anomalies: Option<u64>,
    /// Area under the ROC curve, ties counted half.
    pub auroc: Option<f64>,
    /// Average precision.
    pub auprc: Option<f64>,
    /// Share of the anomalies that would alert at the budget.
    pub recall_at_budget: Option<f64>,
    /// Share of the alerts that are anomalies at the budget.
    pub precision_at_budget: Option<f64>,
    /// The alert budget of the two figures above, records per million.
    pub alert_budget_per_million: f64,
    /// Records per million that do alert at that budget.
    pub alerts_per_million: f64,
    /// Absent without folds, or where one of their forests lets nothing alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<FoldMetrics>,
}

/// Quality that needs no labels: of forests that each learned without one fold of the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoldMetrics {
    /// How many folds.
    pub folds: u32,
    /// Mean score of the alerts less that of the other rows, in standard deviations of the latter (Glass's delta).
    pub separation: f64,
    /// Share of the alerts of one forest that are also alerts of another (Dice's coefficient), 0 to 1.
    pub stability: f64,
}

/// How a training Job ended; written by the trainer at `results/<job>.json`, read by the operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingResult {
    /// The Job.
    pub job: String,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What came of it.
    pub outcome: TrainingOutcome,
    /// Records read.
    pub records: u64,
    /// The version, where one was made (also when the gate refused it).
    pub version: Option<ModelVersion>,
    /// Quality, where a model was made.
    pub metrics: Option<Metrics>,
    /// Quality of the baseline.
    pub baseline: Option<Metrics>,
    /// Full key of the report of the version, where there is one in the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// What came of the search, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchSummary>,
    /// One sentence for a person.
    pub message: String,
}

/// What came of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrainingOutcome {
    /// A version was published and is current.
    Published,
    /// A model was trained, and the gate refused it.
    GateRefused,
    /// There were too few records to learn from.
    NotEnoughData,
}
