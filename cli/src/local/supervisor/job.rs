//! One Job: one pod at a time, until one succeeds, too many fail, or the time is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use vedette_service::Backoff;

use super::manifest::JobPlan;
use super::pod::{self, Context, LastEnd, PodState, Restart};
use super::rollout::suffix;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));

/// How a Job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStatus {
    /// It runs, waits for its next pod, or is suspended.
    Running,
    /// A pod of it succeeded.
    Complete,
    /// It gave up, or was stopped.
    Failed {
        /// Kubernetes' word, such as `BackoffLimitExceeded`, and how its last pod failed.
        cause: String,
    },
    /// There is no such Job.
    Absent,
}

/// Runs the Job to its end, or until it is stopped; a stopped Job's pod is gone when this returns.
pub(super) async fn run(
    plan: JobPlan,
    status: watch::Sender<JobStatus>,
    stop: CancellationToken,
    context: Arc<Context>,
) {
    if plan.suspend {
        stop.cancelled().await;
        return;
    }
    let in_time = CancellationToken::new();
    let attempts = attempts(&plan, &stop, &in_time, &context);
    tokio::pin!(attempts);
    let outcome = match plan.deadline {
        None => attempts.await,
        Some(deadline) => match timeout(deadline, &mut attempts).await {
            Ok(outcome) => outcome,
            Err(_) => {
                in_time.cancel();
                attempts.await;
                failed("DeadlineExceeded", &format!("it ran for longer than {deadline:?}"))
            }
        },
    };
    status.send_replace(outcome);
}

fn failed(reason: &str, message: &str) -> JobStatus {
    JobStatus::Failed { cause: format!("{reason}: {message}") }
}

async fn attempts(
    plan: &JobPlan,
    stop: &CancellationToken,
    in_time: &CancellationToken,
    context: &Arc<Context>,
) -> JobStatus {
    let (mut backoff, mut failures) = (BACKOFF, 0);
    loop {
        let (pod, task) = pod::create(format!("{}-{}", plan.name, suffix()), &plan.pod, Restart::Never, context);
        tokio::pin!(task);
        tokio::select! {
            () = &mut task => {}
            () = either(stop, in_time) => {
                pod.stop.cancel();
                task.await;
                return failed("Stopped", "it was stopped before it ended");
            }
        }
        let message = match &*pod.state.borrow() {
            PodState::Succeeded => return JobStatus::Complete,
            PodState::Failed(cause) | PodState::Restarting(LastEnd { cause, .. }) => cause.clone(),
            PodState::Ready | PodState::Unready(_) => "it ended without a result".to_owned(),
        };
        failures += 1;
        if failures > plan.backoff_limit {
            return failed("BackoffLimitExceeded", &message);
        }
        tokio::select! {
            () = sleep(backoff.failed()) => {}
            () = either(stop, in_time) => return failed("Stopped", "it was stopped before it ended"),
        }
    }
}

async fn either(one: &CancellationToken, other: &CancellationToken) {
    tokio::select! {
        () = one.cancelled() => {}
        () = other.cancelled() => {}
    }
}
