//! The API types of vedette.io/v1alpha1 and nothing else: what people write, what they read in status, and the rules
//! that the API server checks. No defaults, names or limits of the API stand anywhere else, but for the hyper-parameters'
//! in the contract.
#![warn(missing_docs)]
#![allow(unreachable_pub, reason = "KubeSchema derives a copy of each type that nobody outside can reach")]

mod archiver;
mod autoscaling;
mod common;
pub mod definitions;
mod detector;
mod disruption_budget;
mod embedded;
mod generator;
mod incidents;
mod learner;
mod lookup;
mod model;
mod pipeline;
mod pod;
mod rolling_update;
mod search;
mod status;
mod topics;
mod training;

pub use archiver::{Archiver, Rolling};
pub use autoscaling::{
    Autoscaling, ScalingBehavior, ScalingPolicy, ScalingPolicySelection, ScalingPolicyType, ScalingRules,
};
pub use common::{DURATION_PATTERN, Label, Resources};
pub use detector::{Alerting, BudgetTracking, CalculatedField, Detector, ProcessingGuarantee, RenamedField};
pub use disruption_budget::DisruptionBudget;
pub use embedded::Embedded;
pub use generator::{
    Dataset, DecimalMark, Generator, GeneratorMode, ObjectDataset, Separator, Simulator, TextEncoding,
};
pub use incidents::{
    AlertmanagerReceiver, Authority, IncidentSeverity, Incidents, Receiver, SecretKey, WebhookReceiver,
};
pub use learner::{Algorithm, Impurity, MaxFeatures, Parameters, SyntheticRows};
pub use lookup::{Lookup, Table, TableConfigMap, TableFormat, TableObject};
pub use model::{MissingModelPolicy, ModelSelection, VersionPolicy};
pub use pipeline::{AnomalyPipeline, AnomalyPipelineSpec};
pub use pod::{DnsPolicy, PodSettings};
pub use rolling_update::RollingUpdate;
pub use search::{ParameterSpace, Search, SearchAlgorithm, SearchMetric};
pub use status::{
    AnomalyPipelineStatus, GeneratorStatus, ModelStatus, ModelTarget, ModelTrainingStatus, ScheduleStatus,
    SearchResult, SearchTrial, TopicsStatus, TrainingPhase, TrainingResult, TrainingRun,
};
pub use topics::{
    AlertsTopic, DeadLettersTopic, EnrichedDataTopic, IncidentsTopic, SensorMessagesTopic, Topic, TopicManagement,
    Topics,
};
pub use training::{
    DataSource, Features, Gate, JobSettings, ModelTraining, ModelTrainingSpec, Publish, ReferenceWindow, Trigger,
    Validation,
};
