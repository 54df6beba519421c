//! What a unit of work has done: it counts once it is committed, and not at all where it is given up.

use std::collections::BTreeMap;

use vedette_contract::dead_letter::DeadLetterReason;
use vedette_contract::fields;
use vedette_contract::model::TextValues;

use crate::stability::Spread;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Messages read.
    pub(crate) records: u64,
    /// Alerts, but for those of simulated records.
    pub(crate) alerts: u64,
    /// Records that somebody made up: of what is counted of fields and scores they are no part.
    pub(crate) simulated: u64,
    /// Messages of which Kafka took nothing.
    pub(crate) refused: u64,
    /// Messages of which something was written with the present time, as their own is too old.
    pub(crate) redated: u64,
    pub(crate) dead_letters: BTreeMap<DeadLetterReason, u64>,
    /// Of each partition, the Kafka time of the last message, milliseconds since 1970.
    pub(crate) read_at: BTreeMap<i32, i64>,
    pub(crate) fields: FieldTally,
}

impl Tally {
    /// Takes in what another unit did, which came after.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { records, alerts, simulated, refused, redated, dead_letters, read_at, fields } = other;
        self.records += records;
        self.alerts += alerts;
        self.simulated += simulated;
        self.refused += refused;
        self.redated += redated;
        dead_letters.into_iter().for_each(|(reason, count)| *self.dead_letters.entry(reason).or_default() += count);
        self.read_at.extend(read_at);
        self.fields.add(fields);
    }

    pub(crate) fn count_dead_letter(&mut self, reason: DeadLetterReason) {
        *self.dead_letters.entry(reason).or_default() += 1;
    }
}

/// What there is to tell of the fields of records.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct FieldTally {
    pub(crate) mended: BTreeMap<(MendedField, Mending), u64>,
    /// Records by lookup and by what became of them there.
    pub(crate) lookups: BTreeMap<(String, LookupOutcome), u64>,
    /// Records without a calculated field, by field.
    pub(crate) not_calculated: BTreeMap<String, u64>,
    /// Records that were scored.
    pub(crate) scored: u64,
    /// By field, those of the model about which there is something to tell.
    pub(crate) features: BTreeMap<String, FeatureTally>,
    /// How scores and features are distributed.
    pub(crate) spread: Spread,
}

impl FieldTally {
    /// Takes in what another counted.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { mended, lookups, not_calculated, scored, features, spread } = other;
        mended.into_iter().for_each(|(key, count)| *self.mended.entry(key).or_default() += count);
        lookups.into_iter().for_each(|(key, count)| *self.lookups.entry(key).or_default() += count);
        not_calculated.into_iter().for_each(|(field, count)| *self.not_calculated.entry(field).or_default() += count);
        self.scored += scored;
        features.into_iter().for_each(|(field, seen)| self.features.entry(field).or_default().add(seen));
        self.spread.add(&spread);
    }
}

/// The values of one feature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FeatureTally {
    /// Of a numeric one, those that arrived as text.
    pub(crate) texts: TextValues,
    /// Records without a value that it can use.
    pub(crate) missing: u64,
    /// Categories that were not there in training.
    pub(crate) unseen: u64,
}

impl FeatureTally {
    /// Takes in what another counted.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { texts, missing, unseen } = other;
        self.texts.add(texts);
        self.missing += missing;
        self.unseen += unseen;
    }
}

/// What became of a record at a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LookupOutcome {
    Matched,
    Unmatched,
    NoValue,
}

impl LookupOutcome {
    pub(crate) const ALL: [Self; 3] = [Self::Matched, Self::Unmatched, Self::NoValue];
}

/// A field that every record has in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mending {
    Missing,
    Null,
    Empty,
    Number,
    WithoutZone,
}

impl Mending {
    /// What each field may have been.
    pub(crate) const ALL: [(MendedField, Self); 9] = [
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

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Empty => "empty",
            Self::Number => "number",
            Self::WithoutZone => "without_zone",
        }
    }
}
