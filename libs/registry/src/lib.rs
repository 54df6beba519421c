//! The models of a training in the bucket, and the small objects that sites and Jobs leave beside them: the only crate
//! that knows how they are written, checked and read. Shapes and keys are the contract's.

mod each;
mod error;
pub mod health;
mod json;
#[cfg(feature = "load")]
pub mod load;
pub mod manifest;
mod passed;
pub mod pointer;
pub mod progress;
pub mod promote;
#[cfg(feature = "publish")]
pub mod publish;
pub mod results;
pub mod retention;
pub mod silences;
pub mod sites;
pub mod standing;
pub mod states;
pub mod summary;
#[cfg(test)]
mod testing;
pub mod verdicts;
pub mod versions;

pub use error::RegistryError;
pub use passed::PassedObject;

use jiff::SignedDuration;

/// By so much clocks of the bucket may differ, as those who write to it know them: they go by whole seconds.
pub(crate) const CLOCK: SignedDuration = SignedDuration::from_secs(2);
