//! Runs the Deployments and Jobs that the operator's builders return as processes of this machine.
//! It honours exactly what `fields` lists and refuses the rest; it knows nothing of pipelines.

mod error;
mod event;
mod fields;
mod job;
mod manifest;
mod pod;
mod probe;
mod process;
mod rollout;
mod storage;

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_core::workload::{LiveDeployment, PodSeen, Workload};

pub use self::error::SupervisorError;
pub use self::event::SupervisorEvent;
pub use self::fields::Unsupported;
pub use self::job::JobStatus;
pub use self::storage::{MissingValue, Sources};

use self::manifest::{DeploymentPlan, JobPlan, PodPlan};
use self::pod::Context;
use self::rollout::{DeploymentStatus, Desired};

/// Called with the pod's name whenever its process is gone; its next process starts when the future is done.
pub type ExitHook = Box<dyn Fn(String) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Where things are.
#[derive(Debug, Clone, Default)]
pub struct SupervisorOptions {
    /// Where the programs are: the image `…/vedette-detector:1` is the program `vedette-detector`. The directory of this
    /// program where omitted.
    pub binary_directory: Option<PathBuf>,
}

/// Runs Deployments and Jobs. [`Supervisor::stop_all`] ends what runs in order, dropping it kills what still runs; when it
/// is itself killed with SIGKILL its processes go on, as only the kernel could end them then.
pub struct Supervisor {
    context: Arc<Context>,
    deployments: Mutex<BTreeMap<String, RunningDeployment>>,
    jobs: Mutex<BTreeMap<String, RunningJob>>,
    _run_directory: TempDir,
}

struct RunningDeployment {
    desired: watch::Sender<Desired>,
    status: watch::Receiver<(u64, DeploymentStatus)>,
    task: Task,
}

impl RunningDeployment {
    /// Whether every pod is there, of the newest plan's template, and ready.
    fn is_complete(&self) -> bool {
        let (desired, status) = (self.desired.borrow(), self.status.borrow());
        status.0 == desired.generation && status.1.is_complete(desired.plan.replicas)
    }

    /// As the core sees the Deployments of a cluster.
    fn workload(&self) -> Workload {
        let plan = self.desired.borrow().plan.clone();
        let is_complete = self.is_complete();
        let pods: Vec<PodSeen> = self.status.borrow().1.pods.iter().map(|(_, pod)| pod.clone()).collect();
        let count = |pods: usize| i32::try_from(pods).unwrap_or(i32::MAX);
        let deployment = LiveDeployment {
            spec: plan.pod.template.spec,
            version: plan.pod.template.version,
            // A status is in memory as long as what runs.
            training: None,
            wanted: count(plan.replicas),
            replicas: count(pods.len()),
            is_complete,
            stuck: None,
        };
        Workload { deployment: Some(deployment), pods, leaving: 0, ended: None }
    }
}

struct RunningJob {
    plan: JobPlan,
    status: watch::Receiver<JobStatus>,
    task: Task,
}

struct Task {
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Task {
    async fn stop(mut self) {
        self.stop.cancel();
        if let Err(error) = (&mut self.handle).await {
            tracing::error!(%error, "a task of the supervisor panicked");
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Supervisor {
    /// A supervisor that runs nothing yet.
    pub fn start(
        options: SupervisorOptions,
        sources: Sources,
        on_exit: ExitHook,
        on_event: Box<dyn Fn(SupervisorEvent) + Send + Sync>,
    ) -> Result<Self, SupervisorError> {
        let SupervisorOptions { binary_directory } = options;
        let binary_directory = match binary_directory {
            // Pods have working directories of their own, so a relative path would lead elsewhere.
            Some(directory) => std::path::absolute(directory).map_err(SupervisorError::BinaryDirectory)?,
            None => {
                let program = std::env::current_exe().map_err(SupervisorError::BinaryDirectory)?;
                program.parent().map(ToOwned::to_owned).unwrap_or_default()
            }
        };
        let run_directory =
            tempfile::Builder::new().prefix("vedette-run-").tempdir().map_err(SupervisorError::RunDirectory)?;
        let context =
            Context { binary_directory, run_directory: run_directory.path().to_owned(), sources, on_exit, on_event };
        Ok(Self {
            context: Arc::new(context),
            deployments: Mutex::default(),
            jobs: Mutex::default(),
            _run_directory: run_directory,
        })
    }

    /// Starts a Deployment, scales it, rolls it, or does nothing if nothing differs.
    pub fn apply_deployment(&self, deployment: &Deployment) -> Result<(), SupervisorError> {
        let plan = DeploymentPlan::read(deployment)?;
        self.check(&format!("Deployment {}", plan.name), &plan.pod)?;
        let mut deployments = lock(&self.deployments);
        if let Some(running) = deployments.get(&plan.name) {
            running.desired.send_if_modified(|desired| {
                let changed = desired.plan != plan;
                if changed {
                    *desired = Desired { generation: desired.generation + 1, plan };
                }
                changed
            });
            return Ok(());
        }
        let name = plan.name.clone();
        let (desired, told) = watch::channel(Desired { generation: 1, plan });
        let (report, status) = watch::channel((0, DeploymentStatus::default()));
        let stop = CancellationToken::new();
        let handle = tokio::spawn(rollout::run(told, report, stop.clone(), Arc::clone(&self.context)));
        deployments.insert(name, RunningDeployment { desired, status, task: Task { stop, handle } });
        Ok(())
    }

    /// Starts a Job, or does nothing if it is there.
    pub fn apply_job(&self, job: &Job) -> Result<(), SupervisorError> {
        let plan = JobPlan::read(job)?;
        self.check(&format!("Job {}", plan.name), &plan.pod)?;
        let mut jobs = lock(&self.jobs);
        if let Some(running) = jobs.get(&plan.name) {
            return if running.plan == plan { Ok(()) } else { Err(SupervisorError::JobChanged { name: plan.name }) };
        }
        let (report, status) = watch::channel(JobStatus::Running);
        let stop = CancellationToken::new();
        let handle = tokio::spawn(job::run(plan.clone(), report, stop.clone(), Arc::clone(&self.context)));
        jobs.insert(plan.name.clone(), RunningJob { plan, status, task: Task { stop, handle } });
        Ok(())
    }

    /// How the Deployment of this name, and its pods, are; nothing where there is none.
    pub fn workload(&self, name: &str) -> Workload {
        lock(&self.deployments).get(name).map_or_else(Workload::default, RunningDeployment::workload)
    }

    /// How a Job stands.
    pub fn job_status(&self, job: &str) -> JobStatus {
        lock(&self.jobs).get(job).map_or(JobStatus::Absent, |running| running.status.borrow().clone())
    }

    /// Whether every Deployment has all its pods, ready and of its template.
    pub fn is_settled(&self) -> bool {
        lock(&self.deployments).values().all(RunningDeployment::is_complete)
    }

    /// Ends a Deployment or Job; its processes are gone when this returns.
    pub async fn stop(&self, name: &str) {
        let deployment = lock(&self.deployments).remove(name);
        let job = lock(&self.jobs).remove(name);
        if let Some(running) = deployment {
            running.task.stop().await;
        }
        if let Some(running) = job {
            running.task.stop().await;
        }
    }

    /// Ends everything at once; all processes are gone when this returns.
    pub async fn stop_all(&self) {
        let deployments = std::mem::take(&mut *lock(&self.deployments));
        let jobs = std::mem::take(&mut *lock(&self.jobs));
        let tasks: Vec<_> = deployments
            .into_values()
            .map(|running| running.task)
            .chain(jobs.into_values().map(|running| running.task))
            .collect();
        for task in &tasks {
            task.stop.cancel();
        }
        for task in tasks {
            task.stop().await;
        }
    }

    fn check(&self, object: &str, pod: &PodPlan) -> Result<(), SupervisorError> {
        let program = self.context.binary_directory.join(&pod.program);
        if !fs::metadata(&program).is_ok_and(|metadata| metadata.is_file()) {
            return Err(SupervisorError::NoProgram { path: program });
        }
        let missing = |source| SupervisorError::Missing { object: object.to_owned(), source };
        self.context.sources.check(pod).map_err(missing)
    }
}

/// Whether a local run can honour every field of a Deployment.
pub fn supports_deployment(deployment: &Deployment) -> Result<(), Unsupported> {
    DeploymentPlan::read(deployment).map(|_| ())
}

/// Whether a local run can honour every field of a Job.
pub fn supports_job(job: &Job) -> Result<(), Unsupported> {
    JobPlan::read(job).map(|_| ())
}

/// A poisoned lock guards maps here, which no panic leaves half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
