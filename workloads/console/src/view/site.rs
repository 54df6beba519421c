//! How sites stand, and what the console reads them from.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use vedette_contract::{ModelVersion, Name};

/// How a pipeline stands at a site.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SiteView {
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    #[schemars(with = "String")]
    pub(crate) site: Name,
    /// Whether the pipeline is Ready there, as its operator says; null where it has not said anything.
    pub(crate) ready: Option<bool>,
    /// The training whose models it follows.
    #[schemars(with = "Option<String>")]
    pub(crate) training: Option<Name>,
    /// The version that its detectors run.
    #[schemars(with = "Option<String>")]
    pub(crate) model_version: Option<ModelVersion>,
    /// When anything was heard of the site last.
    #[schemars(with = "Option<String>")]
    pub(crate) heard_utc: Option<Timestamp>,
    /// The same, where that is too long ago; null where the site speaks.
    #[schemars(with = "Option<String>")]
    pub(crate) silent_since_utc: Option<Timestamp>,
    /// Detectors that are there.
    pub(crate) detectors: usize,
    /// Records that they have read since they started.
    pub(crate) records: u64,
    /// Alerts among them.
    pub(crate) alerts: u64,
    /// Records that its detectors read in a second; null where none tells.
    pub(crate) records_per_second: Option<f64>,
    /// Records that they have not come to yet.
    pub(crate) lag_records: u64,
    /// How long the oldest of these waits.
    pub(crate) lag_seconds: f64,
    /// Records that retention deleted before they were read.
    pub(crate) lost_records: u64,
    /// Records that could not be read or scored, since the detectors started.
    pub(crate) dead_letters: u64,
    /// A record alerts whose score is greater.
    pub(crate) threshold: Option<f64>,
    /// How many records per million may alert; null where a score was chosen, or its operator does not say.
    pub(crate) alert_budget_per_million: Option<f64>,
    /// Conditions of readiness that do not hold there.
    pub(crate) unready: Vec<UnreadyView>,
    /// The topics that are read there.
    pub(crate) topics: Vec<TopicView>,
}

/// A condition of readiness of a process that does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct UnreadyView {
    /// Name of its pod.
    pub(crate) pod: String,
    /// The condition, as `/readyz` has it.
    pub(crate) condition: String,
    /// Why it does not hold: what to do.
    pub(crate) reason: String,
}

/// A Kafka topic at a site.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TopicView {
    pub(crate) topic: String,
    /// Partitions that are read.
    pub(crate) partitions: u32,
    /// Offsets that they hold.
    pub(crate) held_records: u64,
    /// Offsets that were not come to yet.
    pub(crate) lag_records: u64,
}

/// Whether the console reaches what it reads.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SourceView {
    /// When it answered last; null where it never did.
    #[schemars(with = "Option<String>")]
    pub(crate) answered_utc: Option<Timestamp>,
    /// Why it does not answer; null where it does.
    pub(crate) trouble: Option<String>,
}

impl SourceView {
    pub(crate) fn unread() -> Self {
        Self { answered_utc: None, trouble: Some("not read yet".to_owned()) }
    }

    /// Takes in an answer. Returns whether that is news.
    pub(crate) fn set(&mut self, answer: Result<(), String>, now: Timestamp) -> bool {
        let trouble = answer.err();
        if trouble.is_none() {
            self.answered_utc = Some(now);
        }
        let is_news = trouble != self.trouble;
        self.trouble = trouble;
        is_news
    }
}
