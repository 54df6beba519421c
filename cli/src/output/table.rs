//! Rows in columns.

use std::io::{self, Write};

use super::escape::escaped;
use super::format::OutputFormat;

/// No column is made wider for rows that come later: the longest text of one row is not for all of them to be filled up to.
const WIDEST: usize = 60;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    /// For numbers.
    Right,
}

/// Rows, whose cells are text from wherever.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    /// So many of them stand in every form, the others where it is to be wide.
    usual: usize,
    rows: Vec<Vec<String>>,
    /// How wide the columns of the rows are that were written before, where any were.
    written: Option<Vec<usize>>,
}

impl Table {
    /// A table without rows; of columns without names none are written.
    pub(crate) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        let columns: Vec<_> = columns.into_iter().collect();
        Self { usual: columns.len(), columns, rows: Vec::new(), written: None }
    }

    /// The same with columns that stand only where the table is to be wide: the last cells of each row are theirs.
    pub(crate) fn with_further(mut self, columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        self.columns.extend(columns);
        self
    }

    /// Adds a row of as many cells as there are columns.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| escaped(&cell).into_owned()).collect());
    }

    /// Writes it for people, or a line for each row with tabs between the cells.
    pub(crate) fn write(&self, out: &mut impl Write, format: OutputFormat) -> io::Result<()> {
        self.write_rows(out, format, &self.widths(&[]), true)
    }

    /// Writes the rows that were added since it was written last, below those of before and in their columns, as far as these are wide
    /// enough.
    pub(crate) fn write_next(&mut self, out: &mut impl Write, format: OutputFormat) -> io::Result<()> {
        let widths = self.widths(self.written.as_deref().unwrap_or_default());
        self.write_rows(out, format, &widths, self.written.is_none())?;
        self.written = Some(widths.into_iter().map(|width| width.min(WIDEST)).collect());
        self.rows.clear();
        Ok(())
    }

    /// How wide each column is, at least as wide as these.
    fn widths(&self, at_least: &[usize]) -> Vec<usize> {
        let width = |(column, (name, _)): (usize, &(&str, Align))| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            let least = at_least.get(column).copied().unwrap_or_default();
            cells.chain([name.chars().count(), least]).max().unwrap_or_default()
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    fn write_rows(
        &self,
        out: &mut impl Write,
        format: OutputFormat,
        widths: &[usize],
        has_names: bool,
    ) -> io::Result<()> {
        let columns = if format == OutputFormat::Wide { self.columns.len() } else { self.usual };
        if !format.is_for_people() {
            return self.rows.iter().try_for_each(|row| writeln!(out, "{}", row[..columns.min(row.len())].join("\t")));
        }
        let names: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let is_named = has_names && names.iter().any(|name| !name.is_empty());
        for line in is_named.then_some(&names).into_iter().chain(&self.rows) {
            let cells = line.iter().zip(widths).zip(&self.columns).take(columns);
            let cells = cells.map(|((cell, width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Names for people what comes below.
pub(crate) fn write_title(out: &mut impl Write, title: &str, format: OutputFormat) -> io::Result<()> {
    if format.is_for_people() { writeln!(out, "\n{title}:") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let table = Table::new([("NAME", Align::Left), ("RECORDS", Align::Right)]);
        let mut table = table.with_further([("WHY", Align::Left)]);
        table.row(["flows".to_owned(), "7".to_owned(), "a test".to_owned()]);
        table.row(["Zürich\u{1b}[31m".to_owned(), "12345678".to_owned(), "\u{9b}".to_owned()]);
        table
    }

    fn written(format: OutputFormat) -> String {
        let mut out = Vec::new();
        table().write(&mut out, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_columns_and_scripts_get_tabs() {
        let table =
            concat!("NAME               RECORDS\n", "flows                    7\n", "Zürich\\u{1b}[31m  12345678\n",);
        assert_eq!(written(OutputFormat::Table), table);
        assert_eq!(written(OutputFormat::Plain), "flows\t7\nZürich\\u{1b}[31m\t12345678\n");
    }

    #[test]
    fn who_wants_it_wide_gets_further_columns() {
        let table = concat!(
            "NAME               RECORDS  WHY\n",
            "flows                    7  a test\n",
            "Zürich\\u{1b}[31m  12345678  \\u{9b}\n",
        );
        assert_eq!(written(OutputFormat::Wide), table);
    }

    #[test]
    fn rows_that_come_later_stand_in_the_columns_of_before() {
        let (mut table, mut out) = (table(), Vec::new());
        table.write_next(&mut out, OutputFormat::Table).unwrap();
        out.clear();
        table.write_next(&mut out, OutputFormat::Table).unwrap();
        assert!(out.is_empty());
        table.row(["a".to_owned(), "1".to_owned(), String::new()]);
        table.write_next(&mut out, OutputFormat::Table).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a                        1\n");
    }

    #[test]
    fn one_long_text_does_not_make_all_later_rows_as_long() {
        let mut table = Table::new([("WHY", Align::Left), ("UUID", Align::Left)]);
        let mut next = |why: &str| {
            let mut out = Vec::new();
            table.row([why.to_owned(), "u".to_owned()]);
            table.write_next(&mut out, OutputFormat::Table).unwrap();
            String::from_utf8(out).unwrap().lines().last().unwrap().len()
        };
        assert_eq!(
            [next(&"x".repeat(4_000)), next("short"), next(&"x".repeat(70)), next("short")],
            [4_003, 63, 73, 63]
        );
    }
}
