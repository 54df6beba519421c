//! A training: reads the archive of all sites, learns, evaluates, gates, publishes, and ends. Everything it knows comes
//! from its arguments and the bucket; how it ended is in the bucket too, so a Job that is run again does not publish twice.

mod batch;
mod cell;
mod collect;
mod distribution;
mod error;
mod field;
mod gate;
mod held_out;
mod infer;
mod judge;
mod judged;
mod learn;
mod line;
mod memory;
mod newest;
mod novelty;
mod page;
mod picture;
mod read;
mod report;
mod run;
mod schema;
mod search;
mod separation;
mod silenced;
mod tally;

pub use error::TrainerError;
pub use run::run;
