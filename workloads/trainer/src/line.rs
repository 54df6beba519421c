//! Reads one JSON line into a batch of rows: what is a feature, the identity, `utc` or the label is taken, the rest is
//! validated and passed over. Nothing here knows of objects, threads or the sample.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use vedette_contract::fields;
use xxhash_rust::xxh3::xxh3_128;

use crate::batch::{Batch, MISSING, RowHead};

/// How many field names are remembered by their position: records of one producer have their fields in one order.
const REMEMBERED_POSITIONS: usize = 256;
/// How a field becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, or a boolean as 0 and 1.
    Numeric,
    /// Text, or the JSON text of any other scalar.
    Categorical,
}

/// What is taken from a record.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The features, sorted by name.
    pub columns: Vec<(String, Kind)>,
    /// Older records are left out.
    pub not_before: Option<Timestamp>,
    normal_labels: HashSet<String>,
    roles: HashMap<String, Roles>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Roles {
    column: Option<usize>,
    identity: bool,
    utc: bool,
    label: bool,
}

impl Schema {
    /// A schema of these features.
    pub fn new(
        mut columns: Vec<(String, Kind)>,
        identity_field: &str,
        label_field: Option<&str>,
        normal_labels: &[String],
        not_before: Option<Timestamp>,
    ) -> Self {
        columns.sort_by(|(left, _), (right, _)| left.cmp(right));
        let mut roles: HashMap<String, Roles> = HashMap::new();
        for (position, (name, _)) in columns.iter().enumerate() {
            roles.entry(name.clone()).or_default().column = Some(position);
        }
        roles.entry(identity_field.to_owned()).or_default().identity = true;
        roles.entry(fields::UTC.to_owned()).or_default().utc = true;
        if let Some(label) = label_field {
            roles.entry(label.to_owned()).or_default().label = true;
        }
        Self { columns, not_before, normal_labels: normal_labels.iter().cloned().collect(), roles }
    }
}

/// A JSON value, read as far as a column needs it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; infinite where it is too large for 64 bits.
    Number(f64),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array or an object.
    Nested,
}

impl<'a> Value<'a> {
    /// Reads a value that the JSON parser found to be well-formed.
    ///
    /// # Errors
    /// When a string's escapes do not make text.
    pub fn read(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'"') if !text.contains('\\') => Self::Text(Cow::Borrowed(&text[1..text.len() - 1])),
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            Some(b'[' | b'{') => Self::Nested,
            _ => Self::Number(text.parse().map_err(de::Error::custom)?),
        })
    }

    /// The value as a category: text as it is, other scalars as their JSON text.
    fn category<'b>(&'b self, raw: &'b RawValue) -> Option<&'b str> {
        match self {
            Self::Null | Self::Nested => None,
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Number(_) => Some(raw.get()),
        }
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOutcome {
    /// It is a row of the batch.
    Row,
    /// Its `utc` is too old, or cannot be read while there is a lookback.
    OutsideLookback,
    /// It is not one JSON object.
    Unreadable,
}

/// Reads lines; one per thread.
#[derive(Debug, Default)]
pub struct LineReader {
    /// Field names by position, learned from the records seen: spares most look-ups.
    order: Vec<(String, Roles)>,
    /// Newest `utc` seen, and how it is written.
    pub newest_utc: Option<(Timestamp, String)>,
}

impl LineReader {
    /// Adds the record of a line to the batch. `place` identifies a record that has no identity field.
    pub fn read(
        &mut self,
        schema: &Schema,
        line: &[u8],
        batch: &mut Batch,
        place: impl FnOnce() -> String,
    ) -> LineOutcome {
        let (cells, spans, text) = (batch.cells.len(), batch.spans.len(), batch.text.len());
        let missing = |(_, kind): &(String, Kind)| match kind {
            Kind::Numeric => f32::NAN.to_bits(),
            Kind::Categorical => MISSING,
        };
        batch.cells.extend(schema.columns.iter().map(missing));
        let outcome = match self.read_object(schema, line, batch, cells) {
            Ok(head) if self.within_lookback(schema, head.utc.as_deref()) => {
                let identity = head.identity.unwrap_or_else(|| batch.append(&place()));
                let content = xxh3_128(line).to_le_bytes();
                batch.heads.push(RowHead { identity, content, label: head.label });
                return LineOutcome::Row;
            }
            Ok(_) => LineOutcome::OutsideLookback,
            Err(_) => LineOutcome::Unreadable,
        };
        batch.cells.truncate(cells);
        batch.spans.truncate(spans);
        batch.text.truncate(text);
        outcome
    }

    fn read_object<'de>(
        &mut self,
        schema: &Schema,
        line: &'de [u8],
        batch: &mut Batch,
        first_cell: usize,
    ) -> Result<Head<'de>, serde_json::Error> {
        let mut json = serde_json::Deserializer::from_slice(line);
        let head = RecordSeed { schema, order: &mut self.order, batch, first_cell }.deserialize(&mut json)?;
        json.end()?;
        Ok(head)
    }

    fn within_lookback(&mut self, schema: &Schema, utc: Option<&str>) -> bool {
        let parsed = utc.and_then(|text| text.parse::<Timestamp>().ok().map(|time| (time, text)));
        let within = match (schema.not_before, &parsed) {
            (None, _) => true,
            (Some(not_before), Some((time, _))) => *time >= not_before,
            (Some(_), None) => false,
        };
        if let Some((time, text)) = parsed
            && within
            && self.newest_utc.as_ref().is_none_or(|(newest, _)| time > *newest)
        {
            self.newest_utc = Some((time, text.to_owned()));
        }
        within
    }
}

#[derive(Default)]
struct Head<'de> {
    identity: Option<Range<usize>>,
    utc: Option<Cow<'de, str>>,
    label: Option<bool>,
}

struct RecordSeed<'a> {
    schema: &'a Schema,
    order: &'a mut Vec<(String, Roles)>,
    batch: &'a mut Batch,
    first_cell: usize,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Head<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Head<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record, that is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { schema, order, batch, first_cell } = self;
        let mut head = Head::default();
        let mut position = 0;
        while let Some(roles) = map.next_key_seed(KeySeed { schema, order, position })? {
            position += 1;
            let raw: &'de RawValue = map.next_value()?;
            if roles.column.is_none() && !roles.identity && !roles.utc && !roles.label {
                continue;
            }
            let value = Value::read(raw).map_err(de::Error::custom)?;
            if let Some(column) = roles.column {
                batch.cells[first_cell + column] = match schema.columns[column].1 {
                    Kind::Numeric => numeric_cell(&value),
                    Kind::Categorical => categorical_cell(&value, raw, batch),
                };
            }
            if roles.identity && value != Value::Null {
                head.identity = Some(match &value {
                    Value::Text(text) => batch.append(text),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Nested => batch.append(raw.get()),
                });
            }
            if roles.label {
                head.label = value.category(raw).map(|label| !schema.normal_labels.contains(label));
            }
            if roles.utc
                && let Value::Text(text) = value
            {
                head.utc = Some(text);
            }
        }
        Ok(head)
    }
}

#[allow(clippy::cast_possible_truncation)] // A row is made of f32; what is too large is infinite until it is encoded.
fn numeric_cell(value: &Value<'_>) -> u32 {
    let number = match value {
        Value::Number(number) => *number as f32,
        Value::Bool(true) => 1.0,
        Value::Bool(false) => 0.0,
        Value::Null | Value::Text(_) | Value::Nested => f32::NAN,
    };
    number.to_bits()
}

fn categorical_cell(value: &Value<'_>, raw: &RawValue, batch: &mut Batch) -> u32 {
    let Some(text) = value.category(raw) else {
        return MISSING;
    };
    let span = batch.append(text);
    batch.spans.push(span);
    u32::try_from(batch.spans.len() - 1).unwrap_or(MISSING)
}

struct KeySeed<'a> {
    schema: &'a Schema,
    order: &'a mut Vec<(String, Roles)>,
    position: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Roles;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Roles, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Roles;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field name")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Roles, E> {
        if let Some((name, roles)) = self.order.get(self.position)
            && name == key
        {
            return Ok(*roles);
        }
        let roles = self.schema.roles.get(key).copied().unwrap_or_default();
        if self.position == self.order.len() && self.position < REMEMBERED_POSITIONS {
            self.order.push((key.to_owned(), roles));
        }
        Ok(roles)
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
