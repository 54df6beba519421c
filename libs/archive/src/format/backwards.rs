//! Turns stored bytes into lines from the last to the first, frame by frame: whoever wants the newest lines decodes no more than
//! the frames that they are in. A writer ends a frame each few seconds, so a frame fits into memory; one that does not is damaged.

use std::io::{self, ErrorKind, Read};
use std::ops::{ControlFlow, Range};

use super::decode::{Line, MAX_LINE_BYTES};

/// No frame holds more, with what goes on in the next.
const MAX_FRAME_BYTES: u64 = 256 << 20;

/// Hands over each line, the last one first, until told to stop.
///
/// # Errors
/// When the frames are damaged or cut; lines of the frames that can be told apart were handed over.
pub(super) fn for_each_line_backwards(
    stored: &[u8],
    mut take: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let (frames, unreadable) = frames(stored);
    // The end of a line that begins in a frame before.
    let mut rest = Vec::new();
    for (number, frame) in frames.into_iter().enumerate().rev() {
        let mut text = decoded(&stored[frame], rest.len() as u64)?;
        text.append(&mut rest);
        let whole = if number == 0 { 0 } else { after_first_line(&text) };
        let lines = text[whole..].strip_suffix(b"\n").unwrap_or(&text[whole..]);
        if whole < text.len() {
            for line in lines.rsplit(|byte| *byte == b'\n') {
                let is_long = line.len() as u64 >= MAX_LINE_BYTES;
                if take(if is_long { Line::TooLong } else { Line::Whole(line) }).is_break() {
                    return Ok(());
                }
            }
        }
        text.truncate(whole);
        rest = text;
    }
    unreadable.map_or(Ok(()), Err)
}

/// Where each frame lies, and why what follows is none.
fn frames(stored: &[u8]) -> (Vec<Range<usize>>, Option<io::Error>) {
    let (mut frames, mut start) = (Vec::new(), 0);
    while start < stored.len() {
        match zstd::zstd_safe::find_frame_compressed_size(&stored[start..]) {
            Ok(length) if length > 0 => {
                frames.push(start..start + length);
                start += length;
            }
            Ok(_) => return (frames, Some(ErrorKind::InvalidData.into())),
            Err(code) => {
                let what = zstd::zstd_safe::get_error_name(code);
                return (frames, Some(io::Error::new(ErrorKind::InvalidData, what)));
            }
        }
    }
    (frames, None)
}

/// What a frame holds, behind which so many bytes go on.
fn decoded(frame: &[u8], rest: u64) -> io::Result<Vec<u8>> {
    let (mut text, room) = (Vec::new(), MAX_FRAME_BYTES.saturating_sub(rest));
    let decoder = zstd::stream::read::Decoder::with_buffer(frame)?;
    if decoder.take(room + 1).read_to_end(&mut text)? as u64 > room {
        return Err(io::Error::new(ErrorKind::InvalidData, "a frame is larger than any that is written"));
    }
    Ok(text)
}

/// Where the second line begins; the end where there is none.
fn after_first_line(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decode::for_each_line;
    use super::*;

    type Lines = Vec<Option<Vec<u8>>>;

    fn noted(lines: &mut Lines) -> impl FnMut(Line<'_>) -> ControlFlow<()> {
        |line| {
            lines.push(match line {
                Line::Whole(bytes) => Some(bytes.to_vec()),
                Line::TooLong => None,
            });
            ControlFlow::Continue(())
        }
    }

    fn backwards(stored: &[u8]) -> (Lines, io::Result<()>) {
        let mut lines = Lines::new();
        let end = for_each_line_backwards(stored, noted(&mut lines));
        (lines, end)
    }

    fn frame(text: &str) -> Vec<u8> {
        zstd::encode_all(text.as_bytes(), 1).unwrap()
    }

    #[test]
    fn only_frames_that_are_needed_are_decoded() {
        let mut first = frame("1\n2\n");
        let byte = first.len() - 2;
        first[byte] ^= 0xff;
        let stored = [first, frame("3\n4\n")].concat();
        let mut seen = Vec::new();
        let end = for_each_line_backwards(&stored, |line| {
            seen.push(line == Line::Whole(b"3"));
            if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((seen, end.is_ok()), (vec![false, true], true));
    }

    #[test]
    fn what_stands_before_a_damage_is_handed_over() {
        let whole = frame("1\n2\n");
        let (lines, end) = backwards(&[&whole[..], &frame("3\n")[..8]].concat());
        assert_eq!(lines, [Some(b"2".to_vec()), Some(b"1".to_vec())]);
        assert!(end.is_err() && backwards(b"not zstd at all").1.is_err());
        assert!(backwards(b"").1.is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn lines_are_the_same_from_either_end_however_they_are_cut_into_frames(
            text in prop::collection::vec("[a-z\r]{0,12}", 0..40),
            is_cut in any::<bool>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut plain: String = text.iter().map(|line| format!("{line}\n")).collect();
            if is_cut { plain.push_str("cut") }
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(plain.len() + 1)).collect();
            places.extend([0, plain.len()]);
            places.sort_unstable();
            let stored: Vec<u8> = places.windows(2).flat_map(|pair| frame(&plain[pair[0]..pair[1]])).collect();
            let mut forwards = Lines::new();
            for_each_line(&stored, noted(&mut forwards)).unwrap();
            let (mut found, end) = backwards(&stored);
            end.unwrap();
            found.reverse();
            prop_assert_eq!(found, forwards);
        }
    }
}
