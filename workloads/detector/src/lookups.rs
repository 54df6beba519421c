//! Lookups: a field of the record is joined with a table, whose values become fields of the record.

mod error;
mod table;
mod tables;

use std::ops::Range;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use vedette_contract::fields;
use vedette_contract::lookup::Lookup;
use vedette_datasets::lookup::{LookupTable, Row};
use vedette_records::{FieldNames, Record, Scalar};

use crate::metrics::{LookupLabel, LookupOutcome, Metrics};
use crate::variable::Variable;

pub(crate) use self::error::LookupError;
pub(crate) use self::tables::Tables;

use self::table::Slot;

/// The lookups of a pipeline, in the order in which their fields are added.
pub(crate) struct Lookups {
    joins: Vec<Join>,
    /// The fields of all of them.
    fields: Vec<String>,
}

/// A lookup at work.
struct Join {
    variable: Variable,
    /// `,"name":` of each field.
    prefixes: Vec<String>,
    slot: Slot,
    /// The table of this batch.
    table: Option<Arc<LookupTable>>,
    matched: Counter,
    unmatched: Counter,
    no_value: Counter,
}

impl Lookups {
    /// Asks for the fields that they read, and refuses those that they add.
    ///
    /// # Errors
    /// When a name is taken.
    pub(super) fn compile(
        lookups: &[Lookup],
        tables: &Tables,
        names: &mut FieldNames,
        metrics: &Metrics,
    ) -> Result<Self, LookupError> {
        let mut added: Vec<String> = Vec::new();
        for lookup in lookups {
            for field in lookup.fields() {
                check_name(lookup, &field, names, &added)?;
                added.push(field);
            }
        }
        added.iter().for_each(|field| names.refuse(field));
        let join = |lookup: &Lookup| Join::new(lookup, tables.slot(&lookup.name), names, metrics);
        let joins = lookups.iter().map(join).collect::<Result<_, _>>()?;
        Ok(Self { joins, fields: added })
    }

    /// The fields that they add, in order.
    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Begins a batch, which sees one state of each table.
    pub(super) fn start(&mut self) {
        self.joins.iter_mut().for_each(|join| join.table = join.slot.get());
    }

    /// Appends each field that has a value for this record, `,"name":value`, and says where the value stands.
    pub(super) fn append(&self, record: &Record<'_>, out: &mut Vec<u8>, mut values: &mut [Option<Range<usize>>]) {
        for join in &self.joins {
            let (own, others) = values.split_at_mut(join.prefixes.len());
            own.fill(None);
            join.append(record, out, own);
            values = others;
        }
    }
}

fn check_name(lookup: &Lookup, field: &str, names: &FieldNames, added: &[String]) -> Result<(), LookupError> {
    let (name, field) = (lookup.name.clone(), field.to_owned());
    if fields::is_reserved(&field) {
        return Err(LookupError::Reserved { lookup: name, field });
    }
    if names.is_refused(&field) || added.contains(&field) {
        return Err(LookupError::Duplicate { lookup: name, field });
    }
    Ok(())
}

impl Join {
    fn new(lookup: &Lookup, slot: Slot, names: &mut FieldNames, metrics: &Metrics) -> Result<Self, LookupError> {
        let Lookup { name, field, .. } = lookup;
        let variable = Variable::want(field, names)
            .ok_or_else(|| LookupError::AddedField { lookup: name.clone(), field: field.clone() })?;
        let prefixes = lookup.fields().map(|field| format!(",{}:", serde_json::Value::from(field))).collect();
        let counter = |outcome| {
            let label = LookupLabel { lookup: name.to_string(), outcome };
            metrics.lookups.get_or_create_owned(&label)
        };
        Ok(Self {
            variable,
            prefixes,
            slot,
            table: None,
            matched: counter(LookupOutcome::Matched),
            unmatched: counter(LookupOutcome::Unmatched),
            no_value: counter(LookupOutcome::NoValue),
        })
    }

    fn append(&self, record: &Record<'_>, out: &mut Vec<u8>, places: &mut [Option<Range<usize>>]) {
        let Some(row) = self.find(record) else { return };
        for ((prefix, value), place) in self.prefixes.iter().zip(row.values()).zip(places) {
            let Some(value) = value else { continue };
            out.extend_from_slice(prefix.as_bytes());
            let start = out.len();
            out.extend_from_slice(value);
            *place = Some(start..out.len());
        }
    }

    fn find(&self, record: &Record<'_>) -> Option<Row<'_>> {
        let key = self.variable.get(record).and_then(Scalar::category);
        let Some(key) = key.as_deref().map(str::trim).filter(|key| !key.is_empty()) else {
            self.no_value.inc();
            return None;
        };
        let row = self.table.as_ref().and_then(|table| table.get(key));
        let outcome = if row.is_some() { &self.matched } else { &self.unmatched };
        outcome.inc();
        row
    }
}

#[cfg(test)]
mod tests;
