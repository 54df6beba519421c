//! What the detector counts.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use vedette_contract::dead_letter::DeadLetterReason;

/// Metrics of the detector; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) records: Counter,
    pub(crate) alerts: Counter,
    pub(crate) dead_letters: Family<DeadLetterLabel, Counter>,
    pub(crate) calculated_field_failures: Family<CalculatedFieldLabel, Counter>,
    pub(crate) batch_records: Histogram,
    pub(crate) processing_seconds: Histogram,
    pub(crate) commits: Counter,
    pub(crate) commit_seconds: Histogram,
    pub(crate) aborts: Counter,
}

/// Label of the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DeadLetterLabel {
    pub(crate) reason: Reason,
}

/// A [`DeadLetterReason`] as a label's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reason(pub(crate) DeadLetterReason);

impl EncodeLabelValue for Reason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.as_str().encode(encoder)
    }
}

/// Label of what concerns one calculated field; their number is that of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CalculatedFieldLabel {
    pub(crate) field: String,
}

impl Metrics {
    /// Metrics that this registry serves. Every reason of a dead letter is there from the start, at 0.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            records: Counter::default(),
            alerts: Counter::default(),
            dead_letters: Family::default(),
            calculated_field_failures: Family::default(),
            batch_records: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            processing_seconds: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            commits: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            aborts: Counter::default(),
        };
        for reason in DeadLetterReason::ALL {
            metrics.dead_letters.get_or_create_owned(&DeadLetterLabel { reason: Reason(reason) });
        }
        let shared = metrics.clone();
        registry.register("records", "Messages read", shared.records);
        registry.register("alerts", "Alerts produced", shared.alerts);
        registry.register("dead_letters", "Messages that could not be read or scored, by reason", shared.dead_letters);
        registry.register(
            "calculated_field_failures",
            "Records without a calculated field because it could not be calculated, by field",
            shared.calculated_field_failures,
        );
        registry.register("batch_records", "Messages processed at once", shared.batch_records);
        registry.register_with_unit(
            "processing",
            "Time to process and enqueue a batch",
            Unit::Seconds,
            shared.processing_seconds,
        );
        registry.register("commits", "Commits of output and position", shared.commits);
        registry.register_with_unit("commit", "Time of a commit", Unit::Seconds, shared.commit_seconds);
        registry.register("aborts", "Units of work that were given up and done again", shared.aborts);
        metrics
    }
}
