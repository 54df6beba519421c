//! `AnomalyPipeline`: the streaming part at a site.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::archiver::Archiver;
use crate::detector::Detector;
use crate::generator::Generator;
use crate::incidents::Incidents;
use crate::model::ModelSelection;
use crate::pod::PodSettings;
use crate::status::AnomalyPipelineStatus;
use crate::topics::Topics;

/// A stream of records that is watched for anomalies. The same manifest applies unchanged at every site; brokers, bucket
/// and credentials are the site's.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vedette.io",
    version = "v1alpha1",
    kind = "AnomalyPipeline",
    plural = "anomalypipelines",
    shortname = "apl",
    category = "vedette",
    namespaced,
    derive = "PartialEq",
    status = "AnomalyPipelineStatus",
    doc = "A stream of records that is watched for anomalies: topics, generator, detector, archiver, and the training whose models it follows.",
    cel,
    validation = Rule::new("size(self.metadata.name) <= 40 && !self.metadata.name.contains('.')")
        .message("a pipeline's name has at most 40 characters and no '.', because the names of its Jobs are made of it"),
    validation = Rule::new("self.metadata.name != 'models'")
        .message("'models' is taken in the bucket; choose another name"),
    scale(
        spec_replicas_path = ".spec.detector.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Site", type_ = "string", json_path = ".status.site"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Model", type_ = "string", json_path = ".status.model.active"),
    printcolumn(name = "Detectors", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Training", type_ = "string", json_path = ".spec.model.training", priority = 1),
    printcolumn(name = "Rolling To", type_ = "string", json_path = ".status.model.target.version", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1)
)]
#[x_kube(validation = Rule::new("!has(self.detector.autoscaling) || !has(self.topics.sensorMessages.partitions) || self.detector.autoscaling.maxReplicas <= self.topics.sensorMessages.partitions")
    .message("must not be over topics.sensorMessages.partitions: more pods would have nothing to do")
    .field_path(".detector.autoscaling.maxReplicas"))]
#[x_kube(validation = Rule::new("!has(self.incidents) || !(self.incidents.topic.name in [self.topics.sensorMessages.name, self.topics.enrichedData.name, self.topics.alerts.name, self.topics.deadLetters.name])")
    .message("incidents need a topic of their own: this one is among spec.topics; choose another name")
    .field_path(".incidents.topic.name"))]
pub struct AnomalyPipelineSpec {
    /// Stops all pods; topics and bucket stay as they are.
    #[serde(default)]
    pub suspend: bool,
    /// The Kafka topics.
    #[serde(default)]
    pub topics: Topics,
    /// Generates records; omitted where others produce them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// Enriches, scores and alerts.
    #[serde(default)]
    pub detector: Detector,
    /// Writes the enriched records and the alerts to the bucket.
    #[serde(default)]
    pub archiver: Archiver,
    /// Groups alerts into incidents and tells receivers of them; omitted where nobody is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incidents: Option<Incidents>,
    /// Which model the detectors use.
    #[serde(default)]
    pub model: ModelSelection,
    /// Labels of the objects that are made, beside Vedette's own: Deployments, Jobs, Services and what else there is, but not their
    /// pods (`pod.labels`). A Job keeps those that it was made with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the same objects, beside Vedette's own (`vedette.io/…`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Settings of all pods.
    #[serde(default)]
    pub pod: PodSettings,
}
