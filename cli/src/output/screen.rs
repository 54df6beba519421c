//! A listing that stands on a terminal and is drawn anew in place.

use std::fmt::Write as _;
use std::io::{self, Write};

/// To the first cell. A line that is longer than the window is cut there, instead of going on in the next.
const BEGIN: &str = "\x1b[H\x1b[?7l";
/// Nothing of what stood there before is left on a line.
const END_OF_LINE: &str = "\x1b[K\n";
/// Nor below; and lines go on as they did.
const END: &str = "\x1b[J\x1b[?7h";
/// Of a terminal that does not say how many lines it has.
const USUAL_LINES: usize = 24;

/// The window.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    is_begun: bool,
}

impl Screen {
    /// Draws a text in the place of the one before. Its lines have nothing that steers.
    pub(crate) fn draw(&mut self, out: &mut impl Write, text: &str) -> io::Result<()> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let lines = size.map(|size| usize::from(size.ws_row)).filter(|lines| *lines > 0).unwrap_or(USUAL_LINES);
        if !self.is_begun {
            // What stands there is moved up, where it can be looked at later.
            out.write_all("\n".repeat(lines).as_bytes())?;
            self.is_begun = true;
        }
        out.write_all(frame(text, lines).as_bytes())
    }
}

/// As much of it as a window of so many lines has room for: the cursor stands on the last. What stands below the first empty line is
/// about all that is above it, so the rows above make room for it, as long as half of the window is theirs.
fn frame(text: &str, lines: usize) -> String {
    let room = lines.saturating_sub(1).max(1);
    let text: Vec<&str> = text.lines().collect();
    let (rows, below) = text.split_at(text.iter().position(|line| line.is_empty()).unwrap_or(text.len()));
    let room_of_rows = rows.len().min(room.saturating_sub(below.len()).max(room.div_ceil(2)));
    let mut frame = BEGIN.to_owned();
    for (lines, room) in [(rows, room_of_rows), (below, room - room_of_rows)] {
        push_lines(&mut frame, lines, room);
    }
    frame.push_str(END);
    frame
}

/// Adds these, or those that there is room for and how many there are besides.
fn push_lines(frame: &mut String, lines: &[&str], room: usize) {
    let shown = if lines.len() > room { room.saturating_sub(1) } else { lines.len() };
    for line in &lines[..shown] {
        frame.push_str(line);
        frame.push_str(END_OF_LINE);
    }
    if lines.len() > shown && room > 0 {
        // Writing to a text does not fail.
        let _ = write!(frame, "… and {} more lines{END_OF_LINE}", lines.len() - shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that one sees.
    fn seen(text: &str, lines: usize) -> Vec<String> {
        let frame = frame(text, lines);
        let inner = frame.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).unwrap();
        inner.split_terminator(END_OF_LINE).map(str::to_owned).collect()
    }

    #[test]
    fn as_many_lines_are_drawn_as_there_is_room_for() {
        assert_eq!(seen("a\n\nb\n", 4), ["a", "", "b"]);
        assert_eq!(seen("a\nb\nc\nd\n", 4), ["a", "b", "… and 2 more lines"]);
        assert_eq!(seen("a\nb\n", 1), ["… and 2 more lines"]);
        assert_eq!(seen("", 4), [""; 0]);
    }

    #[test]
    fn what_is_said_below_the_rows_is_not_what_is_cut_off() {
        assert_eq!(seen("a\nb\nc\nd\n\nolder\n", 6), ["a", "b", "… and 2 more lines", "", "older"]);
        let warnings = "a\nb\nc\nd\n\nwarning: 1\nwarning: 2\nwarning: 3\n";
        assert_eq!(seen(warnings, 7), ["a", "b", "… and 2 more lines", "", "warning: 1", "… and 2 more lines"]);
        assert_eq!(seen("a\n\nb\nc\nd\n", 5), ["a", "", "b", "… and 2 more lines"]);
        assert_eq!(seen("a\nb\n\nc\n", 2), ["… and 2 more lines"]);
    }
}
