//! Tells receivers of incidents. Each receiver reads the topic of the incidents by itself and keeps in Kafka how far it was told,
//! so one that is down delays nobody else, and what it was not told of waits in the topic.

mod alertmanager;
mod files;
mod heard;
mod interest;
mod ledger;
mod memory;
mod metrics;
mod reader;
mod round;
mod run;
mod sender;
mod summary;
mod webhook;

pub(crate) use files::unusable;
#[cfg(test)]
pub(crate) use ledger::testing::incident;
pub(crate) use metrics::DeliveryMetrics;
pub use run::ReceiversError;
pub(crate) use run::{DeliverySettings, Telling, check, deliver};
