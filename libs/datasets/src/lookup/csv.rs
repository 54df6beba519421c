//! Reads a table of fields with a separator between them.

use std::io::{self, BufRead, BufReader, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};
use vedette_contract::arguments::DatasetArguments;

use super::error::TableError;
use super::settings::{LONGEST_ROW, TableSettings};
use super::store::Builder;
use crate::cell::CellKind;
use crate::content;
use crate::layout::{HEAD_BYTES, TableLayout};
use crate::lines::Lines;
use crate::table::{END, holds_end};

/// Reads all rows.
///
/// # Errors
/// When any of them cannot be read, or a column is not there.
pub(super) fn read(text: content::Text<'_>, settings: &TableSettings, builder: &mut Builder) -> Result<(), TableError> {
    let (head, text) = content::peek(text, HEAD_BYTES).map_err(|source| TableError::Content { line: 1, source })?;
    let layout = TableLayout::of_head(&head, &DatasetArguments::default()).map_err(TableError::Open)?;
    let mut rows = Rows::new(text, &layout);
    let mut row = ByteRecord::new();
    if layout.tells_separator {
        rows.next(&mut row)?;
    }
    if !rows.next(&mut row)? {
        return Err(TableError::Empty);
    }
    let columns = Columns::of(layout.names.as_deref(), &row, settings)?;
    let mut taking = Taking { layout: &layout, columns, builder, values: Vec::new(), ends: Vec::new() };
    if layout.names.is_some() {
        taking.take(&row, rows.line)?;
    }
    while rows.next(&mut row)? {
        taking.take(&row, rows.line)?;
    }
    Ok(())
}

/// Where the columns stand that are wanted.
struct Columns<'a> {
    count: usize,
    key: (usize, &'a str),
    values: Vec<(usize, &'a str)>,
}

impl<'a> Columns<'a> {
    fn of(known: Option<&[String]>, first: &ByteRecord, settings: &'a TableSettings) -> Result<Self, TableError> {
        let names: Vec<String> = match known {
            Some(names) => names.to_vec(),
            None => first.iter().enumerate().map(name).collect::<Result<_, _>>()?,
        };
        let find = |wanted: &'a String| match positions(&names, wanted)[..] {
            [position] => Ok((position, wanted.as_str())),
            [] => Err(TableError::ColumnMissing { column: wanted.clone(), columns: names.join(", ") }),
            _ => Err(TableError::ColumnTwice { column: wanted.clone() }),
        };
        let values = settings.columns.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self { count: names.len(), key: find(&settings.key_column)?, values })
    }
}

fn name((position, field): (usize, &[u8])) -> Result<String, TableError> {
    let name = std::str::from_utf8(field).map_err(|_| TableError::HeaderNotText { number: position + 1 })?;
    Ok(name.trim().to_owned())
}

fn positions(names: &[String], wanted: &str) -> Vec<usize> {
    names.iter().enumerate().filter(|(_, name)| *name == wanted).map(|(position, _)| position).collect()
}

struct Taking<'a> {
    layout: &'a TableLayout,
    columns: Columns<'a>,
    builder: &'a mut Builder,
    // Memory that every row uses again.
    values: Vec<u8>,
    ends: Vec<usize>,
}

impl Taking<'_> {
    /// Takes a row; one of which all fields are empty is none.
    fn take(&mut self, row: &ByteRecord, line: u64) -> Result<(), TableError> {
        let Self { layout, columns: Columns { count, key, values: wanted }, builder, values, ends } = self;
        if row.iter().all(|field| field.trim_ascii().is_empty()) {
            return Ok(());
        }
        if row.len() != *count && row.as_slice().contains(&b'\n') {
            return Err(TableError::QuoteUnclosed { line });
        }
        if row.len() != *count {
            return Err(TableError::FieldCount { line, fields: row.len(), columns: *count });
        }
        let key = match text(row, *key, line)? {
            "" => return Err(TableError::KeyMissing { line, column: key.1.to_owned() }),
            key => key,
        };
        values.clear();
        ends.clear();
        for (column, place) in wanted.iter().enumerate() {
            let text = text(row, *place, line)?;
            if layout.is_ambiguous(text) {
                return Err(TableError::DecimalMark { line, value: text.to_owned() });
            }
            let start = values.len();
            let kind = layout.cells.append_json(text, values);
            if kind == CellKind::Empty {
                values.truncate(start);
            }
            builder.note(column, kind);
            ends.push(values.len());
        }
        builder.add(key, values, ends, line)
    }
}

fn text<'row>(row: &'row ByteRecord, (position, column): (usize, &str), line: u64) -> Result<&'row str, TableError> {
    let field = row.get(position).unwrap_or_default();
    let not_text = |_| TableError::NotText { line, column: column.to_owned() };
    std::str::from_utf8(field).map(str::trim).map_err(not_text)
}

/// The rows, none longer than is allowed.
struct Rows<R: BufRead> {
    reader: Reader<Bounded<R>>,
    /// Where the last row begins, from 1.
    line: u64,
    /// Where it ends.
    end: u64,
}

impl<'text> Rows<BufReader<Box<dyn Read + 'text>>> {
    fn new(text: content::Text<'text>, layout: &TableLayout) -> Self {
        // A row that is put after the text: where it is no row of its own, a quote was not closed.
        let end = io::Cursor::new(format!("\n{END}\n"));
        let whole: Box<dyn Read + 'text> = Box::new(text.chain(end));
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(layout.separator)
            .quoting(layout.quotes)
            .comment(layout.comments.then_some(b'#'))
            .from_reader(Bounded { lines: Lines::new(BufReader::new(whole)), left: LONGEST_ROW });
        Self { reader, line: 0, end: 0 }
    }
}

impl<R: BufRead> Rows<R> {
    /// Reads the next row; false at the end.
    fn next(&mut self, row: &mut ByteRecord) -> Result<bool, TableError> {
        self.reader.get_mut().left = LONGEST_ROW;
        let read = self.reader.read_byte_record(row);
        let last = self.reader.get_ref().lines.line();
        let lines_inside = row.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let is_there = read.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => {
                TableError::RowTooLong { line: self.end + 1 }
            }
            csv::ErrorKind::Io(source) => TableError::Content { line: last, source },
            other => TableError::Content { line: last, source: io::Error::other(format!("{other:?}")) },
        })?;
        if is_there && row.len() == 1 && row.get(0) == Some(END.as_bytes()) {
            return Ok(false);
        }
        (self.line, self.end) = (last.saturating_sub(lines_inside), last);
        if is_there && row.iter().next_back().is_some_and(holds_end) {
            // The line end of the last row stands in the field, too.
            return Err(TableError::QuoteUnclosed { line: self.line + 1 });
        }
        Ok(is_there)
    }
}

/// Gives so many bytes more, and then an error.
struct Bounded<R> {
    lines: Lines<R>,
    left: usize,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.lines.read(buffer)?;
        self.left = self.left.checked_sub(read).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}
