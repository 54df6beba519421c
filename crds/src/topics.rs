//! The four topics of a pipeline. What a topic Job makes of them is the operator's to decide.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pod::PodSettings;

/// Whose a topic is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TopicManagement {
    /// It is created where it is missing, and never altered.
    #[default]
    Create,
    /// It is created where it is missing, and what the spec states of it, and nothing else, is set where it differs.
    Manage,
    /// It is somebody else's: looked at only.
    None,
}

/// The settings that all topics have, whichever of the four it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whose it is.
    pub management: TopicManagement,
    /// How many partitions.
    pub partitions: Option<i32>,
    /// Replicas of each partition.
    pub replication_factor: Option<i32>,
    /// Replicas that have to have a record before it counts.
    pub min_insync_replicas: Option<i32>,
    /// How long records are kept, milliseconds.
    pub retention_ms: Option<i64>,
    /// How many bytes of a partition are kept.
    pub retention_bytes: Option<i64>,
}

macro_rules! topic {
    ($type:ident, $name:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, rename_all = "camelCase")]
        #[schemars(extend("x-kubernetes-validations" = [{
            "rule": "self.management != 'Manage' || oldSelf.management != 'Manage' || !has(self.partitions) || !has(oldSelf.partitions) || self.partitions >= oldSelf.partitions",
            "message": "Kafka cannot take partitions away from a topic, and this one was to have so many; leave the number as it is, or out",
            "fieldPath": ".partitions"
        }]))]
        pub struct $type {
            /// Name of the topic in Kafka. It cannot be changed: another name would be another topic.
            #[schemars(
                length(max = 249),
                regex(pattern = crate::common::TOPIC_PATTERN),
                extend("x-kubernetes-validations" = [
                    { "rule": "self == oldSelf", "message": "a topic's name cannot be changed; make another pipeline" }
                ])
            )]
            pub name: String,
            /// Whose the topic is. Create: made where it is missing, never altered. Manage: made where it is missing, and
            /// what stands here, and nothing else, is set where it differs; Kafka's request for that replaces all that was set
            /// of the topic, so what another sets in that very moment is lost. None: looked at only.
            pub management: TopicManagement,
            /// Number of partitions: at most so many detectors or archivers share the topic. With `management: Manage` it can
            /// only grow. Where omitted: 4 in a topic that is made here.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1, max = 10_000))]
            pub partitions: Option<i32>,
            /// Replicas of each partition in a topic that is made here; the site's default where omitted, else the broker's.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1, max = 32))]
            pub replication_factor: Option<i32>,
            /// Replicas that have to have a record before it counts as written (Kafka's min.insync.replicas); the broker's
            /// default where omitted.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1, max = 32))]
            pub min_insync_replicas: Option<i32>,
            /// How long records are kept, in milliseconds (Kafka's retention.ms); -1 for ever. Where omitted: 604800000,
            /// seven days, in a topic that is made here.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = -1))]
            pub retention_ms: Option<i64>,
            /// How many bytes of each partition are kept (Kafka's retention.bytes); no limit where omitted in a topic that
            /// is made here.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1))]
            pub retention_bytes: Option<i64>,
        }

        impl Default for $type {
            fn default() -> Self {
                Self {
                    name: $name.to_owned(),
                    management: TopicManagement::default(),
                    partitions: None,
                    replication_factor: None,
                    min_insync_replicas: None,
                    retention_ms: None,
                    retention_bytes: None,
                }
            }
        }

        impl $type {
            /// The settings, whichever topic it is.
            pub fn topic(&self) -> Topic<'_> {
                let Self {
                    name,
                    management,
                    partitions,
                    replication_factor,
                    min_insync_replicas,
                    retention_ms,
                    retention_bytes,
                } = self;
                Topic {
                    name,
                    management: *management,
                    partitions: *partitions,
                    replication_factor: *replication_factor,
                    min_insync_replicas: *min_insync_replicas,
                    retention_ms: *retention_ms,
                    retention_bytes: *retention_bytes,
                }
            }
        }
    };
}

topic!(SensorMessagesTopic, "sensor_messages", "Topic that the detectors read.");
topic!(EnrichedDataTopic, "enriched_data", "Topic of the enriched records.");
topic!(AlertsTopic, "alerts", "Topic of the alerts.");
topic!(DeadLettersTopic, "dead_letters", "Topic of the records that could not be read or scored.");
topic!(IncidentsTopic, "incidents", "Topic of the incidents.");

/// The topics of a pipeline. Whose each is, its `management` says; none is ever deleted, and no default is written into a
/// topic that exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[self.sensorMessages.name, self.enrichedData.name, self.alerts.name, self.deadLetters.name].all(a, [self.sensorMessages.name, self.enrichedData.name, self.alerts.name, self.deadLetters.name].exists_one(b, a == b))"
).message("the four topics need four names"))]
pub struct Topics {
    /// Topic that the detectors read.
    #[serde(default)]
    pub sensor_messages: SensorMessagesTopic,
    /// Topic of the enriched records.
    #[serde(default)]
    pub enriched_data: EnrichedDataTopic,
    /// Topic of the alerts.
    #[serde(default)]
    pub alerts: AlertsTopic,
    /// Topic of the records that could not be read or scored.
    #[serde(default)]
    pub dead_letters: DeadLettersTopic,
    /// Largest message of `sensorMessages`, in bytes (Kafka's max.message.bytes); the other topics accept twice as much.
    /// Where omitted: 1048576 in topics that are made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 536_870_912))]
    pub max_message_bytes: Option<i64>,
    /// Settings of the pod that makes the topics, over those of `spec.pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::pod::overriding")]
    pub pod: Option<PodSettings>,
}
