//! Counts the lines of zstd frames that come piece by piece, and hashes the first.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use vedette_contract::archive::FirstRecord;

use super::pieces::Pieces;
use crate::hash::first_record_of;

/// What was counted.
#[derive(Debug)]
pub(crate) struct Counted {
    /// Lines.
    pub(crate) records: u64,
    /// Of the first line.
    pub(crate) first_record: FirstRecord,
    /// Why it is not a sequence of zstd frames of whole lines.
    pub(crate) unreadable: Option<io::Error>,
}

/// Takes the bytes of an object.
#[derive(Default)]
pub(crate) struct LineCounter {
    pieces: Pieces<Lines>,
}

/// Counts lines and hashes the first.
#[derive(Default)]
struct Lines {
    count: u64,
    first: Sha256,
    is_in_line: bool,
}

impl LineCounter {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.pieces.push(chunk);
    }

    pub(crate) fn finish(self) -> Counted {
        let (lines, unreadable) = self.pieces.finish();
        let cut = || lines.is_in_line.then(|| io::Error::from(io::ErrorKind::UnexpectedEof));
        let unreadable = unreadable.or_else(cut);
        Counted { records: lines.count, first_record: first_record_of(lines.first), unreadable }
    }
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.count == 0 {
            self.first.update(text.split(|byte| *byte == b'\n').next().unwrap_or_default());
        }
        self.count += text.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.is_in_line = text.last().map_or(self.is_in_line, |byte| *byte != b'\n');
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
