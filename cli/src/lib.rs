//! vedette: run a pipeline without Kubernetes, validate manifests, verify archives, export models.
//! Only this crate links the embedded broker and bucket and the process supervisor.

pub mod archive;
pub mod command;
pub mod local;
pub mod model;
pub mod place;
pub mod supervisor;
pub mod validate;
