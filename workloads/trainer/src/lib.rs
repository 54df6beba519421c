//! A training: reads the archive of all sites, learns, evaluates, gates, publishes, and ends. Everything it knows comes
//! from its arguments and the bucket; how it ended is in the bucket too, so a Job that is run again does not publish twice.

mod batch;
mod cell;
mod collect;
mod error;
mod infer;
mod learn;
mod line;
mod prune;
mod publish;
mod read;
mod report;
mod schema;
mod train;

pub use error::TrainerError;
use vedette_contract::arguments::TrainerArguments;
use vedette_service::Shutdown;

/// Runs one training to its end. That the gate refuses, or that there is too little data, is a result and not an error.
///
/// # Errors
/// Whatever keeps the training from a result. Nothing is current then that was not before.
pub async fn run(arguments: TrainerArguments, shutdown: Shutdown) -> Result<(), TrainerError> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(TrainerError::Interrupted),
        result = train::train(&arguments, &shutdown) => result,
    }
}
