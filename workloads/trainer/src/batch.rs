//! Rows on their way from the lines to the sample, without an allocation each: one buffer of cells and one of text.

use std::ops::Range;

use crate::line::Schema;

/// The cell of a field that a record does not have, or not in the kind of its column.
pub const MISSING: u32 = u32::MAX;

/// Rows that were read and not yet offered to the sample.
#[derive(Debug, Default)]
pub struct Batch {
    /// Heads of the rows.
    pub heads: Vec<RowHead>,
    /// Numeric columns hold the bits of an `f32`, that of no number where missing; categorical ones a position in `spans`,
    /// or [`MISSING`].
    pub cells: Vec<u32>,
    /// Places of the categories in `text`.
    pub spans: Vec<Range<usize>>,
    /// Identities and categories.
    pub text: String,
}

/// One row without its cells.
#[derive(Debug)]
pub struct RowHead {
    /// Place in the batch's text.
    pub identity: Range<usize>,
    /// Hash of the whole line.
    pub content: [u8; 16],
    /// Whether the label says anomaly.
    pub label: Option<bool>,
}

/// One row of a batch.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    /// Value of the field that tells records apart, or the place of a record without one.
    pub identity: &'a [u8],
    /// Hash of the whole line: decides between records of one identity.
    pub content: &'a [u8],
    /// Whether the label says anomaly.
    pub label: Option<bool>,
    /// See [`Batch::category`] for those of categorical columns.
    pub cells: &'a [u32],
}

impl Batch {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// The rows.
    pub fn rows(&self, schema: &Schema) -> impl Iterator<Item = RowView<'_>> {
        let width = schema.columns.len();
        self.heads.iter().enumerate().map(move |(number, head)| RowView {
            identity: &self.text.as_bytes()[head.identity.clone()],
            content: &head.content,
            label: head.label,
            cells: &self.cells[number * width..(number + 1) * width],
        })
    }

    /// Text of a categorical cell.
    pub fn category(&self, cell: u32) -> Option<&str> {
        (cell != MISSING).then(|| &self.text[self.spans[cell as usize].clone()])
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.cells.clear();
        self.spans.clear();
        self.text.clear();
    }

    /// Takes a text in; returns its place.
    pub fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}
