//! Looks for lines in zstd frames that come piece by piece.

use std::collections::BTreeSet;
use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::pieces::Pieces;

/// Takes the bytes of an object.
pub(crate) struct SoughtLines {
    pieces: Pieces<Lines>,
}

#[derive(Default)]
struct Lines {
    /// Lower-case hexadecimal SHA-256 of those that were not found yet.
    sought: BTreeSet<String>,
    /// Of the line that is not whole yet.
    hash: Sha256,
}

impl SoughtLines {
    /// Of these hashes, lower-case hexadecimal SHA-256.
    pub(crate) fn new(sought: BTreeSet<String>) -> Self {
        Self { pieces: Pieces::for_writer(Lines { sought, hash: Sha256::new() }) }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.pieces.push(chunk);
    }

    /// Whether all of them were found; `None` where some were not and not all could be read.
    pub(crate) fn finish(self) -> Option<bool> {
        let (lines, unreadable) = self.pieces.finish();
        if lines.sought.is_empty() { Some(true) } else { unreadable.is_none().then_some(false) }
    }
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                None => self.hash.update(piece),
                Some(end) => {
                    self.hash.update(end);
                    self.sought.remove(&hex::encode(std::mem::take(&mut self.hash).finalize()));
                }
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::record_sha256;

    #[test]
    fn lines_are_found_however_they_are_cut_and_damage_tells_nothing() {
        let mut stored = zstd::encode_all(b"one\ntwo\nthr".as_slice(), 3).unwrap();
        stored.extend_from_slice(&zstd::encode_all(b"ee\n".as_slice(), 3).unwrap());
        let has_all = |stored: &[u8], sought: &[&str], chunk: usize| {
            let mut lines = SoughtLines::new(sought.iter().map(|line| record_sha256(line.as_bytes())).collect());
            stored.chunks(chunk).for_each(|chunk| lines.push(chunk));
            lines.finish()
        };
        for chunk in [1, 7, 1_000] {
            assert_eq!(has_all(&stored, &["three", "one"], chunk), Some(true));
            assert_eq!(has_all(&stored, &["one", "thr"], chunk), Some(false));
        }
        assert_eq!(has_all(b"no frames at all", &["one"], 5), None);
        assert_eq!(has_all(b"no frames at all", &[], 5), Some(true));
    }
}
