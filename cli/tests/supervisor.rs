//! The supervisor with real processes: `examples/workload.rs` plays the workload.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};
use vedette_cli::local::supervisor::{
    JobStatus, Sources, Supervisor, SupervisorError, SupervisorEvent, SupervisorOptions,
};
use vedette_contract::exit::Blame;
use vedette_core::roll::{Fault, Rollout};
use vedette_core::rollout::rollout;

const PATIENCE: Duration = Duration::from_secs(240);

/// A supervisor, what it told, and the directory that commands its workloads.
struct Stage {
    supervisor: Supervisor,
    events: Arc<Mutex<Vec<SupervisorEvent>>>,
    exits: Arc<Mutex<Vec<String>>>,
    control: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let (events, exits) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (told, ended) = (Arc::clone(&events), Arc::clone(&exits));
        let object = |name: &str, value: &str| {
            BTreeMap::from([(name.to_owned(), BTreeMap::from([("key".to_owned(), value.to_owned())]))])
        };
        let sources = Sources { secrets: object("s", "secret"), config_maps: object("c", "value") };
        let supervisor = Supervisor::start(
            SupervisorOptions { binary_directory: Some(examples()) },
            sources,
            Box::new(move |pod| {
                ended.lock().unwrap().push(pod);
                Box::pin(async {})
            }),
            Box::new(move |event| told.lock().unwrap().push(event)),
        )
        .unwrap();
        Self { supervisor, events, exits, control: tempfile::tempdir().unwrap() }
    }

    fn tell(&self, what: &str) {
        fs::write(self.control.path().join(what), "").unwrap();
    }

    fn untell(&self, what: &str) {
        fs::remove_file(self.control.path().join(what)).unwrap();
    }

    fn deployment(&self, replicas: i32, version: &str) -> Deployment {
        serde_json::from_value(json!({
            "metadata": { "name": "d", "namespace": "demo" },
            "spec": {
                "replicas": replicas,
                "selector": {},
                "progressDeadlineSeconds": 5,
                "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
                "template": { "spec": self.pod(version, &[]) },
            },
        }))
        .unwrap()
    }

    fn job(&self, backoff_limit: i32, deadline: Option<i64>) -> Job {
        let mut pod = self.pod("v1", &[]);
        pod["restartPolicy"] = json!("Never");
        let spec =
            json!({ "backoffLimit": backoff_limit, "activeDeadlineSeconds": deadline, "template": { "spec": pod } });
        serde_json::from_value(json!({ "metadata": { "name": "j" }, "spec": spec })).unwrap()
    }

    fn pod(&self, version: &str, args: &[&str]) -> Value {
        // A machine that is busy is none that is stuck.
        let probe = |path| {
            json!({
                "httpGet": { "path": path, "port": "http" },
                "periodSeconds": 1, "timeoutSeconds": 20, "failureThreshold": 1,
            })
        };
        json!({
            "terminationGracePeriodSeconds": 60,
            "containers": [{
                "name": "w",
                "image": "registry:5000/vedette/workload:1.0",
                "args": args,
                "ports": [{ "name": "http", "containerPort": 8080 }],
                "env": [
                    { "name": "CONTROL", "value": self.control.path() },
                    { "name": "VERSION", "value": version },
                    { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                    { "name": "NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } },
                    { "name": "LISTEN_ADDRESS", "value": "0.0.0.0:8080" },
                    { "name": "SECRET", "valueFrom": { "secretKeyRef": { "name": "s", "key": "key" } } },
                ],
                "readinessProbe": probe("/readyz"),
                "livenessProbe": probe("/livez"),
            }],
        })
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.until_found(what, |stage| holds(stage).then_some(())).await;
    }

    async fn until_found<T>(&self, what: &str, find: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} never came; events: {:#?}", self.events());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How the newest plan of this Deployment stands.
    fn rolls_out(&self, deployment: &Deployment) -> Rollout {
        rollout(&self.supervisor.workload(deployment.metadata.name.as_deref().unwrap()))
    }

    /// What a pod of the newest plan does wrong.
    fn fault(&self, deployment: &Deployment) -> Option<Fault> {
        match self.rolls_out(deployment) {
            Rollout::Underway(underway) => underway.fault,
            Rollout::Absent | Rollout::Complete => None,
        }
    }

    /// Whom a pod of the newest plan blames for its end, and what of. Before it ends it is not ready, which is not meant.
    async fn until_ended(&self, deployment: &Deployment) -> (Blame, String) {
        let end = |stage: &Self| match stage.fault(deployment) {
            Some(Fault::Ended { since: _, blame, cause }) => Some((blame, cause)),
            Some(Fault::Unready { .. }) | None => None,
        };
        self.until_found("the end of a pod", end).await
    }

    async fn until_complete(&self, deployment: &Deployment) {
        self.until("a complete rollout", |stage| stage.rolls_out(deployment) == Rollout::Complete).await;
    }

    async fn job_end(&self) -> JobStatus {
        self.until("the end of the Job", |stage| stage.supervisor.job_status("j") != JobStatus::Running).await;
        self.supervisor.job_status("j")
    }

    fn events(&self) -> Vec<SupervisorEvent> {
        self.events.lock().unwrap().clone()
    }

    fn started(&self) -> Vec<(String, u32)> {
        let started = |event| match event {
            SupervisorEvent::Started { pod, process_id } => Some((pod, process_id.unwrap())),
            _ => None,
        };
        self.events().into_iter().filter_map(started).collect()
    }

    fn dump(&self, pod: &str) -> Value {
        serde_json::from_slice(&fs::read(self.control.path().join(format!("dump-{pod}"))).unwrap()).unwrap()
    }

    fn running(&self) -> usize {
        self.started().iter().filter(|(_, id)| is_running(*id)).count()
    }
}

fn examples() -> PathBuf {
    let this = env::current_exe().unwrap();
    this.parent().and_then(Path::parent).unwrap().join("examples")
}

fn is_running(process: u32) -> bool {
    // A zombie has ended, too.
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn kill(process: u32) {
    let id = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_deployment_is_started_scaled_and_left_alone() {
    let stage = Stage::new();
    let one = stage.deployment(1, "v1");
    assert_eq!(stage.rolls_out(&one), Rollout::Absent);
    stage.supervisor.apply_deployment(&one).unwrap();
    stage.until_complete(&one).await;
    assert!(stage.supervisor.is_settled());
    let three = stage.deployment(3, "v1");
    stage.supervisor.apply_deployment(&three).unwrap();
    stage.until_complete(&three).await;
    stage.supervisor.apply_deployment(&three).unwrap();
    assert_eq!(stage.rolls_out(&three), Rollout::Complete);
    assert_eq!(stage.started().len(), 3);
    let none = stage.deployment(0, "v1");
    stage.supervisor.apply_deployment(&none).unwrap();
    stage.until("the end of all", |stage| stage.running() == 0).await;
    assert_eq!(stage.rolls_out(&none), Rollout::Absent);
}

#[tokio::test]
async fn a_roll_takes_an_old_pod_only_when_a_new_one_is_ready() {
    let stage = Stage::new();
    let old = stage.deployment(2, "v1");
    stage.supervisor.apply_deployment(&old).unwrap();
    stage.until_complete(&old).await;
    let before = stage.events().len();
    let new = stage.deployment(2, "v2");
    stage.supervisor.apply_deployment(&new).unwrap();
    stage.until_complete(&new).await;
    let stopped =
        |stage: &Stage| stage.events().iter().filter(|event| matches!(event, SupervisorEvent::Stopped { .. })).count();
    stage.until("two old pods to end", |stage| stopped(stage) == 2).await;
    let (mut ready, mut processes) = (2, 2);
    for event in &stage.events()[before..] {
        match event {
            SupervisorEvent::Started { .. } => processes += 1,
            SupervisorEvent::Ready { .. } => ready += 1,
            SupervisorEvent::Stopped { .. } => (ready, processes) = (ready - 1, processes - 1),
            other => panic!("{other}"),
        }
        assert!(ready >= 2, "{:#?}", stage.events());
    }
    assert_eq!((ready, processes), (2, 2));
    let pods: std::collections::BTreeSet<_> = stage.started().into_iter().map(|(pod, _)| pod).collect();
    assert_eq!(pods.len(), 4, "every pod has a name of its own");
}

#[tokio::test]
async fn a_killed_process_is_restarted_in_its_pod_after_the_exit_hook() {
    let stage = Stage::new();
    let mut deployment = stage.deployment(1, "v1");
    let pod = stage.pod("v1", &["--volume=/var/lib/x", "--settings", "/nowhere"]);
    deployment.spec.template.spec = serde_json::from_value(pod).unwrap();
    let spec = deployment.spec.template.spec.as_mut().unwrap();
    spec.volumes = serde_json::from_value(json!([{ "name": "x", "emptyDir": {} }])).unwrap();
    spec.containers[0].volume_mounts =
        serde_json::from_value(json!([{ "name": "x", "mountPath": "/var/lib/x" }])).unwrap();
    stage.supervisor.apply_deployment(&deployment).unwrap();
    stage.until_complete(&deployment).await;
    let (pod, process) = stage.started().pop().unwrap();
    kill(process);
    stage.until("a restart", |stage| stage.started().len() == 2).await;
    stage.until_complete(&deployment).await;
    assert_eq!(stage.started().pop().unwrap().0, pod);
    assert_eq!(*stage.exits.lock().unwrap(), std::slice::from_ref(&pod));
    let dump = stage.dump(&pod);
    assert_eq!(dump["starts"], 2, "the volume outlives the process");
    assert_eq!((&dump["args"][1], &dump["args"][2]), (&json!("--settings"), &json!("/nowhere")));
}

#[tokio::test]
async fn a_process_gets_what_its_manifest_says_and_nothing_of_ours() {
    let stage = Stage::new();
    let mut deployment = stage.deployment(1, "v1");
    let mut pod = stage.pod("v1", &["--settings=/etc/settings"]);
    pod["volumes"] = json!([{ "name": "c", "configMap": { "name": "c" } }]);
    pod["containers"][0]["volumeMounts"] = json!([{ "name": "c", "mountPath": "/etc/settings", "readOnly": true }]);
    deployment.spec.template.spec = serde_json::from_value(pod).unwrap();
    stage.supervisor.apply_deployment(&deployment).unwrap();
    stage.until_complete(&deployment).await;
    let pod = stage.started().pop().unwrap().0;
    let dump = stage.dump(&pod);
    assert_eq!(dump["settings"], "value");
    assert_eq!(dump["env"]["SECRET"], "secret");
    assert_eq!(dump["env"]["POD_NAME"], *pod);
    assert_eq!(dump["env"]["NAMESPACE"], "demo");
    assert!(dump["env"]["LISTEN_ADDRESS"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(dump["env"].get("PATH"), None);
}

#[tokio::test]
async fn a_roll_that_crashes_leaves_the_old_pods_and_goes_back() {
    let stage = Stage::new();
    let good = stage.deployment(2, "v1");
    stage.supervisor.apply_deployment(&good).unwrap();
    stage.until_complete(&good).await;
    let old = stage.started();
    let all_old_run = || old.iter().all(|(_, process)| is_running(*process));
    stage.tell("crash-v2");
    let bad = stage.deployment(2, "v2");
    stage.supervisor.apply_deployment(&bad).unwrap();
    let (blame, reason) = stage.until_ended(&bad).await;
    assert_eq!(blame, Blame::Model);
    assert!(reason.contains("exit status: 3") && reason.contains("WrongHash: no good"), "{reason}");
    // The bad one may have been started again by now.
    assert!(all_old_run() && !stage.supervisor.is_settled());
    stage.supervisor.apply_deployment(&good).unwrap();
    stage.until_complete(&good).await;
    stage.until("the end of the bad one", |stage| stage.running() == 2).await;
    assert!(all_old_run());
}

#[tokio::test]
async fn a_pod_that_is_not_ready_in_time_fails_with_its_probes_answer() {
    let stage = Stage::new();
    stage.tell("unready");
    let deployment = stage.deployment(1, "v1");
    stage.supervisor.apply_deployment(&deployment).unwrap();
    let says = |stage: &Stage| match stage.fault(&deployment) {
        Some(Fault::Unready { cause, .. }) => cause.contains("503: no model"),
        Some(Fault::Ended { .. }) | None => false,
    };
    stage.until("its probe's answer", says).await;
    stage.untell("unready");
    stage.until_complete(&deployment).await;
    stage.tell("unready");
    stage.until("a pod that is not ready any more", |stage| !stage.supervisor.is_settled()).await;
}

#[tokio::test]
async fn a_stuck_process_is_killed_and_restarted() {
    let stage = Stage::new();
    let deployment = stage.deployment(1, "v1");
    stage.supervisor.apply_deployment(&deployment).unwrap();
    stage.until_complete(&deployment).await;
    stage.tell("stuck");
    stage.until("the end of the stuck one", |stage| !stage.exits.lock().unwrap().is_empty()).await;
    stage.untell("stuck");
    stage.until("a restart", |stage| stage.started().len() >= 2).await;
    stage.until_complete(&deployment).await;
}

#[tokio::test]
async fn stopping_is_orderly_and_a_stubborn_process_is_killed_after_its_grace_period() {
    let stage = Stage::new();
    let deployment = stage.deployment(1, "v1");
    stage.supervisor.apply_deployment(&deployment).unwrap();
    stage.until_complete(&deployment).await;
    let (pod, process) = stage.started().pop().unwrap();
    let listening = format!("listening-{pod}");
    stage.until("its signal handler", |stage| stage.control.path().join(&listening).exists()).await;
    stage.supervisor.stop("d").await;
    assert!(stage.control.path().join(format!("ended-{pod}")).exists());
    assert!(!is_running(process));
    assert_eq!(stage.rolls_out(&deployment), Rollout::Absent);

    stage.tell("stubborn");
    let mut deployment = deployment;
    deployment.spec.template.spec.as_mut().unwrap().termination_grace_period_seconds = Some(2);
    stage.supervisor.apply_deployment(&deployment).unwrap();
    stage.until_complete(&deployment).await;
    let (pod, process) = stage.started().pop().unwrap();
    let listening = format!("listening-{pod}");
    stage.until("its signal handler", |stage| stage.control.path().join(&listening).exists()).await;
    let started = Instant::now();
    stage.supervisor.stop_all().await;
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert!(!is_running(process));
}

#[tokio::test]
async fn a_dropped_supervisor_leaves_nothing_running() {
    let stage = Stage::new();
    let deployment = stage.deployment(2, "v1");
    stage.supervisor.apply_deployment(&deployment).unwrap();
    stage.until_complete(&deployment).await;
    let processes = stage.started();
    drop(stage);
    let deadline = Instant::now() + PATIENCE;
    while processes.iter().any(|(_, process)| is_running(*process)) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_job_completes() {
    let stage = Stage::new();
    stage.tell("succeed");
    assert_eq!(stage.supervisor.job_status("j"), JobStatus::Absent);
    stage.supervisor.apply_job(&stage.job(0, None)).unwrap();
    assert_eq!(stage.job_end().await, JobStatus::Complete);
    stage.supervisor.apply_job(&stage.job(0, None)).unwrap();
    assert_eq!(stage.started().len(), 1);
    let changed = stage.supervisor.apply_job(&stage.job(1, None)).unwrap_err();
    assert!(matches!(changed, SupervisorError::JobChanged { .. }));
}

#[tokio::test]
async fn a_job_that_fails_is_tried_again_up_to_its_limit() {
    let stage = Stage::new();
    stage.tell("crash");
    stage.supervisor.apply_job(&stage.job(2, None)).unwrap();
    let JobStatus::Failed { cause } = stage.job_end().await else { panic!("it did not fail") };
    assert!(cause.starts_with("BackoffLimitExceeded") && cause.contains("WrongHash: no good"), "{cause}");
    assert_eq!(stage.started().len(), 3);
}

#[tokio::test]
async fn a_job_ends_at_its_deadline() {
    let stage = Stage::new();
    stage.supervisor.apply_job(&stage.job(6, Some(1))).unwrap();
    let JobStatus::Failed { cause } = stage.job_end().await else { panic!("it did not fail") };
    assert!(cause.starts_with("DeadlineExceeded"), "{cause}");
    assert_eq!(stage.running(), 0);
}

#[tokio::test]
async fn what_is_missing_is_named_before_anything_starts() {
    let stage = Stage::new();
    let mut deployment = stage.deployment(1, "v1");
    let text = serde_json::to_string(&deployment).unwrap();
    deployment = serde_json::from_str(&text.replace("\"name\":\"s\"", "\"name\":\"other\"")).unwrap();
    let error = stage.supervisor.apply_deployment(&deployment).unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "Secret other is missing");
    let deployment: Deployment = serde_json::from_str(&text.replace("workload:1.0", "nothing:1.0")).unwrap();
    let error = stage.supervisor.apply_deployment(&deployment).unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
    assert_eq!(stage.started(), []);
}
