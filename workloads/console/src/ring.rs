//! The newest of something, within a number and a size: what is older makes way.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;

/// So much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Ring<K, T> {
    limits: Limits,
    bytes: usize,
    items: BTreeMap<(Timestamp, K), Kept<T>>,
    times: HashMap<K, Timestamp>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub(crate) value: Arc<T>,
    /// Number of the change by which it came.
    pub(crate) change: u64,
    bytes: usize,
}

impl<K: Copy + Ord + Hash, T> Ring<K, T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, bytes: 0, items: BTreeMap::new(), times: HashMap::new() }
    }

    /// Takes it in, in the place of the one with its key. Returns whether it stays.
    pub(crate) fn insert(&mut self, key: K, time: Timestamp, value: T, bytes: usize, change: u64) -> bool {
        if let Some(before) = self.times.insert(key, time) {
            self.forget(&(before, key));
        }
        self.bytes += bytes;
        self.items.insert((time, key), Kept { value: Arc::new(value), change, bytes });
        while self.items.len() > self.limits.count || self.bytes > self.limits.bytes {
            let Some(oldest) = self.items.keys().next().copied() else { break };
            self.forget(&oldest);
            self.times.remove(&oldest.1);
        }
        self.times.contains_key(&key)
    }

    fn forget(&mut self, at: &(Timestamp, K)) {
        if let Some(kept) = self.items.remove(at) {
            self.bytes -= kept.bytes;
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<&Arc<T>> {
        let time = self.times.get(&key)?;
        self.items.get(&(*time, key)).map(|kept| &kept.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// All of them, the newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Kept<T>> {
        self.items.values().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn values(ring: &Ring<u32, &'static str>) -> Vec<&'static str> {
        ring.newest().map(|kept| *kept.value).collect()
    }

    #[test]
    fn the_newest_stay_in_whatever_order_they_come() {
        let mut ring = Ring::new(Limits { count: 2, bytes: 100 });
        assert!(ring.insert(3, at(3), "third", 1, 1));
        assert!(ring.insert(1, at(1), "first", 1, 2));
        assert!(ring.insert(2, at(2), "second", 1, 3));
        assert!(!ring.insert(1, at(1), "first", 1, 4), "older than all that are kept");
        assert_eq!(values(&ring), ["third", "second"]);
        assert_eq!((ring.get(1), ring.len()), (None, 2));
    }

    #[test]
    fn what_comes_again_takes_its_own_place() {
        let mut ring = Ring::new(Limits { count: 2, bytes: 100 });
        ring.insert(1, at(1), "old", 60, 1);
        ring.insert(2, at(2), "other", 30, 2);
        assert!(ring.insert(1, at(3), "new", 60, 3));
        assert_eq!(values(&ring), ["new", "other"]);
        assert_eq!(ring.newest().map(|kept| kept.change).collect::<Vec<_>>(), [3, 2]);
    }

    #[test]
    fn what_is_large_makes_the_old_ones_go() {
        let mut ring = Ring::new(Limits { count: 10, bytes: 100 });
        for second in 1..=4 {
            ring.insert(u32::try_from(second).unwrap(), at(second), "small", 30, 0);
        }
        assert_eq!(ring.len(), 3);
        assert!(!ring.insert(9, at(9), "huge", 101, 0));
        assert_eq!(ring.len(), 0);
    }
}
