//! What tests of several crates share. It judges nothing, and nothing but tests depends on it.

// It is part of the tests: what goes wrong here ends one with the place where it went wrong.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

mod address;
#[cfg(feature = "broker")]
mod broker;
#[cfg(feature = "bucket")]
pub mod bucket;
#[cfg(feature = "container")]
pub mod container;
pub mod last_words;
#[cfg(feature = "bucket")]
pub mod metrics;
pub mod pages;
#[cfg(feature = "wait")]
mod running;
mod script;
#[cfg(feature = "wait")]
mod wait;

pub use address::free_address;
#[cfg(feature = "broker")]
pub use broker::{TestBroker, kafka_arguments};
#[cfg(feature = "bucket")]
pub use bucket::TestBucket;
#[cfg(feature = "wait")]
pub use running::{Ended, Running};
pub use script::write_script;
#[cfg(feature = "broker")]
pub use vedette_embedded::broker::RefusedWrite;
#[cfg(feature = "wait")]
pub use wait::{eventually, http_get};
