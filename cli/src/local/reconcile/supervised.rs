//! How the supervisor's Jobs stand, as the core's values.

use vedette_core::desired::{GeneratorChild, PipelineChildren};
use vedette_core::job_state::JobState;
use vedette_core::pipeline::GeneratorSeen;
use vedette_core::workload::Workload;

use crate::local::supervisor::{JobStatus, Supervisor};

/// The generator as it was applied last.
pub(super) fn generator(supervisor: &Supervisor, applied: Option<&PipelineChildren>) -> GeneratorSeen {
    match applied.and_then(|children| children.generator.as_ref()) {
        Some(GeneratorChild::Job(job)) => {
            let state = job_state(supervisor, job.metadata.name.as_deref().unwrap_or_default());
            // Nothing is suspended while it runs.
            GeneratorSeen::Job { state, pods: 0 }
        }
        Some(GeneratorChild::Deployment(deployment)) => {
            GeneratorSeen::Workload(supervisor.workload(deployment.metadata.name.as_deref().unwrap_or_default()))
        }
        None => GeneratorSeen::Workload(Workload::default()),
    }
}

/// How a Job stands.
pub(super) fn job_state(supervisor: &Supervisor, name: &str) -> JobState {
    match supervisor.job_status(name) {
        JobStatus::Running => JobState::Running { trouble: None },
        JobStatus::Complete => JobState::Complete,
        JobStatus::Failed { cause } => JobState::Failed { cause },
        JobStatus::Absent => JobState::Absent,
    }
}
