//! The formats of objects: how records become bytes, bytes records, and how they are counted. Every use of a format goes
//! through here, so that another one has one place.

mod count;
mod decode;
mod encode;
mod find;
mod last;
mod pieces;

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;

use vedette_contract::archive::Format;

pub(crate) use self::count::{Counted, LineCounter};
pub use self::decode::Line;
pub use self::encode::FrameEncoder;
pub(crate) use self::find::SoughtLines;
pub(crate) use self::last::LastLine;

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
