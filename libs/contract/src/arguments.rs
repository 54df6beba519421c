//! Command lines of the workloads: one clap struct per binary. The operator's builders write what these read.
//! Everything can be given as an argument; what differs per pod or is secret comes from the environment.

mod connection;
mod console;
mod dataset;
mod notifier;
mod page_host;
mod search;
mod writers;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::archive::Stream;
use crate::gate::NewestRecords;
use crate::learner::Algorithm;
use crate::lookup::Lookup;
use crate::parameters::Parameters;
use crate::topic::TopicSpecification;
use crate::{ModelVersion, Name, ReferenceWindow, TopicName};

pub use connection::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, AWS_SESSION_TOKEN_ENV, BUCKET_REGION, BucketAddressing,
    BucketArguments, EncryptionAlgorithm, KAFKA_SASL_PASSWORD_ENV, KAFKA_SASL_USERNAME_ENV, KafkaArguments, KeyValue,
    OauthArguments, SecretText,
};
pub use console::{ConsoleArguments, PAGE_ADDRESS_ENV, PathPrefix, PathPrefixError};
pub use dataset::{DatasetArguments, DecimalMark, Separator, TextEncoding};
pub use notifier::NotifierArguments;
pub use page_host::{PageHost, PageHostError};
pub use search::SearchArguments;
pub use writers::{NO_USER_HEADERS, Network, NetworkError, UserHeader, UserHeaderError, WriterArguments};

/// Environment variable of [`ServiceArguments::listen_address`].
pub const LISTEN_ADDRESS_ENV: &str = "LISTEN_ADDRESS";
/// Environment variable that carries the pod's name.
pub const POD_NAME_ENV: &str = "POD_NAME";
/// Environment variable that says what is logged, as the crates that people know log.
pub const LOG_LEVEL_ENV: &str = "RUST_LOG";

/// What every long-running process has.
#[derive(Debug, Clone, Args)]
pub struct ServiceArguments {
    /// Where /livez, /readyz and /metrics are served; `[::]` is every address, also where IPv6 is off
    #[arg(long, env = LISTEN_ADDRESS_ENV, default_value = "[::]:8080")]
    pub listen_address: SocketAddr,

    /// Name of this process, unique among those of its kind: Kafka client id and transactional id
    #[arg(long, env = POD_NAME_ENV)]
    pub pod_name: String,
}

/// Whose pipeline.
#[derive(Debug, Clone, Args)]
pub struct PipelineArguments {
    /// Namespace of the pipeline: the first part of its keys in the bucket
    #[arg(long)]
    pub namespace: Name,

    /// Name of the pipeline: the second part of its keys in the bucket
    #[arg(long)]
    pub pipeline: Name,

    /// Site where this process runs
    #[arg(long)]
    pub site: Name,
}

/// Makes those of a pipeline's topics that are missing, alters those that it is to manage, and ends.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-topics", version)]
pub struct TopicsArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArguments,

    /// A topic, NAME:partitions=N[,management=Create|Manage|None][,replication.factor=N][,CONFIGURATION=VALUE]…; may be
    /// repeated. `?=` in place of `=` makes a default of it, for a topic that is made here
    #[arg(long = "topic", required = true)]
    pub topics: Vec<TopicSpecification>,

    /// Where what differs is written as JSON, if that file is there: the container's termination message
    #[arg(long)]
    pub report_file: Option<PathBuf>,
}

/// How a generator walks its data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum GeneratorMode {
    /// Rows at random, for ever.
    Random,
    /// Every row once, in order, then the process ends.
    Sequential,
}

/// Generates records: from a simulator of network connections, or from a data set in the bucket.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-generator", version)]
pub struct GeneratorArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub service: ServiceArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub bucket: BucketArguments,

    /// Topic to produce to
    #[arg(long)]
    pub topic: TopicName,

    /// Largest message that the topic accepts, bytes; less where it says so itself
    #[arg(long, default_value_t = 1_048_576)]
    pub max_message_bytes: usize,

    /// Records per second of this process
    #[arg(long)]
    pub records_per_second: f64,

    /// How to walk the data set
    #[arg(long, value_enum)]
    pub mode: GeneratorMode,

    /// Share of anomalous records in mode Random, 0 to 1; the data set's own share where omitted
    #[arg(long)]
    pub anomaly_fraction: Option<f64>,

    /// Full key of the data set in the bucket; the simulator where omitted
    #[arg(long)]
    pub dataset_object: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub dataset: DatasetArguments,

    /// Name of a field that the detector calculates or looks up, which a data set must not have; may be repeated
    #[arg(long = "calculated-name")]
    pub calculated_names: Vec<String>,

    /// Column of the data set that holds the label
    #[arg(long)]
    pub label_field: Option<String>,

    /// A label that means "not an anomaly"; may be repeated
    #[arg(long = "normal-label")]
    pub normal_labels: Vec<String>,

    /// Seed of everything random
    #[arg(long)]
    pub seed: u64,
}

/// What an exactly-once pipeline costs, and an at-least-once one risks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum ProcessingGuarantee {
    /// Kafka transactions: a reader of committed records sees each once.
    ExactlyOnce,
    /// Acknowledged produces, then the commit: a crash repeats records.
    AtLeastOnce,
}

/// Whether the threshold follows the stream between trainings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum BudgetTracking {
    /// It is moved, slowly and not far, so that the alert budget is held.
    Enabled,
    /// It is that of the model's calibration.
    Disabled,
}

/// Enriches, scores and alerts.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-detector", version)]
#[command(group = clap::ArgGroup::new("threshold").required(true))]
pub struct DetectorArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub service: ServiceArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub bucket: BucketArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub owner: PipelineArguments,

    /// Kafka consumer group
    #[arg(long)]
    pub group: String,

    /// Topic to read
    #[arg(long)]
    pub sensor_messages_topic: TopicName,

    /// Topic of the enriched records
    #[arg(long)]
    pub enriched_data_topic: TopicName,

    /// Topic of the alerts
    #[arg(long)]
    pub alerts_topic: TopicName,

    /// Topic of the records that could not be read or scored
    #[arg(long)]
    pub dead_letters_topic: TopicName,

    /// Largest message that the output topics accept, bytes
    #[arg(long, default_value_t = 2_097_152)]
    pub max_message_bytes: usize,

    /// What a crash may repeat
    #[arg(long, value_enum)]
    pub processing_guarantee: ProcessingGuarantee,

    /// A field of the records that gets another name before anything else, NAME=OTHER; may be repeated
    #[arg(long = "renamed-field", value_name = "NAME=OTHER")]
    pub renamed_fields: Vec<KeyValue>,

    /// A field to calculate, NAME=CEL expression over the record's fields; may be repeated
    #[arg(long = "calculated-field", value_name = "NAME=CEL")]
    pub calculated_fields: Vec<KeyValue>,

    /// A table to join with, as JSON; may be repeated
    #[arg(long = "lookup", value_name = "JSON")]
    pub lookups: Vec<Lookup>,

    /// The file of a lookup's table that is not in the bucket; may be repeated
    #[arg(long = "lookup-file", value_name = "NAME=FILE")]
    pub lookup_files: Vec<KeyValue>,

    /// How often is looked whether a table has changed, seconds
    #[arg(long, default_value_t = 20)]
    pub lookup_interval_seconds: u64,

    /// How many records per million may alert
    #[arg(long, group = "threshold")]
    pub alert_budget_per_million: Option<f64>,

    /// Whether the threshold of an alert budget follows the stream between trainings
    #[arg(long, value_enum, default_value = "Enabled")]
    pub budget_tracking: BudgetTracking,

    /// A record alerts if its score is greater than this, 0 to 1
    #[arg(long, group = "threshold")]
    pub score_threshold: Option<f64>,

    /// How many reasons an alert carries at most; 0 for none
    #[arg(long)]
    pub reasons: usize,

    /// The training whose model is used
    #[arg(long)]
    pub model_training: Option<Name>,

    /// The model version to load; without one records are enriched only
    #[arg(long, requires = "model_training")]
    pub model_version: Option<ModelVersion>,

    /// Where the model's files are kept across restarts
    #[arg(long)]
    pub model_directory: PathBuf,
}

/// One stream to archive: `enriched_data=TOPIC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedTopic {
    /// The stream, which names the place in the bucket.
    pub stream: Stream,
    /// The topic that carries it.
    pub topic: TopicName,
}

impl std::str::FromStr for ArchivedTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (stream, topic) = text.split_once('=').ok_or_else(|| format!("{text:?} is not STREAM=TOPIC"))?;
        let stream = stream.parse().map_err(|error: crate::archive::StreamError| error.to_string())?;
        Ok(Self { stream, topic: topic.parse().map_err(|error: crate::NameError| error.to_string())? })
    }
}

impl std::fmt::Display for ArchivedTopic {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}={}", self.stream, self.topic)
    }
}

/// Writes the enriched records and the alerts to the bucket.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-archiver", version)]
pub struct ArchiverArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub service: ServiceArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub bucket: BucketArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub owner: PipelineArguments,

    /// Kafka consumer group
    #[arg(long)]
    pub group: String,

    /// A stream and its topic, such as enriched_data=TOPIC; may be repeated
    #[arg(long = "archive", value_name = "STREAM=TOPIC", required = true)]
    pub topics: Vec<ArchivedTopic>,

    /// An object closes when it holds this many uncompressed bytes
    #[arg(long)]
    pub rolling_max_bytes: u64,

    /// An object closes when it has been open this long, seconds
    #[arg(long)]
    pub rolling_max_age_seconds: u64,

    /// What arrived is readable in the bucket after this long, seconds
    #[arg(long, default_value_t = 5)]
    pub tail_interval_seconds: u64,

    /// Where open objects are kept until they are closed
    #[arg(long)]
    pub spool_directory: PathBuf,
}

/// Reads the archive of all sites, learns, evaluates, gates and publishes; then ends.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-trainer", version)]
pub struct TrainerArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub bucket: BucketArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub owner: PipelineArguments,

    /// The training: where the model is published
    #[arg(long)]
    pub training: Name,

    /// Name of the Job, for the result and the metadata
    #[arg(long)]
    pub job: Name,

    /// A site whose archive is read; may be repeated; all where omitted
    #[arg(long = "data-site")]
    pub data_sites: Vec<Name>,

    /// Only records whose `utc` is at most this old, seconds; all where omitted
    #[arg(long)]
    pub lookback_seconds: Option<u64>,

    /// Period that is known to be clean, FROM/TO: only records whose `utc` lies in it, however old, are learned from
    #[arg(long)]
    pub reference_window: Option<ReferenceWindow>,

    /// Size of the uniform sample that is learned from
    #[arg(long)]
    pub max_records: u64,

    /// Fewer records than this are not learned from
    #[arg(long, default_value_t = 100)]
    pub min_records: u64,

    /// Field whose repeated value means the same record delivered twice
    #[arg(long)]
    pub deduplicate_by: String,

    /// A numeric feature; may be repeated; found in the data where no feature is given
    #[arg(long = "numeric-feature")]
    pub numeric_features: Vec<String>,

    /// A categorical feature; may be repeated
    #[arg(long = "categorical-feature")]
    pub categorical_features: Vec<String>,

    /// Field that holds the label; for reports only
    #[arg(long)]
    pub label_field: Option<String>,

    /// A label that means "not an anomaly"; may be repeated
    #[arg(long = "normal-label")]
    pub normal_labels: Vec<String>,

    /// The learner
    #[arg(long, value_enum)]
    pub algorithm: Algorithm,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub learner: Parameters,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub search: SearchArguments,

    /// Seed of everything random
    #[arg(long)]
    pub seed: u64,

    /// Share of the sample that is set aside for evaluation, 0 to 1
    #[arg(long)]
    pub holdout_share: f64,

    /// Alert budget at which quality is reported, records per million
    #[arg(long)]
    pub alert_budget_per_million: f64,

    /// Folds of the training rows by which separation and stability of the alerts are measured; none below 2
    #[arg(long)]
    pub folds: u32,

    /// Publish only with at least this AUROC; needs labels
    #[arg(long, requires = "label_field")]
    pub minimum_auroc: Option<f64>,

    /// Publish only with at least this recall at the alert budget; needs labels
    #[arg(long, requires = "label_field")]
    pub minimum_recall: Option<f64>,

    /// Whether a model must also suit the newest records of every site
    #[arg(long, value_enum, default_value_t = NewestRecords::Check)]
    pub gate_newest_records: NewestRecords,

    /// How many versions stay in the bucket, the current one included, and how many candidates
    #[arg(long)]
    pub keep: u32,
}
