//! What the other columns make of each column, as a weighted sum.

/// Lanes of a sum of products: none waits for the one before.
const LANES: usize = 8;
/// Rounds in which missing values become what the others make of them, and the step below which it is done.
const ROUNDS: usize = 10;
const DONE: f64 = 1e-9;
/// Least share of the spread of a residual that is left, whatever is missing.
const LEAST: f64 = 0.02;

/// The inverse of a covariance, each row divided by its diagonal: a row of it times the values is what a value is more than
/// the others make of it (of a normal distribution).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Linear {
    /// As many rows as columns, one after the other.
    pub(crate) weights: Vec<f64>,
    /// Of each row the sum at the center.
    pub(crate) offsets: Vec<f64>,
}

impl Linear {
    /// How many columns there are.
    pub(crate) fn columns(&self) -> usize {
        self.offsets.len()
    }

    /// What the value of this column is more than the others make of it.
    pub(crate) fn residual(&self, column: usize, values: &[f64]) -> f64 {
        product(self.row(column), values) - self.offsets[column]
    }

    /// Missing values become what the others make of them (Gauss-Seidel).
    pub(crate) fn fill(&self, values: &mut [f64], missing: &[usize]) {
        for _ in 0..ROUNDS {
            let mut largest = 0f64;
            for column in missing {
                let step = self.residual(*column, values);
                values[*column] -= step;
                largest = largest.max(step.abs());
            }
            if largest < DONE {
                break;
            }
        }
    }

    /// The share of a residual's spread that is left where these are missing: one less the squared partial correlations.
    pub(crate) fn left(&self, column: usize, missing: &[usize]) -> f64 {
        let known: f64 = missing.iter().map(|other| self.row(column)[*other] * self.row(*other)[column]).sum();
        (1. - known).clamp(LEAST, 1.).sqrt()
    }

    pub(crate) fn row(&self, column: usize) -> &[f64] {
        &self.weights[column * self.columns()..][..self.columns()]
    }
}

fn product(one: &[f64], other: &[f64]) -> f64 {
    let ((ones, rest), (others, other_rest)) = (one.as_chunks::<LANES>(), other.as_chunks::<LANES>());
    let mut sums = [0.; LANES];
    for (ones, others) in ones.iter().zip(others) {
        for ((sum, one), other) in sums.iter_mut().zip(ones).zip(others) {
            *sum += one * other;
        }
    }
    for ((sum, one), other) in sums.iter_mut().zip(rest).zip(other_rest) {
        *sum += one * other;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of three columns the first two are correlated by .8; the centers are 1, 2 and 3.
    fn linear() -> Linear {
        let weights = vec![1., -0.8, 0., -0.8, 1., 0., 0., 0., 1.];
        Linear { weights, offsets: vec![1. - 1.6, 2. - 0.8, 3.] }
    }

    #[test]
    fn a_residual_is_what_the_others_do_not_explain() {
        let linear = linear();
        assert!(linear.residual(0, &[1., 2., 9.]).abs() < 1e-12);
        assert!((linear.residual(0, &[3., 2., 3.]) - 2.).abs() < 1e-12);
        assert!((linear.residual(1, &[2., 2., 3.]) + 0.8).abs() < 1e-12);
    }

    #[test]
    fn what_is_missing_is_filled_by_the_others() {
        let mut values = [9., 3., 0.];
        linear().fill(&mut values, &[0]);
        assert!((values[0] - 1.8).abs() < 1e-9, "{values:?}");
        let mut values = [9., 9., 0.];
        linear().fill(&mut values, &[0, 1]);
        assert!((values[0] - 1.).abs() < 0.2 && (values[1] - 2.).abs() < 0.2, "{values:?}");
        assert!((linear().left(0, &[1]) - 0.6).abs() < 1e-12 && (linear().left(2, &[0, 1]) - 1.).abs() < 1e-12);
    }

    #[test]
    fn products_of_any_length_are_whole() {
        for length in [0, 1, 7, 8, 9, 36] {
            let values: Vec<f64> = (0..length).map(f64::from).collect();
            let expected: f64 = values.iter().map(|value| value * value).sum();
            assert!((product(&values, &values) - expected).abs() < 1e-9);
        }
    }
}
