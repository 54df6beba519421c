//! Records by their names, where they were found, and whether they are those that were expected.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// So many are named where some are wrong.
const NAMED: usize = 5;

/// A record by its uuid, and where it is: the partition and offset, or the object.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its identity.
    pub uuid: String,
    /// For a person.
    pub place: String,
}

/// Exactly these, each once.
///
/// # Errors
/// How many are not, and where the first few of them are.
pub fn each_once(expected: &HashSet<String, impl BuildHasher>, records: &[Found]) -> Result<(), String> {
    let mut places: HashMap<&str, &str> = HashMap::new();
    let (mut twice, mut foreign) = (Vec::new(), Vec::new());
    for Found { uuid, place } in records {
        if let Some(first) = places.insert(uuid, place) {
            twice.push(format!("{uuid} at {first} and {place}"));
        }
        if !expected.contains(uuid) {
            foreign.push(format!("{uuid} at {place}"));
        }
    }
    let missing: Vec<String> = expected.iter().filter(|uuid| !places.contains_key(uuid.as_str())).cloned().collect();
    let wrong = [("twice", twice), ("foreign", foreign), ("missing", missing)].into_iter();
    let wrong = wrong.filter(|(_, found)| !found.is_empty());
    let said = wrong.map(|(what, found)| {
        format!("{} records are {what}, first {:#?}", found.len(), &found[..found.len().min(NAMED)])
    });
    let said: Vec<_> = said.collect();
    if said.is_empty() { Ok(()) } else { Err(said.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_twice_foreign_or_missing_is_said() {
        let expected: HashSet<_> = ["a", "b"].map(str::to_owned).into();
        let found = |uuids: &[&str]| {
            let found = |uuid: &&str| Found { uuid: (*uuid).to_owned(), place: format!("at {uuid}") };
            each_once(&expected, &uuids.iter().map(found).collect::<Vec<_>>())
        };
        assert_eq!(found(&["b", "a"]), Ok(()));
        for (uuids, wrong) in [
            (&["a", "b", "a"][..], "1 records are twice"),
            (&["a", "b", "c"], "1 records are foreign"),
            (&["a"], "1 records are missing"),
        ] {
            assert!(found(uuids).unwrap_err().starts_with(wrong), "{uuids:?}");
        }
    }
}
