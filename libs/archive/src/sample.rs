//! Bottom-k sampling: the k records whose identities have the smallest seeded hashes. The sample is uniform over
//! identities, the same in whatever order the records are read, and free of records that were delivered twice.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// What became of an offered record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It is in the sample, until k records with smaller hashes come.
    Kept,
    /// It is not in the sample. Whether it was seen before is not known.
    Dropped,
    /// A record of the same identity is in the sample. Only there are duplicates noticed, so their share among the
    /// records that were `Kept` or `Duplicate` estimates that of the stream.
    Duplicate,
}

struct Kept<T> {
    content: u128,
    item: T,
}

/// A sample of at most k items. Two identities with one 128-bit hash count as the same.
pub struct BottomK<T> {
    k: usize,
    seed: u64,
    kept: BTreeMap<u128, Kept<T>>,
    /// Nothing above this hash can be kept: the largest that is, once the sample is full.
    limit: u128,
}

impl<T> BottomK<T> {
    /// An empty sample of at most `k` items.
    pub fn new(k: usize, seed: u64) -> Self {
        Self { k, seed, kept: BTreeMap::new(), limit: u128::MAX }
    }

    /// Offers a record. A record that cannot be kept costs its hash only: `make` runs for those that are.
    /// Of records with one identity the one whose `content` has the smaller hash is kept, so that it does not matter
    /// which was read first.
    pub fn offer(&mut self, identity: &[u8], content: &[u8], make: impl FnOnce() -> T) -> Offered {
        let hash = xxh3_128_with_seed(identity, self.seed);
        if hash > self.limit || self.k == 0 {
            return Offered::Dropped;
        }
        self.insert(hash, xxh3_128(content), make)
    }

    fn insert(&mut self, hash: u128, content: u128, make: impl FnOnce() -> T) -> Offered {
        match self.kept.entry(hash) {
            Entry::Occupied(mut occupied) => {
                if content < occupied.get().content {
                    occupied.insert(Kept { content, item: make() });
                }
                Offered::Duplicate
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Kept { content, item: make() });
                self.shrink();
                Offered::Kept
            }
        }
    }

    fn shrink(&mut self) {
        while self.kept.len() > self.k {
            self.kept.pop_last();
        }
        if self.kept.len() == self.k {
            self.limit = self.kept.last_key_value().map_or(0, |(hash, _)| *hash);
        }
    }

    /// How many items are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The sample in the order of its hashes, which is a random order that depends on the seed and the identities only.
    pub fn into_sorted(self) -> Vec<(u128, T)> {
        self.kept.into_iter().map(|(hash, kept)| (hash, kept.item)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Record = (u16, u8);

    fn sample_of(records: &[Record], k: usize) -> BottomK<Record> {
        let mut sample = BottomK::new(k, 7);
        for record in records {
            sample.offer(&record.0.to_le_bytes(), &[record.1], || *record);
        }
        sample
    }

    #[test]
    fn a_dropped_record_is_never_made() {
        let mut sample = BottomK::new(10, 1);
        let mut made = 0;
        for number in 0..10_000u32 {
            sample.offer(&number.to_le_bytes(), b"", || made += 1);
        }
        assert_eq!(sample.len(), 10);
        // The k-th smallest of n is replaced about k ln(n / k) times.
        assert!((10..200).contains(&made), "{made}");
    }

    #[test]
    fn every_identity_has_the_same_chance() {
        let mut counts = [0u32; 20];
        for seed in 0..2_000 {
            let mut sample = BottomK::new(5, seed);
            (0..20usize).for_each(|number| {
                sample.offer(&number.to_le_bytes(), b"", || number);
            });
            sample.into_sorted().into_iter().for_each(|(_, number)| counts[number] += 1);
        }
        // Binomial with mean 500 and standard deviation 19.4.
        assert!(counts.iter().all(|count| (400..600).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_record_delivered_twice_is_a_duplicate() {
        let mut sample = BottomK::new(3, 1);
        assert_eq!(sample.offer(b"a", b"", || 1), Offered::Kept);
        assert_eq!(sample.offer(b"a", b"", || 2), Offered::Duplicate);
        assert_eq!(sample.into_sorted().into_iter().map(|(_, item)| item).collect::<Vec<_>>(), [1]);
        assert_eq!(BottomK::new(0, 1).offer(b"a", b"", || 1), Offered::Dropped);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_order_gives_the_same_sample(
            (records, shuffled) in prop::collection::vec((0u16..60, 0u8..3), 0..120)
                .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle())),
            k in 0usize..40,
        ) {
            let expected = sample_of(&records, k).into_sorted();
            prop_assert_eq!(&sample_of(&shuffled, k).into_sorted(), &expected);
            let identities: std::collections::BTreeSet<u16> = records.iter().map(|record| record.0).collect();
            prop_assert_eq!(expected.len(), k.min(identities.len()));
        }
    }
}
