//! The content of one object, taken piece by piece: its hash, its records and its first record's hash.

use std::io;

use sha2::{Digest, Sha256};
use vedette_contract::archive::{FirstRecord, Format};

use crate::format::{Counted, LineCounter, counter};

/// What an object turned out to hold.
#[derive(Debug)]
pub(super) struct Summary {
    /// Lower-case hexadecimal SHA-256 of the compressed bytes.
    pub(super) sha256: String,
    /// Compressed length.
    pub(super) bytes: u64,
    /// Lines.
    pub(super) records: u64,
    /// Of the first line.
    pub(super) first_record: FirstRecord,
    /// Why it is not of its format.
    pub(super) unreadable: Option<io::Error>,
}

/// Takes the bytes of an object.
pub(super) struct Content {
    digest: Sha256,
    bytes: u64,
    records: LineCounter,
}

impl Content {
    pub(super) fn new(format: Format) -> Self {
        Self { digest: Sha256::new(), bytes: 0, records: counter(format) }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.digest.update(chunk);
        self.bytes += chunk.len() as u64;
        self.records.push(chunk);
    }

    pub(super) fn finish(self) -> Summary {
        let Self { digest, bytes, records } = self;
        let Counted { records, first_record, unreadable } = records.finish();
        Summary { sha256: hex::encode(digest.finalize()), bytes, records, first_record, unreadable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{first_record, sha256_hex};

    fn read(bytes: &[u8], piece: usize) -> Summary {
        let mut content = Content::new(Format::JsonLines);
        bytes.chunks(piece).for_each(|chunk| content.push(chunk));
        content.finish()
    }

    fn frames(frames: &[&str]) -> Vec<u8> {
        frames.iter().flat_map(|frame| zstd::encode_all(frame.as_bytes(), 3).unwrap()).collect()
    }

    #[test]
    fn an_object_of_several_frames_is_read_whole_in_any_pieces() {
        let bytes = frames(&["{\"a\":1}\n{}\n", "{\"b\":2}\n"]);
        for piece in [1, 7, 1000] {
            let summary = read(&bytes, piece);
            assert!(summary.unreadable.is_none());
            assert_eq!((summary.records, summary.bytes), (3, bytes.len() as u64));
            assert_eq!(summary.sha256, sha256_hex(&bytes));
            assert_eq!(summary.first_record, first_record(b"{\"a\":1}"));
        }
    }

    #[test]
    fn bytes_that_are_not_frames_of_lines_are_unreadable() {
        let whole = frames(&["{\"a\":1}\n", "{\"b\":2}\n"]);
        for bad in [&b"no frame at all, but text"[..], &frames(&["{}\n{}"])] {
            assert!(read(bad, 5).unreadable.is_some());
        }
        assert_eq!(read(&whole[..whole.len() - 4], 5).records, 1);
    }
}
