//! What a command could not read, for people: what it could read it has told.

use vedette_archive::Missed;
use vedette_registry::PassedObject;

use crate::output::warn;

/// Names each object of the archive, and says how many lines were strange.
pub(super) fn complain(missed: &Missed) {
    complaints(missed).iter().for_each(|line| warn(line));
}

/// The same as lines, for whoever says them later.
pub(super) fn complaints(missed: &Missed) -> Vec<String> {
    let objects = missed.objects.iter().map(|(key, what)| format!("{key} could not all be read: {what}"));
    let strange = (missed.lines > 0)
        .then(|| format!("{} lines of the archive are nothing of this kind; they were left out", missed.lines));
    objects.chain(strange).collect()
}

/// Names each object among those that is none, and why, a line each.
pub(super) fn notes_of_passed(passed: &[PassedObject], of: &str) -> Vec<String> {
    passed.iter().map(|PassedObject { key, why }| format!("{key} is no {of}: {why}")).collect()
}
