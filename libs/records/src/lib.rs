//! What a record is: one reader of its fields, the meaning of a value and of a label, the splicing of fields into it, and
//! the dead letter that is made of one that cannot be read. Whoever generates, scores, archives, learns or counts records
//! reads them here, so no two of them can understand one record differently. No Kafka client, no I/O, no async.

mod checked;
pub mod dead_letter;
mod keys;
mod label;
mod line;
mod names;
mod plain;
mod reader;
mod refusal;
mod rename;
mod scalar;
pub mod size;
pub mod splice;
mod utc;

pub use label::{Label, LabelTally};
pub use line::one_line;
pub use names::{Field, FieldNames};
pub use reader::{Record, RecordReader};
pub use refusal::Refusal;
pub use rename::Renames;
pub use scalar::{Numeral, Scalar, ScalarKind};
pub use utc::{UtcSpelling, read_utc};
