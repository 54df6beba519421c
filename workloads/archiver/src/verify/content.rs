//! The content of one object, taken piece by piece: its hash, its records and its first record's hash.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use zstd::stream::write::Decoder;

/// What an object turned out to hold.
#[derive(Debug)]
pub(super) struct Summary {
    /// Lower-case hexadecimal SHA-256 of the compressed bytes.
    pub(super) sha256: String,
    /// Compressed length.
    pub(super) bytes: u64,
    /// Lines.
    pub(super) records: u64,
    /// First 8 hex digits of the SHA-256 of the first line.
    pub(super) first_record: String,
    /// Why it is not a sequence of zstd frames of whole lines.
    pub(super) unreadable: Option<io::Error>,
}

/// Takes the bytes of an object.
#[derive(Default)]
pub(super) struct Content {
    digest: Sha256,
    bytes: u64,
    decoder: Option<Decoder<'static, Lines>>,
    unreadable: Option<io::Error>,
}

impl Content {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.digest.update(chunk);
        self.bytes += chunk.len() as u64;
        if self.unreadable.is_none() {
            self.unreadable = self.decode(chunk).err();
        }
    }

    fn decode(&mut self, chunk: &[u8]) -> io::Result<()> {
        if self.decoder.is_none() {
            self.decoder = Some(Decoder::new(Lines::default())?);
        }
        self.decoder.as_mut().map_or(Ok(()), |decoder| decoder.write_all(chunk))
    }

    pub(super) fn finish(mut self) -> Summary {
        let flushed = self.decoder.as_mut().map_or(Ok(()), Write::flush);
        let lines = self.decoder.map(Decoder::into_inner).unwrap_or_default();
        let cut = || lines.is_in_line.then(|| io::Error::from(io::ErrorKind::UnexpectedEof));
        Summary {
            sha256: hex::encode(self.digest.finalize()),
            bytes: self.bytes,
            records: lines.count,
            first_record: hex::encode(lines.first.finalize()).chars().take(8).collect(),
            unreadable: self.unreadable.or(flushed.err()).or_else(cut),
        }
    }
}

/// Counts lines and hashes the first.
#[derive(Default)]
struct Lines {
    count: u64,
    first: Sha256,
    is_in_line: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::first_record_hash;

    fn read(bytes: &[u8], piece: usize) -> Summary {
        let mut content = Content::default();
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
            assert_eq!(summary.sha256, hex::encode(Sha256::digest(&bytes)));
            assert_eq!(summary.first_record, first_record_hash(b"{\"a\":1}"));
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
