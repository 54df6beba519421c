//! What a person reads while it runs: one line at a time, without colours, to standard error when a program reads
//! standard output.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::standard::print;

/// At most so many alerts are shown a second; the others are counted.
const ALERTS_PER_SECOND: u32 = 2;

/// Prints lines with the time since the start.
pub(crate) struct Console {
    to_standard_error: bool,
    started: Instant,
    alerts: Mutex<AlertWindow>,
}

struct AlertWindow {
    began: Instant,
    shown: u32,
    hidden: u64,
}

impl Console {
    /// Prints to standard output, or to standard error.
    pub(crate) fn new(to_standard_error: bool) -> Self {
        let started = Instant::now();
        Self { to_standard_error, started, alerts: Mutex::new(AlertWindow { began: started, shown: 0, hidden: 0 }) }
    }

    /// One line.
    pub(crate) fn say(&self, line: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.write(&format!("[{seconds:6.1} s] {line}\n"));
    }

    /// A condition as it stands now.
    pub(crate) fn condition(&self, condition: &Condition) {
        let Condition { type_, status, reason, message, .. } = condition;
        self.say(&format!("{type_}={} {reason}: {message}", status.to_lowercase()));
    }

    /// Text as it is.
    pub(crate) fn write(&self, text: &str) {
        // That nobody can read how it goes is no reason to stop the flow.
        if self.to_standard_error {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        } else {
            let _ = print(|out| out.write_all(text.as_bytes()));
        }
    }

    /// An alert, if not too many were shown in this second.
    pub(crate) fn alert(&self, line: &str) {
        let mut window = self.alerts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.began.elapsed() >= Duration::from_secs(1) {
            let hidden = window.hidden;
            *window = AlertWindow { began: Instant::now(), shown: 0, hidden: 0 };
            if hidden > 0 {
                self.say(&format!("ALERT … and {hidden} more"));
            }
        }
        if window.shown < ALERTS_PER_SECOND {
            window.shown += 1;
            self.say(&format!("ALERT {line}"));
        } else {
            window.hidden += 1;
        }
    }
}
