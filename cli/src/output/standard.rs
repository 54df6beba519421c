//! Standard output.

use std::io::{self, ErrorKind, StdoutLock, Write};
use std::ops::ControlFlow;

use thiserror::Error;

use super::escape::escaped;
use super::progress::make_room;

/// What was to be read by somebody cannot be written.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[source] io::Error);

/// Writes to standard output; a reader that went away is no error.
///
/// # Errors
/// When it takes no more, as a file on a full disk.
pub(crate) fn print(write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>) -> Result<(), OutputError> {
    print_while_read(write).map(drop)
}

/// The same, and whether somebody still reads.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_while_read(
    write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<ControlFlow<()>, OutputError> {
    let mut out = io::stdout().lock();
    judged(write(&mut out).and_then(|()| out.flush()))
}

/// Says on standard error what is wrong and stops nothing.
pub(crate) fn warn(line: &str) {
    say(&format!("warning: {line}"));
}

/// Says something on standard error.
pub fn say(line: &str) {
    make_room();
    // That nobody can read it is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{}", escaped(line));
}

fn judged(written: io::Result<()>) -> Result<ControlFlow<()>, OutputError> {
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(OutputError(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reader_that_went_away_is_no_error() {
        assert!(matches!(judged(Ok(())), Ok(ControlFlow::Continue(()))));
        assert!(matches!(judged(Err(ErrorKind::BrokenPipe.into())), Ok(ControlFlow::Break(()))));
        assert!(judged(Err(ErrorKind::StorageFull.into())).is_err());
    }
}
