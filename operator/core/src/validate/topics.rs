//! The topics of a pipeline: what is stated of each, and what it gets where it is made here.

use std::collections::{BTreeMap, BTreeSet};

use vedette_contract::topic::{self, TopicManagement, TopicSpecification};
use vedette_crds as crds;

use super::validated_pipeline::ValidatedTopics;
use super::{fields, unsigned};
use crate::field_error::FieldErrors;
use crate::site::SiteFile;

/// Of a topic that is made here, where the spec says nothing.
const DEFAULT_PARTITIONS: i32 = 4;
const DEFAULT_RETENTION_MS: i64 = 7 * 24 * 3_600_000;
/// However small records are, an incident has so many texts of them.
const LEAST_INCIDENT_BYTES: u64 = 256 << 10;
const DAY_MS: i64 = 24 * 3_600_000;
const DEFAULT_MESSAGE_BYTES: u64 = 1 << 20;
/// Of what the detectors write each record counts, with a key or without.
const ALL_RECORDS: &str = "delete";
/// Of incidents the last message of a key is what counts, and what is old is none of anybody's business.
const LAST_OF_A_KEY: &str = "compact,delete";

pub(super) fn topics(
    topics: &crds::Topics,
    incidents: Option<&crds::Incidents>,
    site: &SiteFile,
    errors: &mut FieldErrors,
) -> (Option<ValidatedTopics>, Option<TopicSpecification>) {
    let crds::Topics { sensor_messages, enriched_data, alerts, dead_letters, max_message_bytes, pod: _ } = topics;
    let given: Option<u64> = max_message_bytes
        .map_or(Some(DEFAULT_MESSAGE_BYTES), |bytes| unsigned("spec.topics.maxMessageBytes", bytes, errors));
    let max_input_message_bytes = given.unwrap_or_default();
    // Enriched, a record is longer, and a dead letter carries headers.
    let max_output_message_bytes = max_input_message_bytes.saturating_mul(2);
    let mut topic = |path: &str, topic: crds::Topic<'_>, message_bytes: u64, cleanup: Option<&str>| {
        let crds::Topic {
            name,
            management,
            partitions,
            replication_factor,
            min_insync_replicas,
            retention_ms,
            retention_bytes,
        } = topic;
        let name = fields::topic_name(&format!("{path}.name"), name, errors)?;
        if retention_ms == Some(0) {
            errors.push(format!("{path}.retentionMs"), 0, "would keep nothing; use milliseconds, or -1 for ever");
        }
        let mut settings = TopicSettings::default();
        // How many replicas a topic of others has is not for the site to say.
        let of_site = site.kafka.replication_factor.filter(|_| management != crds::TopicManagement::None);
        if replication_factor.is_none() && of_site.is_some() {
            settings.defaults.insert(topic::REPLICATION_FACTOR.to_owned());
        }
        let replication_factor = replication_factor.or(of_site);
        if let (Some(least), Some(all)) = (min_insync_replicas, replication_factor)
            && least > all
        {
            let mend = format!("must not be over the replication factor, {all}: nobody could write to the topic");
            errors.push(format!("{path}.minInsyncReplicas"), least, mend);
        }
        settings.add(topic::MAX_MESSAGE_BYTES, max_message_bytes.map(|_| message_bytes), Some(message_bytes));
        settings.add("retention.ms", retention_ms, Some(DEFAULT_RETENTION_MS));
        settings.add("retention.bytes", retention_bytes, None);
        settings.add(topic::MIN_INSYNC_REPLICAS, min_insync_replicas, None);
        settings.add(topic::CLEANUP_POLICY, None, cleanup);
        // What was made of an old record is to be there for as long as anything else.
        settings.add(topic::TIMESTAMP_TYPE, None, cleanup.map(|_| topic::LOG_APPEND_TIME));
        let TopicSettings { configuration, mut defaults } = settings;
        if partitions.is_none() {
            defaults.insert(topic::PARTITIONS.to_owned());
        }
        Some(TopicSpecification {
            name,
            management: match management {
                crds::TopicManagement::Create => TopicManagement::Create,
                crds::TopicManagement::Manage => TopicManagement::Manage,
                crds::TopicManagement::None => TopicManagement::None,
            },
            partitions: partitions.unwrap_or(DEFAULT_PARTITIONS),
            replication_factor,
            configuration,
            defaults,
        })
    };
    let sensor_messages = topic("spec.topics.sensorMessages", sensor_messages.topic(), max_input_message_bytes, None);
    let mut output = |path, output| topic(path, output, max_output_message_bytes, Some(ALL_RECORDS));
    let enriched_data = output("spec.topics.enrichedData", enriched_data.topic());
    let alerts = output("spec.topics.alerts", alerts.topic());
    let dead_letters = output("spec.topics.deadLetters", dead_letters.topic());
    let incident_bytes = max_output_message_bytes.max(LEAST_INCIDENT_BYTES);
    let incidents = incidents
        .and_then(|incidents| {
            topic("spec.incidents.topic", incidents.topic.topic(), incident_bytes, Some(LAST_OF_A_KEY))
        })
        .map(with_lag);
    let validated = || {
        given?;
        Some(ValidatedTopics {
            sensor_messages: sensor_messages?,
            enriched_data: enriched_data?,
            alerts: alerts?,
            dead_letters: dead_letters?,
            max_output_message_bytes,
        })
    };
    (validated(), incidents)
}

/// What changes is kept for a day, so that who reads it late sees each change.
fn with_lag(mut topic: TopicSpecification) -> TopicSpecification {
    topic.configuration.insert("min.compaction.lag.ms".to_owned(), DAY_MS.to_string());
    topic.defaults.insert("min.compaction.lag.ms".to_owned());
    topic
}

/// The configuration of a topic, and what of it is a default.
#[derive(Default)]
struct TopicSettings {
    configuration: BTreeMap<String, String>,
    defaults: BTreeSet<String>,
}

impl TopicSettings {
    fn add<T: ToString>(&mut self, key: &str, stated: Option<T>, default: Option<T>) {
        if stated.is_none() && default.is_some() {
            self.defaults.insert(key.to_owned());
        }
        if let Some(value) = stated.or(default) {
            self.configuration.insert(key.to_owned(), value.to_string());
        }
    }
}
