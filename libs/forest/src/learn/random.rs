//! Where random numbers come from: each use and each tree has a generator of its own, so that neither the order of work
//! nor the number of threads shows in a forest.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The generator of one use (a constant text) and one number below it.
pub(crate) fn random_for(seed: u64, purpose: &str, number: u32) -> Xoshiro256PlusPlus {
    let of_purpose = xxh3_64_with_seed(purpose.as_bytes(), seed);
    Xoshiro256PlusPlus::seed_from_u64(xxh3_64_with_seed(&number.to_le_bytes(), of_purpose))
}

/// The generator of one of the tasks that share a seed of their own, which was drawn for them.
pub(crate) fn random_for_task(seed: u64, task: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_add(task as u64))
}
