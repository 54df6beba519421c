//! A CSV data set in memory. Each cell is rendered as JSON once, while loading; a record is then a few copies.

mod cell;
mod content;
mod header;
mod lines;

use std::io::{self, BufRead, BufReader, Read};

use csv::{ByteRecord, ReaderBuilder};
use thiserror::Error;
use tracing::{info, warn};
use vedette_records::{Label, Scalar};

use self::content::decompress;
use self::header::Header;
use self::lines::Lines;
use crate::columns::{LABEL, NORMAL};

/// Stands between the cells of a row. Cells are UTF-8, in which this byte cannot occur.
const SEPARATOR: u8 = 0xFF;
/// So many bad rows are logged one by one.
const LOGGED_BAD_ROWS: u64 = 5;

/// Why a data set cannot be used.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// There is nothing in it.
    #[error("the data set is empty")]
    Empty,
    /// It has columns and no row that can be used.
    #[error("the data set has no usable row: {bad_rows} bad rows after the header")]
    NoRows {
        /// Rows that were skipped.
        bad_rows: u64,
    },
    /// Its bytes cannot be read or decompressed.
    #[error("cannot read or decompress the data set near line {line}")]
    Content {
        /// Line of the text, from 1.
        line: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// All fields of the first line are numbers.
    #[error("the first line of the data set holds only numbers: write the names of the columns before it")]
    HeaderMissing,
    /// The header is not UTF-8.
    #[error("the name of column {number} of the data set is not UTF-8")]
    HeaderNotText {
        /// Position, from 1.
        number: usize,
    },
    /// A column has no name.
    #[error("column {number} of the data set has no name: name it in the first line")]
    ColumnUnnamed {
        /// Position, from 1.
        number: usize,
    },
    /// A name stands twice.
    #[error("column {name:?} stands twice in the first line of the data set: rename one")]
    ColumnTwice { name: String },
    /// A name is ours.
    #[error("column {name:?} of the data set has the name of a field that Vedette adds: rename it")]
    ColumnReserved { name: String },
    /// The label field is not there.
    #[error("the data set has no column {field:?} for the label; its columns are {columns}")]
    LabelMissing {
        /// What was asked for.
        field: String,
        /// What there is.
        columns: String,
    },
}

impl DatasetError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoRows { .. } => "DatasetEmpty",
            Self::Content { .. } => "DatasetUnreadable",
            Self::HeaderMissing
            | Self::HeaderNotText { .. }
            | Self::ColumnUnnamed { .. }
            | Self::ColumnTwice { .. }
            | Self::ColumnReserved { .. } => "DatasetHeaderInvalid",
            Self::LabelMissing { .. } => "LabelFieldMissing",
        }
    }
}

/// The rows of a data set by their label. A row without a label is in neither list.
#[derive(Debug, Default)]
pub(crate) struct LabelledRows {
    /// Rows with a normal label.
    pub normal: Vec<usize>,
    /// Rows with any other label.
    pub anomalous: Vec<usize>,
}

/// A loaded data set: at least one row, each with a cell for every column.
#[derive(Debug)]
pub(crate) struct Dataset {
    member_prefixes: Vec<Vec<u8>>,
    /// JSON values, separated within a row by [`SEPARATOR`], row after row.
    cells: Vec<u8>,
    /// Where each row ends in `cells`.
    ends: Vec<usize>,
    /// The rows by label, where there is one and normal labels are known.
    pub labelled: Option<LabelledRows>,
    /// Bad rows that were left out.
    pub bad_rows: u64,
}

impl Dataset {
    /// Reads a CSV data set: plain, gzip or zstd; KDD Cup 99's columns, or any with a header line. White space around
    /// cells does not count. KDD's label and its normal value are known where `label` does not name them.
    ///
    /// # Errors
    /// When it cannot be read, has a wrong header or no label field as asked for, or has no usable row.
    pub(crate) fn load(content: impl Read, label: Option<&Label>) -> Result<Self, DatasetError> {
        let unreadable = |line| move |source| DatasetError::Content { line, source };
        let text = decompress(content).map_err(unreadable(1))?;
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).from_reader(Lines::new(BufReader::new(text)));
        let mut row = ByteRecord::new();
        if !read(&mut reader, &mut row)? {
            return Err(DatasetError::Empty);
        }
        let header = Header::of(&row)?;
        let label = LabelColumn::of(label, &header)?;
        let mut dataset = Self {
            member_prefixes: header.member_prefixes(),
            cells: Vec::new(),
            ends: Vec::new(),
            labelled: label.is_some().then(LabelledRows::default),
            bad_rows: 0,
        };
        let mut is_row = header.is_kdd;
        loop {
            if is_row {
                dataset.take(&row, reader.get_ref().line(), label.as_ref());
            }
            is_row = true;
            if !read(&mut reader, &mut row)? {
                break;
            }
        }
        dataset.finish()
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Appends the members of a row, counted from 0, to a JSON object that is open and not empty: `,"duration":0,…`.
    pub(crate) fn append_members(&self, row: usize, object: &mut Vec<u8>) {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        let cells = self.cells[start..self.ends[row]].split(|byte| *byte == SEPARATOR);
        for (prefix, cell) in self.member_prefixes.iter().zip(cells) {
            object.extend_from_slice(prefix);
            object.extend_from_slice(cell);
        }
    }

    /// `last_line` is the line on which the row ends.
    fn take(&mut self, row: &ByteRecord, last_line: u64, label: Option<&LabelColumn>) {
        if row.len() != self.member_prefixes.len() {
            let expected = self.member_prefixes.len();
            let reason = format!("it has {} fields, and there are {expected} columns", row.len());
            return self.refuse(row, last_line, &reason);
        }
        let start = self.cells.len();
        for (position, field) in row.iter().enumerate() {
            let Ok(text) = std::str::from_utf8(field) else {
                self.cells.truncate(start);
                return self.refuse(row, last_line, &format!("field {} is not UTF-8", position + 1));
            };
            if position > 0 {
                self.cells.push(SEPARATOR);
            }
            let cell_start = self.cells.len();
            cell::append_json(text, &mut self.cells);
            if let Some(label) = label.filter(|label| label.position == position) {
                self.note_label(&label.label, cell_start);
            }
        }
        self.ends.push(self.cells.len());
    }

    /// Reads the label of the row at hand as whoever reads the record does.
    fn note_label(&mut self, label: &Label, cell_start: usize) {
        let value = std::str::from_utf8(&self.cells[cell_start..]).ok().map(Scalar::of_json);
        let (Some(labelled), Some(value)) = (&mut self.labelled, value) else { return };
        match label.is_anomaly(value) {
            Some(true) => labelled.anomalous.push(self.ends.len()),
            Some(false) => labelled.normal.push(self.ends.len()),
            None => {}
        }
    }

    fn refuse(&mut self, row: &ByteRecord, last_line: u64, reason: &str) {
        self.bad_rows += 1;
        if self.bad_rows <= LOGGED_BAD_ROWS {
            let lines_inside = row.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            warn!(line = last_line - lines_inside, reason, "bad row in the data set is left out");
        }
    }

    fn finish(mut self) -> Result<Self, DatasetError> {
        if self.ends.is_empty() {
            return Err(DatasetError::NoRows { bad_rows: self.bad_rows });
        }
        if self.bad_rows > LOGGED_BAD_ROWS {
            warn!(bad_rows = self.bad_rows, "bad rows in the data set were left out");
        }
        self.cells.shrink_to_fit();
        self.ends.shrink_to_fit();
        info!(
            rows = self.rows(),
            bad_rows = self.bad_rows,
            columns = self.member_prefixes.len(),
            normal_rows = self.labelled.as_ref().map(|labelled| labelled.normal.len()),
            anomalous_rows = self.labelled.as_ref().map(|labelled| labelled.anomalous.len()),
            memory_bytes = self.cells.len(),
            "data set loaded"
        );
        Ok(self)
    }
}

/// The column of a label that can tell.
struct LabelColumn {
    label: Label,
    position: usize,
}

impl LabelColumn {
    fn of(label: Option<&Label>, header: &Header) -> Result<Option<Self>, DatasetError> {
        let is_kdds = header.is_kdd && label.is_none_or(|label| label.field() == LABEL && !label.can_tell());
        let kdds = is_kdds.then(|| Label::new(LABEL, [NORMAL]));
        let Some(label) = kdds.as_ref().or(label) else { return Ok(None) };
        let missing = || {
            let (field, columns) = (label.field().to_owned(), header.names.join(", "));
            DatasetError::LabelMissing { field, columns }
        };
        let position = header.position(label.field()).ok_or_else(missing)?;
        Ok(label.can_tell().then(|| Self { label: label.clone(), position }))
    }
}

/// Reads the next row; false at the end.
fn read(reader: &mut csv::Reader<Lines<impl BufRead>>, row: &mut ByteRecord) -> Result<bool, DatasetError> {
    reader.read_byte_record(row).map_err(|error| {
        let line = reader.get_ref().line();
        let source = match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            other => io::Error::other(format!("{other:?}")),
        };
        DatasetError::Content { line, source }
    })
}

#[cfg(test)]
mod tests;
