//! What the bucket says, as the values that the state machines take.

use vedette_contract::model::{CurrentPointer, ModelMetadata, TrainingResult};

use crate::roll::Pointer;
use crate::schedule::Run;

/// What the bucket says of a training's current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointerView {
    /// For the state machine.
    pub pointer: Pointer,
    /// The pointer as it stands there, where it could be read.
    pub current: Option<CurrentPointer>,
    /// What is wrong with the bucket itself, in one word.
    pub trouble: Option<&'static str>,
}

/// What a run left in the bucket.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultView {
    /// Nothing yet.
    Absent,
    /// Something that is no result.
    Damaged(String),
    /// How it ended.
    Found(Box<TrainingResult>),
}

impl PointerView {
    /// The view of a pipeline that follows no training.
    pub fn not_followed() -> Self {
        Self { pointer: Pointer::NotFollowed, current: None, trouble: None }
    }
}

impl From<Option<CurrentPointer>> for PointerView {
    fn from(current: Option<CurrentPointer>) -> Self {
        Self { pointer: current.as_ref().map_or(Pointer::Absent, Pointer::from), current, trouble: None }
    }
}

impl From<&CurrentPointer> for Pointer {
    fn from(current: &CurrentPointer) -> Self {
        Self::Current { version: current.version.clone(), generation: current.generation }
    }
}

impl From<Option<TrainingResult>> for ResultView {
    fn from(result: Option<TrainingResult>) -> Self {
        result.map_or(Self::Absent, |result| Self::Found(Box::new(result)))
    }
}

/// The run that made a version, which ended when the version was made.
impl From<ModelMetadata> for Run {
    fn from(metadata: ModelMetadata) -> Self {
        Self {
            job: metadata.trained_by,
            started_at: metadata.trained_at,
            finished_at: Some(metadata.trained_at),
            records: metadata.records,
        }
    }
}
