//! The detector: it reads sensor messages, enriches them, scores them with the model that it was given, and publishes
//! enriched messages, alerts and dead letters. The step is pure (`detector`); the loop around it (`pump`) owns Kafka.

mod added;
mod alert;
mod allowance;
mod batch;
mod calculated;
mod delivery;
mod detector;
mod error;
mod expression;
mod health;
mod histogram;
mod identity;
mod idle;
mod input;
mod interruption;
mod known_gauge;
mod leaders;
mod lookups;
mod marks;
mod messages;
mod metrics;
mod model_store;
mod pump;
mod readiness;
mod reasons;
mod refusals;
mod resume;
mod run;
mod scoring;
mod stability;
mod start;
mod tally;
#[cfg(test)]
mod testing;
mod threshold;
mod unit;
mod variable;

pub use error::DetectorError;
pub use run::run;
