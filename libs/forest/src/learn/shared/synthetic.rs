//! Synthetic rows in bins: what is made of the values of real rows is made of their bytes, which gives the same as binning it.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use crate::Matrix;
use crate::learn::bins::Table;
use crate::learn::random::{random_for, random_for_task};
use crate::learn::synthetic::Bounds;
use crate::learn::unsupervised::SYNTHETIC_AT_A_TIME;

/// Rows that are made at a time on one thread. Another number gives other rows.
const ROWS_PER_TASK: usize = 1_024;
const SYNTHETIC: u8 = 1;

/// Adds so many rows, each column of which is from a random row of the table.
pub(super) fn from_marginals(count: usize, seed: u64, table: &mut Table) {
    let (width, rows) = (table.width(), table.rows());
    let (present, added) = table.extend(count);
    tasks(added, width, seed, |row, random| {
        for (column, byte) in row[..width - 1].iter_mut().enumerate() {
            *byte = present[random.random_range(0..rows) * width + column];
        }
        row[width - 1] = SYNTHETIC;
    });
}

/// Adds so many rows: a random row of the table in which each column is replaced by that of another, with a probability that
/// is drawn anew for each row.
pub(super) fn with_swaps(count: usize, seed: u64, table: &mut Table) {
    let (width, rows) = (table.width(), table.rows());
    let (present, added) = table.extend(count);
    tasks(added, width, seed, |row, random| {
        let start = random.random_range(0..rows) * width;
        row.copy_from_slice(&present[start..start + width]);
        let share: f64 = random.random();
        for (column, byte) in row[..width - 1].iter_mut().enumerate() {
            if random.random::<f64>() < share {
                *byte = present[random.random_range(0..rows) * width + column];
            }
        }
        row[width - 1] = SYNTHETIC;
    });
}

/// Adds so many rows that are uniform in the box.
pub(super) fn uniform(bounds: &Bounds, count: usize, seed: u64, table: &mut Table) {
    let mut random = random_for(seed, "synthetic rows", 0);
    let mut rows = Matrix::with_capacity(table.bins().columns(), count.min(SYNTHETIC_AT_A_TIME));
    let mut missing = count;
    while missing > 0 {
        let now = missing.min(SYNTHETIC_AT_A_TIME);
        rows.clear();
        bounds.uniform(now, &mut random, &mut rows);
        table.push(&rows, |_| true);
        missing -= now;
    }
}

/// Makes rows with random numbers that are those of their place.
fn tasks(added: &mut [u8], width: usize, seed: u64, make: impl Fn(&mut [u8], &mut Xoshiro256PlusPlus) + Sync) {
    let seed: u64 = random_for(seed, "synthetic rows", 0).random();
    added.par_chunks_mut(width * ROWS_PER_TASK).enumerate().for_each(|(task, bytes)| {
        let mut random = random_for_task(seed, task);
        bytes.chunks_exact_mut(width).for_each(|row| make(row, &mut random));
    });
}
