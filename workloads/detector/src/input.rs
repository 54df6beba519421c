//! A message that came in, as far as it matters what became of it.

use jiff::Timestamp;

/// A message that came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The Kafka timestamp.
    pub(crate) timestamp: Option<Timestamp>,
    /// Bytes that its copies take beyond their value: key, headers and what Kafka adds.
    pub(crate) overhead: usize,
}
