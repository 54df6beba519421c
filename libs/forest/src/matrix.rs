//! Rows of numbers, one after the other in one allocation.

use std::borrow::Cow;
use std::collections::HashSet;

/// A row-major matrix of `f32`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    rows: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// No rows yet, of this many columns each.
    pub fn new(columns: usize) -> Self {
        Self::with_capacity(columns, 0)
    }

    /// No rows yet, with room for this many.
    pub fn with_capacity(columns: usize, rows: usize) -> Self {
        Self { columns, rows: 0, values: Vec::with_capacity(columns * rows) }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// When the row has not as many values as the matrix has columns.
    pub fn push_row(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.columns, "a row has as many values as its matrix has columns");
        self.values.extend_from_slice(row);
        self.rows += 1;
    }

    /// Appends so many rows of zeros, and gives their values, row by row.
    pub(crate) fn append_zeros(&mut self, count: usize) -> &mut [f32] {
        let before = self.values.len();
        self.rows += count;
        self.values.resize(before + count * self.columns, 0.);
        &mut self.values[before..]
    }

    /// Forgets the rows and keeps the allocation.
    pub fn clear(&mut self) {
        self.values.clear();
        self.rows = 0;
    }

    /// A row by its number.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        (0..self.rows).map(|row| self.row(row))
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns a row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The rows with these numbers, in this order.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::with_capacity(self.columns, rows.len());
        rows.iter().for_each(|row| selected.push_row(self.row(*row)));
        selected
    }

    /// The rows with these values, one for each column, where there is no number; a copy only if there is such a place.
    pub(crate) fn filled(&self, values: &[f32]) -> Cow<'_, Self> {
        if self.values.iter().all(|value| !value.is_nan()) {
            return Cow::Borrowed(self);
        }
        let mut filled = self.clone();
        for row in filled.values.chunks_exact_mut(self.columns) {
            row.iter_mut().zip(values).filter(|(value, _)| value.is_nan()).for_each(|(value, other)| *value = *other);
        }
        Cow::Owned(filled)
    }

    /// The rows without exact repetitions (bit by bit); the first of each pattern stays, in the order of the rows.
    #[must_use]
    pub fn distinct(&self) -> Self {
        let bits: Vec<u32> = self.values.iter().map(|value| value.to_bits()).collect();
        let mut seen = HashSet::with_capacity(self.rows);
        let mut distinct = Self::new(self.columns);
        for row in 0..self.rows {
            if seen.insert(&bits[row * self.columns..(row + 1) * self.columns]) {
                distinct.push_row(self.row(row));
            }
        }
        distinct
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_of_each_pattern_stays_in_order() {
        let mut matrix = Matrix::new(2);
        for row in [[3., 1.], [1., 2.], [3., 1.], [0., 0.], [1., 2.]] {
            matrix.push_row(&row);
        }
        let distinct = matrix.distinct();
        assert_eq!(distinct.iter().collect::<Vec<_>>(), [[3., 1.], [1., 2.], [0., 0.]]);
        assert_eq!(matrix.select(&[4, 0]).iter().collect::<Vec<_>>(), [[1., 2.], [3., 1.]]);
    }

    #[test]
    fn only_what_is_missing_is_filled() {
        let mut matrix = Matrix::new(2);
        matrix.push_row(&[1., 2.]);
        assert!(matches!(matrix.filled(&[7., 8.]), Cow::Borrowed(_)));
        matrix.push_row(&[f32::NAN, 3.]);
        matrix.push_row(&[f32::INFINITY, f32::NAN]);
        let filled = matrix.filled(&[7., 8.]).into_owned();
        assert_eq!(filled.iter().collect::<Vec<_>>(), [[1., 2.], [7., 3.], [f32::INFINITY, 8.]]);
    }

    #[test]
    fn rows_without_columns_are_one_pattern() {
        let mut matrix = Matrix::new(0);
        matrix.push_row(&[]);
        matrix.push_row(&[]);
        assert_eq!((matrix.rows(), matrix.distinct().rows()), (2, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn distinct_rows_are_the_set_of_rows(rows in prop::collection::vec((0u8..4, 0u8..4), 0..60)) {
            let mut matrix = Matrix::new(2);
            rows.iter().for_each(|(a, b)| matrix.push_row(&[f32::from(*a), f32::from(*b)]));
            let distinct = matrix.distinct();
            let expected: std::collections::BTreeSet<_> = rows.into_iter().collect();
            prop_assert_eq!(distinct.rows(), expected.len());
            prop_assert_eq!(distinct.distinct(), distinct);
        }
    }
}
