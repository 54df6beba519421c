//! Why a data set cannot be used: each says what to do about it.

use std::io;

use thiserror::Error;

use super::left_out::LeftOut;

/// Why a data set cannot be used.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// There is nothing in it.
    #[error("the data set is empty")]
    Empty,
    /// It has columns and no row that can be used.
    #[error("the data set has no usable row: {left_out}")]
    NoRows { left_out: LeftOut },
    /// Its bytes cannot be read or decompressed.
    #[error("cannot read or decompress the data set near line {line}")]
    Content {
        /// Line of the text, from 1.
        line: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("the data set is {what}: {mend}")]
    Foreign {
        what: &'static str,
        /// What to do.
        mend: &'static str,
    },
    /// It begins as JSON does, and not as a line of JSON.
    #[error("the data set is JSON, but its first line is no whole object ({cause}): write one object a line")]
    NotJsonLines { cause: String },
    /// Nothing but blanks stands between its fields.
    #[error(
        "the lines of the data set have {fields} fields each, with blanks between them: write a comma there, as sed -E 's/^ +| +$//g; s/ +/,/g' does, or say separator: Comma (--dataset-separator) where each line is one text"
    )]
    BlanksBetween { fields: usize },
    /// Columns are named for what names its own fields.
    #[error("the data set is lines of JSON, which name their own fields: leave columns out")]
    ColumnsOfObjects,
    /// The first line holds values.
    #[error(
        "line {line} of the data set seems to be a row, as {value:?} is no name: write the names of the columns before it, or list them as columns (--dataset-column); a line of those very names is then left out"
    )]
    HeaderMissing {
        /// Its line, from 1.
        line: u64,
        /// What tells so.
        value: String,
    },
    /// The names that were given are of another table.
    #[error("{columns} columns are named, and line {line} of the data set has {fields} fields: name each, in order")]
    ColumnCount {
        columns: usize,
        /// Its line, from 1.
        line: u64,
        fields: usize,
    },
    /// The header is not UTF-8.
    #[error(
        "the name of column {number} of the data set is not UTF-8: say its encoding, such as encoding: Windows1252 (--dataset-encoding)"
    )]
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
    /// A name that was given stands twice.
    #[error("columns {first} and {second} of the data set are both named {name:?}: rename one")]
    ColumnTwice {
        name: String,
        /// Position, from 1.
        first: usize,
        /// Position, from 1.
        second: usize,
    },
    /// A name is ours.
    #[error("column {number} of the data set, {name:?}, has the name of a field that Vedette adds: rename it")]
    ColumnReserved {
        name: String,
        /// Position, from 1.
        number: usize,
    },
    /// A name is that of a calculated field.
    #[error(
        "column {number} of the data set, {name:?}, has the name of a calculated field, or of one that is looked up: rename it, or take it out of spec.detector.lookups and calculatedFields (an empty list of the latter leaves out the default, total_bytes)"
    )]
    ColumnCalculated {
        name: String,
        /// Position, from 1.
        number: usize,
    },
    /// A quote is opened and not closed where it should be.
    #[error(
        "a quote that is opened in line {line} of the data set takes the following lines with it: close it, or write each quote inside of it twice"
    )]
    QuoteUnclosed {
        /// Where its row begins, from 1.
        line: u64,
    },
    /// Numbers seem to have a comma before the decimals, or marks between thousands.
    #[error(
        "line {line} of the data set has {value:?}, which seems to be a number with a decimal comma, or with marks between its thousands: set decimalMark: Comma (--dataset-decimal-mark), or Point, by which a decimal comma makes a text"
    )]
    DecimalMark {
        /// Its line, from 1.
        line: u64,
        value: String,
    },
    /// The label field is not there.
    #[error(
        "the data set has no column {field:?} for the label; its columns are {columns}: name the label's, and the values of it that are normal (--label-field, --normal-label; make demo LABEL=column NORMAL=value)"
    )]
    LabelMissing {
        /// What was asked for.
        field: String,
        /// What there is.
        columns: String,
    },
    /// No line has the label field.
    #[error(
        "no line of the data set has the field {field:?} for the label: name the label's, and the values of it that are normal (--label-field, --normal-label; make demo LABEL=field NORMAL=value)"
    )]
    LabelNowhere { field: String },
    /// The normal values are of another data set.
    #[error(
        "no value of the label {field:?} of the data set is normal, which {normal} would be; seen are {seen}: say which are (--label-field, --normal-label; make demo LABEL=column NORMAL=value)"
    )]
    LabelNeverNormal {
        field: String,
        /// What would be.
        normal: String,
        /// Some values that are there.
        seen: String,
    },
}

impl DatasetError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoRows { .. } => "DatasetEmpty",
            Self::Content { .. } => "DatasetUnreadable",
            Self::Foreign { .. } | Self::NotJsonLines { .. } => "DatasetForeign",
            Self::HeaderMissing { .. }
            | Self::ColumnsOfObjects
            | Self::ColumnCount { .. }
            | Self::HeaderNotText { .. }
            | Self::ColumnUnnamed { .. }
            | Self::ColumnTwice { .. }
            | Self::ColumnReserved { .. }
            | Self::ColumnCalculated { .. } => "DatasetHeaderInvalid",
            Self::QuoteUnclosed { .. } | Self::DecimalMark { .. } | Self::BlanksBetween { .. } => "DatasetAmbiguous",
            Self::LabelMissing { .. } | Self::LabelNowhere { .. } => "LabelFieldMissing",
            Self::LabelNeverNormal { .. } => "LabelNeverNormal",
        }
    }
}
