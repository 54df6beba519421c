//! Rows as bytes: each column is cut at quantiles, and a row becomes the numbers of its bins and its label. Splits are
//! found between bins, and their thresholds are numbers on the original scale, so a model needs no bins to score.

use std::sync::Arc;

use rayon::prelude::*;

use crate::Matrix;

/// More bins than this do not fit into a byte.
pub(crate) const MAX_BINS: usize = 256;
/// Rows that become bytes at a time on one thread.
const ROWS_PER_TASK: usize = 4_096;

/// Where the bins of each column end: a value is in the bin whose number is that of the edges below it.
#[derive(Debug)]
pub(crate) struct Bins {
    edges: Vec<Vec<f32>>,
}

impl Bins {
    /// Cuts each column at quantiles of the sample, into at most so many bins; where there are no more different values
    /// than that, each has a bin of its own.
    pub(crate) fn new(sample: &Matrix, max_bins: usize) -> Self {
        let edges = |column| {
            let mut values: Vec<f32> = sample.iter().map(|row| row[column]).collect();
            values.sort_unstable_by(f32::total_cmp);
            edges_of_sorted(&values, max_bins)
        };
        Self { edges: (0..sample.columns()).into_par_iter().map(edges).collect() }
    }

    pub(crate) fn columns(&self) -> usize {
        self.edges.len()
    }

    /// How many bins a column has, at least 1.
    pub(crate) fn count(&self, column: usize) -> usize {
        self.edges[column].len() + 1
    }

    /// The middle of what parts a bin from a later one, where no row is in the bins between them.
    pub(crate) fn threshold(&self, column: usize, bin: usize, later: usize) -> f32 {
        middle(self.edges[column][bin], self.edges[column][later - 1])
    }

    /// The bins of a row.
    pub(crate) fn row<'a>(&'a self, row: &'a [f32]) -> impl Iterator<Item = u8> {
        row.iter().enumerate().map(|(column, value)| self.bin(column, *value))
    }

    #[allow(clippy::cast_possible_truncation)] // at most 255 edges
    fn bin(&self, column: usize, value: f32) -> u8 {
        self.edges[column].partition_point(|edge| *edge < value) as u8
    }
}

fn edges_of_sorted(values: &[f32], max_bins: usize) -> Vec<f32> {
    let different = values.chunk_by(|left, right| left == right).count();
    let cuts: Vec<usize> = if different <= max_bins {
        (1..values.len()).collect()
    } else {
        (1..max_bins).map(|cut| cut * values.len() / max_bins).collect()
    };
    let mut edges = Vec::with_capacity(different.min(max_bins));
    for cut in cuts {
        // The end of the run of equal values in which the cut lies.
        let value = values[cut - 1];
        let next = cut - 1 + values[cut - 1..].partition_point(|other| *other <= value);
        if let Some(next) = values.get(next) {
            edges.push(middle(value, *next));
        }
    }
    edges.dedup();
    edges
}

/// A number that is at least `low` and, where they differ, less than `high`.
pub(crate) fn middle(low: f32, high: f32) -> f32 {
    #[allow(clippy::cast_possible_truncation)] // between two f32 numbers
    let middle = f64::midpoint(f64::from(low), f64::from(high)) as f32;
    if middle < high { middle } else { low }
}

/// Labelled rows in bins.
#[derive(Debug)]
pub(crate) struct Table {
    bins: Arc<Bins>,
    /// Row by row, of each its bins and then its label, 0 or 1.
    bytes: Vec<u8>,
}

impl Table {
    /// No rows yet, with room for this many.
    pub(crate) fn with_capacity(bins: impl Into<Arc<Bins>>, rows: usize) -> Self {
        let bins = bins.into();
        let bytes = Vec::with_capacity((bins.columns() + 1) * rows);
        Self { bins, bytes }
    }

    /// Adds so many rows, and gives what is there already and the place of the new ones, row by row.
    pub(crate) fn extend(&mut self, rows: usize) -> (&[u8], &mut [u8]) {
        let before = self.bytes.len();
        self.bytes.resize(before + rows * self.width(), 0);
        let (present, added) = self.bytes.split_at_mut(before);
        (present, added)
    }

    /// Adds rows, each with the label that `label` gives for its number.
    pub(crate) fn push(&mut self, rows: &Matrix, label: impl Fn(usize) -> bool + Sync) {
        let (before, width) = (self.bytes.len(), self.width());
        self.bytes.resize(before + rows.rows() * width, 0);
        self.bytes[before..].par_chunks_mut(width * ROWS_PER_TASK).enumerate().for_each(|(task, bytes)| {
            for (number, bytes) in bytes.chunks_exact_mut(width).enumerate() {
                let number = task * ROWS_PER_TASK + number;
                bytes.iter_mut().zip(self.bins.row(rows.row(number))).for_each(|(byte, bin)| *byte = bin);
                bytes[width - 1] = u8::from(label(number));
            }
        });
    }

    pub(crate) fn rows(&self) -> usize {
        self.bytes.len() / self.width()
    }

    pub(crate) fn bins(&self) -> &Bins {
        &self.bins
    }

    /// So many rows each, of each row its bins and, behind them, its label.
    pub(crate) fn tasks(&self, rows: usize) -> impl IndexedParallelIterator<Item = &[u8]> {
        self.bytes.par_chunks(self.width() * rows)
    }

    /// Bytes of a row.
    pub(crate) fn width(&self) -> usize {
        self.bins.columns() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_values_have_a_bin_each_and_many_are_cut_at_quantiles() {
        assert_eq!(edges_of_sorted(&[1., 1., 2., 4.], 4), [1.5, 3.]);
        assert!(edges_of_sorted(&[7., 7.], 4).is_empty());
        let values: Vec<f32> = (0..100u8).map(f32::from).collect();
        assert_eq!(edges_of_sorted(&values, 4), [24.5, 49.5, 74.5]);
        let mut with_many_zeros = vec![0.; 900];
        with_many_zeros.extend(values.iter().skip(1));
        assert_eq!(edges_of_sorted(&with_many_zeros, 10).len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_threshold_parts_the_values_as_the_bins_do(
            mut values in prop::collection::vec(-20i8..20, 2..80),
            max_bins in 2usize..12,
        ) {
            let mut matrix = Matrix::new(1);
            values.iter().for_each(|value| matrix.push_row(&[f32::from(*value)]));
            let bins = Bins::new(&matrix, max_bins);
            prop_assert!(bins.count(0) <= max_bins);
            values.sort_unstable();
            let places: Vec<u8> = values.iter().map(|value| bins.bin(0, f32::from(*value))).collect();
            for (pair, bin) in values.windows(2).zip(places.windows(2)) {
                prop_assert!(bin[0] <= bin[1]);
                if bin[0] < bin[1] {
                    let threshold = bins.threshold(0, bin[0].into(), bin[1].into());
                    prop_assert!(f32::from(pair[0]) <= threshold && threshold < f32::from(pair[1]));
                }
            }
        }
    }
}
