//! Reads one JSON line into a batch of rows: what the schema names is taken, the rest is validated and passed over. Nothing
//! here knows of objects, threads or the sample.

use std::borrow::Cow;

use jiff::Timestamp;
use vedette_contract::model::TextValues;
use vedette_records::{LabelTally, RecordReader, Scalar, ScalarKind, UtcSpelling, read_utc, splice};
use xxhash_rust::xxh3::xxh3_128;

use crate::batch::{Batch, Of};
use crate::schema::{Kind, Schema, SchemaFields};

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineOutcome {
    /// It is a row of the batch.
    Row(Of),
    /// Its `utc` is too old and not in the reference window, or cannot be read while there is a lookback.
    OutsideLookback,
    /// Somebody made it up, to see what becomes of it.
    Simulated,
    /// It is not one record.
    Unreadable,
}

/// Reads lines; one per thread.
#[derive(Debug)]
pub(crate) struct LineReader {
    reader: RecordReader,
    /// Newest `utc` seen, and how it is written.
    pub newest_utc: Option<(Timestamp, String)>,
    /// What the labels said.
    pub labels: LabelTally,
    /// What arrived as text in numeric columns, by their position.
    pub texts: Vec<TextValues>,
}

impl LineReader {
    /// A reader of lines into batches of this schema.
    pub(crate) fn new(schema: &Schema) -> Self {
        let texts = vec![TextValues::default(); schema.columns.len()];
        let reader = RecordReader::new(schema.fields.names.clone());
        Self { reader, newest_utc: None, labels: LabelTally::default(), texts }
    }

    /// Adds the record of a line to the batch. `place` identifies a record that has no identity field.
    pub(crate) fn read(
        &mut self,
        schema: &Schema,
        line: &[u8],
        batch: &mut Batch,
        place: impl FnOnce() -> String,
    ) -> LineOutcome {
        let Schema { columns, not_before, reference, growing: _, fields } = schema;
        let SchemaFields { names: _, columns: column_fields, identity, utc, simulated, label } = fields;
        let Ok(record) = self.reader.read(line) else {
            return LineOutcome::Unreadable;
        };
        if record.get(*simulated).is_some_and(Scalar::is_true) {
            return LineOutcome::Simulated;
        }
        let utc = record.get(*utc).and_then(|value| Some((value, read_utc(value)?)));
        let of = Of {
            stream: is_within_lookback(*not_before, utc, &mut self.newest_utc),
            reference: reference.zip(utc).is_some_and(|(window, (_, (time, _)))| window.contains(time)),
        };
        if !(of.stream || of.reference) {
            return LineOutcome::OutsideLookback;
        }
        for (((_, kind), field), texts) in columns.iter().zip(column_fields).zip(&mut self.texts) {
            let value = record.get(*field);
            if let Some(text) = value.filter(|value| *kind == Kind::Numeric && value.kind() == ScalarKind::Text) {
                texts.note(text.number().is_some());
            }
            batch.push(*kind, value);
        }
        let identity = record.get(*identity).and_then(identity_of).unwrap_or_else(|| place().into());
        let label = label.as_ref().and_then(|(label, field)| self.labels.note(label, record.get(*field)?));
        let made = utc.map(|(_, (time, _))| time.as_microsecond());
        batch.end_row(&identity, xxh3_128(line).to_le_bytes(), label, of, made);
        LineOutcome::Row(of)
    }
}

/// Keeps the newest `utc` of those that are.
fn is_within_lookback(
    not_before: Option<Timestamp>,
    utc: Option<(Scalar<'_>, (Timestamp, UtcSpelling))>,
    newest: &mut Option<(Timestamp, String)>,
) -> bool {
    let Some((value, (time, spelling))) = utc else { return not_before.is_none() };
    let within = not_before.is_none_or(|not_before| time >= not_before);
    if within && newest.as_ref().is_none_or(|(newest, _)| time > *newest) {
        *newest = Some((time, as_the_stream_writes_it(value, time, spelling)));
    }
    within
}

fn as_the_stream_writes_it(value: Scalar<'_>, time: Timestamp, spelling: UtcSpelling) -> String {
    match spelling {
        UtcSpelling::Zoned => value.text().unwrap_or_default().into_owned(),
        UtcSpelling::WithoutZone | UtcSpelling::Number => splice::time(time),
    }
}

/// What tells records apart is any value but null.
fn identity_of(value: Scalar<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        ScalarKind::Null => None,
        ScalarKind::Text => value.text(),
        ScalarKind::Boolean | ScalarKind::Number | ScalarKind::Nested => Some(value.json().into()),
    }
}

#[cfg(test)]
mod tests;
