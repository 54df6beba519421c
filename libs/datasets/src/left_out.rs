//! The rows that are left out of a data set, counted by reason, each with its first example.

use std::collections::BTreeMap;
use std::fmt;

use tracing::warn;

/// So many rows are logged one by one.
const LOGGED_ROWS: u64 = 5;

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowFault {
    /// It has more or fewer fields than there are columns.
    FieldCount,
    /// It is not UTF-8.
    Encoding,
    /// It is the line of names once more.
    HeaderAgain,
    /// It has no value.
    Empty,
    /// It is no JSON object that may be a record.
    NotARecord,
}

impl RowFault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::FieldCount, Self::Encoding, Self::HeaderAgain, Self::Empty, Self::NotARecord];

    /// A word for metrics and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::FieldCount => "field_count",
            Self::Encoding => "encoding",
            Self::HeaderAgain => "header_again",
            Self::Empty => "empty",
            Self::NotARecord => "not_a_record",
        }
    }
}

/// Rows that are left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultyRows {
    /// How many.
    pub rows: u64,
    /// Line of the first, from 1.
    pub first_line: u64,
    /// What is wrong with the first.
    pub example: String,
}

/// What is left out of a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<RowFault, FaultyRows>);

impl LeftOut {
    /// How many rows.
    pub fn rows(&self) -> u64 {
        self.0.values().map(|faulty| faulty.rows).sum()
    }

    /// The reasons that there are.
    pub fn by_fault(&self) -> impl Iterator<Item = (RowFault, &FaultyRows)> {
        self.0.iter().map(|(fault, faulty)| (*fault, faulty))
    }

    /// One more row.
    pub(super) fn add(&mut self, fault: RowFault, line: u64, cause: impl FnOnce() -> String) {
        let is_logged = self.rows() < LOGGED_ROWS;
        if !is_logged && let Some(faulty) = self.0.get_mut(&fault) {
            faulty.rows += 1;
            return;
        }
        let example = cause();
        if is_logged {
            warn!(line, reason = fault.word(), cause = example, "bad row in the data set is left out");
        }
        self.0.entry(fault).or_insert(FaultyRows { rows: 0, first_line: line, example }).rows += 1;
    }
}

/// `20 rows are left out (encoding; the first is line 5: field 2 is not UTF-8)`
impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("no row is left out");
        }
        for (position, (fault, FaultyRows { rows, first_line, example })) in self.by_fault().enumerate() {
            let (between, fault) = (if position > 0 { "; " } else { "" }, fault.word());
            let are = if *rows == 1 { "row is" } else { "rows are" };
            write!(formatter, "{between}{rows} {are} left out ({fault}; the first is line {first_line}: {example})")?;
        }
        Ok(())
    }
}
