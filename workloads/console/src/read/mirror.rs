//! Small objects below a prefix, as they were when they were read last: only those that changed are read again, and only so many in
//! one look, those that were not read for longest first.

use std::collections::BTreeMap;

use jiff::Timestamp;
use vedette_streams::bucket::{BucketError, ObjectSummary};

use super::Reader;

/// Larger than this an object is none of ours.
const LARGEST: u64 = 4 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Mirror<T> {
    objects: BTreeMap<String, Mirrored<T>>,
    /// How often any of them was read.
    reads: u64,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Mirrored<T> {
    /// As it was listed last.
    pub(super) listed: ObjectSummary,
    /// As it was listed when it was read.
    read: Option<ObjectSummary>,
    read_in: u64,
    /// What it said then; nothing where that was nothing that can be read.
    pub(super) value: Option<T>,
    /// What it said before that.
    pub(super) before: Option<T>,
}

impl<T> Default for Mirror<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), reads: 0 }
    }
}

impl<T> Mirror<T> {
    /// All of them by key.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&str, &Mirrored<T>)> {
        self.objects.iter().map(|(key, object)| (key.as_str(), object))
    }

    /// Lists what is there, and reads what is `wanted` and another than it was, at most so many.
    pub(super) async fn look(
        &mut self,
        reader: &Reader,
        prefix: &str,
        most: usize,
        wanted: impl Fn(&str) -> bool,
        parse: impl Fn(&ObjectSummary, &[u8]) -> Option<T>,
    ) -> Result<(), BucketError> {
        let listed = reader.list(prefix).await?.into_iter().filter(|object| wanted(&object.key)).collect();
        for key in self.take_listing(listed, most) {
            let Some(bytes) = reader.bytes(&key).await? else { continue };
            let value = self.objects.get(&key).and_then(|object| parse(&object.listed, &bytes));
            self.take_object(&key, value);
        }
        Ok(())
    }

    /// What has to be read now.
    fn take_listing(&mut self, listed: Vec<ObjectSummary>, most: usize) -> Vec<String> {
        let mut before = std::mem::take(&mut self.objects);
        for object in listed {
            let mirrored = match before.remove(&object.key) {
                Some(known) => Mirrored { listed: object.clone(), ..known },
                None => Mirrored { listed: object.clone(), read: None, read_in: 0, value: None, before: None },
            };
            self.objects.insert(object.key, mirrored);
        }
        let mut stale: Vec<_> = self.objects.iter().filter(|(_, object)| object.is_stale()).collect();
        stale.sort_by_key(|(_, object)| object.read_in);
        stale.into_iter().take(most).map(|(key, _)| key.clone()).collect()
    }

    fn take_object(&mut self, key: &str, value: Option<T>) {
        self.reads += 1;
        if let Some(object) = self.objects.get_mut(key) {
            object.read = Some(object.listed.clone());
            object.read_in = self.reads;
            if let Some(value) = value {
                object.before = object.value.replace(value);
            }
        }
    }
}

impl<T> Mirrored<T> {
    fn is_stale(&self) -> bool {
        self.listed.length <= LARGEST && self.read.as_ref() != Some(&self.listed)
    }

    /// When it was written, by the bucket's clock.
    pub(super) fn written(&self) -> Option<Timestamp> {
        self.listed.last_modified
    }

    /// When it was written, where what it says since then is yet to be read.
    pub(super) fn unread(&self) -> Option<Timestamp> {
        self.written().filter(|_| self.is_stale())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, second: i64) -> ObjectSummary {
        let last_modified = Some(Timestamp::from_second(second).unwrap());
        ObjectSummary { key: key.to_owned(), length: 1, last_modified }
    }

    #[test]
    fn only_what_changed_is_read_again() {
        let mut mirror = Mirror::default();
        assert_eq!(mirror.take_listing(vec![object("a", 1), object("b", 1)], 9), ["a", "b"]);
        mirror.take_object("a", Some("a1"));
        mirror.take_object("b", Some("b1"));
        assert_eq!(mirror.take_listing(vec![object("a", 1), object("b", 2)], 9), ["b"]);
        assert_eq!((mirror.objects["a"].unread(), mirror.objects["b"].unread()), (None, object("b", 2).last_modified));
        mirror.take_object("b", Some("b2"));
        let b = &mirror.objects["b"];
        assert_eq!(b.unread(), None);
        assert_eq!((b.value, b.before), (Some("b2"), Some("b1")));
        assert!(mirror.take_listing(vec![object("b", 2)], 9).is_empty());
        assert_eq!(mirror.objects().map(|(key, _)| key).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn with_more_than_is_read_in_one_look_each_has_its_turn() {
        let mut mirror = Mirror::default();
        let listed = |second| ["a", "b", "c"].map(|key| object(key, second)).to_vec();
        let mut turns = Vec::new();
        for second in 1..=4 {
            for key in mirror.take_listing(listed(second), 2) {
                mirror.take_object(&key, Some(second));
                turns.push(key);
            }
        }
        assert_eq!(turns, ["a", "b", "c", "a", "b", "c", "a", "b"]);
    }

    #[test]
    fn what_cannot_be_read_is_not_asked_for_again_before_it_changes() {
        let mut mirror = Mirror::<u8>::default();
        assert_eq!(mirror.take_listing(vec![object("a", 1)], 9), ["a"]);
        mirror.take_object("a", None);
        assert!(mirror.take_listing(vec![object("a", 1)], 9).is_empty());
        let huge = ObjectSummary { length: LARGEST + 1, ..object("a", 2) };
        assert!(mirror.take_listing(vec![huge], 9).is_empty());
    }
}
