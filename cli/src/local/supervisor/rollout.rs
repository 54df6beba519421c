//! One Deployment: keeps its pods as the last applied plan says. Which pods to start and stop is a pure decision; the task
//! around it only carries it out.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vedette_core::roll::Fault;
use vedette_core::workload::PodSeen;

use super::manifest::{DeploymentPlan, Template};
use super::pod::{self, Context, LastEnd, Pod, PodState, Restart};

/// How a Deployment stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DeploymentStatus {
    /// Pods that are there and do not end, and whether each is of the applied template.
    pub(super) pods: Vec<(bool, PodSeen)>,
}

impl DeploymentStatus {
    /// So many pods are there, every one of the template, and ready.
    pub(super) fn is_complete(&self, replicas: usize) -> bool {
        self.pods.len() == replicas && self.pods.iter().all(|(is_current, pod)| *is_current && pod.is_ready)
    }
}

/// What the task was told last; the number tells whether it has seen it.
#[derive(Clone)]
pub(super) struct Desired {
    pub(super) generation: u64,
    pub(super) plan: DeploymentPlan,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PodView {
    current: bool,
    ready: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Moves {
    start: usize,
    /// Positions in the list of pods.
    stop: Vec<usize>,
}

/// At most one pod more than wanted, and never fewer ready ones because of us.
fn decide(replicas: usize, pods: &[PodView]) -> Moves {
    let current = pods.iter().filter(|pod| pod.current).count();
    let ready = pods.iter().filter(|pod| pod.ready).count();
    let start = replicas.saturating_sub(current).min((replicas + 1).saturating_sub(pods.len()));
    // A pod that is not ready serves nobody, and goes first.
    let mut surplus: Vec<usize> = (0..pods.len()).filter(|position| pods[*position].current).collect();
    surplus.sort_by_key(|position| pods[*position].ready);
    surplus.truncate(current.saturating_sub(replicas));
    let mut stop = surplus;
    let mut spare = ready.saturating_sub(replicas + stop.iter().filter(|position| pods[**position].ready).count());
    for (position, pod) in pods.iter().enumerate().filter(|(_, pod)| !pod.current) {
        if !pod.ready {
            stop.push(position);
        } else if spare > 0 {
            spare -= 1;
            stop.push(position);
        }
    }
    Moves { start, stop }
}

/// Runs until it is stopped; then stops all pods and returns when they are gone.
pub(super) async fn run(
    mut desired: watch::Receiver<Desired>,
    status: watch::Sender<(u64, DeploymentStatus)>,
    stop: CancellationToken,
    context: Arc<Context>,
) {
    let mut pods: Vec<Pod> = Vec::new();
    let mut tasks = JoinSet::new();
    loop {
        let Desired { generation, plan } = desired.borrow_and_update().clone();
        pods.retain(|pod| !matches!(*pod.state.borrow(), PodState::Succeeded | PodState::Failed(_)));
        carry_out(&plan, &mut pods, &mut tasks, &context);
        let now = DeploymentStatus { pods: pods.iter().map(|pod| (is_current(pod, &plan), seen(pod))).collect() };
        if *status.borrow() != (generation, now.clone()) {
            status.send_replace((generation, now));
        }
        tokio::select! {
            () = stop.cancelled() => break,
            changed = desired.changed() => if changed.is_err() { break },
            () = any_change(&mut pods) => {}
            Some(_) = tasks.join_next() => {}
        }
    }
    for pod in &pods {
        pod.stop.cancel();
    }
    while tasks.join_next().await.is_some() {}
}

fn carry_out(plan: &DeploymentPlan, pods: &mut Vec<Pod>, tasks: &mut JoinSet<()>, context: &Arc<Context>) {
    let views: Vec<_> = pods.iter().map(|pod| view(pod, plan)).collect();
    let Moves { start, mut stop } = decide(plan.replicas, &views);
    stop.sort_unstable();
    for position in stop.into_iter().rev() {
        // The task goes on until the process is gone.
        pods.remove(position).stop.cancel();
    }
    for _ in 0..start {
        let name = format!("{}-{}-{}", plan.name, plan.pod.template.hash, suffix());
        let (pod, task) = pod::create(name, &plan.pod, Restart::Always, context);
        tasks.spawn(task);
        pods.push(pod);
    }
}

/// Five random hexadecimal digits.
pub(super) fn suffix() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(5).collect()
}

fn view(pod: &Pod, plan: &DeploymentPlan) -> PodView {
    PodView { current: is_current(pod, plan), ready: *pod.state.borrow() == PodState::Ready }
}

fn is_current(pod: &Pod, plan: &DeploymentPlan) -> bool {
    pod.template.hash == plan.pod.template.hash
}

/// A pod as the core sees those of a cluster: here each is scheduled and started at once.
fn seen(pod: &Pod) -> PodSeen {
    let Template { hash: _, spec, version } = &pod.template;
    let state = pod.state.borrow().clone();
    let is_ready = state == PodState::Ready;
    let fault = match state {
        PodState::Restarting(LastEnd { blame, cause }) => {
            Some(Fault::Ended { since: None, blame, cause: format!("pod {}: {cause}", pod.name) })
        }
        PodState::Unready(Some(cause)) => {
            Some(Fault::Unready { blamed: None, cause: format!("pod {} is not ready: {cause}", pod.name) })
        }
        PodState::Unready(None) | PodState::Ready | PodState::Succeeded | PodState::Failed(_) => None,
    };
    let (spec, version) = (spec.clone(), version.clone());
    // Why it is not ready is known here from itself.
    PodSeen { name: None, spec, version, is_ready, steps: 2, fault, waits: None }
}

/// Waits until any pod reports; for ever without pods.
async fn any_change(pods: &mut [Pod]) {
    let mut waiting: Vec<_> = pods.iter_mut().map(|pod| Box::pin(pod.state.changed())).collect();
    std::future::poll_fn(|context| {
        let any = waiting.iter_mut().any(|change| change.as_mut().poll(context).is_ready());
        if any { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(text: &str) -> Vec<PodView> {
        // 'N' new and ready, 'n' new, 'O' old and ready, 'o' old.
        text.chars()
            .map(|pod| PodView { current: pod.eq_ignore_ascii_case(&'n'), ready: pod.is_ascii_uppercase() })
            .collect()
    }

    #[test]
    fn a_roll_starts_one_more_and_stops_an_old_one_for_each_that_is_ready() {
        for (replicas, before, start, stop) in [
            (2, "", 2, vec![]),
            (2, "OO", 1, vec![]),
            (2, "OOn", 0, vec![]),
            (2, "OON", 0, vec![0]),
            (2, "ON", 1, vec![]),
            (2, "ONN", 0, vec![0]),
            (2, "NN", 0, vec![]),
            (2, "Oo", 1, vec![1]),
            (3, "NN", 1, vec![]),
            (1, "NnN", 0, vec![1, 0]),
            (0, "NO", 0, vec![0, 1]),
        ] {
            assert_eq!(decide(replicas, &pods(before)), Moves { start, stop }, "{replicas} of {before}");
        }
    }

    #[test]
    fn no_decision_takes_a_ready_pod_that_is_needed_or_starts_too_many() {
        let kinds = ['N', 'n', 'O', 'o'];
        for replicas in 0..4 {
            for code in 0..4_usize.pow(5) {
                let text: String =
                    (0..code % 6).map(|place| kinds[code / 4_usize.pow(u32::try_from(place).unwrap()) % 4]).collect();
                let before = pods(&text);
                let Moves { start, stop } = decide(replicas, &before);
                let ready = |pods: &[PodView]| pods.iter().filter(|pod| pod.ready).count();
                let left: Vec<_> = before
                    .iter()
                    .enumerate()
                    .filter(|(position, _)| !stop.contains(position))
                    .map(|(_, pod)| pod.clone())
                    .collect();
                assert!(ready(&left) >= ready(&before).min(replicas), "{replicas} of {text}");
                assert!(start == 0 || before.len() + start <= replicas + 1, "{replicas} of {text}");
                assert!(left.iter().filter(|pod| pod.current).count() + start <= replicas, "{replicas} of {text}");
                // It never stands still before it is done.
                let done = left.len() == replicas && left.iter().all(|pod| pod.current);
                let waits = left.iter().any(|pod| pod.current && !pod.ready);
                assert!(done || waits || start > 0 || !stop.is_empty(), "{replicas} of {text}");
            }
        }
    }
}
