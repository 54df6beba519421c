//! Reads lines of JSON: an object a line is a row, as it is written.

use std::io::BufRead;

use vedette_contract::fields;
use vedette_records::{FieldNames, RecordReader};

use super::DatasetSettings;
use super::error::DatasetError;
use super::left_out::RowFault;
use super::rows::{LabelledRows, Rows};

/// Reads all lines. Blank ones are none.
///
/// # Errors
/// When the text cannot be read, or no line has the label's field.
pub(super) fn read(mut text: impl BufRead, settings: &DatasetSettings) -> Result<Rows, DatasetError> {
    let label = settings.label.as_ref();
    let mut names = FieldNames::default();
    let label_field = label.map(|label| names.want(label.field()));
    fields::RESERVED.into_iter().for_each(|name| names.refuse(name));
    settings.calculated_names.iter().for_each(|name| names.refuse(name));
    let mut reader = RecordReader::new(names);
    let mut rows = Rows::default();
    let mut labelled = label.filter(|label| label.can_tell()).map(|label| (label, LabelledRows::default()));
    let (mut line, mut number, mut has_label) = (Vec::new(), 0, false);
    while next(&mut text, &mut line, number)? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = match reader.read(&line) {
            Ok(record) if record.has_fields() => record,
            Ok(_) => {
                rows.left_out.add(RowFault::Empty, number, || "the object has no field".to_owned());
                continue;
            }
            Err(refusal) => {
                rows.left_out.add(RowFault::NotARecord, number, || refusal.message);
                continue;
            }
        };
        // The members stand between the braces.
        let object = record.open_object();
        rows.text.extend_from_slice(&line[object.start + 1..object.end]);
        if let Some(value) = label_field.and_then(|field| record.get(field)) {
            has_label = true;
            let row = rows.ends.len();
            labelled.iter_mut().for_each(|(label, labelled)| labelled.note(row, label, value));
        }
        rows.ends.push(rows.text.len());
    }
    labelled.iter().try_for_each(|(label, labelled)| labelled.check(label))?;
    rows.labelled = labelled.map(|(_, labelled)| labelled);
    match label {
        Some(label) if !has_label && !rows.ends.is_empty() => {
            Err(DatasetError::LabelNowhere { field: label.field().to_owned() })
        }
        Some(_) | None => Ok(rows),
    }
}

/// Reads the next line; false at the end.
fn next(text: &mut impl BufRead, line: &mut Vec<u8>, before: u64) -> Result<bool, DatasetError> {
    line.clear();
    let read = text.read_until(b'\n', line).map_err(|source| DatasetError::Content { line: before + 1, source })?;
    Ok(read > 0)
}
