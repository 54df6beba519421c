//! The generator of a pipeline: records from a simulator or from a data set in the bucket.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::Label;
use crate::pod::PodSettings;

const fn one() -> i32 {
    1
}

const fn default_seed() -> i64 {
    1
}

/// Generates records into `sensorMessages`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode == 'Random' || !has(self.anomalyFraction)")
        .message("anomalyFraction is for mode Random; Sequential takes the data set as it is").field_path(".anomalyFraction"),
    validation = Rule::new("self.mode == 'Random' || self.replicas == 1")
        .message("mode Sequential has one replica, so that every row comes once").field_path(".replicas"),
    validation = Rule::new("self.mode == 'Random' || (has(self.dataset) && has(self.dataset.object))")
        .message("mode Sequential needs dataset.object: the simulator has no last record").field_path(".dataset"),
    validation = Rule::new("!has(self.anomalyFraction) || !has(self.dataset) || !has(self.dataset.object) || has(self.dataset.object.label)")
        .message("anomalyFraction needs dataset.object.label, which tells what an anomaly is").field_path(".anomalyFraction"),
)]
pub struct Generator {
    /// Number of pods.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Records per second of the pipeline, shared by the replicas.
    #[schemars(range(min = 0.001, max = 10_000_000))]
    pub records_per_second: f64,
    /// How the data set is walked: Random takes rows at random, for ever; Sequential takes every row of an object once, in
    /// order, and a change of the generator's settings begins again.
    #[serde(default)]
    pub mode: GeneratorMode,
    /// Share of anomalous records in mode Random, 0 to 1. Where omitted: 0.005 if the data set has a label (KDD Cup 99's
    /// files have one without dataset.object.label), else the data set's own share.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub anomaly_fraction: Option<f64>,
    /// Where the records come from. Where omitted: the simulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Dataset>,
    /// Seed of everything random.
    #[serde(default = "default_seed")]
    #[schemars(range(min = 0))]
    pub seed: i64,
    /// Settings of these pods, over those of `spec.pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::pod::overriding")]
    pub pod: Option<PodSettings>,
}

impl Generator {
    /// Where the records come from. The default is not in the schema: one that is stored could never be left by an apply.
    pub fn dataset(&self) -> Dataset {
        self.dataset.clone().unwrap_or_default()
    }
}

/// How a data set is walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GeneratorMode {
    /// Rows at random, for ever.
    #[default]
    Random,
    /// Every row once, in order.
    Sequential,
}

/// Where the records come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dataset {
    /// A simulator of network connections in the shape of KDD Cup 99, with the label in `label`.
    Simulator(Simulator),
    /// A file in the bucket, a table (CSV) or lines of JSON, plain, gzip or zstd.
    Object(ObjectDataset),
}

impl Default for Dataset {
    fn default() -> Self {
        Self::Simulator(Simulator {})
    }
}

/// The simulator has no settings of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Simulator {}

/// A file in the bucket: a table (CSV) or lines of JSON. What its own bytes tell need not be said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDataset {
    /// Key of the file below `<namespace>/<pipeline>/datasets/`.
    #[schemars(length(max = 512), regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"))]
    pub key: String,
    /// Which column is the label; the data set has none where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// What stands between the fields of a table. Where omitted: what makes a table of its first lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
    /// What stands before the decimals of a table's numbers. Where omitted: Point, and a table whose separator is no comma is
    /// refused where it has a value such as `1,5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal_mark: Option<DecimalMark>,
    /// How characters are written. Where omitted: Utf8, or UTF-16 where the first bytes say so. Windows1252 reads Latin-1 too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
    /// The names of a table's columns, in order, where it has no line of names. A line of these very names is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4096), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub columns: Vec<String>,
}

impl ObjectDataset {
    /// A file of which nothing is said.
    pub fn of(key: impl Into<String>) -> Self {
        Self { key: key.into(), label: None, separator: None, decimal_mark: None, encoding: None, columns: Vec::new() }
    }
}

/// What stands between the fields of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Separator {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

/// What stands before the decimals of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DecimalMark {
    /// `124.5`
    Point,
    /// `124,5`
    Comma,
}

/// How characters are written as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TextEncoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// Windows-1252.
    Windows1252,
}
