//! The platform that a laptop is: the bucket and the supervisor are looked at, what the core decides is handed to the
//! supervisor, and what it concludes is kept in memory and printed. Nothing is decided here.

mod pipeline;
mod supervised;
mod training;

pub(super) use pipeline::LocalPipeline;
pub(super) use training::LocalTraining;

/// Generation of every spec: a manifest does not change during a run.
const GENERATION: i64 = 1;

#[cfg(test)]
mod tests;
