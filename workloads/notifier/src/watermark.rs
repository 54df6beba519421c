//! Until when all alerts were read. While there are older ones to be read somewhere, nothing is quiet yet.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// How far each partition was read.
#[derive(Debug, Default)]
pub(crate) struct Watermark {
    partitions: BTreeMap<i32, Reached>,
    /// Partitions whose end was not seen yet.
    unseen: BTreeSet<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Nothing,
    Alert(Timestamp),
    End,
}

impl Watermark {
    /// Of partitions of which nothing was read.
    pub(crate) fn new(partitions: impl IntoIterator<Item = i32>) -> Self {
        let partitions: BTreeMap<_, _> =
            partitions.into_iter().map(|partition| (partition, Reached::Nothing)).collect();
        Self { unseen: partitions.keys().copied().collect(), partitions }
    }

    /// An alert of that time was read.
    pub(crate) fn read(&mut self, partition: i32, utc: Timestamp) {
        self.partitions.insert(partition, Reached::Alert(utc));
    }

    /// All that a partition had was read.
    pub(crate) fn ended(&mut self, partition: i32) {
        self.partitions.insert(partition, Reached::End);
        self.unseen.remove(&partition);
    }

    /// Whether all that there was at first was read: what comes now comes as it is made.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.unseen.is_empty()
    }

    /// All alerts until this time were read; none where that is not known.
    pub(crate) fn read_until(&self, now: Timestamp) -> Option<Timestamp> {
        let reached = |reached: &Reached| match reached {
            Reached::Nothing => Timestamp::MIN,
            Reached::Alert(utc) => *utc,
            Reached::End => now,
        };
        self.partitions.values().map(reached).min().filter(|utc| *utc > Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_that_is_farthest_behind_counts() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let mut watermark = Watermark::new([0, 1]);
        assert_eq!(watermark.read_until(at(100)), None);
        watermark.ended(0);
        assert_eq!(watermark.read_until(at(100)), None);
        watermark.read(1, at(7));
        assert_eq!(watermark.read_until(at(100)), Some(at(7)));
        assert!(!watermark.has_caught_up());
        watermark.ended(1);
        assert_eq!(watermark.read_until(at(100)), Some(at(100)));
        watermark.read(0, at(99));
        assert_eq!((watermark.read_until(at(101)), watermark.has_caught_up()), (Some(at(99)), true));
    }
}
