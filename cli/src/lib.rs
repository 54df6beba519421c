//! vedette: run a pipeline without Kubernetes, validate manifests, look at alerts, incidents, sites and archives, look after models.
//! Only this crate links the process supervisor.

mod bucket_key;
pub mod commands;
mod console;
mod kubectl;
pub mod local;
pub mod output;
mod place;
