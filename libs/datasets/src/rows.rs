//! Rows in memory: what each appends to a record, one after the other.

use vedette_records::{Label, LabelTally, Scalar};

use super::error::DatasetError;
use super::left_out::LeftOut;

/// Stands between the cells of a row. Cells are UTF-8, in which this byte cannot occur.
pub(super) const SEPARATOR: u8 = 0xFF;

/// The rows by their label. A row without a label is in neither list.
#[derive(Debug, Default)]
pub struct LabelledRows {
    /// Rows with a normal label.
    pub normal: Vec<usize>,
    /// Rows with any other label.
    pub anomalous: Vec<usize>,
    seen: LabelTally,
}

impl LabelledRows {
    /// Notes what the label of a row says.
    pub(super) fn note(&mut self, row: usize, label: &Label, value: Scalar<'_>) {
        match self.seen.note(label, value) {
            Some(true) => self.anomalous.push(row),
            Some(false) => self.normal.push(row),
            None => {}
        }
    }

    /// Refuses a label of which no value is normal: what it means was not said, or is misspelt.
    pub(super) fn check(&self, label: &Label) -> Result<(), DatasetError> {
        let (field, normal) = (label.field().to_owned(), label.normal().join(", "));
        self.seen.never_normal().map_or(Ok(()), |seen| Err(DatasetError::LabelNeverNormal { field, normal, seen }))
    }
}

/// Rows of text.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// A row's JSON values with [`SEPARATOR`] between them, or the members of its object; row after row.
    pub text: Vec<u8>,
    /// Where each row ends in `text`.
    pub ends: Vec<usize>,
    /// The rows by label, where there is one and normal labels are known.
    pub labelled: Option<LabelledRows>,
    pub left_out: LeftOut,
}

impl Rows {
    /// A row's text.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[row]]
    }
}
