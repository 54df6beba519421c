//! What a process of a pipeline knows and others need: one object a pod, `health/<site>/<pod>.json`, which it writes itself when
//! that changes, every ten seconds at most and every minute at least. What a reader does not know it passes over, and what a
//! writer does not know yet is as if there were none, so builds of any age read each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::distribution::Compared;
use crate::{ModelVersion, Name, TopicName};

/// An object that was not written for so long is of a pod that is gone, or hangs.
pub const HEALTH_SILENCE: SignedDuration = SignedDuration::from_mins(3);
/// So long it stays after it was written last.
pub const HEALTH_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// So long after they were found lost, records are told of.
pub const GAPS_TOLD: SignedDuration = SignedDuration::from_hours(1);

/// So many of the gaps that a process found stand in its object.
const GAPS: usize = 16;

/// How one process stands. Counts are of what is committed, since the process started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Site where it runs.
    pub site: Name,
    /// Name of its pod.
    pub pod: String,
    /// What it is.
    pub component: HealthComponent,
    /// When it started.
    pub started_at: Timestamp,
    /// When this was written.
    pub updated_at: Timestamp,
    /// The topics that it reads.
    #[serde(default)]
    pub topics: Vec<TopicHealth>,
    /// The last records that it could not read, as retention had deleted them, oldest first.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Why it is not ready; nothing where it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unready: Vec<Unready>,
    /// What a detector made of the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<DetectorHealth>,
    /// What a notifier knows of who is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifier: Option<NotifierHealth>,
}

impl Health {
    /// Whether its process is still there, as far as one can tell.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.updated_at).abs() <= HEALTH_SILENCE
    }

    /// The same by another clock, which showed this when it was written, where that is known: that of a node may be wrong.
    #[must_use]
    pub fn by_clock(mut self, written_at: Option<Timestamp>) -> Self {
        let written_at = written_at.unwrap_or(self.updated_at);
        let ahead = written_at.duration_since(self.updated_at);
        for gap in &mut self.gaps {
            gap.found_at = gap.found_at.checked_add(ahead).unwrap_or(written_at).min(written_at);
        }
        self.started_at = self.started_at.checked_add(ahead).unwrap_or(written_at);
        self.updated_at = written_at;
        self
    }

    /// Of the records that it found lost, those whose offsets it does not tell, as they were too many.
    pub fn untold_losses(&self) -> u64 {
        let lost: u64 = self.topics.iter().map(|topic| topic.lost_records).sum();
        let told: u64 = self.gaps.iter().map(|gap| gap.end.abs_diff(gap.start)).sum();
        if self.gaps.len() < GAPS { 0 } else { lost.saturating_sub(told) }
    }
}

/// A condition of readiness that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unready {
    /// Its name, as `/readyz` has it.
    pub condition: String,
    /// Why it does not hold: what to do.
    #[serde(default)]
    pub reason: String,
}

impl Unready {
    /// Each with its reason.
    pub fn all(troubles: impl IntoIterator<Item = (&'static str, String)>) -> Vec<Self> {
        let unready = |(condition, reason): (&str, String)| Self { condition: condition.to_owned(), reason };
        troubles.into_iter().map(unready).collect()
    }
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthComponent {
    /// Enriches, scores and alerts.
    Detector,
    /// Writes the archive.
    Archiver,
    /// Groups alerts into incidents, and tells receivers of them.
    Notifier,
    /// What this build does not know.
    #[serde(other)]
    Other,
}

/// A topic that a process reads, as far as it reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicHealth {
    /// Kafka topic.
    pub topic: TopicName,
    /// Partitions that it reads now.
    #[serde(default)]
    pub partitions: u32,
    /// Partitions that are its own and of which nothing is known: they have no leader, or it is looked for from where they are read. They
    /// are in no other number here.
    #[serde(default)]
    pub untold_partitions: u32,
    /// Records read, and what was made of them committed.
    #[serde(default)]
    pub records: u64,
    /// Offsets whose records retention deleted before they were read.
    #[serde(default)]
    pub lost_records: u64,
    /// Offsets that these partitions hold.
    #[serde(default)]
    pub held_records: u64,
    /// Offsets of these partitions that it has not come to yet.
    #[serde(default)]
    pub lag_records: u64,
    /// How long ago the last record was written to Kafka that it has read, where it lags; 0 where it does not.
    #[serde(default)]
    pub lag_seconds: Option<f64>,
}

/// Records that retention deleted before they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Kafka topic.
    pub topic: TopicName,
    /// Kafka partition.
    pub partition: i32,
    /// Offset of the first that is lost.
    pub start: i64,
    /// Offset after the last.
    pub end: i64,
    /// When that was found.
    pub found_at: Timestamp,
}

impl Gap {
    /// Puts it behind these, of which the last are kept.
    pub fn note(self, gaps: &mut Vec<Self>) {
        gaps.push(self);
        gaps.drain(..gaps.len().saturating_sub(GAPS));
    }

    /// The last of these, and then of those.
    pub fn last(before: &[Self], after: &[Self]) -> Vec<Self> {
        let mut gaps = before.to_vec();
        after.iter().for_each(|gap| gap.clone().note(&mut gaps));
        gaps
    }
}

/// What a detector made of the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorHealth {
    /// Alerts.
    #[serde(default)]
    pub alerts: u64,
    /// Records that could not be read or scored, by reason.
    #[serde(default)]
    pub dead_letters: BTreeMap<String, u64>,
    /// Records that are left out, as Kafka took neither what was made of them nor a dead letter.
    #[serde(default)]
    pub refused_records: u64,
    /// A record alerts whose score is greater.
    pub threshold: f64,
    /// The budget of alerts that the threshold is moved to hold; none where it is not moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetHealth>,
    /// The model that scores; none where records are enriched only.
    #[serde(default)]
    pub model_version: Option<ModelVersion>,
    /// The features of the model in the last records.
    #[serde(default)]
    pub recent: RecentFeatures,
    /// How far the last records are from those of the training; absent where the model does not say how those were, or for want
    /// of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<StabilityHealth>,
}

/// The last records beside those of the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StabilityHealth {
    /// Records of which the features were counted.
    #[serde(default)]
    pub records: u64,
    /// Their scores.
    #[serde(default)]
    pub scores: Compared,
    /// By field, the features that differ, of those that differ most.
    #[serde(default)]
    pub features: BTreeMap<String, Compared>,
}

/// A budget of alerts and what it takes to hold it, in records per million.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BudgetHealth {
    /// The one that was asked for.
    pub asked_for_per_million: f64,
    /// The one whose threshold, by the model's calibration, is in force.
    pub in_force_per_million: f64,
    /// Whether more records alert, and the threshold is not moved any farther.
    #[serde(default)]
    pub is_exceeded: bool,
}

/// What a notifier knows of who is told of incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifierHealth {
    /// Files of Secrets and `ConfigMaps` without which a receiver is told nothing, and which are of no use now.
    #[serde(default)]
    pub unusable_files: Vec<UnusableFile>,
}

/// A file that is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableFile {
    /// The receiver that needs it.
    pub receiver: Name,
    /// Where it should be, as the receiver's argument has it.
    pub file: PathBuf,
    /// What is wrong with it, such as "is empty", and nothing of what is in it; none where it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

/// How the features of a model looked in the last half minute, or for as long as it takes to see some records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentFeatures {
    /// Records that were scored.
    #[serde(default)]
    pub records: u64,
    /// By field, those that have something to tell.
    #[serde(default)]
    pub features: BTreeMap<String, FeatureHealth>,
}

/// How one feature looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureHealth {
    /// Records without a value that the feature can use.
    #[serde(default)]
    pub missing: u64,
    /// Records with a category that was not there in training.
    #[serde(default)]
    pub unseen: u64,
    /// Share of the records without a value in training, 0 to 1; none where the model does not say.
    #[serde(default)]
    pub usually_missing: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_of_any_age_read_each_other() {
        let newer = r#"{"site":"east","pod":"p","component":"sorter","started_at":"2026-11-23T08:00:00Z",
            "updated_at":"2026-11-23T08:00:00Z","colour":"red","unready":[{"condition":"broker"}],"topics":[{"topic":"t","warmth":3}],
            "detector":{"threshold":0.5,"recent":{"features":{"a":{"missing":3}}}},
            "notifier":{"unusable_files":[{"receiver":"chat","file":"/chat/url","since":"today"}],"mood":"good"}}"#;
        let read: Health = serde_json::from_str(newer).unwrap();
        assert_eq!((read.component, read.topics[0].lag_seconds), (HealthComponent::Other, None));
        let detector = read.detector.clone().unwrap();
        assert_eq!((detector.model_version, detector.recent.features["a"].usually_missing), (None, None));
        let NotifierHealth { unusable_files } = read.notifier.clone().unwrap();
        assert_eq!((unusable_files[0].file.to_str(), &unusable_files[0].wrong), (Some("/chat/url"), &None));
        assert_eq!(serde_json::from_str::<Health>(&serde_json::to_string(&read).unwrap()).unwrap(), {
            let component = HealthComponent::Other;
            Health { component, ..read }
        });
    }

    #[test]
    fn an_object_grows_stale() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let text = r#"{"site":"east","pod":"p","component":"archiver","started_at":"2026-11-23T08:00:00Z",
            "updated_at":"2026-11-23T08:00:00Z"}"#;
        let health: Health = serde_json::from_str(text).unwrap();
        assert!(health.is_fresh(at("2026-11-23T08:03:00Z")) && !health.is_fresh(at("2026-11-23T08:03:01Z")));
        assert!(!health.is_fresh(at("2026-11-23T07:56:59Z")), "nothing is of the future");
    }

    #[test]
    fn times_are_told_by_another_clock() {
        let text = r#"{"site":"east","pod":"p","component":"archiver","started_at":"2026-11-25T07:00:00Z",
            "updated_at":"2026-11-25T08:00:00Z",
            "gaps":[{"topic":"t","partition":0,"start":0,"end":9,"found_at":"2026-11-25T07:50:00Z"},
                {"topic":"t","partition":0,"start":9,"end":12,"found_at":"2026-11-27T07:50:00Z"}]}"#;
        let health: Health = serde_json::from_str(text).unwrap();
        let health = health.by_clock(Some("2026-11-23T12:00:00Z".parse().unwrap()));
        let found: Vec<_> = health.gaps.iter().map(|gap| gap.found_at.to_string()).collect();
        assert_eq!(
            (health.updated_at.to_string(), health.started_at.to_string()),
            ("2026-11-23T12:00:00Z".to_owned(), "2026-11-23T11:00:00Z".to_owned())
        );
        assert_eq!(found, ["2026-11-23T11:50:00Z", "2026-11-23T12:00:00Z"]);
    }
}
