//! Why a table cannot be joined with: each says what to do about it.

use std::io;

use thiserror::Error;

use crate::error::DatasetError;

/// Why a table cannot be joined with.
#[derive(Debug, Error)]
pub enum TableError {
    /// Its first bytes cannot be read, or are those of something else.
    #[error("the table cannot be opened")]
    Open(#[source] DatasetError),
    /// Its bytes cannot be read or decompressed.
    #[error("cannot read the table near line {line}")]
    Content {
        /// Line of the text, from 1.
        line: u64,
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("the table is empty: write the names of its columns in the first line, and a row for each key")]
    Empty,
    /// It has columns and no row.
    #[error("the table has no row: write one for each key")]
    NoRows,
    /// A name of a column is not text.
    #[error("the name of column {number} of the table is not UTF-8: save the table as UTF-8")]
    HeaderNotText {
        /// Position, from 1.
        number: usize,
    },
    /// A column that is wanted is not there.
    #[error("the table has no column {column:?}; it has {columns}: name one of these in keyColumn or columns")]
    ColumnMissing {
        column: String,
        /// What there is.
        columns: String,
    },
    /// A column that is wanted is there twice.
    #[error("the table has two columns {column:?}: rename one")]
    ColumnTwice { column: String },
    /// No line of JSON has the member that is wanted.
    #[error("no line of the table has {column:?}: name a member of its objects in keyColumn or columns")]
    MemberNowhere { column: String },
    /// A row is shorter or longer than the first.
    #[error("line {line} of the table has {fields} fields, and there are {columns} columns: mend the line")]
    FieldCount {
        /// Its line, from 1.
        line: u64,
        fields: usize,
        columns: usize,
    },
    /// A field is not text.
    #[error("line {line} of the table is not UTF-8 in {column:?}: save the table as UTF-8")]
    NotText {
        /// Its line, from 1.
        line: u64,
        column: String,
    },
    /// A quote is opened and not closed.
    #[error("a quote that is opened in line {line} of the table takes what follows with it: close it")]
    QuoteUnclosed {
        /// Where its row begins, from 1.
        line: u64,
    },
    /// A row is too long.
    #[error("the row that begins in line {line} of the table has more than 1 MiB: shorten it, or close its quote")]
    RowTooLong {
        /// Where it begins, from 1.
        line: u64,
    },
    /// A number may be meant in two ways.
    #[error(
        "line {line} of the table has {value:?}, a number with a decimal comma or with marks between its thousands as it seems: write a point before decimals and nothing else"
    )]
    DecimalMark {
        /// Its line, from 1.
        line: u64,
        value: String,
    },
    /// A line is no object of JSON.
    #[error("line {line} of the table is no JSON object ({cause}): write one object a line")]
    NotAnObject {
        /// Its line, from 1.
        line: u64,
        cause: String,
    },
    /// A value is an array or an object.
    #[error("line {line} of the table has an array or object in {column:?}: write a number, a text or a boolean")]
    Nested {
        /// Its line, from 1.
        line: u64,
        column: String,
    },
    /// A row has no key.
    #[error("line {line} of the table has no value in the key column {column:?}: write one, or take the line out")]
    KeyMissing {
        /// Its line, from 1.
        line: u64,
        column: String,
    },
    /// A key stands there again, with other values.
    #[error("line {line} of the table has the key {key:?} once more, with other values: leave one of the lines")]
    KeyRepeated {
        /// Its line, from 1.
        line: u64,
        key: String,
    },
    /// It takes too much memory.
    #[error("the table takes more than 512 MiB at line {line}: leave out rows, or name fewer columns")]
    TooLarge {
        /// The line, from 1.
        line: u64,
    },
}
