//! The fields that are added to a record before it is scored: looked up, then calculated, so that the latter may use the former.

use std::collections::BTreeMap;
use std::ops::Range;

use thiserror::Error;
use vedette_contract::arguments::KeyValue;
use vedette_contract::fields;
use vedette_contract::lookup::Lookup;
use vedette_records::{FieldNames, Record};

use crate::calculated::{CalculatedFieldError, CalculatedFields};
use crate::lookups::{LookupError, Lookups, Tables};
use crate::metrics::Metrics;
use crate::tally::LookupOutcome;

/// Why a field cannot be added.
#[derive(Debug, Error)]
pub enum AddedFieldError {
    /// A lookup.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A calculated field.
    #[error(transparent)]
    Calculated(#[from] CalculatedFieldError),
}

/// The fields that a pipeline adds, in their order.
pub(crate) struct AddedFields {
    lookups: Lookups,
    calculated: CalculatedFields,
}

impl AddedFields {
    /// Asks for the fields that are read, and refuses those that are added.
    ///
    /// # Errors
    /// When a name is taken, or a definition cannot be used.
    pub(crate) fn compile(
        lookups: &[Lookup],
        tables: &Tables,
        calculated: &[KeyValue],
        metrics: &Metrics,
    ) -> Result<(Self, FieldNames), AddedFieldError> {
        let mut names = FieldNames::default();
        fields::ADDED.into_iter().for_each(|name| names.refuse(name));
        calculated.iter().for_each(|definition| names.refuse(&definition.key));
        let lookups = Lookups::compile(lookups, tables, &mut names, metrics)?;
        let calculated = CalculatedFields::compile(calculated, lookups.fields(), &mut names)?;
        Ok((Self { lookups, calculated }, names))
    }

    /// Which one, in order, has this name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        let looked_up = self.lookups.fields();
        looked_up
            .iter()
            .position(|field| field == name)
            .or_else(|| Some(looked_up.len() + self.calculated.position(name)?))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lookups.fields().len() + self.calculated.count()
    }

    /// What became of the records at the lookups since the last call.
    pub(crate) fn take_outcomes(&self) -> BTreeMap<(String, LookupOutcome), u64> {
        self.lookups.take_outcomes()
    }

    /// Begins a batch, which sees one state of each table.
    pub(crate) fn start(&mut self) {
        self.lookups.start();
    }

    /// Appends each field that has a value for this record, `,"name":value`, and says where the value stands. `failed` hears of
    /// each that could not be calculated, and why.
    pub(crate) fn append(
        &self,
        record: &Record<'_>,
        out: &mut Vec<u8>,
        values: &mut [Option<Range<usize>>],
        failed: impl FnMut(&str, &str),
    ) {
        let (looked_up, calculated) = values.split_at_mut(self.lookups.fields().len());
        self.lookups.append(record, out, looked_up);
        self.calculated.append(record, looked_up, out, calculated, failed);
    }
}
