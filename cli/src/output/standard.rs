//! Standard output.

use std::io::{self, StdoutLock};

/// Writes to standard output; a reader that went away is no error.
pub(crate) fn print(write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>) {
    let _ = write(&mut io::stdout().lock());
}
