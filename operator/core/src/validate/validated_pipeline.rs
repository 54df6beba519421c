//! What a valid `AnomalyPipeline` is: no option of these types can be wrong, and builders take every one of them.

use std::collections::BTreeMap;
use std::time::Duration;

use vedette_contract::Name;
use vedette_contract::arguments::{BudgetTracking, DatasetArguments, GeneratorMode, KeyValue, ProcessingGuarantee};
use vedette_contract::lookup::Lookup;
use vedette_contract::receiver::Receiver;
use vedette_contract::topic::TopicSpecification;
use vedette_crds::{Label, MissingModelPolicy, PodSettings, RollingUpdate, ScalingBehavior};

use super::tags::Tags;
use crate::roll::VersionPolicy;
use crate::site::Source;

/// A pipeline in which nothing is wrong.
#[derive(Debug, Clone)]
pub struct ValidatedPipeline {
    /// Namespace of the object and of its children.
    pub namespace: Name,
    pub name: Name,
    /// Its UID, for owner references; none where there is no API server.
    pub uid: Option<String>,
    /// Nothing runs.
    pub suspend: bool,
    /// The topics.
    pub topics: ValidatedTopics,
    /// The generator, where there is one.
    pub generator: Option<ValidatedGenerator>,
    /// The detector.
    pub detector: ValidatedDetector,
    /// The archiver.
    pub archiver: ValidatedArchiver,
    /// Incidents, where somebody is to be told.
    pub incidents: Option<ValidatedIncidents>,
    /// Which model.
    pub model: ValidatedModel,
    /// What is written on its children.
    pub tags: Tags,
    /// Settings of the pods.
    pub pods: ComponentPods,
}

/// Settings of the pods of each component.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentPods {
    pub topics: PodSettings,
    pub generator: PodSettings,
    pub detector: PodSettings,
    pub archiver: PodSettings,
    pub notifier: PodSettings,
}

impl ComponentPods {
    /// All of them.
    pub fn all(&self) -> [&PodSettings; 5] {
        let Self { topics, generator, detector, archiver, notifier } = self;
        [topics, generator, detector, archiver, notifier]
    }
}

/// The topics, as the topic Job creates them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedTopics {
    /// What the detectors read.
    pub sensor_messages: TopicSpecification,
    /// The enriched records.
    pub enriched_data: TopicSpecification,
    pub alerts: TopicSpecification,
    /// What could not be read or scored.
    pub dead_letters: TopicSpecification,
    /// Largest message of the three output topics, bytes.
    pub max_output_message_bytes: u64,
}

/// The generator.
#[derive(Debug, Clone)]
pub struct ValidatedGenerator {
    /// Number of pods.
    pub replicas: i32,
    /// Records per second of all pods together.
    pub records_per_second: f64,
    /// How the data set is walked.
    pub mode: GeneratorMode,
    /// Share of anomalous records; where absent the generator decides, which knows whether the data set has a label.
    pub anomaly_fraction: Option<f64>,
    /// Where the records come from.
    pub dataset: Dataset,
    /// Seed of everything random.
    pub seed: u64,
}

/// Where generated records come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Dataset {
    /// The simulator, which knows its own label.
    Simulator,
    /// A file in the bucket.
    Object {
        /// Its full key.
        key: String,
        /// Its label, where it has one.
        label: Option<Label>,
        /// How it is written.
        format: DatasetArguments,
    },
}

/// The detector.
#[derive(Debug, Clone)]
pub struct ValidatedDetector {
    /// Number of pods, or who decides it.
    pub scale: Scale,
    /// What a crash may repeat.
    pub processing_guarantee: ProcessingGuarantee,
    /// Fields of the records, each with the name that it gets.
    pub renamed_fields: Vec<KeyValue>,
    /// Tables that records are joined with.
    pub lookups: Vec<ValidatedLookup>,
    /// Name and CEL expression of each calculated field.
    pub calculated_fields: Vec<KeyValue>,
    /// When a record is an alert.
    pub alerting: Alerting,
    /// How many reasons an alert has at most.
    pub reasons: u32,
    /// How many pods a drain may take at once; whatever it likes where there is none.
    pub max_unavailable: Option<i32>,
    /// How its pods are replaced.
    pub rolling_update: RollingUpdate,
}

impl ValidatedDetector {
    /// Names of the fields that it adds to a record before it is scored.
    pub fn added_names(&self) -> Vec<String> {
        let looked_up = self.lookups.iter().flat_map(|lookup| lookup.lookup.fields());
        looked_up.chain(self.calculated_fields.iter().map(|field| field.key.clone())).collect()
    }

    /// The other name of each field that gets one.
    pub fn other_names(&self) -> BTreeMap<String, String> {
        self.renamed_fields.iter().map(|KeyValue { key, value }| (key.clone(), value.clone())).collect()
    }
}

/// A table that records are joined with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedLookup {
    /// As the detector is given it.
    pub lookup: Lookup,
    /// Where the table is, if it is not in the bucket.
    pub config_map: Option<ConfigMapKey>,
}

/// A key of a ConfigMap in the namespace of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMapKey {
    pub name: String,
    /// The key, which is the name of a file in the pods.
    pub key: String,
}

/// Who decides the number of detector pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scale {
    /// The manifest.
    Fixed(i32),
    /// A HorizontalPodAutoscaler.
    Automatic {
        /// Never fewer.
        min_replicas: i32,
        /// Never more.
        max_replicas: i32,
        /// CPU that is aimed at, percent of what is requested.
        target_cpu_percentage: i32,
        /// How fast the number changes; as Kubernetes has it where nothing is said.
        behavior: Option<ScalingBehavior>,
    },
}

/// When a record is an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Alerting {
    /// So many records per million.
    Budget {
        /// How many.
        per_million: f64,
        /// Whether the threshold follows the stream.
        tracking: BudgetTracking,
    },
    /// Scores greater than this.
    ScoreThreshold(f64),
}

impl Alerting {
    /// How many records per million may alert; none where a score decides.
    pub fn budget_per_million(self) -> Option<f64> {
        match self {
            Self::Budget { per_million, tracking: _ } => Some(per_million),
            Self::ScoreThreshold(_) => None,
        }
    }
}

/// The archiver.
#[derive(Debug, Clone)]
pub struct ValidatedArchiver {
    /// Number of pods.
    pub replicas: i32,
    /// Uncompressed size at which an object closes, bytes.
    pub rolling_max_bytes: u64,
    /// Age at which an object closes.
    pub rolling_max_age: Duration,
    /// How many pods a drain may take at once; whatever it likes where there is none.
    pub max_unavailable: Option<i32>,
    /// How its pods are replaced.
    pub rolling_update: RollingUpdate,
}

/// Incidents.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedIncidents {
    /// Their topic.
    pub topic: TopicSpecification,
    /// Fields whose values the alerts of an incident share; none where reasons group them.
    pub group_by: Vec<String>,
    /// The quiet gap that closes one.
    pub window: Duration,
    /// Who is told.
    pub receivers: Vec<ValidatedReceiver>,
    /// Image of the notifier.
    pub image: String,
}

/// Who is told of incidents.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedReceiver {
    /// As the notifier is given it.
    pub receiver: Receiver,
    /// What it needs of Secrets and ConfigMaps of the namespace of the pods.
    pub files: Vec<ReceiverFile>,
}

/// A value of a Secret or ConfigMap as a file of the notifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverFile {
    /// What it is for: a short word, in the name of its volume.
    pub purpose: &'static str,
    /// The Secret or ConfigMap.
    pub source: Source,
    /// Its key.
    pub key: String,
}

/// Which model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedModel {
    /// The training that is followed.
    pub training: Option<Name>,
    /// Which of its versions.
    pub policy: VersionPolicy,
    /// What happens without one.
    pub missing_model_policy: MissingModelPolicy,
    /// How long a rollout may take.
    pub progress_deadline: Duration,
}
