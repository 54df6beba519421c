//! Incidents of a pipeline: what a person is told of, and who is told.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::Resources;
use crate::pod::PodSettings;
use crate::topics::IncidentsTopic;

/// Groups the alerts of a site into incidents and tells receivers of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.receivers.all(a, self.receivers.exists_one(b, a.name == b.name))")
    .message("two receivers have one name").field_path(".receivers"))]
pub struct Incidents {
    /// Topic of the incidents. It is compacted: the last message of a key is how an incident stands.
    #[serde(default)]
    pub topic: IncidentsTopic,
    /// Fields whose values the alerts of an incident share. Where omitted, an alert joins the incident that shares one of its
    /// three largest reasons.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)))]
    pub group_by: Vec<String>,
    /// An incident closes when no alert came for so long: a duration such as `10m`, from `1s` to `168h`.
    #[serde(default = "default_window")]
    #[schemars(regex(pattern = crate::common::DURATION_PATTERN))]
    pub window: String,
    /// Who is told.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub receivers: Vec<Receiver>,
    /// CPU and memory of the pod.
    #[serde(default)]
    pub resources: Resources,
    /// Settings of this pod, over those of `spec.pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::pod::overriding")]
    pub pod: Option<PodSettings>,
}

impl Default for Incidents {
    fn default() -> Self {
        Self {
            topic: IncidentsTopic::default(),
            group_by: Vec::new(),
            window: default_window(),
            receivers: Vec::new(),
            resources: Resources::default(),
            pod: None,
        }
    }
}

fn default_window() -> String {
    "10m".to_owned()
}

/// Who is told of incidents: exactly one of `alertmanager` and `webhook`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.alertmanager) != has(self.webhook)")
    .message("needs exactly one of alertmanager and webhook"))]
pub struct Receiver {
    /// Its name, in metrics and in the log.
    #[schemars(length(min = 1, max = 40), regex(pattern = crate::common::NAME_PATTERN))]
    pub name: String,
    /// It is told of nothing less severe.
    #[serde(default)]
    pub minimum_severity: IncidentSeverity,
    /// A CEL expression over an incident (id, namespace, pipeline, site, severity, alerts, highest_score, reasons, fields,
    /// example); it is told of those for which it is true, and of all where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub filter: Option<String>,
    /// Prometheus' Alertmanager, API v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alertmanager: Option<AlertmanagerReceiver>,
    /// CloudEvents 1.0 as JSON, by POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookReceiver>,
}

/// How bad an incident is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IncidentSeverity {
    /// The least.
    #[default]
    Low,
    /// Above Low.
    Medium,
    /// Above Medium.
    High,
    /// The worst.
    Critical,
}

/// Prometheus' Alertmanager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerReceiver {
    /// Its address, such as `http://alertmanager.monitoring:9093`.
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^/].*$"))]
    pub url: String,
    /// Certificates of the authority that signs its own, where that is none of the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<Authority>,
    /// Secret of this namespace with the value of the header Authorization, such as `Bearer …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_secret: Option<SecretKey>,
}

/// A webhook: exactly one of `url` and `urlSecret`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.url) != has(self.urlSecret)").message("needs exactly one of url and urlSecret"))]
pub struct WebhookReceiver {
    /// Where messages are posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^/].*$"))]
    pub url: Option<String>,
    /// Secret of this namespace with that URL, where whoever knows it may post there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_secret: Option<SecretKey>,
    /// Certificates of the authority that signs its own, where that is none of the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<Authority>,
    /// Secret of this namespace with the key by which messages are signed, as Standard Webhooks has it; unsigned where omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_secret: Option<SecretKey>,
    /// Secret of this namespace with the value of the header Authorization, such as `Bearer …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_secret: Option<SecretKey>,
}

/// Certificates of authorities, as PEM: exactly one of `secret` and `configMap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secret) != has(self.configMap)").message("needs exactly one of secret and configMap"))]
pub struct Authority {
    /// Name of a Secret of the pipeline's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::common::OBJECT_NAME_PATTERN))]
    pub secret: Option<String>,
    /// Name of a ConfigMap of the pipeline's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::common::OBJECT_NAME_PATTERN))]
    pub config_map: Option<String>,
    /// Its key; `*` and how keys end, such as `*.crt`, where the certificates of several are trusted.
    #[serde(default = "authority_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^\*?[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn authority_key() -> String {
    "ca.crt".to_owned()
}

/// A key of a Secret of the pipeline's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::common::OBJECT_NAME_PATTERN))]
    pub name: String,
    /// Its key.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}
