//! How a data set is laid out, told by its first lines: lines of JSON, or a table with a separator, comments and names.

use csv::ReaderBuilder;
use vedette_contract::arguments::{DatasetArguments, DecimalMark, Separator};
use vedette_records::{FieldNames, RecordReader};

use super::cell::{CellSyntax, has_decimal_comma};
use super::error::DatasetError;
use super::header::is_value;

/// So much of the text is looked at.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
/// So many of its rows tell the separator.
const TELLING_ROWS: usize = 50;

/// How a data set is laid out.
#[derive(Debug)]
pub(super) enum Layout {
    /// An object a line.
    Objects,
    /// Fields with a separator between them.
    Table(TableLayout),
}

/// How a table is laid out.
#[derive(Debug)]
pub(super) struct TableLayout {
    /// Between its fields.
    pub separator: u8,
    /// Whether fields may stand in quotes.
    pub quotes: bool,
    /// Whether lines that begin with `#` are comments.
    pub comments: bool,
    /// The names of its columns, where comments have them.
    pub names: Option<Vec<String>>,
    pub cells: CellSyntax,
    /// Whether a value such as `1,5` may be a number or a text.
    pub is_comma_open: bool,
}

impl Layout {
    /// Looks at the first [`HEAD_BYTES`].
    ///
    /// # Errors
    /// When it is JSON of another shape.
    pub(super) fn of(head: &[u8], format: &DatasetArguments) -> Result<Self, DatasetError> {
        let text = String::from_utf8_lossy(head);
        let start = text.trim_start();
        if let Some(rest) = start.strip_prefix('[')
            && rest.trim_start().starts_with('{')
        {
            let mend = "write one object a line, as jq -c '.[]' does";
            return Err(DatasetError::Foreign { what: "one array of JSON", mend });
        }
        if start.starts_with('{') {
            return objects(start, format);
        }
        Ok(Self::Table(TableLayout::of_head(head, format)))
    }
}

/// Where a first line that is a record tells that all are.
fn objects(start: &str, format: &DatasetArguments) -> Result<Layout, DatasetError> {
    if let Some((line, _)) = start.split_once('\n').or_else(|| (start.len() < HEAD_BYTES).then_some((start, "")))
        && let Err(refusal) = RecordReader::new(FieldNames::default()).read(line.as_bytes())
    {
        return Err(DatasetError::NotJsonLines { cause: refusal.message });
    }
    if !format.columns.is_empty() {
        return Err(DatasetError::ColumnsOfObjects);
    }
    Ok(Layout::Objects)
}

impl TableLayout {
    /// Looks at the first [`HEAD_BYTES`].
    pub(super) fn of_head(head: &[u8], format: &DatasetArguments) -> Self {
        let text = String::from_utf8_lossy(head);
        let start = text.trim_start();
        // The last line may be cut.
        let whole =
            if head.len() < HEAD_BYTES { start } else { start.rsplit_once('\n').map_or(start, |(whole, _)| whole) };
        Self::of(whole, format)
    }

    fn of(start: &str, format: &DatasetArguments) -> Self {
        let comments: Vec<&str> = start.lines().take_while(|line| line.starts_with('#')).collect();
        if let Some(names) = comments.iter().find_map(|line| line.strip_prefix("#fields")) {
            return Self::of_zeek(&comments, names);
        }
        let rows: Vec<&str> = start.lines().skip(comments.len()).collect();
        let decimal_comma = format.decimal_mark == Some(DecimalMark::Comma);
        let separator = format.separator.unwrap_or_else(|| separator_of(&rows.join("\n"), decimal_comma));
        let names =
            comments.last().zip(rows.first()).and_then(|(line, row)| names_of_comment(line, row, separator.byte()));
        Self {
            separator: separator.byte(),
            quotes: true,
            comments: !comments.is_empty(),
            names,
            cells: CellSyntax { decimal_comma, ..CellSyntax::default() },
            is_comma_open: separator != Separator::Comma && format.decimal_mark.is_none(),
        }
    }

    /// Zeek's own logs: `#separator \x09`, `#unset_field -` and `#fields ts uid`, with tabs between the words.
    fn of_zeek(comments: &[&str], names: &str) -> Self {
        let written = comments.iter().find_map(|line| line.strip_prefix("#separator \\x"));
        let separator =
            written.and_then(|hexadecimal| u8::from_str_radix(hexadecimal.trim(), 16).ok()).unwrap_or(b'\t');
        let fields = |text: &str| -> Vec<String> {
            text.split(char::from(separator)).skip(1).map(|field| field.trim().to_owned()).collect()
        };
        let told = |name: &str| comments.iter().find_map(|line| fields(line.strip_prefix(name)?).into_iter().next());
        Self {
            separator,
            quotes: false,
            comments: true,
            names: Some(fields(names)),
            cells: CellSyntax {
                decimal_comma: false,
                unset: told("#unset_field").or_else(|| Some("-".to_owned())),
                empty: told("#empty_field").or_else(|| Some("(empty)".to_owned())),
            },
            is_comma_open: false,
        }
    }

    /// Whether a value is to be asked about.
    pub(super) fn is_ambiguous(&self, text: &str) -> bool {
        self.is_comma_open && has_decimal_comma(text)
    }
}

/// A last comment names the columns where it has as many fields as the row after it, which has a value that is no name.
fn names_of_comment(comment: &str, row: &str, separator: u8) -> Option<Vec<String>> {
    let split = |line: &str| -> Vec<String> {
        line.split(char::from(separator)).map(|field| field.trim().to_owned()).collect()
    };
    let (names, values) = (split(comment.trim_start_matches('#')), split(row));
    (names.len() > 1 && names.len() == values.len() && values.iter().any(|value| is_value(value))).then_some(names)
}

/// The separator by which most rows have as many fields as the first, which has two at least; then the one that gives
/// more fields. A table of one column has none, for which a comma will do.
fn separator_of(rows: &str, decimal_comma: bool) -> Separator {
    let is_possible = |separator: &Separator| !(decimal_comma && *separator == Separator::Comma);
    let mut best = (Separator::Comma, (0, 0));
    for separator in Separator::ALL.into_iter().filter(is_possible) {
        let score = score(rows, separator.byte());
        if score > best.1 {
            best = (separator, score);
        }
    }
    best.0
}

/// Rows of a thousand that are as long as the first, and its length.
fn score(rows: &str, separator: u8) -> (usize, usize) {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(rows.as_bytes());
    let lengths: Vec<usize> = reader.byte_records().take(TELLING_ROWS).flatten().map(|row| row.len()).collect();
    match lengths.first() {
        None | Some(0 | 1) => (0, 0),
        Some(first) => (lengths.iter().filter(|length| *length == first).count() * 1000 / lengths.len(), *first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_one_that_makes_a_table() {
        for (rows, expected) in [
            ("a,b\n1,2\n", Separator::Comma),
            ("a;b\n1,5;2,5\n", Separator::Semicolon),
            ("a\tb c\n1\tx;y\n", Separator::Tab),
            ("a|b\n1|x,y\n", Separator::Pipe),
            ("a,b,c\n1,x;y,3\n", Separator::Comma),
            ("id,text\n1,a;b\n2,c;d\n", Separator::Comma),
            ("\"a;b\",c\n1,2\n", Separator::Comma),
            ("alone\n1\n", Separator::Comma),
            ("", Separator::Comma),
        ] {
            assert_eq!(separator_of(rows, false), expected, "{rows}");
        }
        assert_eq!(separator_of("0,5;1,5;2,5\n0,5;1,5;2,5\n", true), Separator::Semicolon);
    }
}
