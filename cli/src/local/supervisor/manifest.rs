//! Deployments and Jobs as the supervisor runs them: read once, at the edge, so that inner code has no options left.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodTemplateSpec, Probe, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vedette_contract::ModelVersion;
use vedette_core::desired::labels;

use super::fields::{self, Unsupported};

/// A Deployment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DeploymentPlan {
    pub(super) name: String,
    pub(super) replicas: usize,
    pub(super) pod: PodPlan,
}

/// A Job with one pod at a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JobPlan {
    pub(super) name: String,
    pub(super) backoff_limit: u32,
    pub(super) deadline: Option<Duration>,
    pub(super) suspend: bool,
    pub(super) pod: PodPlan,
}

/// What tells the pods of one template from those of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Template {
    /// Five characters that differ between templates.
    pub(super) hash: String,
    /// Hash of the template, but for the model.
    pub(super) spec: Option<String>,
    /// The model version that it carries.
    pub(super) version: Option<ModelVersion>,
}

/// A pod template.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct PodPlan {
    pub(super) template: Template,
    pub(super) namespace: String,
    /// Name of the program: the image's last path segment.
    pub(super) program: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, EnvSource)>,
    pub(super) mounts: Vec<Mount>,
    pub(super) readiness: Option<ProbePlan>,
    pub(super) liveness: Option<ProbePlan>,
    pub(super) termination_grace: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum EnvSource {
    Value(String),
    ConfigMapKey { name: String, key: String, optional: bool },
    SecretKey { name: String, key: String, optional: bool },
    PodName,
    Namespace,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mount {
    pub(super) path: String,
    pub(super) volume: String,
    pub(super) source: VolumeSource,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum VolumeSource {
    EmptyDir,
    ConfigMap { name: String, optional: bool },
    Secret { name: String, optional: bool },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProbePlan {
    pub(super) path: String,
    pub(super) initial_delay: Duration,
    pub(super) period: Duration,
    pub(super) timeout: Duration,
    pub(super) failure_threshold: u32,
}

impl DeploymentPlan {
    pub(super) fn read(deployment: &Deployment) -> Result<Self, Unsupported> {
        let mut wrong = fields::unknown(deployment, fields::DEPLOYMENT);
        let spec = &deployment.spec;
        // One pod more is started before one is stopped, whatever it says of room: a machine has it, or has none for any.
        if spec.strategy.as_ref().is_none_or(|strategy| strategy.type_.as_deref() != Some("RollingUpdate")) {
            wrong.push("spec.strategy (RollingUpdate only)".to_owned());
        }
        let pod = PodPlan::read(&spec.template, &deployment.metadata, "Always", &mut wrong);
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let replicas = count(spec.replicas, 1, "spec.replicas", &mut wrong);
        finish(format!("Deployment {name}"), wrong, Self { name, replicas, pod })
    }
}

impl JobPlan {
    pub(super) fn read(job: &Job) -> Result<Self, Unsupported> {
        let mut wrong = fields::unknown(job, fields::JOB);
        let name = job.metadata.name.clone().unwrap_or_default();
        let spec = job.spec.clone().unwrap_or_default();
        if spec.parallelism.unwrap_or(1) != 1 || spec.completions.unwrap_or(1) != 1 {
            wrong.push("spec.parallelism and spec.completions (1 only)".to_owned());
        }
        if spec.completion_mode.is_some_and(|mode| mode != "NonIndexed") {
            wrong.push("spec.completionMode (NonIndexed only)".to_owned());
        }
        let backoff_limit = count(spec.backoff_limit, 6, "spec.backoffLimit", &mut wrong);
        let plan = Self {
            pod: PodPlan::read(&spec.template, &job.metadata, "Never", &mut wrong),
            backoff_limit,
            deadline: spec.active_deadline_seconds.map(|limit| seconds(Some(limit), 0)),
            suspend: spec.suspend.unwrap_or(false),
            name: name.clone(),
        };
        finish(format!("Job {name}"), wrong, plan)
    }
}

fn finish<T>(object: String, fields: Vec<String>, plan: T) -> Result<T, Unsupported> {
    if fields.is_empty() { Ok(plan) } else { Err(Unsupported { object, fields }) }
}

impl PodPlan {
    fn read(template: &PodTemplateSpec, owner: &ObjectMeta, restart_policy: &str, wrong: &mut Vec<String>) -> Self {
        let spec = template.spec.clone().unwrap_or_default();
        if spec.restart_policy.as_deref().unwrap_or("Always") != restart_policy {
            wrong.push(format!("spec.template.spec.restartPolicy ({restart_policy} only)"));
        }
        let [container] = spec.containers.as_slice() else {
            wrong.push("spec.template.spec.containers (exactly one)".to_owned());
            return Self::default();
        };
        let args = container.args.clone().unwrap_or_default();
        let env: Vec<_> = container.env.iter().flatten().map(|variable| read_env(variable, wrong)).collect();
        let values = env.iter().filter_map(|(_, source)| {
            let EnvSource::Value(value) = source else { return None };
            Some(value)
        });
        if args.iter().chain(values).any(|text| text.contains("$(")) {
            wrong.push("$(…) in args or env (no expansion)".to_owned());
        }
        Self {
            template: Template::read(template),
            namespace: owner.namespace.clone().unwrap_or_default(),
            program: program(container.image.as_deref().unwrap_or_default(), wrong),
            args,
            mounts: read_mounts(container, &spec.volumes.unwrap_or_default(), wrong),
            env,
            readiness: container.readiness_probe.as_ref().map(|probe| read_probe(probe, wrong)),
            liveness: container.liveness_probe.as_ref().map(|probe| read_probe(probe, wrong)),
            termination_grace: seconds(spec.termination_grace_period_seconds, 30),
        }
    }
}

impl Template {
    fn read(template: &PodTemplateSpec) -> Self {
        let metadata = template.metadata.as_ref();
        let spec = metadata.and_then(labels::spec_hash).map(str::to_owned);
        Self { hash: hash(template), spec, version: metadata.and_then(labels::model_version) }
    }
}

fn hash(template: &PodTemplateSpec) -> String {
    // Stable within one build, which is as long as a run lasts.
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(template).unwrap_or_default().hash(&mut hasher);
    format!("{:05x}", hasher.finish() & 0xf_ffff)
}

/// `registry/vedette-detector:1.0` is run by the program `vedette-detector`.
fn program(image: &str, wrong: &mut Vec<String>) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    let name = last.split(['@', ':']).next().unwrap_or_default();
    if name.is_empty() {
        wrong.push("spec.template.spec.containers[].image (names no program)".to_owned());
    }
    name.to_owned()
}

fn read_env(variable: &EnvVar, wrong: &mut Vec<String>) -> (String, EnvSource) {
    let source = variable.value_from.as_ref();
    let from_config_map = source.and_then(|source| source.config_map_key_ref.as_ref());
    let from_secret = source.and_then(|source| source.secret_key_ref.as_ref());
    let from_field = source.and_then(|source| source.field_ref.as_ref());
    let source = match (from_config_map, from_secret, from_field) {
        (Some(key), _, _) => EnvSource::ConfigMapKey {
            name: key.name.clone(),
            key: key.key.clone(),
            optional: key.optional.unwrap_or(false),
        },
        (_, Some(key), _) => EnvSource::SecretKey {
            name: key.name.clone(),
            key: key.key.clone(),
            optional: key.optional.unwrap_or(false),
        },
        (_, _, Some(field)) => match field.field_path.as_str() {
            "metadata.name" => EnvSource::PodName,
            "metadata.namespace" => EnvSource::Namespace,
            other => {
                wrong.push(format!("fieldRef {other} (metadata.name and metadata.namespace only)"));
                EnvSource::PodName
            }
        },
        (None, None, None) => EnvSource::Value(variable.value.clone().unwrap_or_default()),
    };
    (variable.name.clone(), source)
}

fn read_mounts(container: &Container, volumes: &[Volume], wrong: &mut Vec<String>) -> Vec<Mount> {
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = volumes.iter().find(|volume| volume.name == mount.name);
        let of_config_map = volume.and_then(|volume| volume.config_map.as_ref()?.items.as_ref());
        let of_secret = volume.and_then(|volume| volume.secret.as_ref()?.items.as_ref());
        if of_config_map.into_iter().chain(of_secret).flatten().any(|item| item.key != item.path) {
            wrong.push(format!("items of volume {} (files by the name of their key only)", mount.name));
        }
        let source = volume.and_then(|volume| {
            let config_map = volume.config_map.as_ref().map(|source| VolumeSource::ConfigMap {
                name: source.name.clone(),
                optional: source.optional.unwrap_or(false),
            });
            let secret = volume.secret.as_ref().and_then(|source| {
                Some(VolumeSource::Secret {
                    name: source.secret_name.clone()?,
                    optional: source.optional.unwrap_or(false),
                })
            });
            config_map.or(secret).or(volume.empty_dir.as_ref().map(|_| VolumeSource::EmptyDir))
        });
        match source {
            Some(source) => mounts.push(Mount { path: mount.mount_path.clone(), volume: mount.name.clone(), source }),
            None => wrong.push(format!("volume {} (emptyDir, configMap and secret only)", mount.name)),
        }
    }
    mounts
}

fn read_probe(probe: &Probe, wrong: &mut Vec<String>) -> ProbePlan {
    let get = probe.http_get.clone().unwrap_or_default();
    if probe.http_get.is_none() || get.scheme.is_some_and(|scheme| scheme != "HTTP") {
        wrong.push("probe (httpGet with scheme HTTP only)".to_owned());
    }
    if probe.success_threshold.unwrap_or(1) != 1 {
        wrong.push("successThreshold of a probe (1 only)".to_owned());
    }
    ProbePlan {
        path: get.path.unwrap_or_else(|| "/".to_owned()),
        initial_delay: seconds(probe.initial_delay_seconds.map(i64::from), 0),
        period: seconds(probe.period_seconds.map(i64::from), 10),
        timeout: seconds(probe.timeout_seconds.map(i64::from), 1),
        failure_threshold: count(probe.failure_threshold, 3, "failureThreshold", wrong),
    }
}

fn seconds(value: Option<i64>, default: u64) -> Duration {
    Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
}

fn count<T: TryFrom<i32>>(value: Option<i32>, default: T, field: &str, wrong: &mut Vec<String>) -> T {
    match value.map(T::try_from) {
        None => default,
        Some(Ok(value)) => value,
        Some(Err(_)) => {
            wrong.push(format!("{field} (not negative)"));
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const DETECTOR: &str = r"
        metadata: { name: kdd-detector, labels: { app: x } }
        spec:
          replicas: 2
          selector: { matchLabels: { app: x } }
          progressDeadlineSeconds: 60
          strategy: { type: RollingUpdate, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
          template:
            metadata: { annotations: { vedette.io/model-version: v1 } }
            spec:
              securityContext: { runAsNonRoot: true }
              volumes: [{ name: model, emptyDir: { sizeLimit: 1Gi } }, { name: settings, configMap: { name: c } }]
              containers:
                - name: detector
                  image: registry:5000/team/vedette-detector:0.1@sha256:00
                  args: [--group, detectors]
                  env:
                    - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
                    - { name: PASSWORD, valueFrom: { secretKeyRef: { name: s, key: k } } }
                  resources: { limits: { memory: 1Gi } }
                  volumeMounts: [{ name: model, mountPath: /model }, { name: settings, mountPath: /etc/x, readOnly: true }]
                  readinessProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 2 }
    ";

    fn deployment(yaml: &str) -> Deployment {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn a_detector_is_read() {
        let plan = DeploymentPlan::read(&deployment(DETECTOR)).unwrap();
        assert_eq!((plan.name.as_str(), plan.replicas), ("kdd-detector", 2));
        assert_eq!(plan.pod.program, "vedette-detector");
        assert_eq!(plan.pod.env[0], ("POD_NAME".to_owned(), EnvSource::PodName));
        assert_eq!(plan.pod.mounts.len(), 2);
        assert_eq!(plan.pod.readiness.as_ref().unwrap().period, Duration::from_secs(2));
        assert_eq!(plan.pod.termination_grace, Duration::from_secs(30));
        assert_eq!(plan.pod.template.hash.len(), 5);
        let other = DeploymentPlan::read(&deployment(&DETECTOR.replace("v1", "v2"))).unwrap();
        assert_ne!(other.pod.template.hash, plan.pod.template.hash);
        let scaled = DeploymentPlan::read(&deployment(&DETECTOR.replace("replicas: 2", "replicas: 3"))).unwrap();
        assert_eq!(scaled.pod.template.hash, plan.pod.template.hash);
    }

    #[test]
    fn what_it_cannot_honour_is_named_all_at_once() {
        let yaml = DETECTOR
            .replace("args: [--group, detectors]", "command: [sh], args: [$(POD_NAME)]")
            .replace("command: [sh], args", "command: [sh]\n                  args")
            .replace("type: RollingUpdate", "type: Recreate")
            .replace("emptyDir: { sizeLimit: 1Gi }", "hostPath: { path: /data }")
            .replace("securityContext: { runAsNonRoot: true }", "hostNetwork: true");
        let error = DeploymentPlan::read(&deployment(&yaml)).unwrap_err().to_string();
        for field in [
            "containers[].command",
            "$(…)",
            "RollingUpdate only",
            "volumes[].hostPath.path",
            "volume model",
            "hostNetwork",
        ] {
            assert!(error.contains(field), "{field} in {error}");
        }
    }

    #[test]
    fn a_job_with_several_pods_is_refused_and_one_is_read() {
        let yaml = "
            metadata: { name: t-1 }
            spec:
              backoffLimit: 2
              activeDeadlineSeconds: 30
              template: { spec: { restartPolicy: Never, containers: [{ name: t, image: vedette-trainer }] } }";
        let read = |yaml: &str| JobPlan::read(&serde_yaml::from_str(yaml).unwrap());
        let plan = read(yaml).unwrap();
        assert_eq!((plan.backoff_limit, plan.deadline), (2, Some(Duration::from_secs(30))));
        assert!(
            read(&yaml.replace("backoffLimit: 2", "completions: 3")).unwrap_err().to_string().contains("completions")
        );
        assert!(read(&yaml.replace("Never", "OnFailure")).unwrap_err().to_string().contains("restartPolicy"));
    }
}
