//! What the detector counts.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_contract::distribution::SCORE_ENDS;
use vedette_contract::health::TopicHealth;
use vedette_contract::metrics::detector;
use vedette_contract::model::TextValues;
use vedette_service::register;

use crate::histogram::CountedHistogram;
use crate::known_gauge::KnownGauge;
use crate::stability::Stability;
use crate::tally::{FeatureTally, FieldTally, LookupOutcome, MendedField, Mending, Tally};
use crate::threshold::Threshold;
use crate::unit::ReadRecord;

/// Ends of the buckets of latencies, seconds.
const LATENCY_ENDS: [f64; 16] =
    [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1., 2., 5., 10., 60., 600., 3_600.];

/// Metrics of the detector; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) records: Counter,
    pub(crate) alerts: Counter,
    pub(crate) simulated_records: Counter,
    pub(crate) dead_letters: Family<DeadLetterLabel, Counter>,
    pub(crate) calculated_field_failures: Family<CalculatedFieldLabel, Counter>,
    pub(crate) lookups: Family<LookupLabel, Counter>,
    pub(crate) lookup_rows: Family<TableLabel, Gauge>,
    pub(crate) lookup_table_failures: Family<TableLabel, Counter>,
    pub(crate) lost_records: Counter,
    pub(crate) truncated_records: Counter,
    pub(crate) refused_records: Counter,
    pub(crate) redated_records: Counter,
    pub(crate) mended_fields: Family<MendedLabel, Counter>,
    pub(crate) text_values: Family<TextValueLabel, Counter>,
    pub(crate) missing_values: Family<FeatureLabel, Counter>,
    pub(crate) unseen_values: Family<FeatureLabel, Counter>,
    pub(crate) score_threshold: Gauge<f64, AtomicU64>,
    pub(crate) budget_in_force: Gauge<f64, AtomicU64>,
    pub(crate) lag_records: Gauge,
    pub(crate) lag_seconds: Gauge<f64, AtomicU64>,
    pub(crate) untold_partitions: Gauge,
    pub(crate) batch_records: Histogram,
    pub(crate) processing_seconds: Histogram,
    pub(crate) end_to_end_latency: CountedHistogram,
    pub(crate) scores: CountedHistogram,
    pub(crate) score_psi: KnownGauge,
    pub(crate) feature_psi: Family<FeatureLabel, Gauge<f64, AtomicU64>>,
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

/// Label of the records of a lookup; their number is that of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LookupLabel {
    pub(crate) lookup: String,
    pub(crate) outcome: LookupOutcome,
}

impl EncodeLabelValue for LookupOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let word = match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::NoValue => "no_value",
        };
        word.encode(encoder)
    }
}

/// Label of the table of a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TableLabel {
    pub(crate) lookup: String,
}

/// Label of the fields that were filled or converted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct MendedLabel {
    field: &'static str,
    was: &'static str,
}

/// Label of what arrived as text; the fields are the model's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TextValueLabel {
    pub(crate) field: String,
    pub(crate) counts_as: CountsAs,
}

/// What a text counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum CountsAs {
    Number,
    Missing,
}

/// Label of what concerns one feature; the fields are the model's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FeatureLabel {
    pub(crate) field: String,
}

impl Metrics {
    /// Counts what a unit of work did that is committed.
    pub(crate) fn count_committed(&self, tally: &Tally) {
        let Tally { records, alerts, simulated, refused, redated, dead_letters, read_at: _, fields } = tally;
        self.records.inc_by(*records);
        self.alerts.inc_by(*alerts);
        self.simulated_records.inc_by(*simulated);
        self.refused_records.inc_by(*refused);
        self.redated_records.inc_by(*redated);
        for (reason, count) in dead_letters {
            self.dead_letters.get_or_create(&DeadLetterLabel { reason: Reason(*reason) }).inc_by(*count);
        }
        let FieldTally { mended, lookups, not_calculated, scored: _, features, spread } = fields;
        self.scores.add(&spread.scores, spread.sum_of_scores);
        for ((lookup, outcome), count) in lookups {
            let label = LookupLabel { lookup: lookup.clone(), outcome: *outcome };
            self.lookups.get_or_create(&label).inc_by(*count);
        }
        for ((field, was), count) in mended {
            self.mended_fields.get_or_create(&mended_label(*field, *was)).inc_by(*count);
        }
        for (field, count) in not_calculated {
            let label = CalculatedFieldLabel { field: field.clone() };
            self.calculated_field_failures.get_or_create(&label).inc_by(*count);
        }
        features.iter().for_each(|(field, seen)| self.count_feature(field, *seen));
    }

    /// These records are committed now; those whose time nobody gave are left out.
    pub(crate) fn count_latency(&self, records: &[ReadRecord], now: Timestamp) {
        let arrived = records.iter().filter_map(|record| record.timestamp);
        let milliseconds = arrived.map(|arrived| now.as_millisecond().saturating_sub(arrived).max(0));
        self.end_to_end_latency.observe(milliseconds.map(|milliseconds| milliseconds as f64 / 1e3));
    }

    /// The last records are like this beside those of the training; what is not known is not there.
    pub(crate) fn compared(&self, stability: Option<&Stability>) {
        self.score_psi.set(stability.and_then(|stability| stability.scores.psi()));
        let Some(Stability { features, .. }) = stability else { return self.feature_psi.clear() };
        for (field, psi) in features.iter().filter_map(|(field, compared)| Some((field, compared.psi()?))) {
            self.feature_psi.get_or_create_owned(&FeatureLabel { field: field.clone() }).set(psi);
        }
    }

    /// Records alert by this threshold.
    pub(crate) fn alerts_above(&self, threshold: &Threshold) {
        self.score_threshold.set(threshold.score());
        self.budget_in_force.set(1e6 * (1. - threshold.score()));
    }

    /// The input stands like this.
    pub(crate) fn lags(&self, input: &TopicHealth) {
        self.lag_records.set(i64::try_from(input.lag_records).unwrap_or(i64::MAX));
        self.untold_partitions.set(i64::from(input.untold_partitions));
        input.lag_seconds.iter().for_each(|seconds| _ = self.lag_seconds.set(*seconds));
    }

    fn count_feature(&self, field: &str, FeatureTally { texts, missing, unseen }: FeatureTally) {
        if texts != TextValues::default() {
            for (counts_as, count) in [(CountsAs::Number, texts.numbers), (CountsAs::Missing, texts.missing)] {
                let label = TextValueLabel { field: field.to_owned(), counts_as };
                self.text_values.get_or_create(&label).inc_by(count);
            }
        }
        let label = FeatureLabel { field: field.to_owned() };
        self.missing_values.get_or_create(&label).inc_by(missing);
        self.unseen_values.get_or_create(&label).inc_by(unseen);
    }

    /// Has what is counted of these fields be there from the start, at 0.
    pub(crate) fn begin<'a>(&self, calculated: impl Iterator<Item = &'a str>, features: impl Iterator<Item = &'a str>) {
        for field in calculated {
            self.calculated_field_failures.get_or_create_owned(&CalculatedFieldLabel { field: field.to_owned() });
        }
        features.for_each(|field| self.count_feature(field, FeatureTally::default()));
    }

    /// Metrics that this registry serves. Every reason of a dead letter, and all that may be mended, is there from the
    /// start, at 0.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            records: Counter::default(),
            alerts: Counter::default(),
            simulated_records: Counter::default(),
            dead_letters: Family::default(),
            calculated_field_failures: Family::default(),
            lookups: Family::default(),
            lookup_rows: Family::default(),
            lookup_table_failures: Family::default(),
            lost_records: Counter::default(),
            truncated_records: Counter::default(),
            refused_records: Counter::default(),
            redated_records: Counter::default(),
            mended_fields: Family::default(),
            text_values: Family::default(),
            missing_values: Family::default(),
            unseen_values: Family::default(),
            score_threshold: Gauge::default(),
            budget_in_force: Gauge::default(),
            lag_records: Gauge::default(),
            lag_seconds: Gauge::default(),
            untold_partitions: Gauge::default(),
            batch_records: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            processing_seconds: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            end_to_end_latency: CountedHistogram::new(&LATENCY_ENDS),
            scores: CountedHistogram::new(&SCORE_ENDS),
            score_psi: KnownGauge::default(),
            feature_psi: Family::default(),
            commits: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            aborts: Counter::default(),
        };
        for reason in DeadLetterReason::ALL {
            metrics.dead_letters.get_or_create_owned(&DeadLetterLabel { reason: Reason(reason) });
        }
        for (field, was) in Mending::ALL {
            metrics.mended_fields.get_or_create_owned(&mended_label(field, was));
        }
        let shared = metrics.clone();
        register(registry, &detector::RECORDS, shared.records);
        register(registry, &detector::ALERTS, shared.alerts);
        register(registry, &detector::SIMULATED_RECORDS, shared.simulated_records);
        register(registry, &detector::DEAD_LETTERS, shared.dead_letters);
        register(registry, &detector::LOST_RECORDS, shared.lost_records);
        register(registry, &detector::REFUSED_RECORDS, shared.refused_records);
        register(registry, &detector::REDATED_RECORDS, shared.redated_records);
        register(registry, &detector::CALCULATED_FIELD_FAILURES, shared.calculated_field_failures);
        register(registry, &detector::LOOKUPS, shared.lookups);
        register(registry, &detector::LOOKUP_ROWS, shared.lookup_rows);
        register(registry, &detector::LOOKUP_TABLE_FAILURES, shared.lookup_table_failures);
        register(registry, &detector::MENDED_FIELDS, shared.mended_fields);
        register(registry, &detector::TEXT_VALUES, shared.text_values);
        register(registry, &detector::MISSING_VALUES, shared.missing_values);
        register(registry, &detector::UNSEEN_VALUES, shared.unseen_values);
        metrics.register_threshold(registry);
        metrics.register_flow(registry);
        metrics.register_distributions(registry);
        metrics
    }

    /// How scores and features are distributed.
    fn register_distributions(&self, registry: &mut Registry) {
        let shared = self.clone();
        register(registry, &detector::SCORE, shared.scores);
        register(registry, &detector::SCORE_PSI, shared.score_psi);
        register(registry, &detector::FEATURE_PSI, shared.feature_psi);
    }

    /// What it takes for a record to alert.
    fn register_threshold(&self, registry: &mut Registry) {
        let shared = self.clone();
        register(registry, &detector::SCORE_THRESHOLD, shared.score_threshold);
        register(registry, &detector::BUDGET_IN_FORCE, shared.budget_in_force);
    }

    /// How far the input is read, and how quickly.
    fn register_flow(&self, registry: &mut Registry) {
        let shared = self.clone();
        register(registry, &detector::LAG_RECORDS, shared.lag_records);
        register(registry, &detector::UNTOLD_PARTITIONS, shared.untold_partitions);
        register(registry, &detector::LAG, shared.lag_seconds);
        register(registry, &detector::TRUNCATED_RECORDS, shared.truncated_records);
        register(registry, &detector::BATCH_RECORDS, shared.batch_records);
        register(registry, &detector::PROCESSING, shared.processing_seconds);
        register(registry, &detector::END_TO_END_LATENCY, shared.end_to_end_latency);
        register(registry, &detector::COMMITS, shared.commits);
        register(registry, &detector::COMMIT, shared.commit_seconds);
        register(registry, &detector::ABORTS, shared.aborts);
    }
}

fn mended_label(field: MendedField, was: Mending) -> MendedLabel {
    MendedLabel { field: field.name(), was: was.word() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_testing::metrics::assert_registered;

    #[test]
    fn all_metrics_are_served_and_no_others() {
        let mut registry = vedette_service::registry(&detector::BUILD);
        Metrics::register(&mut registry);
        assert_registered(&registry, detector::ALL);
    }
}
