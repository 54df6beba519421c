//! vedette: run a pipeline without Kubernetes, validate manifests, verify archives, export models.
//! Only this crate links the process supervisor.

pub mod commands;
pub mod local;
mod output;
mod place;
