//! Why `vedette local` could not run, or ended early: one clear line each.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use vedette_contract::Name;
use vedette_core::FieldError;
use vedette_core::platform::ApplyFailure;
use vedette_datasets::DatasetError;
use vedette_embedded::broker::BrokerError;
use vedette_embedded::bucket::EmbeddedBucketError;
use vedette_service::error_chain;
use vedette_streams::bucket::BucketError;
use vedette_streams::kafka::KafkaError;

use super::observe::ObserveError;
use super::supervisor::SupervisorError;
use crate::bucket_key::NotSet;
use crate::output::OutputError;
use crate::place::PlaceError;

/// Why `vedette local` could not run, or ended early.
#[derive(Debug, Error)]
pub enum LocalError {
    /// A file that the user named.
    #[error("could not read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A data set without a byte.
    #[error("the data set {} is empty: give a file with at least one row", path.display())]
    EmptyDataset { path: PathBuf },
    /// A data set that no generator could use.
    #[error("cannot use the data set {}", path.display())]
    Dataset {
        path: PathBuf,
        #[source]
        source: DatasetError,
    },
    /// The table of a lookup that is in a ConfigMap, and no file that stands for it.
    #[error(
        "lookup {lookup}: without Kubernetes the key {key} of its ConfigMap is the file {key} beside the manifest: put it there"
    )]
    LookupFile {
        lookup: String,
        /// The key, which is the name of the file.
        key: String,
    },
    /// How a file is written, and no file.
    #[error("--dataset-separator, --dataset-decimal-mark, --dataset-encoding and --dataset-column need --dataset")]
    FormatWithoutDataset,
    /// The Job that walks the data set gave up.
    #[error("the generator gave up: {cause}")]
    GeneratorFailed {
        /// The Job's last words.
        cause: String,
    },
    /// A generator was there, and made nothing.
    #[error("no record was generated: what the generator said of it stands above")]
    NothingGenerated,
    /// A data set without a generator that would use it.
    #[error("--dataset needs a pipeline with spec.generator: the manifests have none")]
    DatasetWithoutGenerator,
    /// A file name that cannot be part of a key.
    #[error("the data set's file name {name:?} cannot be part of a bucket key: use letters, digits, '.', '_' and '-'")]
    DatasetName { name: String },
    /// Wrong manifests: every error, a line each.
    #[error("{}", lines(.0))]
    Manifests(Vec<FieldError>),
    /// Not exactly one pipeline.
    #[error("vedette local runs exactly one AnomalyPipeline; the manifests have {count}")]
    Pipelines {
        /// How many there are.
        count: usize,
    },
    /// A training of another pipeline.
    #[error(
        "ModelTraining {training}: spec.data.pipeline: {pipeline:?}: vedette local runs another pipeline; set it to {runs:?}"
    )]
    OtherPipeline {
        training: String,
        /// The pipeline that it names.
        pipeline: String,
        /// The pipeline that runs.
        runs: String,
    },
    /// The files have another training than is meant, or several.
    #[error("{}", which_training(.names))]
    WhichTraining {
        /// Those that they have.
        names: Vec<String>,
    },
    /// A run that was asked for does not begin.
    #[error("training {training} cannot run now: {why}")]
    NoRun {
        training: Name,
        /// What would have to be.
        why: String,
    },
    /// A run that was stopped before its end.
    #[error("the run of training {training} was stopped before its end")]
    RunStopped { training: Name },
    /// There is no data directory.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A real bucket without credentials.
    #[error(transparent)]
    Credentials(#[from] NotSet),
    /// The embedded broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The embedded bucket.
    #[error(transparent)]
    EmbeddedBucket(#[from] EmbeddedBucketError),
    /// The broker.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The processes.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// The observer.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The topic Job.
    #[error("the topics could not be created: {cause}")]
    Topics {
        /// The Job's last words.
        cause: String,
    },
    /// Something that takes seconds took minutes.
    #[error("{what} did not happen within {} s", within.as_secs())]
    TooLong {
        /// What.
        what: &'static str,
        /// How long was waited.
        within: Duration,
    },
    /// The summary.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The machine.
    #[error("could not {what}")]
    System {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

impl From<&LocalError> for ApplyFailure {
    fn from(error: &LocalError) -> Self {
        // Nobody changes anything during a run.
        Self { message: error_chain(error), is_lasting: true, times: 1 }
    }
}

fn which_training(names: &[String]) -> String {
    match names {
        [] => "the files have no ModelTraining: give its manifest with -f".to_owned(),
        names => format!("say which training, one of {}", names.join(", ")),
    }
}

fn lines(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
