//! The notifier against a broker, and receivers against the notifier.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod coordinator;
mod delivery;
mod incidents;
mod places;
mod silences;
mod support;
