//! vedette: run a pipeline without Kubernetes, validate manifests, verify archives, export models.
//! Only this crate links the process supervisor.

mod bucket_key;
pub mod commands;
pub mod local;
mod output;
mod place;
