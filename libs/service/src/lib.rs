//! What every process needs: telemetry, shutdown, probes and metrics. It knows nothing of Kafka, the bucket or records.

mod process;
mod readiness;
mod server;
mod telemetry;

pub use process::{Shutdown, error_chain, main_with};
pub use readiness::Readiness;
pub use server::{ServiceError, ServiceServer, registry, serve};
pub use telemetry::initialize_telemetry;
