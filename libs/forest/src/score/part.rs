//! How the trees of one part of a forest become a piece of the raw score.

/// Consecutive trees whose leaves are averaged. With z = (mean - `center`) / `scale`, raised to `floor` where it is
/// lower, the piece is `weight` times z up to `cap`; above it z grows `slope` times as fast, and above `far` `far_slope`
/// times.
/// All pieces rise with the mean, so a forest of one part ranks rows as the mean itself does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    /// How many trees.
    pub(crate) trees: u32,
    pub(crate) center: f64,
    /// More than 0.
    pub(crate) scale: f64,
    pub(crate) floor: f64,
    pub(crate) cap: f64,
    /// At least 0.
    pub(crate) slope: f64,
    /// At least `cap`.
    pub(crate) far: f64,
    /// At least 0.
    pub(crate) far_slope: f64,
    /// At least 0.
    pub(crate) weight: f64,
}

impl Part {
    /// The mean itself.
    pub(crate) fn mean(trees: usize) -> Self {
        let trees = u32::try_from(trees).unwrap_or(u32::MAX);
        Self {
            trees,
            center: 0.,
            scale: 1.,
            floor: f64::MIN,
            cap: f64::MAX,
            slope: 1.,
            far: f64::MAX,
            far_slope: 1.,
            weight: 1.,
        }
    }

    /// The piece of the score that this sum of leaves makes.
    pub(crate) fn score(&self, sum: f64) -> f64 {
        let z = ((sum / f64::from(self.trees) - self.center) / self.scale).max(self.floor);
        let above = self.slope * (z.min(self.far) - self.cap).max(0.);
        self.weight * (z.min(self.cap) + above + self.far_slope * (z - self.far).max(0.))
    }

    /// Whether the numbers make sense.
    pub(crate) fn is_valid(&self) -> bool {
        let Self { trees, center, scale, floor, cap, slope, far, far_slope, weight } = *self;
        let numbers = [center, scale, floor, cap, slope, far, far_slope, weight];
        let rises = far >= cap && [slope, far_slope, weight].iter().all(|number| *number >= 0.);
        numbers.iter().all(|number| number.is_finite()) && trees > 0 && scale > 0. && rises
    }
}
