//! The uniform sample: at most k rows, chosen by the hash of their identities, so that neither the order of reading nor
//! the number of threads shows in it. Rows are kept, not JSON: memory is k rows of four bytes a column and about 140 bytes,
//! and up to twice that again for a moment, when the rows become matrices and repeated patterns are dropped. Where the training
//! learns from a period that is known to be clean, there is a second sample, of that period.

use std::collections::HashMap;

use vedette_archive::{BottomK, Offered};
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::Matrix;
use vedette_forest::features::{Encoder, by_falling_frequency, numeric};

use crate::batch::Batch;
use crate::cell::Cell;
use crate::schema::{Kind, Schema};
use crate::tally::Tally;

/// A categorical column keeps so many values, the most frequent ones; the others are as good as unseen. It bounds the
/// artifact when a training names an identifier as a category.
const MAX_CATEGORIES: usize = 10_000;

/// Collects the sample while records are read.
pub(crate) struct Sampler {
    /// Of the stream.
    rows: BottomK<Row>,
    /// Of the reference window, where there is one.
    reference: Option<BottomK<Row>>,
    dictionaries: Vec<Dictionary>,
    duplicates: u64,
    reference_duplicates: u64,
    /// Whether a column has a usable value in what is learned from.
    usable: Vec<bool>,
}

/// A categorical cell is an id of its column's dictionary.
struct Row {
    cells: Box<[Cell]>,
    label: Option<bool>,
    /// Microseconds since 1970.
    made: Option<i64>,
    is_reference: bool,
}

impl Sampler {
    /// An empty sample of at most `size` rows.
    pub(crate) fn new(schema: &Schema, size: usize, seed: u64) -> Self {
        let columns = schema.columns.len();
        Self {
            rows: BottomK::new(size, seed),
            reference: schema.reference.map(|_| BottomK::new(size, seed)),
            dictionaries: vec![HashMap::new(); columns],
            duplicates: 0,
            reference_duplicates: 0,
            usable: vec![false; columns],
        }
    }

    /// Offers the rows of a batch.
    pub(crate) fn offer(&mut self, batch: &Batch, schema: &Schema) {
        let Self { rows, reference, dictionaries, duplicates, reference_duplicates, usable } = self;
        for row in batch.rows(schema.columns.len()) {
            if row.of.reference || reference.is_none() {
                for (usable, cell) in usable.iter_mut().zip(row.cells) {
                    *usable |= *cell != Cell::MISSING;
                }
            }
            let mut offer = |sample: &mut BottomK<Row>| {
                let make = || {
                    let cells = intern(row.cells, batch, schema, dictionaries);
                    Row { cells, label: row.label, made: row.made, is_reference: row.of.reference }
                };
                u64::from(sample.offer(row.identity, row.content, make) == Offered::Duplicate)
            };
            if row.of.stream {
                *duplicates += offer(rows);
            }
            if let Some(reference) = reference.as_mut().filter(|_| row.of.reference) {
                *reference_duplicates += offer(reference);
            }
        }
    }

    /// Records that were dropped because their identity is in the sample; beyond the sample duplicates go unnoticed.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Different records that can be learned from, and that can be evaluated on: the smaller number.
    pub(crate) fn distinct(&self, tally: &Tally) -> u64 {
        let stream = tally.records.saturating_sub(self.duplicates);
        let reference = self.reference.as_ref().map(|_| tally.reference.saturating_sub(self.reference_duplicates));
        reference.map_or(stream, |reference| reference.min(stream))
    }

    /// How many rows of the stream there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many rows there are in memory.
    pub(crate) fn held(&self) -> usize {
        self.rows.len() + self.reference.as_ref().map_or(0, BottomK::len)
    }

    /// Columns in which no record had a usable value.
    pub(crate) fn unusable<'a>(&self, schema: &'a Schema) -> Vec<(&'a str, Kind)> {
        let columns = schema.columns.iter().zip(&self.usable);
        columns.filter(|(_, usable)| !**usable).map(|((name, kind), _)| (name.as_str(), *kind)).collect()
    }

    /// The sample, of which such a share is set aside: a text that is there alone was never seen.
    pub(crate) fn finish(self, schema: &Schema, holdout_share: f64) -> Sample {
        let Self { rows, reference, dictionaries, duplicates: _, reference_duplicates: _, usable: _ } = self;
        let rows = rows.into_sorted();
        let reference = reference.map(BottomK::into_sorted);
        let learned_from = reference.as_ref().unwrap_or(&rows);
        let columns =
            schema.columns.iter().zip(&dictionaries).enumerate().map(|(column, ((name, kind), dictionary))| {
                let cells = learned_from.iter().map(|(hash, row)| (*hash, row.cells[column]));
                let kind = match kind {
                    Kind::Numeric => numeric(cells.filter_map(|(_, cell)| cell.number())),
                    Kind::Categorical => {
                        let learned = cells.filter(|(hash, _)| !is_held_out(*hash, holdout_share));
                        ColumnKind::categorical(frequent_values(dictionary, learned.map(|(_, cell)| cell)))
                    }
                };
                Column { name: name.clone(), kind }
            });
        let specification = FeatureSpecification { schema: SCHEMA, columns: columns.collect() };
        Sample { rows, reference, dictionaries, specification, holdout_share }
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
    reference: Option<Vec<(u128, Row)>>,
    dictionaries: Vec<Dictionary>,
    /// Medians are those of the sample or of the reference window, lists of texts those of the rows that are learned from.
    pub(crate) specification: FeatureSpecification,
    holdout_share: f64,
}

/// The sample in its parts.
pub(crate) struct Split {
    /// What is learned from.
    pub(crate) training: Rows,
    /// What is evaluated and calibrated on: of the stream, and not learned from.
    pub(crate) holdout: Rows,
    /// The rest of the stream, without the reference window, where that is what is learned from.
    pub(crate) rest: Option<Rows>,
}

/// Rows of one side of the split, in the order of their identities' hashes, that is a random one.
pub(crate) struct Rows {
    /// Encoded as the detector encodes them.
    pub(crate) matrix: Matrix,
    /// Whether the label says anomaly, where there is one.
    pub(crate) labels: Vec<Option<bool>>,
    /// Their `utc`, microseconds since 1970, where it can be read.
    pub(crate) made: Vec<Option<i64>>,
}

impl Sample {
    /// The columns of texts, each with the share of its texts that no other row has.
    pub(crate) fn once(&self) -> Vec<(String, f64)> {
        let rows = self.reference.as_ref().unwrap_or(&self.rows);
        let columns = self.specification.columns.iter().enumerate();
        let texts = columns.filter(|(_, column)| matches!(column.kind, ColumnKind::Categorical { .. }));
        let of = |number: usize| {
            let mut counts = vec![0_u64; self.dictionaries[number].len()];
            rows.iter().filter_map(|(_, row)| row.cells[number].category()).for_each(|id| counts[id] += 1);
            let once = counts.iter().filter(|count| **count == 1).count() as f64;
            once / counts.iter().sum::<u64>().max(1) as f64
        };
        texts.map(|(number, column)| (column.name.clone(), of(number))).collect()
    }

    /// Encodes the rows and sets the share of them aside. The choice hangs on the identity alone: its hash's lower half,
    /// which the sampling, that goes by the upper half, leaves uniform. So no record that is held out is learned from, also
    /// where it lies in the reference window.
    pub(crate) fn split(self, encoder: &Encoder) -> Split {
        let Self { rows, reference, dictionaries, specification: _, holdout_share } = self;
        let codes: Vec<Vec<f32>> =
            dictionaries.iter().enumerate().map(|(column, values)| codes(encoder, column, values)).collect();
        let Some(reference) = reference else {
            let (training, holdout) = parted(rows, encoder, &codes, holdout_share);
            return Split { training, holdout, rest: None };
        };
        let (mut rest, holdout) =
            rows.into_iter().partition::<Vec<_>, _>(|(hash, _)| !is_held_out(*hash, holdout_share));
        rest.retain(|(_, row)| !row.is_reference);
        let side = |rows| parted(rows, encoder, &codes, 0.).0;
        let training = parted(reference, encoder, &codes, holdout_share).0;
        Split { training, holdout: side(holdout), rest: Some(side(rest)) }
    }
}

/// The rows that are not held out, and those that are.
fn parted(rows: Vec<(u128, Row)>, encoder: &Encoder, codes: &[Vec<f32>], holdout_share: f64) -> (Rows, Rows) {
    let width = encoder.columns().len();
    let held_out = rows.iter().filter(|(hash, _)| is_held_out(*hash, holdout_share)).count();
    let side = |count| Rows {
        matrix: Matrix::with_capacity(width, count),
        labels: Vec::with_capacity(count),
        made: Vec::with_capacity(count),
    };
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
        side.made.push(row.made);
    }
    (training, holdout)
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
