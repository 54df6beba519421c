//! One pod: its directory, its process, its probes, and the restarts of a process that must not end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vedette_contract::exit::Blame;
use vedette_service::Backoff;

use super::manifest::{PodPlan, Template};
use super::process::{CommandLine, LastWords, Process, last_words};
use super::storage::{PodDirectory, Sources};
use super::{ExitHook, SupervisorEvent as Event, probe};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// A process that ran so long ran well: its next failure is a first one.
const RAN_WELL: Duration = Duration::from_secs(60);

/// What pods share.
pub(super) struct Context {
    pub(super) binary_directory: PathBuf,
    pub(super) run_directory: PathBuf,
    pub(super) sources: Sources,
    pub(super) on_exit: ExitHook,
    pub(super) on_event: Box<dyn Fn(Event) + Send + Sync>,
}

impl Context {
    fn tell(&self, event: Event) {
        (self.on_event)(event);
    }
}

/// Whether a process that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    Never,
}

/// How a pod stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PodState {
    /// Its process was not started yet, or is not ready yet: the probe's last answer.
    Unready(Option<String>),
    Ready,
    /// Its process ended by itself, and is started again after a pause.
    Restarting(LastEnd),
    /// Its process ended well.
    Succeeded,
    /// Its process failed, or was told to stop.
    Failed(String),
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastEnd {
    pub(super) blame: Blame,
    /// How, and what it said last.
    pub(super) cause: String,
}

/// A pod that runs in a task of its own.
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) template: Template,
    pub(super) state: watch::Receiver<PodState>,
    pub(super) stop: CancellationToken,
}

/// Why a process is no more.
enum End {
    Stopped,
    ByItself { success: bool, end: LastEnd },
}

/// The future runs the pod to its end; dropping it kills the process.
pub(super) fn create(
    name: String,
    plan: &PodPlan,
    restart: Restart,
    context: &Arc<Context>,
) -> (Pod, impl Future<Output = ()> + Send + 'static) {
    let (report, state) = watch::channel(PodState::Unready(None));
    let stop = CancellationToken::new();
    let pod = Pod { name: name.clone(), template: plan.template.clone(), state, stop: stop.clone() };
    let (plan, context) = (plan.clone(), Arc::clone(context));
    (pod, async move {
        let last = run(&name, &plan, restart, &context, &stop, &report).await;
        report.send_replace(last);
    })
}

async fn run(
    name: &str,
    plan: &PodPlan,
    restart: Restart,
    context: &Context,
    stop: &CancellationToken,
    report: &watch::Sender<PodState>,
) -> PodState {
    let directory = match PodDirectory::create(context.run_directory.join(name), plan, &context.sources) {
        Ok(directory) => directory,
        Err(error) => {
            let cause = format!("could not make the directory of pod {name}: {error}");
            context.tell(Event::Exited { pod: name.to_owned(), cause: cause.clone() });
            return PodState::Failed(cause);
        }
    };
    let mut backoff = BACKOFF;
    let state = loop {
        let started = Instant::now();
        let end = run_process(name, plan, &directory, context, stop, report).await;
        (context.on_exit)(name.to_owned()).await;
        let end = match (end, restart) {
            (End::Stopped, _) => break PodState::Failed("stopped".to_owned()),
            (End::ByItself { success: true, .. }, Restart::Never) => break PodState::Succeeded,
            (End::ByItself { end, .. }, Restart::Never) => break PodState::Failed(end.cause),
            (End::ByItself { end, .. }, Restart::Always) => end,
        };
        if started.elapsed() >= RAN_WELL {
            backoff.reset();
        }
        report.send_replace(PodState::Restarting(end));
        if stop.run_until_cancelled(sleep(backoff.failed())).await.is_none() {
            break PodState::Failed("stopped".to_owned());
        }
    };
    if let Err(error) = directory.remove() {
        tracing::warn!(%error, pod = name, "the directory of a pod could not be removed");
    }
    state
}

async fn run_process(
    name: &str,
    plan: &PodPlan,
    directory: &PodDirectory,
    context: &Context,
    stop: &CancellationToken,
    report: &watch::Sender<PodState>,
) -> End {
    if stop.is_cancelled() {
        return End::Stopped;
    }
    let log = context.run_directory.join(format!("{name}.log"));
    let ended = |cause: String, success| {
        let LastWords { blame, said } = if success { LastWords::of_success() } else { last_words(&log) };
        let cause = said.map_or(cause.clone(), |said| format!("{cause} ({said})"));
        context.tell(Event::Exited { pod: name.to_owned(), cause: cause.clone() });
        End::ByItself { success, end: LastEnd { blame, cause } }
    };
    let mut process = match start(name, plan, directory, context, &log) {
        Ok(process) => process,
        Err(cause) => {
            context.tell(Event::Exited { pod: name.to_owned(), cause: cause.clone() });
            return End::ByItself { success: false, end: LastEnd { blame: Blame::Surroundings, cause } };
        }
    };
    context.tell(Event::Started { pod: name.to_owned(), process_id: process.id() });
    let address = process.address;
    let readiness = probe::watch_readiness(plan.readiness.as_ref(), address, |readiness| {
        let state = match readiness {
            Ok(()) => PodState::Ready,
            Err(cause) => PodState::Unready(Some(cause)),
        };
        if plan.readiness.is_some() {
            tell_readiness(name, &state, &report.borrow(), context);
        }
        report.send_replace(state);
    });
    let outcome = tokio::select! {
        status = process.wait() => Some(Ok(status)),
        cause = probe::watch_liveness(plan.liveness.as_ref(), address) => Some(Err(cause)),
        () = readiness => None,
        () = stop.cancelled() => None,
    };
    match outcome {
        Some(Ok(Ok(status))) => ended(status.to_string(), status.success()),
        Some(Ok(Err(error))) => ended(format!("could not wait for the process: {error}"), false),
        Some(Err(cause)) => {
            report.send_replace(PodState::Unready(Some(cause.clone())));
            let killed = process.terminate(plan.termination_grace).await;
            ended(format!("killed, as it was stuck ({cause}): {}", status_text(killed)), false)
        }
        None => {
            report.send_replace(PodState::Unready(None));
            let status = process.terminate(plan.termination_grace).await;
            context.tell(Event::Stopped { pod: name.to_owned(), status: status_text(status) });
            End::Stopped
        }
    }
}

fn status_text(status: std::io::Result<std::process::ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn start(
    name: &str,
    plan: &PodPlan,
    directory: &PodDirectory,
    context: &Context,
    log: &std::path::Path,
) -> Result<Process, String> {
    let program = context.binary_directory.join(&plan.program);
    let environment = directory
        .environment(plan, name, &context.sources)
        .map_err(|error| format!("could not start {name}: {error}"))?;
    let line = CommandLine {
        program: &program,
        args: directory.args(plan),
        environment,
        directory: directory.path(),
        temporary: &directory.temporary(),
        log,
    };
    Process::start(line).map_err(|error| format!("could not start {}: {error}", program.display()))
}

/// Only a change is worth telling; the answers of a process that is still starting are not.
fn tell_readiness(name: &str, next: &PodState, last: &PodState, context: &Context) {
    match next {
        PodState::Ready => context.tell(Event::Ready { pod: name.to_owned() }),
        PodState::Unready(Some(cause)) if *last == PodState::Ready => {
            context.tell(Event::Unready { pod: name.to_owned(), cause: cause.clone() });
        }
        PodState::Unready(_) | PodState::Restarting(_) | PodState::Succeeded | PodState::Failed(_) => {}
    }
}
