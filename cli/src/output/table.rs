//! Rows in columns.

use std::io::{self, Write};

use super::escape::escaped;
use super::format::OutputFormat;

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
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows; of columns without names none are written.
    pub(crate) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| escaped(&cell).into_owned()).collect());
    }

    /// Writes it for people, or a line for each row with tabs between the cells.
    pub(crate) fn write(&self, out: &mut impl Write, format: OutputFormat) -> io::Result<()> {
        match format {
            OutputFormat::Table => self.write_columns(out),
            OutputFormat::Plain | OutputFormat::Json => {
                self.rows.iter().try_for_each(|row| writeln!(out, "{}", row.join("\t")))
            }
        }
    }

    fn write_columns(&self, out: &mut impl Write) -> io::Result<()> {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let is_named = names.iter().any(|name| !name.is_empty());
        let lines: Vec<&Vec<String>> = is_named.then_some(&names).into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for line in lines {
            let cells = line.iter().zip(&widths).zip(&self.columns).map(|((cell, width), (_, align))| match align {
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
    match format {
        OutputFormat::Table => writeln!(out, "\n{title}:"),
        OutputFormat::Plain | OutputFormat::Json => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: OutputFormat) -> String {
        let mut table = Table::new([("NAME", Align::Left), ("RECORDS", Align::Right)]);
        table.row(["flows".to_owned(), "7".to_owned()]);
        table.row(["Zürich\u{1b}[31m".to_owned(), "12345678".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out, format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_columns_and_scripts_get_tabs() {
        let table =
            concat!("NAME               RECORDS\n", "flows                    7\n", "Zürich\\u{1b}[31m  12345678\n",);
        assert_eq!(written(OutputFormat::Table), table);
        assert_eq!(written(OutputFormat::Plain), "flows\t7\nZürich\\u{1b}[31m\t12345678\n");
    }
}
