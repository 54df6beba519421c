//! What the statuses of both kinds share: conditions, and the memory of the state machines.

mod conditions;
mod failure;
mod mapping;

pub(crate) use conditions::{Conditions, Finding, listed};
pub use conditions::{find, is_true};
pub(crate) use failure::apply_failed;
pub(crate) use mapping::{model_status, schedule_in_effect, training_run};
pub use mapping::{roll_state, schedule_state};

/// Condition: everything that the object asks for runs.
pub const READY: &str = "Ready";
/// Condition, there only while it holds: what is asked for is on its way (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// Condition, there only while it holds: what is asked for does not come until somebody changes something (kstatus).
pub const STALLED: &str = "Stalled";
/// Condition: the generator does what it should; absent without one.
pub const GENERATOR_AVAILABLE: &str = "GeneratorAvailable";
/// Condition: the topics are there.
pub const TOPICS_READY: &str = "TopicsReady";
/// Condition: the bucket answers.
pub const BUCKET_REACHABLE: &str = "BucketReachable";
/// Condition: all detector pods are ready.
pub const DETECTOR_AVAILABLE: &str = "DetectorAvailable";
/// Condition: all archiver pods are ready.
pub const ARCHIVER_AVAILABLE: &str = "ArchiverAvailable";
/// Condition: the notifier's pod is ready; absent without one.
pub const NOTIFIER_AVAILABLE: &str = "NotifierAvailable";
/// Condition: the detectors run the version that they should.
pub const MODEL_CURRENT: &str = "ModelCurrent";
/// Condition: every record was read.
pub const STREAM_COMPLETE: &str = "StreamComplete";
/// Condition: the records have the fields that the model learned from; absent while no model scores.
pub const FEATURES_PRESENT: &str = "FeaturesPresent";
/// Condition: the scores of the records are distributed as in the training; absent while no model says how that was.
pub const SCORES_STABLE: &str = "ScoresStable";
/// Condition: as many records alert as may; absent while no model scores, or thresholds do not follow the stream.
pub const BUDGET_HELD: &str = "BudgetHeld";
/// Condition: receivers of incidents can use what they need of Secrets and `ConfigMaps`; absent where they need none, and while no notifier tells.
pub const RECEIVERS_USABLE: &str = "ReceiversUsable";
/// Condition: there are enough records to learn from.
pub const DATA_AVAILABLE: &str = "DataAvailable";
/// Condition: the last run made a model.
pub const TRAINED: &str = "Trained";
/// Condition: the last model was good enough.
pub const GATE_PASSED: &str = "GatePassed";
/// Condition: the last model is current.
pub const PUBLISHED: &str = "Published";
