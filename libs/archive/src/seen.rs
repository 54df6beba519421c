//! What somebody has read of the objects of a stream, so that each is read once: no object ever changes, but one that is open gets
//! deltas, and is closed.

use std::collections::{BTreeMap, BTreeSet};

use vedette_contract::archive::ArchiveObjectKey;

use crate::list::{Source, Stored};

/// What was read.
#[derive(Debug, Default)]
pub struct Seen {
    objects: BTreeMap<ArchiveObjectKey, Extent>,
}

/// How much of an object.
#[derive(Debug)]
enum Extent {
    All,
    /// The deltas at these offsets.
    Deltas(BTreeSet<i64>),
}

impl Seen {
    /// What of a source was not read before; nothing where all of it was. One that was closed meanwhile is to be read as a whole: whoever
    /// took its partition over may have cut its deltas otherwise.
    pub fn unseen(&self, source: &Source) -> Option<Source> {
        match (self.objects.get(&source.object), &source.stored) {
            (Some(Extent::All), _) => None,
            (Some(Extent::Deltas(seen)), Stored::Open(deltas)) => {
                let new: Vec<i64> = deltas.iter().copied().filter(|delta| !seen.contains(delta)).collect();
                (!new.is_empty()).then(|| Source { stored: Stored::Open(new), ..source.clone() })
            }
            (Some(Extent::Deltas(_)), Stored::Closed) | (None, _) => Some(source.clone()),
        }
    }

    /// Whether anything of an object was read.
    pub fn has(&self, object: &ArchiveObjectKey) -> bool {
        self.objects.contains_key(object)
    }

    /// That this was read.
    pub fn note(&mut self, source: &Source) {
        match &source.stored {
            Stored::Closed => drop(self.objects.insert(source.object.clone(), Extent::All)),
            Stored::Open(deltas) => {
                let nothing = || Extent::Deltas(BTreeSet::new());
                match self.objects.entry(source.object.clone()).or_insert_with(nothing) {
                    Extent::Deltas(seen) => seen.extend(deltas),
                    Extent::All => {}
                }
            }
        }
    }

    /// Forgets all objects but these.
    pub fn keep(&mut self, listed: &[Source]) {
        let listed: BTreeSet<&ArchiveObjectKey> = listed.iter().map(|source| &source.object).collect();
        self.objects.retain(|object, _| listed.contains(object));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(stored: Stored) -> Source {
        let object = "n/p/alerts/2026-11-23/east/t-0-00000000000000000000-00c0ffee.jsonl.zst".parse().unwrap();
        Source { object, stored, bytes: 7 }
    }

    #[test]
    fn of_an_open_object_the_new_deltas_are_unseen_and_then_all_that_is_closed() {
        let (mut seen, open) = (Seen::default(), |deltas: &[i64]| source(Stored::Open(deltas.to_vec())));
        assert_eq!(seen.unseen(&open(&[1, 2])), Some(open(&[1, 2])));
        seen.note(&open(&[1, 2]));
        assert_eq!((seen.unseen(&open(&[1, 2])), seen.unseen(&open(&[1, 2, 5]))), (None, Some(open(&[5]))));
        seen.note(&open(&[5]));
        assert_eq!(seen.unseen(&open(&[1, 2, 5])), None);
        let closed = source(Stored::Closed);
        assert_eq!(seen.unseen(&closed), Some(closed.clone()));
        seen.note(&closed);
        seen.note(&open(&[9]));
        assert_eq!((seen.unseen(&closed), seen.unseen(&open(&[9]))), (None, None));
    }

    #[test]
    fn what_is_listed_no_more_is_forgotten() {
        let (mut seen, closed) = (Seen::default(), source(Stored::Closed));
        seen.note(&closed);
        seen.keep(std::slice::from_ref(&closed));
        assert!(seen.has(&closed.object));
        seen.keep(&[]);
        assert!(!seen.has(&closed.object));
    }
}
