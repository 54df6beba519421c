//! How many bytes a message takes of what its topic accepts, at most (Kafka's record batch format v2).

/// The header of a batch of one message (61 bytes), and the message's own fixed fields and varints.
const MESSAGE: usize = 61 + 36;
/// The two varints of a header.
const HEADER: usize = 10;

/// A message with a value of so many bytes, these headers, and so many bytes of key and other headers.
pub fn message(value: usize, inherited: usize, headers: &[(&'static str, String)]) -> usize {
    let headers: usize = headers.iter().map(|(name, value)| header(name.len(), value.len())).sum();
    MESSAGE + value + inherited + headers
}

/// A header with a name and a value of so many bytes.
pub const fn header(name: usize, value: usize) -> usize {
    HEADER + name + value
}
