//! Why something was not run.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{MissingValue, Unsupported};

/// Why something was not run.
#[derive(Debug, Error)]
pub enum SupervisorError {
    /// The run directory cannot be made.
    #[error("could not make a temporary directory for the processes; set TMPDIR to a writable directory")]
    RunDirectory(#[source] io::Error),
    /// This program's own directory is unknown.
    #[error("could not find the directory of the workload programs; give it with --bin-dir")]
    BinaryDirectory(#[source] io::Error),
    /// A manifest asks for what only Kubernetes can do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It refers to a Secret or `ConfigMap` that is not there.
    #[error("{object} cannot be run")]
    Missing {
        /// Which Deployment or Job.
        object: String,
        /// What is missing.
        #[source]
        source: MissingValue,
    },
    /// There is no such program.
    #[error("there is no program {}; build the workloads, or say with --bin-dir where they are", path.display())]
    NoProgram {
        /// Where it should be.
        path: PathBuf,
    },
    /// A Job of this name is there, and is another one.
    #[error("Job {name} is there already with another specification")]
    JobChanged { name: String },
}
