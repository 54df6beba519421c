//! What is wanted of a table, and how much of it at once.

use vedette_contract::lookup::TableFormat;

/// A row of text has so many bytes at most, so that a quote that is not closed takes no more of the table with it.
pub(super) const LONGEST_ROW: usize = 1024 * 1024;

/// What is wanted of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSettings {
    /// How it is written.
    pub format: TableFormat,
    /// Column of the keys.
    pub key_column: String,
    /// Columns of the values.
    pub columns: Vec<String>,
}
