//! Every workload as OpenShift's restricted SCC has it: any user of group 0 that nobody knows by name, a disk that is read-only but
//! for the directories that its pod has, and no privilege. It needs user namespaces.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus};

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec};
use vedette_core::desired::{GeneratorChild, Live, PipelineChildren, build_pipeline, build_training_job};
use vedette_core::manifest::{self, ValidatedManifest};
use vedette_core::site::SiteFile;
use vedette_e2e::local::binary;
use vedette_testing::bucket::{ACCESS_KEY, SECRET_KEY};
use vedette_testing::{TestBroker, TestBucket, eventually, free_address, http_get};

/// In a mount namespace of its own: empty directories for it to write to, all else read-only, then another user.
const RESTRICT: &str = r#"mount -t tmpfs none /var/lib && for directory in $1; do
        mkdir -p "$directory" && mount -t tmpfs -o mode=0777 none "$directory" || exit 1
    done && mount -o remount,bind,ro /var/lib && mount -o remount,bind,ro / && shift &&
    exec unshare --user --map-user=1000770000 --map-group=0 "$@""#;

const SITE: &str = "
site: { name: east }
kafka: { bootstrapServers: BROKER }
bucket: { endpoint: BUCKET, name: vedette, credentialsSecret: vedette-bucket }
images: { topics: t, generator: g, detector: d, archiver: a, notifier: n, trainer: t }
";

const MANIFEST: &str = "
apiVersion: vedette.io/v1alpha1
kind: AnomalyPipeline
metadata: { name: flows }
spec:
  generator: { recordsPerSecond: 200 }
  archiver: { rolling: { maxAge: 1s } }
  incidents: {}
---
apiVersion: vedette.io/v1alpha1
kind: ModelTraining
metadata: { name: flows }
spec: { site: east, data: { pipeline: flows } }
";

/// A process that ends with its test.
struct Process(Child);

impl Process {
    /// Waits until it is ready, which it is to become, to whoever asks by IPv4 or, where the machine has that, by IPv6.
    async fn ready(&mut self, what: &str, probes: SocketAddr) {
        eventually(&format!("{what} is ready"), async || {
            assert_eq!(self.0.try_wait().unwrap(), None, "{what} ended");
            http_get(probes, "/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
        if TcpListener::bind("[::1]:0").is_ok() {
            let answer = http_get((Ipv6Addr::LOCALHOST, probes.port()).into(), "/livez").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{what} by IPv6: {answer}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every address with this port, as pods listen.
fn everywhere(address: SocketAddr) -> String {
    format!("[::]:{}", address.port())
}

fn restricted(directories: &str, program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", RESTRICT, "sh", directories, program]);
    command.args(arguments).env_remove("HOME").env_remove("TMPDIR").current_dir("/");
    command
}

/// The only container of a pod, as its node would start it; it listens here.
fn container(pod: &PodSpec, probes: SocketAddr) -> Command {
    let container: &Container = &pod.containers[0];
    let own = |name: &str| pod.volumes.iter().flatten().any(|volume| volume.name == name && volume.empty_dir.is_some());
    let mounts = container.volume_mounts.iter().flatten();
    let directories: Vec<&str> =
        mounts.filter(|mount| own(&mount.name)).map(|mount| mount.mount_path.as_str()).collect();
    let program = binary(&format!("vedette-{}", container.name)).display().to_string();
    let mut command = restricted(&directories.join(" "), &program, &container.args.clone().unwrap_or_default());
    command.envs(container.env.iter().flatten().map(variable)).env("LISTEN_ADDRESS", everywhere(probes));
    command
}

/// What comes of a Secret is the bucket's; of the pod, its name.
fn variable(variable: &EnvVar) -> (String, String) {
    let key = variable.value_from.as_ref().and_then(|source| source.secret_key_ref.as_ref()).map(|of| of.key.as_str());
    let value = match key {
        None => variable.value.as_deref().unwrap_or("pod-0"),
        Some("accessKeyId") => ACCESS_KEY,
        Some(_) => SECRET_KEY,
    };
    (variable.name.clone(), value.to_owned())
}

fn outcome(pod: &PodSpec) -> ExitStatus {
    container(pod, free_address()).status().unwrap()
}

fn starts(pod: &PodSpec) -> (Process, SocketAddr) {
    let probes = free_address();
    (Process(container(pod, probes).spawn().unwrap()), probes)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_workload_runs_as_any_user_with_a_read_only_disk() {
    let who =
        ["-c", "id -u; id -g; touch /tmp/x || echo refused; touch /var/lib/own/x && echo taken"].map(str::to_owned);
    let who = restricted("/var/lib/own", "sh", &who).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&who.stdout), "1000770000\n0\nrefused\ntaken\n", "{who:?}");

    let (broker, bucket) = (TestBroker::start(), TestBucket::serve().await);
    let site = SITE.replace("BROKER", &format!("'{}'", broker.address())).replace("BUCKET", &bucket.endpoint());
    let site = SiteFile::parse(&site).unwrap();
    let mut manifests = manifest::load(MANIFEST, &"n".parse().unwrap(), &site).unwrap();
    let (Some(ValidatedManifest::Training(training)), Some(ValidatedManifest::Pipeline(pipeline))) =
        (manifests.pop(), manifests.pop())
    else {
        panic!("not a pipeline and a training");
    };
    let PipelineChildren { topics_job, generator, detector, archiver, notifier, .. } =
        build_pipeline(&pipeline, &site, None, &Live::default());
    let Some(GeneratorChild::Deployment(generator)) = generator else { panic!("no generator that goes on") };

    assert!(outcome(topics_job.spec.unwrap().template.spec.as_ref().unwrap()).success());
    let mut running = Vec::new();
    for deployment in [*generator, detector.unwrap(), archiver, notifier.unwrap()] {
        let (process, probes) = starts(deployment.spec.template.spec.as_ref().unwrap());
        running.push((deployment.metadata.name.unwrap(), process, probes));
    }
    for (name, process, probes) in &mut running {
        process.ready(name, *probes).await;
    }
    eventually("records are in the bucket", async || {
        let objects = bucket.bucket.list("n/flows/enriched_data/", None).await.unwrap();
        objects.iter().any(|object| !object.key.contains(".tmp/"))
    })
    .await;

    let job = build_training_job(&training, &site, "flows-1");
    assert!(outcome(job.spec.unwrap().template.spec.as_ref().unwrap()).success());
    assert!(bucket.json::<serde_json::Value>("n/models/flows/results/flows-1.json").await.is_some());

    let (page, probes) = (free_address(), free_address());
    let own = ["--pod-name=console", "--site=east"].map(str::to_owned);
    let addresses = [
        ("bootstrap-servers", broker.address().to_string()),
        ("listen-address", everywhere(probes)),
        ("page-address", everywhere(page)),
    ];
    let addresses = addresses.map(|(option, address)| format!("--{option}={address}"));
    let arguments = [&own[..], &addresses, &bucket.options()].concat();
    let program = binary("vedette-console").display().to_string();
    let mut console = Process(restricted("", &program, &arguments).spawn().unwrap());
    console.ready("the console", probes).await;
}
