//! What every process needs: telemetry, shutdown, reasons, back-off, probes and metrics. It knows nothing of Kafka, the
//! bucket or records.

mod backoff;
mod process;
mod readiness;
mod reason;
mod server;
mod telemetry;

pub use backoff::Backoff;
pub use process::{Shutdown, error_chain, main_with};
pub use readiness::Readiness;
pub use reason::Reason;
pub use server::{ServiceError, ServiceServer, listen, register, registry, serve};
pub use telemetry::initialize_telemetry;
