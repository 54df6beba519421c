//! What each site tells the others through the bucket. Every object has one writing site.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::archive::Stream;
use crate::{ModelVersion, Name, TopicName};

/// How far one partition is archived; written by the archiver that owns the partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which stream the topic carries.
    pub stream: Stream,
    /// Records that can be read: in closed objects and in the open tail.
    pub records: u64,
    /// Records in closed objects.
    pub closed_records: u64,
    /// Offset after the last record that can be read.
    pub end: i64,
    /// Offset up to which nothing but the marks of transactions stands behind `end`, where there are any; it counts while `end` stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<i64>,
    /// Full key of the last closed object that `closed_records` counts.
    pub last_object: Option<String>,
    /// `utc` of the last record, as it stands there.
    pub last_utc: Option<String>,
    /// When this was written.
    pub updated_at: Timestamp,
}

/// Key of a [`Progress`] below its pipeline's prefix: `<site>/<topic>-<partition>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgressKey {
    /// Site that archives the partition.
    pub site: Name,
    /// Kafka topic.
    pub topic: TopicName,
    /// Kafka partition.
    pub partition: i32,
}

/// A key that is not one of a progress object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key:?} is not the key of a progress object (<site>/<topic>-<partition>.json)")]
pub struct ProgressKeyError {
    /// What was given.
    pub key: String,
}

impl fmt::Display for ProgressKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, topic, partition } = self;
        write!(formatter, "{site}/{topic}-{partition}.json")
    }
}

impl FromStr for ProgressKey {
    type Err = ProgressKeyError;

    fn from_str(key: &str) -> Result<Self, ProgressKeyError> {
        parse(key).ok_or_else(|| ProgressKeyError { key: key.to_owned() })
    }
}

/// What a site says of itself; written by its operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// The site.
    pub site: Name,
    /// The training whose models the pipeline follows.
    pub training: Option<Name>,
    /// The version that its detectors run.
    pub model_version: Option<ModelVersion>,
    /// Versions that it took back, newest last; none of them is rolled out there again before somebody asks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<ModelVersion>,
    /// Whether the pipeline is Ready there.
    pub ready: bool,
    /// Its topics there; none where the operator is of a version that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<SiteTopics>,
    /// How many records per million may alert there; none where a score is the threshold, or the operator does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_budget_per_million: Option<f64>,
    /// Fields that its detectors look up and calculate, beside those that all add; none where the operator does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_fields: Vec<String>,
    /// Fields that its detectors give other names, each with that name. None where the operator does not tell: what runs there is of a
    /// version, too, that knows no simulated records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_fields: Option<BTreeMap<String, String>>,
    /// Whether this is its last word: the pipeline was deleted there, and what ran of it ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// When this was written.
    pub updated_at: Timestamp,
}

impl SiteStatus {
    /// The same by another clock, which showed this when it was written, where that is known: that of a node may be wrong.
    #[must_use]
    pub fn by_clock(self, written_at: Option<Timestamp>) -> Self {
        Self { updated_at: written_at.unwrap_or(self.updated_at), ..self }
    }
}

/// The Kafka topics of a pipeline at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteTopics {
    /// What the detector reads.
    pub sensor_messages: TopicName,
    /// What it makes of it.
    pub enriched_data: TopicName,
    /// Its alerts.
    pub alerts: TopicName,
    /// What they come to, where there is a notifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incidents: Option<TopicName>,
    /// What could not be read.
    pub dead_letters: TopicName,
}

fn parse(key: &str) -> Option<ProgressKey> {
    let (site, file) = key.split_once('/')?;
    let (topic, partition) = file.strip_suffix(".json")?.rsplit_once('-')?;
    let partition = partition.parse().ok().filter(|number| *number >= 0)?;
    let parsed = ProgressKey { site: site.parse().ok()?, topic: topic.parse().ok()?, partition };
    (parsed.to_string() == key).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_topic_with_dashes_keeps_its_name() {
        let key: ProgressKey = "east/my-own-topic-3.json".parse().unwrap();
        assert_eq!((key.topic.as_str(), key.partition), ("my-own-topic", 3));
    }

    #[test]
    fn a_status_of_a_version_that_tells_less_is_one() {
        let told =
            r#"{"site":"east","training":null,"model_version":null,"ready":true,"updated_at":"2026-11-23T08:00:00Z"}"#;
        let status: SiteStatus = serde_json::from_str(told).unwrap();
        assert_eq!((&status.topics, status.alert_budget_per_million, status.rejected.len()), (&None, None, 0));
        assert_eq!((&status.renamed_fields, status.deleted), (&None, false));
        assert_eq!(serde_json::to_string(&status).unwrap(), told);
        let renamed_fields = Some(BTreeMap::new());
        let more = SiteStatus { alert_budget_per_million: Some(0.5), renamed_fields, deleted: true, ..status };
        assert_eq!(serde_json::from_str::<SiteStatus>(&serde_json::to_string(&more).unwrap()).unwrap(), more);
    }

    #[test]
    fn strangers_are_refused() {
        for bad in
            ["", "east", "east/t.json", "east/t-3", "east/t-03.json", "east/t-+3.json", "East/t-3.json", "a/b/t-3.json"]
        {
            assert!(bad.parse::<ProgressKey>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back(topic in "[a-zA-Z0-9._-]{1,20}", partition in 0..=i32::MAX, site in "[a-z0-9]{1,9}") {
            prop_assume!(topic.parse::<TopicName>().is_ok());
            let key = ProgressKey { site: site.parse().unwrap(), topic: topic.parse().unwrap(), partition };
            prop_assert_eq!(key.to_string().parse::<ProgressKey>().unwrap(), key);
        }
    }
}
