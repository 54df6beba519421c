//! Lookups: a field of the record is joined with a table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A join of a field of the record with a table, whose values become fields of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    /// Names it in logs and metrics.
    #[schemars(length(max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Field of the record that is looked up, as text: 80 and `"80"` are one. `a.b` is the field of this name or the member `b` of
    /// the object `a`.
    #[schemars(length(min = 1, max = 256))]
    pub field: String,
    /// Where the table is. It is read again when it changes, within a minute, and no pod is replaced for that.
    pub table: Table,
    /// How the table is written. Its separator and encoding are told by its first bytes; it may be gzip or zstd.
    #[serde(default)]
    pub format: TableFormat,
    /// Column of the table that the field is compared with. No value of it may stand there twice with other values beside it.
    #[schemars(length(min = 1, max = 256))]
    pub key_column: String,
    /// Columns of the table whose values are added to the record, as fields of these names. A record that brings such a field is a
    /// dead letter.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub columns: Vec<String>,
    /// Stands before the names of the columns in the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub prefix: Option<String>,
}

/// Where a table is: one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Table {
    /// A file in the bucket.
    Bucket(TableObject),
    /// A key of a ConfigMap, which holds 1 MiB at most.
    ConfigMap(TableConfigMap),
}

/// A file in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableObject {
    /// Key of the file below `<namespace>/`.
    #[schemars(length(max = 512), regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"))]
    pub key: String,
}

/// A key of a ConfigMap in the namespace of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableConfigMap {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key that has the table.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TableFormat {
    /// Fields with a separator between them, the names of the columns in the first line.
    #[default]
    Csv,
    /// An object a line.
    JsonLines,
}
