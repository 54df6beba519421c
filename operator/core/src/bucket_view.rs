//! What the bucket says, as the values that the state machines take.

use vedette_contract::model::{CurrentPointer, ModelMetadata};

use crate::roll::Pointer;
use crate::schedule::Run;

impl From<&CurrentPointer> for Pointer {
    fn from(current: &CurrentPointer) -> Self {
        Self::Current { version: current.version.clone(), generation: current.generation }
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
