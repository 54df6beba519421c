//! Counts lines under a CSV parser, whose own count is early after blank lines and at line ends of Windows.

use std::io::{self, BufRead, Read};

/// Returns no more than one line per read, so that a parser with a buffer has read no further than the line of its row.
pub(super) struct Lines<R> {
    inner: R,
    /// The line of the last byte that was returned, from 1; 0 before the first.
    line: u64,
    at_line_start: bool,
}

impl<R: BufRead> Lines<R> {
    /// At the beginning of a text.
    pub(super) fn new(inner: R) -> Self {
        Self { inner, line: 0, at_line_start: true }
    }

    /// The line of the last byte that was returned, from 1; 0 before the first.
    pub(super) fn line(&self) -> u64 {
        self.line
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.inner.fill_buf()?;
        let room = &available[..available.len().min(buffer.len())];
        let length = room.iter().position(|byte| *byte == b'\n').map_or(room.len(), |end| end + 1);
        if length > 0 {
            self.line += u64::from(self.at_line_start);
            self.at_line_start = room[length - 1] == b'\n';
            buffer[..length].copy_from_slice(&room[..length]);
            self.inner.consume(length);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_ends_with_its_line() {
        let mut lines = Lines::new(&b"ab\n\nc\r\nd"[..]);
        let mut buffer = [0; 8];
        let mut reads = Vec::new();
        loop {
            let length = lines.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            reads.push((lines.line(), buffer[..length].to_vec()));
        }
        let expected: [(u64, &[u8]); 4] = [(1, b"ab\n"), (2, b"\n"), (3, b"c\r\n"), (4, b"d")];
        assert_eq!(reads, expected.map(|(line, text)| (line, text.to_vec())));
        assert_eq!(lines.line(), 4);
    }

    #[test]
    fn a_line_longer_than_the_buffer_counts_once() {
        let mut lines = Lines::new(&b"abcdefgh\ni"[..]);
        let mut buffer = [0; 3];
        let mut counted = Vec::new();
        while lines.read(&mut buffer).unwrap() > 0 {
            counted.push(lines.line());
        }
        assert_eq!(counted, [1, 1, 1, 2]);
    }
}
