//! The formats of objects: how records become bytes, bytes records, and how they are counted. Every use of a format goes
//! through here, so that another one has one place.

mod backwards;
mod count;
mod decode;
mod encode;
mod find;
mod last;
mod pieces;

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use vedette_contract::archive::Format;

pub(crate) use self::count::{Counted, LineCounter};
pub use self::decode::Line;
pub use self::encode::{COMPRESSION_LEVEL, FrameEncoder};
pub(crate) use self::find::SoughtLines;
pub(crate) use self::last::LastLine;

/// Lines are written in pieces of so many bytes.
const WRITE_BYTES: usize = 256 << 10;

/// Makes the bytes of objects of this format.
///
/// # Errors
/// When there is no memory for it.
pub fn encoder(format: Format) -> io::Result<FrameEncoder> {
    match format {
        Format::JsonLines => FrameEncoder::new(),
    }
}

/// Hands over each line of an object or of a delta until told to stop.
pub(crate) fn for_each_line(
    format: Format,
    stored: &[u8],
    take: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    match format {
        Format::JsonLines => decode::for_each_line(stored, take),
    }
}

/// Hands over each line of an object or of a delta, the last one first, until told to stop.
pub(crate) fn for_each_line_backwards(
    format: Format,
    stored: &[u8],
    take: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    match format {
        Format::JsonLines => backwards::for_each_line_backwards(stored, take),
    }
}

/// Writes the lines of an object or of a delta, each with its end.
pub(crate) fn write_lines(format: Format, stored: &[u8], out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::JsonLines => {
            let mut out = BufWriter::with_capacity(WRITE_BYTES, out);
            zstd::stream::copy_decode(stored, &mut out)?;
            out.flush()
        }
    }
}

/// Counts the records of an object that comes piece by piece.
pub(crate) fn counter(format: Format) -> LineCounter {
    match format {
        Format::JsonLines => LineCounter::default(),
    }
}

/// Finds the last record of an object that comes piece by piece.
pub(crate) fn last_line(format: Format) -> LastLine {
    match format {
        Format::JsonLines => LastLine::default(),
    }
}

/// Looks for records of these hashes in an object that comes piece by piece.
pub(crate) fn sought_lines(format: Format, sought: BTreeSet<String>) -> SoughtLines {
    match format {
        Format::JsonLines => SoughtLines::new(sought),
    }
}
