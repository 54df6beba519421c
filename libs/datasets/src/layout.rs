//! How a data set is laid out, told by its first lines: lines of JSON, or a table with a separator, comments and names.

use csv::ReaderBuilder;
use vedette_contract::arguments::{DatasetArguments, DecimalMark, Separator};
use vedette_records::{FieldNames, RecordReader};

use super::cell::{CellSyntax, Decimals, has_decimal_comma, has_thousands, is_value};
use super::error::DatasetError;

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
    /// Whether the first line tells the separator, as Excel's `sep=;` does.
    pub tells_separator: bool,
}

impl Layout {
    /// Looks at the first [`HEAD_BYTES`].
    ///
    /// # Errors
    /// When it is JSON of another shape, or a table with blanks between its fields.
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
        Ok(Self::Table(TableLayout::of_head(head, format)?))
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
    ///
    /// # Errors
    /// When blanks stand between its fields.
    pub(super) fn of_head(head: &[u8], format: &DatasetArguments) -> Result<Self, DatasetError> {
        let text = String::from_utf8_lossy(head);
        let start = text.trim_start();
        // The last line may be cut.
        let whole =
            if head.len() < HEAD_BYTES { start } else { start.rsplit_once('\n').map_or(start, |(whole, _)| whole) };
        Self::of(whole, format)
    }

    fn of(start: &str, format: &DatasetArguments) -> Result<Self, DatasetError> {
        let told = start.lines().next().and_then(told_separator);
        let start = if told.is_some() { start.split_once('\n').map_or("", |(_, rest)| rest) } else { start };
        let comments: Vec<&str> = start.lines().take_while(|line| line.starts_with('#')).collect();
        if let Some(names) = comments.iter().find_map(|line| line.strip_prefix("#fields")) {
            return Ok(Self::of_zeek(&comments, names));
        }
        let rows: Vec<&str> = start.lines().skip(comments.len()).collect();
        let decimal_comma = format.decimal_mark == Some(DecimalMark::Comma);
        let separator = match format.separator.or(told).or_else(|| separator_of(&rows.join("\n"), decimal_comma)) {
            Some(separator) => separator,
            // A table of one column has none, for which a comma will do.
            None if format.columns.len() == 1 => Separator::Comma,
            None => match fields_between_blanks(&rows) {
                Some(fields) => return Err(DatasetError::BlanksBetween { fields }),
                None => Separator::Comma,
            },
        };
        let names =
            comments.last().zip(rows.first()).and_then(|(line, row)| names_of_comment(line, row, separator.byte()));
        Ok(Self {
            separator: separator.byte(),
            quotes: true,
            comments: !comments.is_empty(),
            names,
            cells: CellSyntax {
                decimals: format.decimal_mark.map_or(Decimals::Open, Decimals::Told),
                ..CellSyntax::default()
            },
            tells_separator: told.is_some(),
        })
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
                unset: told("#unset_field").or_else(|| Some("-".to_owned())),
                empty: told("#empty_field").or_else(|| Some("(empty)".to_owned())),
                ..CellSyntax::default()
            },
            tells_separator: false,
        }
    }

    /// Whether a value is to be asked about.
    pub(super) fn is_ambiguous(&self, text: &str) -> bool {
        let has_comma = self.separator != Separator::Comma.byte() && has_decimal_comma(text);
        self.cells.decimals == Decimals::Open && (has_comma || has_thousands(text))
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

/// The separator of a line such as `sep=;`, which Excel takes as a word to itself and leaves out.
fn told_separator(line: &str) -> Option<Separator> {
    let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    let told = line.strip_prefix("sep=")?;
    Separator::ALL.into_iter().find(|separator| told.as_bytes() == [separator.byte()])
}

/// The separator by which most rows have as many fields as the first, which has two at least; then the one that gives
/// more fields.
fn separator_of(rows: &str, decimal_comma: bool) -> Option<Separator> {
    let is_possible = |separator: &Separator| !(decimal_comma && *separator == Separator::Comma);
    let mut best = (None, (0, 0));
    for separator in Separator::ALL.into_iter().filter(is_possible) {
        let score = score(rows, separator.byte());
        if score > best.1 {
            best = (Some(separator), score);
        }
    }
    best.0
}

/// How many fields each row has, two at least, if blanks stand between them and each row after the first has a value.
fn fields_between_blanks(rows: &[&str]) -> Option<usize> {
    let rows: Vec<Vec<&str>> = rows.iter().take(TELLING_ROWS).map(|row| row.split_whitespace().collect()).collect();
    let (first, others) = rows.split_first()?;
    // A time has a blank inside of it.
    let is_row = |row: &Vec<&str>| {
        row.len() == first.len() && row.iter().any(|field| is_value(field)) && !is_value(&row.join(" "))
    };
    (first.len() > 1 && !others.is_empty() && others.iter().all(is_row)).then_some(first.len())
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
        ] {
            assert_eq!(separator_of(rows, false), Some(expected), "{rows}");
        }
        assert_eq!(["alone\n1\n", ""].map(|rows| separator_of(rows, false)), [None; 2]);
        assert_eq!(separator_of("0,5;1,5;2,5\n0,5;1,5;2,5\n", true), Some(Separator::Semicolon));
    }

    #[test]
    fn blanks_stand_between_fields_where_each_row_has_as_many_and_a_value() {
        for (rows, fields) in [
            (vec!["1 1 -0.0007 518.67", "1 2  0.0019 518.67 "], Some(4)),
            (vec!["unit  speed", "a 5"], Some(2)),
            (vec!["event time", "2017-07-03 09:00"], None),
            (vec!["what happened", "door opened", "door closed"], None),
            (vec!["line", "door 5 opened"], None),
            (vec!["1 2"], None),
        ] {
            assert_eq!(fields_between_blanks(&rows), fields, "{rows:?}");
        }
    }
}
