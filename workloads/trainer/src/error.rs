//! What can end a training with exit code 1. That the gate refuses, or that there is too little data, is not an error.

use thiserror::Error;
use vedette_contract::NameError;
use vedette_forest::FitError;
use vedette_forest::artifact::ArtifactError;
use vedette_registry::RegistryError;
use vedette_service::Reason;
use vedette_streams::bucket::BucketError;

/// Why a training ended without a result.
#[derive(Debug, Error)]
pub enum TrainerError {
    /// Arguments that clap cannot refuse by itself.
    #[error("the arguments contradict each other: {0}")]
    Arguments(String),
    /// The bucket did not answer as it must.
    #[error("the bucket could not be used")]
    Bucket(#[from] BucketError),
    /// A feature was asked for that the data does not have.
    #[error(
        "no record of the archive has a usable value in: {}; take it out of the training's features, or mend the producer",
        .columns.join(", ")
    )]
    UnknownFeatures {
        /// Each column, and what it should hold.
        columns: Vec<String>,
    },
    /// The normal values are those of other data.
    #[error(
        "no value of the label {field:?} is normal, which {normal} would be; seen are {seen}: say in spec.features.label.normal \
         which are"
    )]
    LabelNeverNormal {
        field: String,
        /// What would be.
        normal: String,
        /// Some values that are there.
        seen: String,
    },
    /// Inference found nothing to learn from.
    #[error(
        "no field of the {records} records that were looked at can be a feature, beside reserved ones and the label there are: \
         {left_out}; name the features in the training"
    )]
    NoFeatures {
        /// Records that were looked at.
        records: u64,
        /// Fields, and why each is none.
        left_out: String,
    },
    /// Too much of the archive is damaged.
    #[error(
        "{lost} records of {damaged} damaged archive objects are lost and {read} were read: more than 1 % is missing, so nothing is \
         learned; the log names the objects, as does `vedette archive verify`: mend or delete them"
    )]
    Damaged { damaged: u64, lost: u64, read: u64 },
    /// No threshold holds the budget.
    #[error(
        "nearly every record is new in: {fields}; whatever the threshold, all of them alert or none: take such a field out of \
         spec.features, or list there those to learn from, or mend the producer"
    )]
    EveryRecordIsNew { fields: String },
    /// The memory of the Job would not do.
    #[error(
        "{rows} records of {columns} features take about {needed_mib} MiB to learn from, and there are {limit_mib} MiB: lower \
         spec.data.maxRecords, name fewer features, or raise spec.job.resources"
    )]
    Memory { rows: usize, columns: usize, needed_mib: u64, limit_mib: u64 },
    /// A search that cannot be made.
    #[error("the search cannot be made: {faults}")]
    Search {
        /// Each with its field.
        faults: String,
    },
    /// A search without a result.
    #[error("none of the {trials} trials of spec.search has a figure to compare; the first one: {why}")]
    NoTrial { trials: usize, why: String },
    /// The learner refused the rows.
    #[error("the forest could not be learned")]
    Fit(#[from] FitError),
    /// The learned model does not hold together.
    #[error("the model that was learned cannot be used")]
    Artifact(#[from] ArtifactError),
    /// The model, the pointer or the result in the bucket.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The clock or a hash does not make a version.
    #[error("no model version could be made")]
    Version(#[from] NameError),
    /// A worker thread did not end as it should.
    #[error("a worker thread ended early")]
    Worker(#[from] tokio::task::JoinError),
    /// SIGTERM or SIGINT came first.
    #[error("interrupted before the training ended; nothing was made current")]
    Interrupted,
}

impl Reason for TrainerError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "InvalidArguments",
            Self::Bucket(error) => error.reason(),
            Self::UnknownFeatures { .. } => "UnknownFeatures",
            Self::LabelNeverNormal { .. } => "LabelNeverNormal",
            Self::Damaged { .. } => "ArchiveDamaged",
            Self::EveryRecordIsNew { .. } => "EveryRecordIsNew",
            Self::Memory { .. } => "NotEnoughMemory",
            Self::NoFeatures { .. } => "NoFeatures",
            Self::Search { .. } => "InvalidSearch",
            Self::NoTrial { .. } => "SearchFailed",
            Self::Fit(error) => error.reason(),
            Self::Artifact(error) => error.reason(),
            Self::Registry(error) => error.reason(),
            Self::Version(_) => "InvalidVersion",
            Self::Worker(_) => "WorkerFailed",
            Self::Interrupted => "Interrupted",
        }
    }
}
