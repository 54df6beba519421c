//! A data set in memory: a table or lines of JSON. A record of it is a few copies.

mod cell;
pub mod columns;
mod content;
mod encoding;
mod error;
mod foreign;
mod header;
mod layout;
mod left_out;
mod lines;
pub mod lookup;
mod objects;
mod rows;
mod table;

use std::io::Read;

use tracing::info;
use vedette_contract::arguments::DatasetArguments;
use vedette_records::Label;

use self::layout::Layout;
use self::rows::{Rows, SEPARATOR};

pub use self::error::DatasetError;
pub use self::left_out::{FaultyRows, LeftOut, RowFault};
pub use self::rows::LabelledRows;

/// What is known of a data set beside its bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatasetSettings {
    /// How it is written.
    pub format: DatasetArguments,
    /// Which rows are anomalies.
    pub label: Option<Label>,
    /// The fields that the detector calculates, which no row may have.
    pub calculated_names: Vec<String>,
}

/// What a data set holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its usable rows.
    pub rows: usize,
    pub left_out: LeftOut,
}

/// Reads a whole data set, to see what it holds.
///
/// # Errors
/// Those that would end a generator.
pub fn inspect(content: impl Read, settings: &DatasetSettings) -> Result<Inspection, DatasetError> {
    let dataset = Dataset::load(content, settings)?;
    Ok(Inspection { rows: dataset.rows(), left_out: dataset.left_out })
}

/// A loaded data set: at least one row.
#[derive(Debug)]
pub struct Dataset {
    rows: Rows,
    /// `,"name":` before each cell of a table; none where rows are members of an object.
    member_prefixes: Option<Vec<Vec<u8>>>,
    /// The rows by label, where there is one and normal labels are known.
    pub labelled: Option<LabelledRows>,
    /// Rows that are no part of it.
    pub left_out: LeftOut,
}

impl Dataset {
    /// Reads a data set: plain, gzip or zstd; a table, KDD Cup 99's or any with names, or lines of JSON. White space around
    /// cells does not count. KDD's label and its normal value are known where the settings do not name them.
    ///
    /// # Errors
    /// When it cannot be read, is not what its first lines promise, or has no label field as asked for or no usable row.
    pub fn load(content: impl Read, settings: &DatasetSettings) -> Result<Self, DatasetError> {
        let text = content::open(content, settings.format.encoding)?;
        let (head, text) =
            content::peek(text, layout::HEAD_BYTES).map_err(|source| DatasetError::Content { line: 1, source })?;
        let (rows, member_prefixes) = match Layout::of(&head, &settings.format)? {
            Layout::Objects => (objects::read(text, settings)?, None),
            Layout::Table(layout) => {
                let (header, rows) = table::read(text, &layout, settings)?;
                (rows, Some(header.member_prefixes()))
            }
        };
        Self::of(rows, member_prefixes)
    }

    fn of(mut rows: Rows, member_prefixes: Option<Vec<Vec<u8>>>) -> Result<Self, DatasetError> {
        let (labelled, left_out) = (rows.labelled.take(), std::mem::take(&mut rows.left_out));
        if rows.ends.is_empty() {
            return Err(DatasetError::NoRows { left_out });
        }
        rows.text.shrink_to_fit();
        rows.ends.shrink_to_fit();
        info!(
            rows = rows.ends.len(),
            bad_rows = left_out.rows(),
            left_out = %left_out,
            columns = member_prefixes.as_ref().map(Vec::len),
            normal_rows = labelled.as_ref().map(|labelled| labelled.normal.len()),
            anomalous_rows = labelled.as_ref().map(|labelled| labelled.anomalous.len()),
            memory_bytes = rows.text.len(),
            "data set loaded"
        );
        Ok(Self { rows, member_prefixes, labelled, left_out })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.ends.len()
    }

    /// Appends the members of a row, counted from 0, to a JSON object that is open and not empty: `,"duration":0,…`.
    pub fn append_members(&self, row: usize, object: &mut Vec<u8>) {
        let text = self.rows.row(row);
        let Some(member_prefixes) = &self.member_prefixes else {
            object.push(b',');
            object.extend_from_slice(text);
            return;
        };
        for (prefix, cell) in member_prefixes.iter().zip(text.split(|byte| *byte == SEPARATOR)) {
            object.extend_from_slice(prefix);
            object.extend_from_slice(cell);
        }
    }
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
