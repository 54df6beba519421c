//! The four topics of a pipeline. What a topic Job creates from them is the operator's to decide.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings that all topics have, whichever of the four it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many partitions.
    pub partitions: i32,
    /// Replicas of each partition.
    pub replication_factor: Option<i32>,
    /// How long records are kept, milliseconds.
    pub retention_ms: i64,
    /// How many bytes of a partition are kept.
    pub retention_bytes: Option<i64>,
}

macro_rules! topic {
    ($type:ident, $name:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, rename_all = "camelCase")]
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
            /// Number of partitions, used when the topic is created: at most so many detectors or archivers share the topic.
            /// It can only grow, and a topic that exists is not changed by it.
            #[schemars(
                range(min = 1, max = 10_000),
                extend("x-kubernetes-validations" = [
                    { "rule": "self >= oldSelf", "message": "Kafka cannot take partitions away from a topic" }
                ])
            )]
            pub partitions: i32,
            /// Replicas of each partition, used when the topic is created; the site's default where omitted, else the broker's.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1, max = 32))]
            pub replication_factor: Option<i32>,
            /// How long records are kept, in milliseconds (Kafka's retention.ms), used when the topic is created; -1 for ever.
            #[schemars(range(min = -1))]
            pub retention_ms: i64,
            /// How many bytes of each partition are kept (Kafka's retention.bytes), used when the topic is created; no limit
            /// where omitted.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1))]
            pub retention_bytes: Option<i64>,
        }

        impl Default for $type {
            fn default() -> Self {
                Self {
                    name: $name.to_owned(),
                    partitions: 4,
                    replication_factor: None,
                    retention_ms: 604_800_000,
                    retention_bytes: None,
                }
            }
        }

        impl $type {
            /// The settings, whichever topic it is.
            pub fn topic(&self) -> Topic<'_> {
                let Self { name, partitions, replication_factor, retention_ms, retention_bytes } = self;
                Topic {
                    name,
                    partitions: *partitions,
                    replication_factor: *replication_factor,
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

const fn default_max_message_bytes() -> i64 {
    1_048_576
}

/// The topics of a pipeline. They are created where they are missing; one that exists is left as it is, and none is
/// ever deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
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
    #[serde(default = "default_max_message_bytes")]
    #[schemars(range(min = 1024, max = 536_870_912))]
    pub max_message_bytes: i64,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            sensor_messages: SensorMessagesTopic::default(),
            enriched_data: EnrichedDataTopic::default(),
            alerts: AlertsTopic::default(),
            dead_letters: DeadLettersTopic::default(),
            max_message_bytes: default_max_message_bytes(),
        }
    }
}
