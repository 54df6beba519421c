//! How the supervisor's Deployments and Jobs stand, as the core's values.

use k8s_openapi::api::apps::v1::Deployment;
use vedette_core::job_state::JobState;
use vedette_core::pipeline::DetectorSeen;
use vedette_core::roll::Rollout;
use vedette_core::rollout::{Availability, template_version};

use crate::local::supervisor::{JobStatus, Supervisor};

/// The detectors as they were applied last.
pub(super) fn detector(supervisor: &Supervisor, applied: Option<&Deployment>) -> DetectorSeen {
    let availability = availability(supervisor, applied);
    DetectorSeen {
        template_version: applied.and_then(template_version),
        rollout: applied.map_or(Rollout::Absent, |deployment| supervisor.rollout(deployment)),
        pods: match availability {
            Availability::Available { ready } | Availability::Short { ready, .. } => ready,
            Availability::Absent | Availability::ScaledToNothing => 0,
        },
        availability,
    }
}

/// Whether enough pods of a Deployment are ready.
pub(super) fn availability(supervisor: &Supervisor, applied: Option<&Deployment>) -> Availability {
    let name = applied.and_then(|deployment| deployment.metadata.name.as_deref());
    name.map_or(Availability::Absent, |name| supervisor.availability(name))
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
