//! The keys of the last record, known to be distinct. Records of one stream mostly have the same keys in the same order,
//! and for those neither a look-up nor a search for duplicates is needed.

use crate::names::Role;

/// A sequence longer than this is not kept: one strange record must not hold memory for ever.
const KEPT_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct KeySequence {
    /// The keys one after the other, unescaped.
    text: String,
    /// Where each key ends in `text`.
    ends: Vec<usize>,
    roles: Vec<Role>,
    /// How many keys, from the first, are known to be distinct.
    distinct: usize,
    /// How many keys of the record at hand were seen.
    seen: usize,
    /// Capacity of the search for duplicates.
    order: Vec<usize>,
}

impl KeySequence {
    /// Begins a record.
    pub(crate) fn start(&mut self) {
        // Keys of a record that turned out not to be JSON were never checked.
        self.truncate(self.distinct);
        if self.text.len() > KEPT_BYTES {
            *self = Self::default();
        }
        self.seen = 0;
    }

    /// The role of the record's next key: remembered where the key is the expected one, looked up where not.
    pub(crate) fn next(&mut self, key: &str, look_up: impl FnOnce(&str) -> Role) -> Role {
        let position = self.seen;
        self.seen += 1;
        if position < self.ends.len() && self.key(position) == key {
            return self.roles[position];
        }
        self.truncate(position);
        self.text.push_str(key);
        self.ends.push(self.text.len());
        let role = look_up(key);
        self.roles.push(role);
        role
    }

    /// Ends a record.
    ///
    /// # Errors
    /// The key that was there twice.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        if self.distinct < self.ends.len() {
            let mut order = std::mem::take(&mut self.order);
            order.clear();
            order.extend(0..self.ends.len());
            order.sort_unstable_by_key(|position| self.key(*position));
            let duplicate = order.windows(2).find(|pair| self.key(pair[0]) == self.key(pair[1]));
            if let Some(pair) = duplicate {
                let key = self.key(pair[0]).to_owned();
                self.truncate(0);
                return Err(key);
            }
            self.order = order;
            self.distinct = self.ends.len();
        }
        Ok(())
    }

    /// Whether the record at hand has a key.
    pub(crate) fn any(&self) -> bool {
        self.seen > 0
    }

    fn key(&self, position: usize) -> &str {
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        &self.text[start..self.ends[position]]
    }

    fn truncate(&mut self, keys: usize) {
        if keys < self.ends.len() {
            self.text.truncate(if keys == 0 { 0 } else { self.ends[keys - 1] });
            self.ends.truncate(keys);
            self.roles.truncate(keys);
            self.distinct = self.distinct.min(keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn read(sequence: &mut KeySequence, keys: &[String]) -> Result<(), String> {
        sequence.start();
        for key in keys {
            let role = if key.len() > 1 { Role::Refused } else { Role::Other };
            assert_eq!(sequence.next(key, |_| role), role, "{key}");
        }
        sequence.finish()
    }

    proptest! {
        #[test]
        fn duplicates_are_found_whatever_came_before(records in proptest::collection::vec(proptest::collection::vec("[ab]{0,2}", 0..6), 1..12)) {
            let mut sequence = KeySequence::default();
            for keys in &records {
                let distinct = keys.iter().collect::<HashSet<_>>().len() == keys.len();
                prop_assert_eq!(read(&mut sequence, keys).is_ok(), distinct, "{:?} of {:?}", keys, records);
            }
        }
    }

    #[test]
    fn keys_of_a_record_that_broke_off_are_not_trusted() {
        let mut sequence = KeySequence::default();
        sequence.start();
        for key in ["a", "a"] {
            sequence.next(key, |_| Role::Other);
        }
        // The record broke off here: `finish` was not called.
        let keys = ["a".to_owned(), "a".to_owned()];
        assert_eq!(read(&mut sequence, &keys), Err("a".to_owned()));
    }

    #[test]
    fn a_strange_record_does_not_hold_memory_for_ever() {
        let mut sequence = KeySequence::default();
        let keys: Vec<String> = (0..20_000).map(|number| format!("key-{number}")).collect();
        assert_eq!(read(&mut sequence, &keys), Ok(()));
        assert_eq!(read(&mut sequence, &["a".to_owned()]), Ok(()));
        assert!(sequence.text.capacity() < KEPT_BYTES && sequence.order.capacity() < 100);
    }
}
