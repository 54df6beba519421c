//! Rows that are not real, for a forest to tell from those that are.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use crate::Matrix;
use crate::learn::quantiles::{Spread, quantile, sorted};
use crate::learn::random::random_for_task;

/// Rows that are made at a time on one thread. Another number gives other rows.
const ROWS_PER_TASK: usize = 1_024;

/// Each column of a row from a random real row of its own: the marginals stay, every dependence goes (Breiman and Cutler's
/// unsupervised forest).
pub(crate) fn from_marginals(real: &Matrix, count: usize, random: &mut impl Rng, out: &mut Matrix) {
    append(count, random, out, |row, random| {
        for (column, value) in row.iter_mut().enumerate() {
            *value = real.row(random.random_range(0..real.rows()))[column];
        }
    });
}

/// A random real row in which each column is replaced by that of another random real row, with a probability that is
/// drawn anew for each row: from rows with one foreign value to rows of foreign values only.
pub(crate) fn with_swaps(real: &Matrix, count: usize, random: &mut impl Rng, out: &mut Matrix) {
    append(count, random, out, |row, random| {
        row.copy_from_slice(real.row(random.random_range(0..real.rows())));
        let share: f64 = random.random();
        for (column, value) in row.iter_mut().enumerate() {
            if random.random::<f64>() < share {
                *value = real.row(random.random_range(0..real.rows()))[column];
            }
        }
    });
}

/// Appends so many rows, of at least one column, which are made with random numbers that are those of their place.
fn append(
    count: usize,
    random: &mut impl Rng,
    out: &mut Matrix,
    make: impl Fn(&mut [f32], &mut Xoshiro256PlusPlus) + Sync,
) {
    let (seed, columns): (u64, _) = (random.random(), out.columns());
    let tasks = out.append_zeros(count).par_chunks_mut(columns * ROWS_PER_TASK).enumerate();
    tasks.for_each(|(task, values)| {
        let mut random = random_for_task(seed, task);
        values.chunks_exact_mut(columns).for_each(|row| make(row, &mut random));
    });
}

/// What is known of a column, to draw from all of its range.
#[derive(Debug, Clone, Copy)]
struct Column {
    low: f64,
    high: f64,
    median: f64,
    /// [`Spread::scale`]
    scale: f64,
}

/// The box around some rows, column by column.
#[derive(Debug)]
pub(crate) struct Bounds(Vec<Column>);

impl Bounds {
    /// The box around these rows, of which there is at least one.
    pub(crate) fn new(rows: &Matrix) -> Self {
        let column = |column| {
            let values = sorted(rows.iter().map(|row| f64::from(row[column])).collect());
            let (low, high) = (values[0], values[values.len() - 1]);
            let median = quantile(&values, 0.5);
            Column { low, high, median, scale: Spread::of(&values, median).scale() }
        };
        Self((0..rows.columns()).into_par_iter().map(column).collect())
    }

    /// Rows that are uniform in the box.
    pub(crate) fn uniform(&self, count: usize, random: &mut impl Rng, out: &mut Matrix) {
        self.draw(count, random, out, |Column { low, high, .. }, random| low + (high - low) * random.random::<f64>());
    }

    /// Rows that are uniform in the box after asinh((x - median) / scale): most of them are near the median, and all
    /// orders of magnitude up to the ends have their share.
    pub(crate) fn uniform_in_magnitude(&self, count: usize, random: &mut impl Rng, out: &mut Matrix) {
        self.draw(count, random, out, |Column { low, high, median, scale }, random| {
            let [low, high] = [low, high].map(|end| ((end - median) / scale).asinh());
            (low + (high - low) * random.random::<f64>()).sinh() * scale + median
        });
    }

    fn draw(
        &self,
        count: usize,
        random: &mut impl Rng,
        out: &mut Matrix,
        draw: impl Fn(Column, &mut Xoshiro256PlusPlus) -> f64 + Sync,
    ) {
        append(count, random, out, |row, random| {
            for (value, column) in row.iter_mut().zip(&self.0) {
                #[allow(clippy::cast_possible_truncation)] // rounding may leave the box, and must not become infinite
                let drawn = draw(*column, random).clamp(column.low, column.high) as f32;
                *value = drawn;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::random::random_for;

    /// Two equal columns: a long tail from 0 to 10,000.
    fn real() -> Matrix {
        let mut rows = Matrix::new(2);
        (0..=100u8).for_each(|value| rows.push_row(&[f32::from(value).powi(2); 2]));
        rows
    }

    fn drawn(draw: impl FnOnce(&mut Matrix)) -> Matrix {
        let mut rows = Matrix::new(2);
        draw(&mut rows);
        assert_eq!(rows.rows(), 4_000);
        rows
    }

    fn share(rows: &Matrix, holds: impl Fn(&[f32]) -> bool) -> f64 {
        rows.iter().filter(|row| holds(row)).count() as f64 / rows.rows() as f64
    }

    #[test]
    fn each_kind_of_row_breaks_what_it_should() {
        let (real, mut random) = (real(), random_for(1, "test", 0));
        let bounds = Bounds::new(&real);
        let together = |row: &[f32]| row[0].to_bits() == row[1].to_bits();
        let known = |row: &[f32]| row.iter().all(|value| value.sqrt().fract() == 0.);
        let marginal = drawn(|out| from_marginals(&real, 4_000, &mut random, out));
        assert!(share(&marginal, known) == 1. && share(&marginal, together) < 0.03);
        // Both columns stay with probability (1 - q)^2, a third in the mean.
        let swapped = drawn(|out| with_swaps(&real, 4_000, &mut random, out));
        assert!(share(&swapped, known) == 1. && (0.3..0.37).contains(&share(&swapped, together)));
        let uniform = drawn(|out| bounds.uniform(4_000, &mut random, out));
        assert!((0.45..0.55).contains(&share(&uniform, |row| row[0] < 5_000.)));
        let magnitude = drawn(|out| bounds.uniform_in_magnitude(4_000, &mut random, out));
        // asinh takes .61 of the box to below 5,000.
        assert!((0.57..0.64).contains(&share(&magnitude, |row| row[0] < 5_000.)));
        assert!(uniform.iter().chain(magnitude.iter()).flatten().all(|value| (0. ..=1e4).contains(value)));
    }

    #[test]
    fn a_constant_or_enormous_column_gives_finite_rows() {
        let mut rows = Matrix::new(2);
        (0..9).for_each(|row| rows.push_row(&[3., if row == 0 { f32::MAX } else { f32::MIN }]));
        let (bounds, mut random) = (Bounds::new(&rows), random_for(1, "test", 0));
        let mut out = Matrix::new(2);
        bounds.uniform(100, &mut random, &mut out);
        bounds.uniform_in_magnitude(100, &mut random, &mut out);
        assert!(out.iter().all(|row| row[0].to_bits() == 3f32.to_bits() && row[1].is_finite()));
    }
}
