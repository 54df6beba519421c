//! What is taken from a record: the features, the identity, `utc` and the label.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use vedette_contract::ReferenceWindow;
use vedette_contract::fields;
use vedette_contract::model::TextValues;
use vedette_records::{Field, FieldNames, Label};

/// How a field becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number, or a boolean as 0 and 1.
    Numeric,
    /// Text, or the JSON text of any other scalar.
    Categorical,
}

/// What is taken from a record.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    /// The features, sorted by name.
    pub columns: Vec<(String, Kind)>,
    /// Older records are not of the stream.
    pub not_before: Option<Timestamp>,
    /// The records that are learned from, of the stream or not; those of the stream where there is none.
    pub reference: Option<ReferenceWindow>,
    /// Fields whose numbers only grow from record to record, as far as was looked at.
    pub growing: BTreeSet<String>,
    pub fields: SchemaFields,
}

/// Where it stands in a record.
#[derive(Debug, Clone)]
pub(crate) struct SchemaFields {
    /// All that are looked at.
    pub names: FieldNames,
    /// In the order of the columns.
    pub columns: Vec<Field>,
    pub identity: Field,
    pub utc: Field,
    pub simulated: Field,
    pub label: Option<(Label, Field)>,
}

impl Schema {
    /// What arrived as text, by the names of the columns where anything did.
    pub(crate) fn texts(&self, by_position: &[TextValues]) -> BTreeMap<String, TextValues> {
        let named = self.columns.iter().zip(by_position).map(|((name, _), texts)| (name.clone(), *texts));
        named.filter(|(_, texts)| *texts != TextValues::default()).collect()
    }

    /// The schema of a training that learns from this period.
    pub(crate) fn with_reference(self, reference: Option<ReferenceWindow>) -> Self {
        Self { reference, ..self }
    }

    /// The same, where these fields only grow.
    pub(crate) fn with_growing(self, growing: BTreeSet<String>) -> Self {
        Self { growing, ..self }
    }

    /// A schema of these features.
    pub(crate) fn new(
        mut columns: Vec<(String, Kind)>,
        identity_field: &str,
        label: Option<Label>,
        not_before: Option<Timestamp>,
    ) -> Self {
        columns.sort_by(|(left, _), (right, _)| left.cmp(right));
        let mut names = FieldNames::default();
        let features = columns.iter().map(|(name, _)| names.want(name)).collect();
        let [identity, utc, simulated] = [identity_field, fields::UTC, fields::SIMULATED].map(|name| names.want(name));
        let label = label.map(|label| {
            let field = names.want(label.field());
            (label, field)
        });
        Self {
            columns,
            not_before,
            reference: None,
            growing: BTreeSet::new(),
            fields: SchemaFields { names, columns: features, identity, utc, simulated, label },
        }
    }
}
