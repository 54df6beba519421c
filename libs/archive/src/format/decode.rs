//! Turns stored bytes into lines: zstd frames one after the other, then one record per line. Bounded in memory by the
//! longest line; a line that is longer than any record can be is passed over.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

/// No record is longer; what is, is damaged.
pub(super) const MAX_LINE_BYTES: u64 = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its bytes, without the line's end.
    Whole(&'a [u8]),
    /// It was longer than any record can be.
    TooLong,
}

/// Hands over each line until told to stop.
///
/// # Errors
/// When the frames are damaged or cut; the lines before were handed over.
pub(super) fn for_each_line(stored: &[u8], mut take: impl FnMut(Line<'_>) -> ControlFlow<()>) -> io::Result<()> {
    let mut lines = BufReader::with_capacity(BUFFER_BYTES, zstd::stream::read::Decoder::with_buffer(stored)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        let next = if !whole && line.len() as u64 == MAX_LINE_BYTES {
            lines.skip_until(b'\n')?;
            Line::TooLong
        } else {
            Line::Whole(if whole { &line[..line.len() - 1] } else { &line })
        };
        if take(next).is_break() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(stored: &[u8]) -> (Vec<Option<Vec<u8>>>, io::Result<()>) {
        let mut found = Vec::new();
        let end = for_each_line(stored, |line| {
            found.push(match line {
                Line::Whole(bytes) => Some(bytes.to_vec()),
                Line::TooLong => None,
            });
            ControlFlow::Continue(())
        });
        (found, end)
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut text = vec![b'x'; usize::try_from(MAX_LINE_BYTES).unwrap() + 10];
        text.extend_from_slice(b"\nnext\n");
        let (found, end) = lines(&zstd::encode_all(text.as_slice(), 1).unwrap());
        end.unwrap();
        assert_eq!(found, [None, Some(b"next".to_vec())]);
    }

    #[test]
    fn lines_before_a_damage_are_handed_over() {
        let mut stored = zstd::encode_all(b"first\n".as_slice(), 1).unwrap();
        stored.extend_from_slice(&zstd::encode_all(b"second\n".as_slice(), 1).unwrap()[..8]);
        let (found, end) = lines(&stored);
        assert_eq!(found, [Some(b"first".to_vec())]);
        assert!(end.is_err());
        assert!(lines(b"not zstd at all").1.is_err());
    }

    #[test]
    fn reading_stops_when_told() {
        let mut seen = 0;
        let stored = zstd::encode_all(b"1\n2\n3\n".as_slice(), 1).unwrap();
        for_each_line(&stored, |_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(seen, 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn lines_are_the_same_however_they_are_cut_into_frames(
            text in prop::collection::vec("[a-z\r]{0,12}", 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let plain: Vec<u8> = text.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(plain.len() + 1)).collect();
            places.extend([0, plain.len()]);
            places.sort_unstable();
            let stored: Vec<u8> =
                places.windows(2).flat_map(|pair| zstd::encode_all(&plain[pair[0]..pair[1]], 1).unwrap()).collect();
            let (found, end) = lines(&stored);
            end.unwrap();
            let expected: Vec<_> = text.iter().map(|line| Some(line.clone().into_bytes())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
