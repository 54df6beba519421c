//! What a command could not read, for people: what it could read it has told.

use vedette_archive::Missed;
use vedette_registry::PassedObject;

use crate::output::{escaped, warn};

/// Names each object of the archive, and says how many lines were strange.
pub(super) fn complain(missed: &Missed) {
    for (key, what) in &missed.objects {
        warn(&format!("{key} could not all be read: {what}"));
    }
    if missed.lines > 0 {
        warn(&format!("{} lines of the archive are nothing of this kind; they were left out", missed.lines));
    }
}

/// Names each object among those that is none, and why.
pub(super) fn tell_passed(passed: &[PassedObject], of: &str) {
    for PassedObject { key, why } in passed {
        eprintln!("{} is no {of}: {}", escaped(key), escaped(why));
    }
}
