//! Every name and shape that crosses a process boundary: record fields, bucket keys, model artifacts, command lines.
//! It depends on serde and clap only, and on schemars behind a feature, and does no I/O; whoever reads or writes such a
//! thing takes it from here.
#![warn(missing_docs)]

pub mod alert;
pub mod archive;
pub mod arguments;
pub mod console;
pub mod dead_letter;
pub mod distribution;
pub mod exit;
pub mod fields;
pub mod file_names;
pub mod gate;
pub mod health;
pub mod incident;
pub mod input;
pub mod kafka_property;
pub mod keys;
pub mod learner;
pub mod lookup;
pub mod metrics;
pub mod model;
pub mod names;
pub mod parameters;
pub mod progress;
pub mod receiver;
pub mod reference;
pub mod search;
pub mod silence;
pub mod timing;
pub mod topic;
pub mod verdict;
pub mod written;

pub use names::{ModelVersion, Name, NameError, ObjectName, TopicName};
pub use reference::ReferenceWindow;
pub use written::{ByName, WrittenError, author, steers};
