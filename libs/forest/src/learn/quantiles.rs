//! Quantiles, and spreads that a few far values do not move.

pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Quantile of sorted values, linear between its neighbours.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position among them
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * position.fract()
}

/// How far sorted values lie from their median.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// The standard deviation of a normal distribution of the same interquartile range.
    pub(crate) of_quartiles: f64,
    /// The mean distance.
    pub(crate) distance: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(sorted: &[f64], median: f64) -> Self {
        let distance = sorted.iter().map(|value| (value - median).abs()).sum::<f64>() / sorted.len() as f64;
        Self { of_quartiles: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.35, distance }
    }

    /// That of the quartiles; where it is 0 the mean distance, and 1 where that is, too.
    pub(crate) fn scale(self) -> f64 {
        [self.of_quartiles, self.distance].into_iter().find(|scale| *scale > 0.).unwrap_or(1.)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_values() {
        assert!((quantile(&[1., 2., 4.], 0.75) - 3.).abs() < 1e-12);
        assert!((quantile(&[5.], 0.3) - 5.).abs() < 1e-12);
    }
}
