//! Hashes the last line of zstd frames that come piece by piece.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::pieces::Pieces;

/// Takes the bytes of an object.
#[derive(Default)]
pub(crate) struct LastLine {
    pieces: Pieces<Line>,
}

/// The line that came last.
#[derive(Default)]
struct Line {
    hash: Sha256,
    is_whole: bool,
}

impl LastLine {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.pieces.push(chunk);
    }

    /// Its lower-case hexadecimal SHA-256; `None` where not all could be read, or there is no line.
    pub(crate) fn finish(self) -> Option<String> {
        let (line, unreadable) = self.pieces.finish();
        (unreadable.is_none() && line.is_whole).then(|| hex::encode(line.hash.finalize()))
    }
}

impl Write for Line {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            if self.is_whole {
                self.hash = Sha256::new();
            }
            self.is_whole = piece.ends_with(b"\n");
            self.hash.update(piece.strip_suffix(b"\n").unwrap_or(piece));
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

    fn last_of(stored: &[u8], chunk: usize) -> Option<String> {
        let mut last = LastLine::default();
        stored.chunks(chunk).for_each(|chunk| last.push(chunk));
        last.finish()
    }

    #[test]
    fn the_last_line_is_found_however_it_is_cut_and_damage_is_no_line() {
        let mut stored = zstd::encode_all(b"one\ntwo\n".as_slice(), 3).unwrap();
        stored.extend_from_slice(&zstd::encode_all(b"thr".as_slice(), 3).unwrap());
        stored.extend_from_slice(&zstd::encode_all(b"ee\n".as_slice(), 3).unwrap());
        for chunk in [1, 7, 1_000] {
            assert_eq!(last_of(&stored, chunk), Some(record_sha256(b"three")));
        }
        assert_eq!(last_of(b"no frames at all", 5), None);
        assert_eq!(last_of(&zstd::encode_all(b"cut".as_slice(), 3).unwrap(), 5), None);
        assert_eq!(last_of(&[], 5), None);
    }
}
