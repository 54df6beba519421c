//! The uniform sample: at most k rows, chosen by the hash of their identities, so that neither the order of reading nor
//! the number of threads shows in it. Rows are kept, not JSON: memory is k rows of four bytes a column and about 120 bytes,
//! and up to twice that again for a moment, when the rows become matrices and repeated patterns are dropped.

use std::collections::HashMap;

use vedette_archive::{BottomK, Offered};
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::Matrix;
use vedette_forest::features::{Encoder, by_falling_frequency, numeric};

use crate::batch::Batch;
use crate::cell::Cell;
use crate::schema::{Kind, Schema};

/// A categorical column keeps so many values, the most frequent ones; the others are as good as unseen. It bounds the
/// artifact when a training names an identifier as a category.
const MAX_CATEGORIES: usize = 10_000;

/// Collects the sample while records are read.
pub(crate) struct Sampler {
    rows: BottomK<Row>,
    dictionaries: Vec<Dictionary>,
    duplicates: u64,
    usable: Vec<bool>,
}

/// A categorical cell is an id of its column's dictionary.
struct Row {
    cells: Box<[Cell]>,
    label: Option<bool>,
}

impl Sampler {
    /// An empty sample of at most `size` rows.
    pub(crate) fn new(schema: &Schema, size: usize, seed: u64) -> Self {
        let columns = schema.columns.len();
        Self {
            rows: BottomK::new(size, seed),
            dictionaries: vec![HashMap::new(); columns],
            duplicates: 0,
            usable: vec![false; columns],
        }
    }

    /// Offers the rows of a batch.
    pub(crate) fn offer(&mut self, batch: &Batch, schema: &Schema) {
        let Self { rows, dictionaries, duplicates, usable } = self;
        for row in batch.rows(schema.columns.len()) {
            for (usable, cell) in usable.iter_mut().zip(row.cells) {
                *usable |= *cell != Cell::MISSING;
            }
            let make = || Row { cells: intern(row.cells, batch, schema, dictionaries), label: row.label };
            if rows.offer(row.identity, row.content, make) == Offered::Duplicate {
                *duplicates += 1;
            }
        }
    }

    /// Records that were dropped because their identity is in the sample; beyond the sample duplicates go unnoticed.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Columns in which no record had a usable value.
    pub(crate) fn unusable<'a>(&self, schema: &'a Schema) -> Vec<(&'a str, Kind)> {
        let columns = schema.columns.iter().zip(&self.usable);
        columns.filter(|(_, usable)| !**usable).map(|((name, kind), _)| (name.as_str(), *kind)).collect()
    }

    /// The sample as it is.
    pub(crate) fn finish(self, schema: &Schema) -> Sample {
        let Self { rows, dictionaries, duplicates: _, usable: _ } = self;
        let rows = rows.into_sorted();
        let columns =
            schema.columns.iter().zip(&dictionaries).enumerate().map(|(column, ((name, kind), dictionary))| {
                let cells = rows.iter().map(|(_, row)| row.cells[column]);
                let kind = match kind {
                    Kind::Numeric => numeric(cells.filter_map(Cell::number)),
                    Kind::Categorical => ColumnKind::categorical(frequent_values(dictionary, cells)),
                };
                Column { name: name.clone(), kind }
            });
        let specification = FeatureSpecification { schema: SCHEMA, columns: columns.collect() };
        Sample { rows, dictionaries, specification }
    }
}

/// The texts of a categorical column, by which a cell is one of them.
type Dictionary = HashMap<Box<str>, Cell>;

/// The values of a categorical column, the most frequent first.
fn frequent_values(dictionary: &Dictionary, cells: impl Iterator<Item = Cell>) -> Vec<String> {
    let mut counts = vec![0_u64; dictionary.len()];
    cells.filter_map(Cell::category).for_each(|id| counts[id] += 1);
    let counted = dictionary.iter().filter_map(|(text, cell)| Some((text.to_string(), counts[cell.category()?])));
    let mut values = by_falling_frequency(counted.filter(|(_, count)| *count > 0));
    values.truncate(MAX_CATEGORIES);
    values
}

fn intern(cells: &[Cell], batch: &Batch, schema: &Schema, dictionaries: &mut [Dictionary]) -> Box<[Cell]> {
    let columns = cells.iter().zip(&schema.columns).zip(dictionaries);
    columns
        .map(|((cell, (_, kind)), dictionary)| match kind {
            Kind::Numeric => *cell,
            Kind::Categorical => match batch.category(*cell) {
                None => Cell::MISSING,
                Some(text) => {
                    let next = Cell::of_category(dictionary.len());
                    dictionary.get(text).copied().unwrap_or_else(|| *dictionary.entry(text.into()).or_insert(next))
                }
            },
        })
        .collect()
}

/// A finished sample and the features that describe it.
pub(crate) struct Sample {
    rows: Vec<(u128, Row)>,
    dictionaries: Vec<Dictionary>,
    /// Medians and value lists are those of the sample.
    pub(crate) specification: FeatureSpecification,
}

/// Rows of one side of the split, in the order of their identities' hashes, that is a random one.
pub(crate) struct Rows {
    /// Encoded as the detector encodes them.
    pub(crate) matrix: Matrix,
    /// Whether the label says anomaly, where there is one.
    pub(crate) labels: Vec<Option<bool>>,
}

impl Sample {
    /// Encodes the rows and sets a share of them aside. The choice hangs on the identity alone: its hash's lower half,
    /// which the sampling, that goes by the upper half, leaves uniform.
    pub(crate) fn split(self, encoder: &Encoder, holdout_share: f64) -> (Rows, Rows) {
        let Self { rows, dictionaries, specification: _ } = self;
        let codes: Vec<Vec<f32>> =
            dictionaries.iter().enumerate().map(|(column, values)| codes(encoder, column, values)).collect();
        let width = encoder.columns().len();
        let held_out = rows.iter().filter(|(hash, _)| is_held_out(*hash, holdout_share)).count();
        let side = |count| Rows { matrix: Matrix::with_capacity(width, count), labels: Vec::with_capacity(count) };
        let (mut training, mut holdout) = (side(rows.len() - held_out), side(held_out));
        let mut encoded = vec![0.; width];
        for (hash, row) in rows {
            for (column, (value, cell)) in encoded.iter_mut().zip(&row.cells).enumerate() {
                let number = match &encoder.columns()[column].kind {
                    ColumnKind::Numeric { .. } => cell.number().map(|number| encoder.numeric(column, number.into())),
                    ColumnKind::Categorical { .. } => cell.category().map(|id| codes[column][id]),
                };
                *value = number.unwrap_or_else(|| encoder.missing(column));
            }
            let side = if is_held_out(hash, holdout_share) { &mut holdout } else { &mut training };
            side.matrix.push_row(&encoded);
            side.labels.push(row.label);
        }
        (training, holdout)
    }
}

fn codes(encoder: &Encoder, column: usize, dictionary: &Dictionary) -> Vec<f32> {
    let mut codes = vec![0.; dictionary.len()];
    for (text, cell) in dictionary {
        if let Some(id) = cell.category() {
            codes[id] = encoder.categorical(column, text);
        }
    }
    codes
}

#[allow(clippy::cast_possible_truncation)] // The lower half is what is wanted.
fn is_held_out(hash: u128, share: f64) -> bool {
    (hash as u64) as f64 / 2_f64.powi(64) < share
}

#[cfg(test)]
mod tests;
