//! What all pods have in common: one unprivileged container, probes, labels, owner. Builders fill in the rest.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, HTTPGetAction, HostAlias,
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, SeccompProfile, SecurityContext,
    Toleration, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use vedette_contract::Name;
use vedette_contract::arguments::LOG_LEVEL_ENV;
use vedette_crds::{Embedded, PodSettings, RollingUpdate};

use super::arguments::HTTP_PORT;
use super::connection::Files;
use super::labels::{self, Component};
use super::nodes;
use crate::site::{SiteFile, Variable};
use crate::validate::Tags;

pub(super) const PORT_NAME: &str = "http";
/// By which the cluster's autoscaler knows that a pod may go although it has a directory of its node: it is made anew elsewhere.
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
/// Over what pods are spread where nothing is said.
const DEFAULT_SPREAD: [&str; 2] = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];

/// ReplicaSets of former templates that a Deployment keeps. Every model is a template, and nobody goes back by them: what runs is the
/// manifest's to say. So there are few: the last ones, to be compared.
const REVISIONS: i32 = 2;

/// Whose child something is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) kind: &'static str,
    pub(super) namespace: &'a Name,
    pub(super) name: &'a Name,
    pub(super) uid: Option<&'a str>,
    /// What it wants written on its children.
    pub(super) tags: &'a Tags,
}

impl Owner<'_> {
    /// Metadata of an object of one component.
    pub(super) fn metadata(&self, name: String, component: Component) -> ObjectMeta {
        self.labelled(name, labels::labels(self.name.as_str(), component))
    }

    /// Metadata of an object of all components.
    pub(super) fn labelled(&self, name: String, labels: BTreeMap<String, String>) -> ObjectMeta {
        let reference = self.uid.map(|uid| OwnerReference {
            api_version: "vedette.io/v1alpha1".to_owned(),
            kind: self.kind.to_owned(),
            name: self.name.to_string(),
            uid: uid.to_owned(),
            controller: Some(true),
            // That would take a permission more.
            block_owner_deletion: None,
        });
        let Tags { labels: extra, annotations } = self.tags;
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.to_string()),
            // Ours come last, and win.
            labels: Some(extra.clone().into_iter().chain(labels).collect()),
            annotations: (!annotations.is_empty()).then(|| annotations.clone()),
            owner_references: reference.map(|reference| vec![reference]),
            ..Default::default()
        }
    }
}

/// What the pods of an owner have in common.
#[derive(Debug)]
pub(super) struct PodContext<'a> {
    pub(super) site: &'a SiteFile,
    /// Service account where the settings name none.
    pub(super) service_account: String,
    /// Hash of the Secrets and ConfigMaps that environment and files come from.
    pub(super) secrets_hash: Option<&'a str>,
}

/// One process.
#[derive(Debug)]
pub(super) struct Process<'a> {
    pub(super) component: Component,
    /// What the manifest says of its pods.
    pub(super) settings: &'a PodSettings,
    pub(super) image: &'a str,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<EnvVar>,
    /// What of Secrets and ConfigMaps it reads.
    pub(super) files: Vec<Files>,
    /// A directory of its own that outlives the container.
    pub(super) directory: Option<Directory>,
    /// Whether it serves /livez and /readyz.
    pub(super) serves: bool,
    /// How long it may take to stop, seconds.
    pub(super) grace_seconds: i64,
}

/// A directory of a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory {
    /// Name of its volume.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// Bytes of the node's disk that it asks for, where that is more than a few.
    pub(super) asks_for: Option<u64>,
}

/// The template of a process's pods.
pub(super) fn template(owner: &Owner<'_>, context: &PodContext<'_>, process: Process<'_>) -> PodTemplateSpec {
    let PodContext { site, service_account, secrets_hash } = context;
    let PodSettings {
        labels: extra_labels,
        annotations,
        node_selector: _,
        tolerations,
        affinity: _,
        topology_spread_constraints: _,
        resources: _,
        env: _,
        volumes,
        volume_mounts: _,
        image_pull_secrets,
        termination_grace_period_seconds,
        runtime_class_name,
        log_level: _,
        priority_class_name,
        service_account_name,
        host_aliases,
        dns_policy,
        dns_config,
        security_context,
    } = process.settings;
    let mut pod_labels = extra_labels.clone();
    pod_labels.extend(labels::labels(owner.name.as_str(), process.component));
    let mut annotations = annotations.clone();
    annotations.extend(secrets_hash.map(|hash| (labels::SECRETS_HASH.to_owned(), hash.to_owned())));
    if let Some(directory) = process.directory {
        annotations.entry(SAFE_TO_EVICT.to_owned()).or_insert_with(|| directory.name.to_owned());
    }
    let own = process.directory.map(|directory| empty_directory(directory.name)).into_iter();
    let files = process.files.iter().map(Files::volume);
    let volumes: Vec<Volume> = own.chain(files).chain(known(volumes.as_deref())).collect();
    let secret = |name: String| LocalObjectReference { name };
    let pull_secrets: Vec<LocalObjectReference> = match image_pull_secrets {
        None => site.image_pull_secrets.iter().map(|name| secret(name.to_string())).collect(),
        Some(named) => named.iter().cloned().map(secret).collect(),
    };
    let tolerations: Vec<Toleration> = known(tolerations.as_deref()).collect();
    let host_aliases: Vec<HostAlias> = known(host_aliases.as_deref()).collect();
    let spread = spread(owner, &process);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(pod_labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..Default::default()
        }),
        spec: Some(PodSpec {
            volumes: (!volumes.is_empty()).then_some(volumes),
            termination_grace_period_seconds: termination_grace_period_seconds.or(Some(process.grace_seconds)),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(self::security_context(security_context.as_ref())),
            host_aliases: (!host_aliases.is_empty()).then_some(host_aliases),
            dns_policy: dns_policy.map(|policy| policy.as_str().to_owned()),
            dns_config: dns_config.as_ref().map(|config| config.known.clone()),
            image_pull_secrets: (!pull_secrets.is_empty()).then_some(pull_secrets),
            node_selector: Some(nodes::selector(process.settings)),
            tolerations: (!tolerations.is_empty()).then_some(tolerations),
            affinity: nodes::affinity(process.settings, &site.images.architectures),
            topology_spread_constraints: (!spread.is_empty()).then_some(spread),
            runtime_class_name: runtime_class_name.clone(),
            priority_class_name: priority_class_name.clone(),
            service_account_name: Some(service_account_name.clone().unwrap_or_else(|| service_account.clone())),
            containers: vec![container(site, process)],
            ..Default::default()
        }),
    }
}

/// As which user is the manifest's to say, else the image's, or the platform's where it gives one to each namespace (OpenShift).
fn security_context(said: Option<&Embedded<PodSecurityContext>>) -> PodSecurityContext {
    let said = said.map(|said| said.known.clone()).unwrap_or_default();
    let of_the_runtime = || SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None };
    PodSecurityContext {
        run_as_non_root: Some(true),
        seccomp_profile: said.seccomp_profile.clone().or_else(|| Some(of_the_runtime())),
        ..said
    }
}

/// What is said, the label selector filled in; else over nodes and zones, as far as that is possible.
fn spread(owner: &Owner<'_>, process: &Process<'_>) -> Vec<TopologySpreadConstraint> {
    let selector = LabelSelector {
        match_labels: Some(labels::selector(owner.name.as_str(), process.component)),
        match_expressions: None,
    };
    let constraints: Vec<_> = match &process.settings.topology_spread_constraints {
        None => DEFAULT_SPREAD.map(evenly).into(),
        Some(given) => known(Some(given)).collect(),
    };
    let filled = |constraint: TopologySpreadConstraint| TopologySpreadConstraint {
        label_selector: constraint.label_selector.or_else(|| Some(selector.clone())),
        ..constraint
    };
    constraints.into_iter().map(filled).collect()
}

fn evenly(topology_key: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology_key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..Default::default()
    }
}

/// Each as Kubernetes knows it; validation has refused the rest.
fn known<T: Clone>(items: Option<&[Embedded<T>]>) -> impl Iterator<Item = T> {
    items.into_iter().flatten().map(|item| item.known.clone())
}

fn container(site: &SiteFile, process: Process<'_>) -> Container {
    let Process { component, settings, image, arguments, environment, files, directory, serves, grace_seconds: _ } =
        process;
    let level = settings.log_level.clone().map(|level| EnvVar {
        name: LOG_LEVEL_ENV.to_owned(),
        value: Some(level),
        ..Default::default()
    });
    let said: Vec<EnvVar> = known(settings.env.as_deref()).collect();
    // What the manifest says is over what the site says.
    let of_site = site.pods.env.iter().filter(|ours| said.iter().all(|theirs| theirs.name != ours.name));
    let of_site = of_site.map(|Variable { name, value }| EnvVar {
        name: name.clone(),
        value: Some(value.clone()),
        ..Default::default()
    });
    let environment: Vec<EnvVar> = environment.into_iter().chain(level).chain(of_site).chain(said.clone()).collect();
    let disk = directory.and_then(|directory| directory.asks_for);
    let own = directory.map(|Directory { name, path, asks_for: _ }| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..Default::default()
    });
    let files = files.iter().map(Files::mount);
    let mounts: Vec<VolumeMount> =
        own.into_iter().chain(files).chain(known(settings.volume_mounts.as_deref())).collect();
    Container {
        name: component.as_str().to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some(site.image_pull_policy.as_str().to_owned()),
        args: Some(arguments),
        env: (!environment.is_empty()).then_some(environment),
        ports: serves.then(|| {
            vec![ContainerPort { name: Some(PORT_NAME.to_owned()), container_port: HTTP_PORT, ..Default::default() }]
        }),
        liveness_probe: serves.then(|| probe("/livez", 10)),
        readiness_probe: serves.then(|| probe("/readyz", 2)),
        // What a process said last is then in the pod's status, where the operator finds the reason of a failure.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        resources: Some(super::resources::of(component, disk, &settings.resources)),
        volume_mounts: (!mounts.is_empty()).then_some(mounts),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn probe(path: &str, period_seconds: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(PORT_NAME.to_owned()),
            ..Default::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(5),
        failure_threshold: Some(3),
        ..Default::default()
    }
}

fn empty_directory(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Default::default() }
}

/// A Deployment; by default one that is never short of a pod while it rolls.
pub(super) fn deployment(
    owner: &Owner<'_>,
    component: Component,
    replicas: Option<i32>,
    progress_deadline_seconds: Option<i32>,
    rolling_update: RollingUpdate,
    mut template: PodTemplateSpec,
) -> Deployment {
    let hash = super::spec_hash::of(&template);
    let RollingUpdate { max_surge, max_unavailable } = rolling_update;
    let annotations = template.metadata.get_or_insert_default().annotations.get_or_insert_default();
    annotations.insert(labels::SPEC_HASH.to_owned(), hash);
    Deployment {
        metadata: owner.metadata(super::names::deployment(owner.name, component), component),
        spec: DeploymentSpec {
            replicas,
            progress_deadline_seconds,
            revision_history_limit: Some(REVISIONS),
            selector: LabelSelector {
                match_labels: Some(labels::selector(owner.name.as_str(), component)),
                match_expressions: None,
            },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(max_surge)),
                    max_unavailable: Some(IntOrString::Int(max_unavailable)),
                }),
            }),
            template,
            ..Default::default()
        },
        status: None,
    }
}

/// How a Job ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobLimits {
    pub(super) backoff_limit: i32,
    pub(super) active_deadline_seconds: Option<i64>,
    pub(super) ttl_seconds_after_finished: Option<i32>,
    pub(super) suspend: bool,
}

/// A drain, a preemption or an eviction says nothing of what the pod does, and does not count against the back-off limit.
fn disruptions_are_no_failures() -> PodFailurePolicy {
    PodFailurePolicy {
        rules: vec![PodFailurePolicyRule {
            action: "Ignore".to_owned(),
            on_exit_codes: None,
            on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
                type_: "DisruptionTarget".to_owned(),
                status: Some("True".to_owned()),
            }]),
        }],
    }
}

/// A Job of one pod; a pod that fails is kept, and another one tries.
pub(super) fn job(
    owner: &Owner<'_>,
    component: Component,
    name: String,
    limits: JobLimits,
    mut template: PodTemplateSpec,
) -> Job {
    // The template of a Job cannot be changed, so it has nothing in it that may change.
    if let Some(metadata) = &mut template.metadata {
        metadata.annotations = metadata.annotations.take().map(|mut annotations| {
            annotations.remove(labels::SECRETS_HASH);
            annotations
        });
        metadata.annotations.take_if(|annotations| annotations.is_empty());
    }
    let JobLimits { backoff_limit, active_deadline_seconds, ttl_seconds_after_finished, suspend } = limits;
    if let Some(spec) = &mut template.spec {
        spec.restart_policy = Some("Never".to_owned());
    }
    let mut metadata = owner.metadata(name, component);
    metadata.annotations.get_or_insert_default().insert(labels::SPEC_HASH.to_owned(), super::spec_hash::of(&template));
    Job {
        metadata,
        spec: Some(JobSpec {
            backoff_limit: Some(backoff_limit),
            pod_failure_policy: Some(disruptions_are_no_failures()),
            active_deadline_seconds,
            ttl_seconds_after_finished,
            suspend: suspend.then_some(true),
            template,
            ..Default::default()
        }),
        status: None,
    }
}
