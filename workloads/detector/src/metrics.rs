//! What the detector counts.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_contract::fields;
use vedette_contract::model::TextValues;

use crate::tally::Tally;

/// Metrics of the detector; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) records: Counter,
    pub(crate) alerts: Counter,
    pub(crate) dead_letters: Family<DeadLetterLabel, Counter>,
    pub(crate) calculated_field_failures: Family<CalculatedFieldLabel, Counter>,
    pub(crate) lost_records: Counter,
    pub(crate) refused_records: Counter,
    pub(crate) mended_fields: Family<MendedLabel, Counter>,
    pub(crate) text_values: Family<TextValueLabel, Counter>,
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

/// A field that every record has in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MendedField {
    Uuid,
    Utc,
}

impl MendedField {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uuid => fields::UUID,
            Self::Utc => fields::UTC,
        }
    }
}

/// Why it was not left as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mending {
    Missing,
    Null,
    Empty,
    Number,
    WithoutZone,
}

impl Mending {
    /// What each field may have been.
    const ALL: [(MendedField, Self); 9] = [
        (MendedField::Uuid, Self::Missing),
        (MendedField::Uuid, Self::Null),
        (MendedField::Uuid, Self::Empty),
        (MendedField::Uuid, Self::Number),
        (MendedField::Utc, Self::Missing),
        (MendedField::Utc, Self::Null),
        (MendedField::Utc, Self::Empty),
        (MendedField::Utc, Self::Number),
        (MendedField::Utc, Self::WithoutZone),
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Empty => "empty",
            Self::Number => "number",
            Self::WithoutZone => "without_zone",
        }
    }
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

impl Metrics {
    /// Counts what a unit of work did that is committed.
    pub(crate) fn count_committed(&self, tally: Tally) {
        let Tally { records, alerts, refused, dead_letters } = tally;
        self.records.inc_by(records);
        self.alerts.inc_by(alerts);
        self.refused_records.inc_by(refused);
        for (reason, count) in dead_letters {
            self.dead_letters.get_or_create(&DeadLetterLabel { reason: Reason(reason) }).inc_by(count);
        }
    }

    /// Counts a field that was filled or converted.
    pub(crate) fn count_mended(&self, field: MendedField, was: Mending) {
        self.mended_fields.get_or_create(&MendedLabel { field: field.name(), was: was.word() }).inc();
    }

    /// Counts what arrived as text.
    pub(crate) fn count_texts(&self, field: &str, TextValues { numbers, missing }: TextValues) {
        for (counts_as, count) in [(CountsAs::Number, numbers), (CountsAs::Missing, missing)] {
            let label = TextValueLabel { field: field.to_owned(), counts_as };
            self.text_values.get_or_create(&label).inc_by(count);
        }
    }

    /// Metrics that this registry serves. Every reason of a dead letter, and all that may be mended, is there from the
    /// start, at 0.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            records: Counter::default(),
            alerts: Counter::default(),
            dead_letters: Family::default(),
            calculated_field_failures: Family::default(),
            lost_records: Counter::default(),
            refused_records: Counter::default(),
            mended_fields: Family::default(),
            text_values: Family::default(),
            batch_records: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            processing_seconds: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            commits: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            aborts: Counter::default(),
        };
        for reason in DeadLetterReason::ALL {
            metrics.dead_letters.get_or_create_owned(&DeadLetterLabel { reason: Reason(reason) });
        }
        for (field, was) in Mending::ALL {
            metrics.mended_fields.get_or_create_owned(&MendedLabel { field: field.name(), was: was.word() });
        }
        let shared = metrics.clone();
        registry.register("records", "Messages read, and what was made of them committed", shared.records);
        registry.register("alerts", "Alerts produced", shared.alerts);
        registry.register("dead_letters", "Messages that could not be read or scored, by reason", shared.dead_letters);
        registry.register(
            "lost_records",
            "Offsets whose messages retention deleted before they were read",
            shared.lost_records,
        );
        registry.register(
            "refused_records",
            "Messages of which Kafka took neither what was made of them nor a dead letter: they are left out",
            shared.refused_records,
        );
        registry.register(
            "calculated_field_failures",
            "Records without a calculated field because it could not be calculated, by field",
            shared.calculated_field_failures,
        );
        registry.register(
            "mended_fields",
            "Records whose uuid or utc was filled or converted, by field and by what it was",
            shared.mended_fields,
        );
        registry.register(
            "text_values",
            "Values of numeric features that arrived as text, by field and whether they are numbers or count as missing",
            shared.text_values,
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
