//! The operator in a Kubernetes cluster: it watches, asks the core what follows, applies it and tells what came of it.

pub mod ask;
pub mod connect;
mod controller;
mod error;
pub mod permissions;
pub mod settings;

pub use controller::run;
pub use error::OperatorError;
