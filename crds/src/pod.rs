//! What a pipeline may say about all of its pods, or those of one component, and a training about its own.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, HostAlias, PodDNSConfig, PodSecurityContext, Toleration, TopologySpreadConstraint, Volume,
    VolumeMount,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::common::Resources;
use crate::embedded::Embedded;

/// Settings of pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSettings {
    /// Labels of the pods, beside Vedette's own: `app.kubernetes.io/name`, `/instance`, `/component` and `/managed-by`, and `vedette.io/…`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods, beside Vedette's own (`vedette.io/…`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels of the nodes that may run the pods.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::embedded::<Vec<Toleration>>")]
    pub tolerations: Option<Vec<Embedded<Toleration>>>,
    /// Where the pods prefer, or refuse, to run. Unless it, or the node selector, names `kubernetes.io/arch`, nodes of the images'
    /// architectures are asked for beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::embedded::<Affinity>")]
    pub affinity: Option<Embedded<Affinity>>,
    /// How the pods are spread; the label selector is filled in where it is left out. Where omitted: over nodes and zones, as far
    /// as that is possible; `[]` spreads them in no way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::objects")]
    pub topology_spread_constraints: Option<Vec<Embedded<TopologySpreadConstraint>>>,
    /// CPU and memory of each container. What a component says itself wins; for what nobody mentions each component has defaults.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Resources,
    /// Further environment variables, beside those that Vedette sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::objects")]
    pub env: Option<Vec<Embedded<EnvVar>>>,
    /// Further volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::objects")]
    pub volumes: Option<Vec<Embedded<Volume>>>,
    /// Where the container mounts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::objects")]
    pub volume_mounts: Option<Vec<Embedded<VolumeMount>>>,
    /// Names of the Secrets with credentials for the registry; the site's where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub image_pull_secrets: Option<Vec<String>>,
    /// How long a pod may take to stop, in seconds; where omitted, as long as its component needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub termination_grace_period_seconds: Option<i64>,
    /// Runtime class of the pods; the cluster's default where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// What is logged: a level, or levels by target, such as `info,vedette_detector=debug`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub log_level: Option<String>,
    /// Priority class of the pods; the cluster's default where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Service account of the pods, used as it is; where omitted, one that is made for them. Its token is not mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Names of hosts by their addresses, for what no name server knows (`/etc/hosts`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::objects")]
    pub host_aliases: Option<Vec<Embedded<HostAlias>>>,
    /// How the pods look up names; as the cluster does where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_policy: Option<DnsPolicy>,
    /// Name servers, search domains and options beside those of `dnsPolicy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::object")]
    pub dns_config: Option<Embedded<PodDNSConfig>>,
    /// As whom the pods run, and with which groups, such as `fsGroup`. What it leaves out is as ever: no root, and the seccomp profile
    /// of the runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::object")]
    pub security_context: Option<Embedded<PodSecurityContext>>,
}

/// How the pods look up names, in Kubernetes' words; as the cluster does (`ClusterFirst`) where omitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DnsPolicy {
    /// The cluster's name server, which asks the node's for what is not the cluster's.
    ClusterFirst,
    /// The same, also for pods in the network of their node.
    ClusterFirstWithHostNet,
    /// The node's.
    Default,
    /// Those of `dnsConfig` alone.
    None,
}

impl DnsPolicy {
    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterFirst => "ClusterFirst",
            Self::ClusterFirstWithHostNet => "ClusterFirstWithHostNet",
            Self::Default => "Default",
            Self::None => "None",
        }
    }
}

/// The schema of settings that stand over those of all pods. Kubernetes' two large types are checked where they stand once,
/// in `spec.pod`, and here by what is made of them.
pub(crate) fn overriding(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = PodSettings::json_schema(generator);
    let lists = crate::common::objects(generator);
    let object = crate::common::object(generator);
    for (field, mut plain) in [("affinity", object), ("tolerations", lists)] {
        if let Some(property) = schema.pointer_mut(&format!("/properties/{field}")) {
            plain.insert("description".to_owned(), property["description"].clone());
            *property = plain.to_value();
        }
    }
    schema
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl PodSettings {
    /// These settings with others over them: maps by key, resources by what they mention, lists and single values replaced.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        let Self {
            labels,
            annotations,
            node_selector,
            tolerations,
            affinity,
            topology_spread_constraints,
            resources,
            env,
            volumes,
            volume_mounts,
            image_pull_secrets,
            termination_grace_period_seconds,
            runtime_class_name,
            log_level,
            priority_class_name,
            service_account_name,
            host_aliases,
            dns_policy,
            dns_config,
            security_context,
        } = self;
        Self {
            labels: merged(labels, &over.labels),
            annotations: merged(annotations, &over.annotations),
            node_selector: merged(node_selector, &over.node_selector),
            tolerations: replaced(tolerations.as_ref(), over.tolerations.as_ref()),
            affinity: replaced(affinity.as_ref(), over.affinity.as_ref()),
            topology_spread_constraints: replaced(
                topology_spread_constraints.as_ref(),
                over.topology_spread_constraints.as_ref(),
            ),
            resources: resources.with(&over.resources),
            env: replaced(env.as_ref(), over.env.as_ref()),
            volumes: replaced(volumes.as_ref(), over.volumes.as_ref()),
            volume_mounts: replaced(volume_mounts.as_ref(), over.volume_mounts.as_ref()),
            image_pull_secrets: replaced(image_pull_secrets.as_ref(), over.image_pull_secrets.as_ref()),
            termination_grace_period_seconds: over
                .termination_grace_period_seconds
                .or(*termination_grace_period_seconds),
            runtime_class_name: replaced(runtime_class_name.as_ref(), over.runtime_class_name.as_ref()),
            log_level: replaced(log_level.as_ref(), over.log_level.as_ref()),
            priority_class_name: replaced(priority_class_name.as_ref(), over.priority_class_name.as_ref()),
            service_account_name: replaced(service_account_name.as_ref(), over.service_account_name.as_ref()),
            host_aliases: replaced(host_aliases.as_ref(), over.host_aliases.as_ref()),
            dns_policy: over.dns_policy.or(*dns_policy),
            dns_config: replaced(dns_config.as_ref(), over.dns_config.as_ref()),
            security_context: replaced(security_context.as_ref(), over.security_context.as_ref()),
        }
    }
}

fn merged<V: Clone>(base: &BTreeMap<String, V>, over: &BTreeMap<String, V>) -> BTreeMap<String, V> {
    base.iter().chain(over).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A list that is there stands in the place of another, be it empty.
fn replaced<T: Clone>(base: Option<&T>, over: Option<&T>) -> Option<T> {
    over.or(base).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn settings(value: Value) -> PodSettings {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_a_component_says_is_over_what_all_say() {
        let all = settings(json!({
            "labels": { "team": "a", "tier": "b" }, "tolerations": [{ "key": "one" }], "logLevel": "info",
            "resources": { "requests": { "cpu": "1", "memory": "1Gi" }, "limits": { "cpu": "2" } },
            "imagePullSecrets": ["registry"], "dnsPolicy": "ClusterFirst", "securityContext": { "fsGroup": 1, "runAsUser": 1 }
        }));
        let one = settings(json!({
            "labels": { "team": "c" }, "tolerations": [{ "key": "two" }], "runtimeClassName": "kata",
            "resources": { "requests": { "cpu": "3" } }, "dnsPolicy": "Default", "securityContext": { "fsGroup": 2 }
        }));
        let expected = settings(json!({
            "labels": { "team": "c", "tier": "b" }, "tolerations": [{ "key": "two" }], "logLevel": "info",
            "runtimeClassName": "kata", "resources": { "requests": { "cpu": "3", "memory": "1Gi" } },
            "dnsPolicy": "Default", "securityContext": { "fsGroup": 2 }, "imagePullSecrets": ["registry"]
        }));
        assert_eq!(all.with(&one), expected);
        assert_eq!(all.with(&PodSettings::default()), all);
        assert_eq!(PodSettings::default().with(&all), all);
    }

    #[test]
    fn a_list_can_be_emptied() {
        let lists = [
            "tolerations",
            "topologySpreadConstraints",
            "env",
            "volumes",
            "volumeMounts",
            "imagePullSecrets",
            "hostAliases",
        ];
        let each = |value: &Value| settings(lists.iter().map(|list| ((*list).to_owned(), value.clone())).collect());
        let (none, all) =
            (each(&json!([])), settings(json!({ "tolerations": [{ "key": "one" }], "imagePullSecrets": ["r"] })));
        assert_eq!(all.with(&none), none);
        assert_eq!(
            serde_json::to_value(&none).unwrap().as_object().unwrap().len(),
            lists.len(),
            "and stays so when written"
        );
    }
}
