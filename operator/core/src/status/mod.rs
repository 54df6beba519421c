//! What a status says, as pure functions of the spec, of what was observed, of the result of this step, of the conditions
//! before it, and of the time. Nothing here reads or writes.

mod conditions;
mod mapping;
mod pipeline;
mod training;

pub use conditions::{Conditions, Verdict, find, is_true, listed};
pub use mapping::{model_status, roll_state, schedule_state, training_run};
pub use pipeline::{BucketTrouble, PipelineObservation, pipeline_status, refused_pipeline_status};
pub use training::{TrainingObservation, refused_training_status, training_status, with_result};

/// Condition: everything that the object asks for runs.
pub const READY: &str = "Ready";
/// Condition: the topics are there.
pub const TOPICS_READY: &str = "TopicsReady";
/// Condition: the bucket answers.
pub const BUCKET_REACHABLE: &str = "BucketReachable";
/// Condition: all detector pods are ready.
pub const DETECTOR_AVAILABLE: &str = "DetectorAvailable";
/// Condition: all archiver pods are ready.
pub const ARCHIVER_AVAILABLE: &str = "ArchiverAvailable";
/// Condition: the detectors run the version that they should.
pub const MODEL_CURRENT: &str = "ModelCurrent";
/// Condition: there are enough records to learn from.
pub const DATA_AVAILABLE: &str = "DataAvailable";
/// Condition: the last run made a model.
pub const TRAINED: &str = "Trained";
/// Condition: the last model was good enough.
pub const GATE_PASSED: &str = "GatePassed";
/// Condition: the last model is current.
pub const PUBLISHED: &str = "Published";

/// Reason of an object that cannot be read or is wrong.
pub const INVALID: &str = "Invalid";
/// Reason of a pipeline whose topics are another's.
pub const TOPIC_CONFLICT: &str = "TopicConflict";
/// Reason of what does not run because nobody wants it to.
pub const SUSPENDED: &str = "Suspended";
