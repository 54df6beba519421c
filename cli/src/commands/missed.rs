//! What of the archive a command could not read, for people: what it could read it has told.

use vedette_archive::Missed;

use crate::output::warn;

/// Names each object, and says how many lines were strange.
pub(super) fn complain(missed: &Missed) {
    for (key, what) in &missed.objects {
        warn(&format!("{key} could not all be read: {what}"));
    }
    if missed.lines > 0 {
        warn(&format!("{} lines of the archive are nothing of this kind; they were left out", missed.lines));
    }
}
