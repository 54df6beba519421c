//! Standard output.

use std::io::{self, ErrorKind, StdoutLock, Write};

use thiserror::Error;

/// What was to be read by somebody cannot be written.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[source] io::Error);

/// Writes to standard output; a reader that went away is no error.
///
/// # Errors
/// When it takes no more, as a file on a full disk.
pub(crate) fn print(write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    judged(write(&mut out).and_then(|()| out.flush()))
}

fn judged(written: io::Result<()>) -> Result<(), OutputError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputError(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reader_that_went_away_is_no_error() {
        assert!(judged(Ok(())).is_ok());
        assert!(judged(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(judged(Err(ErrorKind::StorageFull.into())).is_err());
    }
}
