//! The columns of a data set: KDD Cup 99's where the file has its shape, else those of the header line.

use csv::ByteRecord;
use vedette_contract::fields;

use super::DatasetError;
use super::cell::{append_json_string, is_json_number};
use crate::columns::{Column, LABEL};

/// The columns of a data set, in its order.
#[derive(Debug)]
pub(super) struct Header {
    /// Their names.
    pub names: Vec<String>,
    /// Whether these are KDD Cup 99's, so that the first line is a row.
    pub is_kdd: bool,
}

impl Header {
    /// Reads the first line. KDD's files have no header: 42 fields of which `duration`, `src_bytes` and `dst_bytes` are
    /// numbers and `protocol_type` is none.
    ///
    /// # Errors
    /// When a header line is missing, or names a column not at all, twice, or as a field that is ours.
    pub(super) fn of(first_line: &ByteRecord) -> Result<Self, DatasetError> {
        let is_number = |position: usize| {
            let field = first_line.get(position).and_then(|bytes| std::str::from_utf8(bytes).ok());
            field.is_some_and(|text| is_json_number(text.trim()))
        };
        let numbers = [Column::Duration, Column::SrcBytes, Column::DstBytes];
        if first_line.len() == Column::ALL.len() + 1
            && numbers.into_iter().all(|column| is_number(column as usize))
            && !is_number(Column::ProtocolType as usize)
        {
            let names = Column::ALL.into_iter().map(Column::name).chain([LABEL]);
            return Ok(Self { names: names.map(str::to_owned).collect(), is_kdd: true });
        }
        if (0..first_line.len()).all(is_number) {
            return Err(DatasetError::HeaderMissing);
        }
        let mut names: Vec<String> = Vec::with_capacity(first_line.len());
        for (position, field) in first_line.iter().enumerate() {
            let number = position + 1;
            let name = std::str::from_utf8(field).map_err(|_| DatasetError::HeaderNotText { number })?.trim();
            if name.is_empty() {
                return Err(DatasetError::ColumnUnnamed { number });
            }
            if fields::is_reserved(name) {
                return Err(DatasetError::ColumnReserved { name: name.to_owned() });
            }
            if names.iter().any(|other| other == name) {
                return Err(DatasetError::ColumnTwice { name: name.to_owned() });
            }
            names.push(name.to_owned());
        }
        Ok(Self { names, is_kdd: false })
    }

    /// What stands before each column's value in a JSON object that is open and not empty: `,"duration":`.
    pub(super) fn member_prefixes(&self) -> Vec<Vec<u8>> {
        let prefix = |name: &String| {
            let mut prefix = vec![b','];
            append_json_string(name, &mut prefix);
            prefix.push(b':');
            prefix
        };
        self.names.iter().map(prefix).collect()
    }

    /// Where a column stands.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }
}
