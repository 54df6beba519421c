//! The linear part: a robust covariance and its inverse.

use rayon::prelude::*;

use crate::Matrix;
use crate::learn::quantiles::{quantile, sorted};
use crate::score::dependence::Scale;
use crate::score::linear::Linear;

/// Share of each variance that is added to it, so that copies of a column have an inverse.
const RIDGE: f64 = 1e-3;
/// How often the rows that are farthest from the center are left out, and how many of them.
const STEPS: usize = 3;
const TRIM: f64 = 0.1;
/// Rows that are added up at a time on one thread. Another number gives other last digits.
const ROWS_PER_TASK: usize = 1_024;

/// Scaled values, row by row.
pub(crate) struct Values {
    columns: usize,
    values: Vec<f64>,
}

impl Values {
    /// Of at least one column.
    pub(crate) fn new(rows: &Matrix, scales: &[Scale], shape: impl Fn(f64) -> f64) -> Self {
        let value = |row: &[f32], it: &Scale| shape((f64::from(row[it.column as usize]) - it.median) / it.unit);
        let values = rows.iter().flat_map(|row| scales.iter().map(|scale| value(row, scale)).collect::<Vec<_>>());
        Self { columns: scales.len(), values: values.collect() }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns.max(1))
    }

    pub(crate) fn column(&self, column: usize) -> Vec<f64> {
        self.rows().map(|row| row[column]).collect()
    }
}

/// Center and inverse covariance of the rows without those that are farthest from it, as what explains each column by the
/// others.
pub(crate) fn robust(values: &Values) -> Linear {
    let mut kept = vec![true; values.rows().count()];
    let (mut center, mut inverse) = inverse_covariance(values, &kept);
    for _ in 0..STEPS {
        let far = distances(values, &center, &inverse);
        let limit = quantile(&sorted(far.clone()), 1. - TRIM);
        kept = far.iter().map(|far| *far <= limit).collect();
        (center, inverse) = inverse_covariance(values, &kept);
    }
    explaining(&center, &inverse)
}

/// Each row of the inverse divided by its diagonal.
fn explaining(center: &[f64], inverse: &[f64]) -> Linear {
    let columns = center.len();
    let row = |column: usize| {
        let row = &inverse[column * columns..][..columns];
        row.iter().map(move |value| value / row[column])
    };
    let weights: Vec<f64> = (0..columns).flat_map(row).collect();
    let offset = |row: &[f64]| row.iter().zip(center).map(|(weight, center)| weight * center).sum();
    let offsets = weights.chunks_exact(columns.max(1)).map(offset).collect();
    Linear { weights, offsets }
}

/// Squared Mahalanobis distances.
fn distances(values: &Values, center: &[f64], inverse: &[f64]) -> Vec<f64> {
    let columns = center.len();
    let distance = |row: &[f64]| {
        let from: Vec<f64> = row.iter().zip(center).map(|(value, center)| value - center).collect();
        let mut through = vec![0.; columns];
        for (inverse, from) in inverse.chunks_exact(columns).zip(&from) {
            through.iter_mut().zip(inverse).for_each(|(sum, inverse)| *sum += inverse * from);
        }
        through.iter().zip(&from).map(|(one, other)| one * other).sum()
    };
    values.values.par_chunks_exact(columns.max(1)).map(distance).collect()
}

/// The center of the rows that are kept, and the inverse of their covariance with a ridge.
fn inverse_covariance(values: &Values, kept: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let columns = values.columns;
    let count = kept.iter().filter(|kept| **kept).count() as f64;
    let mut center = vec![0.; columns];
    for (row, _) in values.rows().zip(kept).filter(|(_, kept)| **kept) {
        center.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    center.iter_mut().for_each(|sum| *sum /= count);
    let mut covariance = vec![0.; columns * columns];
    for part in products(values, kept, &center) {
        covariance.iter_mut().zip(part).for_each(|(sum, part)| *sum += part / count);
    }
    for column in 0..columns {
        let variance = &mut covariance[column * columns + column];
        *variance += RIDGE * *variance + 1e-9;
    }
    invert(&mut covariance, columns);
    (center, covariance)
}

/// Sums of products of the distances from the center, a matrix for so many rows.
fn products(values: &Values, kept: &[bool], center: &[f64]) -> Vec<Vec<f64>> {
    let columns = center.len();
    let of_rows = |(rows, kept): (&[f64], &[bool])| {
        let mut sums = vec![0.; columns * columns];
        for (row, _) in rows.chunks_exact(columns).zip(kept).filter(|(_, kept)| **kept) {
            let from: Vec<f64> = row.iter().zip(center).map(|(value, center)| value - center).collect();
            for (sums, one) in sums.chunks_exact_mut(columns).zip(&from) {
                sums.iter_mut().zip(&from).for_each(|(sum, other)| *sum += one * other);
            }
        }
        sums
    };
    let rows = values.values.par_chunks(columns.max(1) * ROWS_PER_TASK);
    rows.zip(kept.par_chunks(ROWS_PER_TASK)).map(of_rows).collect()
}

/// The inverse of a symmetric positive definite matrix, in its place (Gauss and Jordan).
fn invert(matrix: &mut [f64], columns: usize) {
    for pivot in 0..columns {
        let scale = 1. / matrix[pivot * columns + pivot];
        let mut row = matrix[pivot * columns..][..columns].to_vec();
        row[pivot] = 1.;
        row.iter_mut().for_each(|value| *value *= scale);
        for (other, values) in matrix.chunks_exact_mut(columns).enumerate() {
            if other == pivot {
                values.copy_from_slice(&row);
            } else {
                let factor = std::mem::replace(&mut values[pivot], 0.);
                values.iter_mut().zip(&row).for_each(|(value, row)| *value -= factor * row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let matrix = [4., 1., 0.5, 1., 3., -1., 0.5, -1., 2.];
        let mut inverse = matrix;
        invert(&mut inverse, 3);
        for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
            let sum: f64 = (0..3).map(|at| matrix[3 * row + at] * inverse[3 * at + column]).sum();
            assert!((sum - f64::from(u8::from(row == column))).abs() < 1e-12, "{row} {column} {sum}");
        }
    }

    #[test]
    fn rows_that_are_far_out_do_not_bend_what_the_others_say() {
        // The second column is twice the first, but for one row in twenty.
        let value = |row: u16| f64::from(row * 37 % 100) / 10.;
        let second = |row: u16| if row.is_multiple_of(20) { 90. } else { 2. * value(row) + value(row * 7) / 100. };
        let values = (0..400).flat_map(|row| [value(row), second(row)]).collect();
        let linear = robust(&Values { columns: 2, values });
        assert!(linear.residual(1, &[3., 6.05]).abs() < 0.1);
        assert!((linear.residual(1, &[3., 9.05]) - 3.).abs() < 0.1);
    }
}
