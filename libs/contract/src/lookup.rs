//! A join of the stream with a table, as a detector is given it: JSON, an argument each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Name;

/// A join of a field with a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Lookup {
    /// Names it in logs and metrics.
    pub name: Name,
    /// Field of the record that is looked up.
    pub field: String,
    /// Where the table is.
    pub place: TablePlace,
    /// How it is written.
    pub format: TableFormat,
    /// Column that the field is compared with.
    pub key_column: String,
    /// Columns whose values are added.
    pub columns: Vec<String>,
    /// Stands before the names of the columns in the record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// Where a table is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TablePlace {
    /// Full key in the bucket.
    Object(String),
    /// A file, whose path is an argument of its own.
    File,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableFormat {
    /// Fields with a separator between them, the names of the columns in the first line.
    Csv,
    /// An object a line.
    JsonLines,
}

impl Lookup {
    /// The fields that it adds to a record, in the order of the columns.
    pub fn fields(&self) -> impl Iterator<Item = String> {
        self.columns.iter().map(|column| format!("{}{column}", self.prefix))
    }
}

impl FromStr for Lookup {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("{text:?} is no lookup: {error}"))
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_is_read_back_as_it_was_written() {
        let text = r#"{"name":"assets","field":"src","place":{"object":"n/a.csv"},"format":"Csv","keyColumn":"ip","columns":["zone"],"prefix":"src_"}"#;
        let lookup: Lookup = text.parse().unwrap();
        assert_eq!(lookup.to_string(), text);
        assert_eq!(lookup.fields().collect::<Vec<_>>(), ["src_zone"]);
        let file = text.replace(r#"{"object":"n/a.csv"}"#, "\"file\"").replace(r#","prefix":"src_""#, "");
        assert_eq!(file.parse::<Lookup>().unwrap().to_string(), file);
        assert!(text.replace("keyColumn", "key").parse::<Lookup>().unwrap_err().contains("no lookup"));
    }
}
