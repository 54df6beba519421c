//! How far something is that lasts: one line on standard error that is written over again and again, where that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// It is written this often at most.
const INTERVAL: Duration = Duration::from_millis(200);
/// To the begin of the line. One that is longer than the window is cut there: of its next line the cursor would not come back.
const BEGIN: &str = "\r\x1b[?7l";
/// Nothing of what stood there before is left, and lines go on as they did.
const END: &str = "\x1b[K\x1b[?7h";
const EMPTY: &str = "\r\x1b[K";

/// Whether a line stands on the terminal of this process.
static STANDS: AtomicBool = AtomicBool::new(false);

/// The line, which goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    is_seen: bool,
    written: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        // Such as that of an editor, which shows what is to steer it.
        let steers = std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        Self { is_seen: steers && io::stderr().is_terminal(), written: None }
    }

    /// Beside what is written to standard output meanwhile: nothing where that is a terminal, too.
    pub(crate) fn beside_output() -> Self {
        let mut progress = Self::new();
        progress.is_seen &= !io::stdout().is_terminal();
        progress
    }

    /// Says how far it is.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        let is_soon = self.written.is_some_and(|written| written.elapsed() < INTERVAL);
        if self.is_seen && !is_soon {
            // That nobody can read how it goes is no reason to stop.
            let _ = write!(io::stderr().lock(), "{BEGIN}{}{END}", line());
            self.written = Some(Instant::now());
            STANDS.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        make_room();
    }
}

/// Takes the line away, where one stands, for what is said in its place.
pub(super) fn make_room() {
    if STANDS.swap(false, Ordering::Relaxed) {
        let _ = write!(io::stderr().lock(), "{EMPTY}");
    }
}
