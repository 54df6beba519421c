//! Reads the rows of a table. Each cell is rendered as JSON once.

use std::io::{self, BufRead, BufReader};

use csv::{ByteRecord, ReaderBuilder};
use tracing::info;
use vedette_records::{Label, Scalar};

use super::DatasetSettings;
use super::cell::CellKind;
use super::error::DatasetError;
use super::header::Header;
use super::layout::TableLayout;
use super::left_out::RowFault;
use super::lines::Lines;
use super::rows::{LabelledRows, Rows, SEPARATOR};
use crate::columns::LABEL;

/// A row that is put after the text: where it is no row of its own, a quote was not closed.
pub(super) const END: &str = "\0end of the data set";

type Reader<R> = csv::Reader<Lines<R>>;

/// Reads all rows, and their header.
///
/// # Errors
/// When the text cannot be read, has a wrong header, no label field as asked for, a quote that is not closed, or numbers
/// that may be meant in two ways.
pub(super) fn read(
    text: impl BufRead,
    layout: &TableLayout,
    settings: &DatasetSettings,
) -> Result<(Header, Rows), DatasetError> {
    let end = format!("\n{END}\n");
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(layout.separator)
        .quoting(layout.quotes)
        .comment(layout.comments.then_some(b'#'))
        .from_reader(Lines::new(BufReader::new(text.chain(end.as_bytes()))));
    let mut row = ByteRecord::new();
    if layout.tells_separator {
        next(&mut reader, &mut row)?;
    }
    if !next(&mut reader, &mut row)? {
        return Err(DatasetError::Empty);
    }
    let header = Header::of(&row, first_line(&reader, &row), layout, settings)?;
    let label = LabelColumn::of(settings.label.as_ref(), &header)?;
    let mut table = Table { layout, kinds: vec![Kinds::default(); header.names.len()], rows: Rows::default() };
    let mut is_row = header.is_first_line_row;
    loop {
        if is_row {
            table.take(&row, first_line(&reader, &row), &header)?;
        }
        is_row = true;
        if !next(&mut reader, &mut row)? {
            break;
        }
    }
    let rows = table.finish(&header, label.as_ref())?;
    Ok((header, rows))
}

/// What a column holds.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    numbers: u64,
    no_numbers: u64,
    texts: u64,
}

impl Kinds {
    /// Whether it is a column of numbers with words where there is none.
    fn has_words_among_numbers(self) -> bool {
        self.numbers > 0 && self.no_numbers > 0 && self.texts == 0
    }
}

struct Table<'a> {
    layout: &'a TableLayout,
    kinds: Vec<Kinds>,
    rows: Rows,
}

impl Table<'_> {
    fn take(&mut self, row: &ByteRecord, line: u64, header: &Header) -> Result<(), DatasetError> {
        let columns = header.names.len();
        if row.len() != columns {
            return self.refuse_length(row, line, columns);
        }
        let left_out = &mut self.rows.left_out;
        if header.is_again(row) {
            left_out.add(RowFault::HeaderAgain, line, || "it is the line of names once more".to_owned());
            return Ok(());
        }
        if columns > 1 && row.iter().all(|field| field.trim_ascii().is_empty()) {
            left_out.add(RowFault::Empty, line, || "none of its fields has a value".to_owned());
            return Ok(());
        }
        let not_text = row.iter().position(|field| std::str::from_utf8(field).is_err());
        if let Some(position) = not_text {
            left_out.add(RowFault::Encoding, line, || {
                let number = position + 1;
                format!("field {number} is not UTF-8: if all are Windows-1252, say encoding: Windows1252 (--dataset-encoding)")
            });
            return Ok(());
        }
        self.append(row, line)
    }

    fn refuse_length(&mut self, row: &ByteRecord, line: u64, columns: usize) -> Result<(), DatasetError> {
        if row.as_slice().contains(&b'\n') {
            return Err(DatasetError::QuoteUnclosed { line });
        }
        let fields = row.len();
        self.rows
            .left_out
            .add(RowFault::FieldCount, line, || format!("it has {fields} fields, and there are {columns} columns"));
        Ok(())
    }

    /// Appends a row of which each field is UTF-8.
    fn append(&mut self, row: &ByteRecord, line: u64) -> Result<(), DatasetError> {
        let Self { layout, kinds, rows } = self;
        for (position, (field, kinds)) in row.iter().zip(kinds).enumerate() {
            let text = std::str::from_utf8(field).unwrap_or_default();
            if layout.is_ambiguous(text) {
                return Err(DatasetError::DecimalMark { line, value: text.trim().to_owned() });
            }
            if position > 0 {
                rows.text.push(SEPARATOR);
            }
            match layout.cells.append_json(text, &mut rows.text) {
                CellKind::Empty => {}
                CellKind::Number => kinds.numbers += 1,
                CellKind::NoNumber => kinds.no_numbers += 1,
                CellKind::Text => kinds.texts += 1,
            }
        }
        rows.ends.push(rows.text.len());
        Ok(())
    }

    /// Makes null of words among numbers, and reads the labels as whoever reads the records does.
    fn finish(self, header: &Header, label: Option<&LabelColumn>) -> Result<Rows, DatasetError> {
        let Self { layout: _, kinds, rows } = self;
        let among: Vec<bool> = kinds.iter().map(|kinds| kinds.has_words_among_numbers()).collect();
        for ((name, kinds), _) in header.names.iter().zip(&kinds).zip(&among).filter(|(_, among)| **among) {
            info!(column = name, values = kinds.no_numbers, "words among numbers, such as NaN and N/A, are null");
        }
        let mut rows = if among.contains(&true) { without_words(&rows, &among) } else { rows };
        if let Some(label) = label {
            let mut labelled = LabelledRows::default();
            for row in 0..rows.ends.len() {
                label.value(rows.row(row)).into_iter().for_each(|value| labelled.note(row, &label.label, value));
            }
            labelled.check(&label.label)?;
            rows.labelled = Some(labelled);
        }
        Ok(rows)
    }
}

/// The rows with null for each text in these columns.
fn without_words(rows: &Rows, among: &[bool]) -> Rows {
    let mut changed =
        Rows { text: Vec::with_capacity(rows.text.len()), left_out: rows.left_out.clone(), ..Rows::default() };
    for row in 0..rows.ends.len() {
        let cells = rows.row(row).split(|byte| *byte == SEPARATOR);
        for (position, (cell, among)) in cells.zip(among).enumerate() {
            if position > 0 {
                changed.text.push(SEPARATOR);
            }
            let is_word = *among && cell.starts_with(b"\"");
            changed.text.extend_from_slice(if is_word { b"null" } else { cell });
        }
        changed.ends.push(changed.text.len());
    }
    changed
}

/// The column of a label that can tell.
struct LabelColumn {
    label: Label,
    position: usize,
}

impl LabelColumn {
    fn of(label: Option<&Label>, header: &Header) -> Result<Option<Self>, DatasetError> {
        let is_open = label.is_none_or(|label| label.field() == LABEL && !label.can_tell());
        let own = header.own_label.as_ref().filter(|_| is_open);
        let Some(label) = own.or(label) else { return Ok(None) };
        let missing = || {
            let (field, columns) = (label.field().to_owned(), header.names.join(", "));
            DatasetError::LabelMissing { field, columns }
        };
        let position = header.position(label.field()).ok_or_else(missing)?;
        Ok(label.can_tell().then(|| Self { label: label.clone(), position }))
    }

    fn value<'a>(&self, row: &'a [u8]) -> Option<Scalar<'a>> {
        let cell = row.split(|byte| *byte == SEPARATOR).nth(self.position)?;
        std::str::from_utf8(cell).ok().map(Scalar::of_json)
    }
}

/// Reads the next row; false at the end.
fn next(reader: &mut Reader<impl BufRead>, row: &mut ByteRecord) -> Result<bool, DatasetError> {
    let is_there = reader.read_byte_record(row).map_err(|error| {
        let line = reader.get_ref().line();
        let source = match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            other => io::Error::other(format!("{other:?}")),
        };
        DatasetError::Content { line, source }
    })?;
    let is_end = row.len() == 1 && row.get(0) == Some(END.as_bytes());
    if is_there && !is_end && row.iter().next_back().is_some_and(holds_end) {
        // The line end of the last row stands in the field, too.
        return Err(DatasetError::QuoteUnclosed { line: first_line(reader, row) + 1 });
    }
    Ok(is_there && !is_end)
}

/// Whether the row after the text stands in a field.
pub(super) fn holds_end(field: &[u8]) -> bool {
    field.trim_ascii_end().ends_with(END.as_bytes())
}

/// The line on which the row begins.
fn first_line(reader: &Reader<impl BufRead>, row: &ByteRecord) -> u64 {
    let lines_inside = row.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
    reader.get_ref().line() - lines_inside
}
