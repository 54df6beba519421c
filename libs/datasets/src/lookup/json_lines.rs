//! Reads a table of lines of JSON.

use std::io::{BufRead, Read};

use vedette_records::{Field, FieldNames, Record, RecordReader, Scalar, ScalarKind};

use super::error::TableError;
use super::settings::{LONGEST_ROW, TableSettings};
use super::store::Builder;

/// Reads all lines. Blank ones are none.
///
/// # Errors
/// When any of them cannot be read, or none has a column.
pub(super) fn read(mut text: impl BufRead, settings: &TableSettings, builder: &mut Builder) -> Result<(), TableError> {
    let mut names = FieldNames::default();
    let key = Member { name: &settings.key_column, field: names.want(&settings.key_column) };
    let wanted: Vec<Member<'_>> =
        settings.columns.iter().map(|name| Member { name, field: names.want(name) }).collect();
    let mut seen = vec![false; wanted.len()];
    let mut reader = RecordReader::new(names);
    let (mut line, mut number, mut values, mut ends) = (Vec::new(), 0, Vec::new(), Vec::new());
    while next(&mut text, &mut line, number + 1)? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let not_an_object = |cause| TableError::NotAnObject { line: number, cause };
        let record = reader.read(&line).map_err(|refusal| not_an_object(refusal.message))?;
        let missing = || TableError::KeyMissing { line: number, column: key.name.to_owned() };
        let key = key.value(&record, number)?.and_then(Scalar::category).ok_or_else(missing)?;
        if key.trim().is_empty() {
            return Err(missing());
        }
        values.clear();
        ends.clear();
        for (member, seen) in wanted.iter().zip(&mut seen) {
            *seen |= record.get(member.field).is_some();
            values.extend_from_slice(member.value(&record, number)?.map_or("", Scalar::json).as_bytes());
            ends.push(values.len());
        }
        builder.add(key.trim(), &values, &ends, number)?;
    }
    let nowhere = wanted.iter().zip(seen).find(|(_, seen)| number > 0 && !seen);
    nowhere.map_or(Ok(()), |(member, _)| Err(TableError::MemberNowhere { column: member.name.to_owned() }))
}

/// A member of the objects that is wanted.
struct Member<'a> {
    name: &'a str,
    field: Field,
}

impl Member<'_> {
    /// Its value; none where it is missing or null.
    fn value<'record>(&self, record: &Record<'record>, line: u64) -> Result<Option<Scalar<'record>>, TableError> {
        match record.get(self.field) {
            Some(value) if value.kind() == ScalarKind::Nested => {
                Err(TableError::Nested { line, column: self.name.to_owned() })
            }
            value => Ok(value.filter(|value| value.kind() != ScalarKind::Null)),
        }
    }
}

/// Reads a line; false at the end.
fn next(text: &mut impl BufRead, line: &mut Vec<u8>, number: u64) -> Result<bool, TableError> {
    line.clear();
    let limit = LONGEST_ROW as u64 + 1;
    let read = text.by_ref().take(limit).read_until(b'\n', line);
    let read = read.map_err(|source| TableError::Content { line: number, source })?;
    if line.len() > LONGEST_ROW {
        return Err(TableError::RowTooLong { line: number });
    }
    Ok(read > 0)
}
