//! Rows on their way from the lines to the sample, without an allocation each: one buffer of cells and one of text.

use std::ops::Range;

use vedette_records::Scalar;

use crate::cell::Cell;
use crate::schema::Kind;

/// Rows that were read and not yet offered to the sample.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    heads: Vec<RowHead>,
    /// A categorical cell is a position in `spans`.
    cells: Vec<Cell>,
    /// Places of the categories in `text`.
    spans: Vec<Range<usize>>,
    /// Identities and categories.
    text: String,
}

/// One row without its cells.
#[derive(Debug)]
struct RowHead {
    /// Place in the batch's text.
    identity: Range<usize>,
    content: [u8; 16],
    label: Option<bool>,
    of: Of,
    made: Option<i64>,
}

/// Of what a record is: of one at least, or it is no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Of {
    /// The stream as it is, which calibrates and evaluates.
    pub stream: bool,
    /// The period that is learned from.
    pub reference: bool,
}

/// One row of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowView<'a> {
    /// Value of the field that tells records apart, or the place of a record without one.
    pub identity: &'a [u8],
    /// Hash of the whole line: decides between records of one identity.
    pub content: &'a [u8],
    /// Whether the label says anomaly.
    pub label: Option<bool>,
    /// Of what it is.
    pub of: Of,
    /// Its `utc`, microseconds since 1970, where that can be read.
    pub made: Option<i64>,
    /// See [`Batch::category`] for those of categorical columns.
    pub cells: &'a [Cell],
}

impl Batch {
    /// Adds the next value of the row that [`Self::end_row`] ends.
    pub(crate) fn push(&mut self, kind: Kind, value: Option<Scalar<'_>>) {
        let cell = match kind {
            Kind::Numeric => value.and_then(Scalar::number).map(Cell::of_number),
            Kind::Categorical => value.and_then(Scalar::category).map(|text| {
                let span = self.append(&text);
                self.spans.push(span);
                Cell::of_category(self.spans.len() - 1)
            }),
        };
        self.cells.push(cell.unwrap_or(Cell::MISSING));
    }

    /// Makes a row of the values that were pushed since the last one.
    pub(crate) fn end_row(
        &mut self,
        identity: &str,
        content: [u8; 16],
        label: Option<bool>,
        of: Of,
        made: Option<i64>,
    ) {
        let identity = self.append(identity);
        self.heads.push(RowHead { identity, content, label, of, made });
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    /// The rows, which have so many cells each.
    pub(crate) fn rows(&self, width: usize) -> impl Iterator<Item = RowView<'_>> {
        self.heads.iter().enumerate().map(move |(number, head)| RowView {
            identity: &self.text.as_bytes()[head.identity.clone()],
            content: &head.content,
            label: head.label,
            of: head.of,
            made: head.made,
            cells: &self.cells[number * width..(number + 1) * width],
        })
    }

    /// Text of a categorical cell.
    pub(crate) fn category(&self, cell: Cell) -> Option<&str> {
        cell.category().map(|position| &self.text[self.spans[position].clone()])
    }

    /// Forgets the rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.heads.clear();
        self.cells.clear();
        self.spans.clear();
        self.text.clear();
    }

    /// Takes a text in; returns its place.
    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}
