//! How far something is that lasts: one line on standard error that is written over again and again, where that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// It is written this often at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// The line, which goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    is_seen: bool,
    written: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_seen: io::stderr().is_terminal(), written: None }
    }

    /// Says how far it is.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        let is_soon = self.written.is_some_and(|written| written.elapsed() < INTERVAL);
        if self.is_seen && !is_soon {
            // That nobody can read how it goes is no reason to stop.
            let _ = write!(io::stderr().lock(), "\r{}\x1b[K", line());
            self.written = Some(Instant::now());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.written.is_some() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
