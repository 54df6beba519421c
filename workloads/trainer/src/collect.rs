//! The uniform sample: at most k rows, chosen by the hash of their identities, so that neither the order of reading nor
//! the number of threads shows in it. Rows are kept, not JSON: memory is k rows of four bytes a column and about 120 bytes,
//! and up to twice that again for a moment, when the rows become matrices and repeated patterns are dropped.

use std::collections::HashMap;

use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::Matrix;
use vedette_forest::features::{Encoder, by_falling_frequency, median};
use vedette_forest::sample::{BottomK, Offered};

use crate::batch::{Batch, MISSING};
use crate::line::{Kind, Schema};

/// A categorical column keeps so many values, the most frequent ones; the others are as good as unseen. It bounds the
/// artifact when a training names an identifier as a category.
const MAX_CATEGORIES: usize = 10_000;

/// Collects the sample while records are read.
pub struct Sampler {
    rows: BottomK<Row>,
    dictionaries: Vec<HashMap<Box<str>, u32>>,
    duplicates: u64,
    usable: Vec<bool>,
}

/// Numeric columns hold the bits of an `f32` (not a number where missing), categorical ones a dictionary's id.
struct Row {
    cells: Box<[u32]>,
    label: Option<bool>,
}

impl Sampler {
    /// An empty sample of at most `size` rows.
    pub fn new(schema: &Schema, size: usize, seed: u64) -> Self {
        let columns = schema.columns.len();
        Self {
            rows: BottomK::new(size, seed),
            dictionaries: vec![HashMap::new(); columns],
            duplicates: 0,
            usable: vec![false; columns],
        }
    }

    /// Offers the rows of a batch.
    pub fn offer(&mut self, batch: &Batch, schema: &Schema) {
        let Self { rows, dictionaries, duplicates, usable } = self;
        for row in batch.rows(schema) {
            for ((usable, cell), (_, kind)) in usable.iter_mut().zip(row.cells).zip(&schema.columns) {
                *usable |= !is_missing(*kind, *cell);
            }
            let make = || Row { cells: intern(row.cells, batch, schema, dictionaries), label: row.label };
            if rows.offer(row.identity, row.content, make) == Offered::Duplicate {
                *duplicates += 1;
            }
        }
    }

    /// Records that were dropped because their identity is in the sample; beyond the sample duplicates go unnoticed.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Columns in which no record had a usable value.
    pub fn unusable<'a>(&self, schema: &'a Schema) -> Vec<(&'a str, Kind)> {
        let columns = schema.columns.iter().zip(&self.usable);
        columns.filter(|(_, usable)| !**usable).map(|((name, kind), _)| (name.as_str(), *kind)).collect()
    }

    /// The sample as it is.
    pub fn finish(self, schema: &Schema) -> Sample {
        let Self { rows, dictionaries, duplicates: _, usable: _ } = self;
        let rows = rows.into_sorted();
        let columns =
            schema.columns.iter().zip(&dictionaries).enumerate().map(|(column, ((name, kind), dictionary))| {
                let kind = match kind {
                    Kind::Numeric => ColumnKind::Numeric {
                        median: median(rows.iter().map(|(_, row)| f32::from_bits(row.cells[column]))),
                    },
                    Kind::Categorical => {
                        let mut counts = vec![0_u64; dictionary.len()];
                        for (_, row) in rows.iter().filter(|(_, row)| row.cells[column] != MISSING) {
                            counts[row.cells[column] as usize] += 1;
                        }
                        let counted = dictionary.iter().map(|(text, id)| (text.to_string(), counts[*id as usize]));
                        let mut values = by_falling_frequency(counted.filter(|(_, count)| *count > 0));
                        values.truncate(MAX_CATEGORIES);
                        ColumnKind::Categorical { values }
                    }
                };
                Column { name: name.clone(), kind }
            });
        let specification = FeatureSpecification { schema: SCHEMA, columns: columns.collect() };
        Sample { rows, dictionaries, specification }
    }
}

fn is_missing(kind: Kind, cell: u32) -> bool {
    match kind {
        Kind::Numeric => f32::from_bits(cell).is_nan(),
        Kind::Categorical => cell == MISSING,
    }
}

fn intern(cells: &[u32], batch: &Batch, schema: &Schema, dictionaries: &mut [HashMap<Box<str>, u32>]) -> Box<[u32]> {
    let columns = cells.iter().zip(&schema.columns).zip(dictionaries);
    columns
        .map(|((cell, (_, kind)), dictionary)| match kind {
            Kind::Numeric => *cell,
            Kind::Categorical => match batch.category(*cell) {
                None => MISSING,
                Some(text) => {
                    let next = u32::try_from(dictionary.len()).unwrap_or(MISSING);
                    dictionary.get(text).copied().unwrap_or_else(|| *dictionary.entry(text.into()).or_insert(next))
                }
            },
        })
        .collect()
}

/// A finished sample and the features that describe it.
pub struct Sample {
    rows: Vec<(u128, Row)>,
    dictionaries: Vec<HashMap<Box<str>, u32>>,
    /// Medians and value lists are those of the sample.
    pub specification: FeatureSpecification,
}

/// Rows of one side of the split, in the order of their identities' hashes, that is a random one.
pub struct Rows {
    /// Encoded as the detector encodes them.
    pub matrix: Matrix,
    /// Whether the label says anomaly, where there is one.
    pub labels: Vec<Option<bool>>,
}

impl Sample {
    /// Encodes the rows and sets a share of them aside. The choice hangs on the identity alone: its hash's lower half,
    /// which the sampling, that goes by the upper half, leaves uniform.
    pub fn split(self, encoder: &Encoder, holdout_share: f64) -> (Rows, Rows) {
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
                *value = match &encoder.columns()[column].kind {
                    ColumnKind::Numeric { .. } => encoder.numeric(column, f64::from(f32::from_bits(*cell))),
                    ColumnKind::Categorical { .. } if *cell == MISSING => encoder.missing(column),
                    ColumnKind::Categorical { .. } => codes[column][*cell as usize],
                };
            }
            let side = if is_held_out(hash, holdout_share) { &mut holdout } else { &mut training };
            side.matrix.push_row(&encoded);
            side.labels.push(row.label);
        }
        (training, holdout)
    }
}

fn codes(encoder: &Encoder, column: usize, dictionary: &HashMap<Box<str>, u32>) -> Vec<f32> {
    let mut codes = vec![0.; dictionary.len()];
    for (text, id) in dictionary {
        codes[*id as usize] = encoder.categorical(column, text);
    }
    codes
}

#[allow(clippy::cast_possible_truncation)] // The lower half is what is wanted.
fn is_held_out(hash: u128, share: f64) -> bool {
    (hash as u64) as f64 / 2_f64.powi(64) < share
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
