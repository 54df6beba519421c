//! Lookups: a field of the record is joined with a table, whose values become fields of the record.

mod error;
mod table;
mod tables;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use vedette_contract::fields;
use vedette_contract::lookup::Lookup;
use vedette_datasets::lookup::{LookupTable, Row};
use vedette_records::{FieldNames, Record, Scalar};

use crate::metrics::{LookupLabel, Metrics};
use crate::tally::LookupOutcome;
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
    name: String,
    variable: Variable,
    /// `,"name":` of each field.
    prefixes: Vec<String>,
    slot: Slot,
    /// The table of this batch.
    table: Option<Arc<LookupTable>>,
    /// Records since they were last asked for.
    matched: Cell<u64>,
    unmatched: Cell<u64>,
    no_value: Cell<u64>,
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

    /// What became of the records since the last call, by lookup.
    pub(super) fn take_outcomes(&self) -> BTreeMap<(String, LookupOutcome), u64> {
        let of = |join: &Join| LookupOutcome::ALL.map(|it| ((join.name.clone(), it), join.counter(it).take()));
        self.joins.iter().flat_map(of).filter(|(_, count)| *count > 0).collect()
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
        // All of them are there from the start, at 0.
        for outcome in LookupOutcome::ALL {
            metrics.lookups.get_or_create_owned(&LookupLabel { lookup: name.to_string(), outcome });
        }
        Ok(Self {
            name: name.to_string(),
            variable,
            prefixes,
            slot,
            table: None,
            matched: Cell::default(),
            unmatched: Cell::default(),
            no_value: Cell::default(),
        })
    }

    fn counter(&self, outcome: LookupOutcome) -> &Cell<u64> {
        match outcome {
            LookupOutcome::Matched => &self.matched,
            LookupOutcome::Unmatched => &self.unmatched,
            LookupOutcome::NoValue => &self.no_value,
        }
    }

    fn count(&self, outcome: LookupOutcome) {
        self.counter(outcome).update(|count| count + 1);
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
            self.count(LookupOutcome::NoValue);
            return None;
        };
        let row = self.table.as_ref().and_then(|table| table.get(key));
        self.count(if row.is_some() { LookupOutcome::Matched } else { LookupOutcome::Unmatched });
        row
    }
}

#[cfg(test)]
mod tests;
