//! The columns of a table: those that are told, KDD Cup 99's where the file has its shape, else those of the header line.

use csv::ByteRecord;
use vedette_contract::fields;
use vedette_records::Label;

use super::DatasetSettings;
use super::cell::{CellSyntax, append_json_string, is_value};
use super::error::DatasetError;
use super::layout::TableLayout;
use crate::columns::{Column, LABEL, NORMALS};

/// What NSL-KDD has after the label.
const DIFFICULTY: &str = "difficulty";

/// The columns of a table, in its order.
#[derive(Debug)]
pub(super) struct Header {
    /// Their names.
    pub names: Vec<String>,
    /// The names as a line of the file has them.
    pub line: Vec<String>,
    /// Whether the first line is a row.
    pub is_first_line_row: bool,
    /// The label that files of this shape have.
    pub own_label: Option<Label>,
}

impl Header {
    /// Reads the first line, which stands at `line`.
    ///
    /// # Errors
    /// When a header line is missing, or a name is not there, given twice, or that of another field.
    pub(super) fn of(
        first_line: &ByteRecord,
        line: u64,
        layout: &TableLayout,
        settings: &DatasetSettings,
    ) -> Result<Self, DatasetError> {
        let header = match (settings.format.columns.as_slice(), &layout.names) {
            ([], None) if is_kdds(first_line, &layout.cells) => Self::of_kdd(first_line.len()),
            ([], None) => Self::of_line(first_line, line, &layout.cells)?,
            ([], Some(names)) => Self::of_names(names),
            (columns, _) => Self::of_names(columns),
        };
        let (columns, fields) = (header.names.len(), first_line.len());
        if header.is_first_line_row && columns != fields {
            return Err(DatasetError::ColumnCount { columns, line, fields });
        }
        check_names(&header.names, &settings.calculated_names)?;
        Ok(header)
    }

    fn of_names(names: &[String]) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
        Self { line: names.clone(), names, is_first_line_row: true, own_label: None }
    }

    fn of_kdd(fields: usize) -> Self {
        let names = Column::ALL.into_iter().map(Column::name).chain([LABEL, DIFFICULTY]).take(fields);
        let names = names.map(str::to_owned).collect::<Vec<_>>();
        Self { own_label: Some(Label::new(LABEL, NORMALS)), ..Self::of_names(&names) }
    }

    fn of_line(first_line: &ByteRecord, line: u64, cells: &CellSyntax) -> Result<Self, DatasetError> {
        let mut names = Vec::with_capacity(first_line.len());
        for (position, field) in first_line.iter().enumerate() {
            let name =
                std::str::from_utf8(field).map_err(|_| DatasetError::HeaderNotText { number: position + 1 })?.trim();
            if cells.number(name).is_some() || is_value(name) {
                return Err(DatasetError::HeaderMissing { line, value: name.to_owned() });
            }
            names.push(name.to_owned());
        }
        Ok(Self { names: numbered(&names), line: names, is_first_line_row: false, own_label: None })
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

    /// Whether the row is the line of names.
    pub(super) fn is_again(&self, row: &ByteRecord) -> bool {
        row.iter().zip(&self.line).all(|(field, name)| field.trim_ascii() == name.as_bytes())
    }
}

/// KDD's files have no header: 42 fields, or NSL-KDD's 43, of which `duration`, `src_bytes` and `dst_bytes` are numbers and
/// `protocol_type` is none.
fn is_kdds(first_line: &ByteRecord, cells: &CellSyntax) -> bool {
    let is_number = |position: usize| {
        let field = first_line.get(position).and_then(|bytes| std::str::from_utf8(bytes).ok());
        field.is_some_and(|text| cells.number(text.trim()).is_some())
    };
    let label = Column::ALL.len();
    let has_length = first_line.len() == label + 1 || (first_line.len() == label + 2 && is_number(label + 1));
    let numbers = [Column::Duration, Column::SrcBytes, Column::DstBytes];
    has_length
        && numbers.into_iter().all(|column| is_number(column as usize))
        && !is_number(Column::ProtocolType as usize)
        && !is_number(label)
}

/// Names that stand again in a line get `.1`, `.2`, as others have read such files before.
fn numbered(line: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(line.len());
    for name in line {
        let is_taken =
            |candidate: &String| names.contains(candidate) || (candidate != name && line.contains(candidate));
        let candidates = std::iter::once(name.clone()).chain((1_u32..).map(|again| format!("{name}.{again}")));
        names.extend(candidates.into_iter().find(|candidate| name.is_empty() || !is_taken(candidate)));
    }
    names
}

fn check_names(names: &[String], calculated: &[String]) -> Result<(), DatasetError> {
    for (position, name) in names.iter().enumerate() {
        let (number, name) = (position + 1, name.clone());
        if name.is_empty() {
            return Err(DatasetError::ColumnUnnamed { number });
        }
        if fields::is_reserved(&name) {
            return Err(DatasetError::ColumnReserved { name, number });
        }
        if calculated.contains(&name) {
            return Err(DatasetError::ColumnCalculated { name, number });
        }
        if let Some(first) = names[..position].iter().position(|other| *other == name) {
            return Err(DatasetError::ColumnTwice { name, first: first + 1, second: number });
        }
    }
    Ok(())
}
