//! What is known of the dependence between columns: which value is not what the others make it, and by how much a row is
//! more anomalous for it. Nothing for most rows; `docs/learning.md` says how it is learned.

use std::ops::Range;

use crate::Matrix;
use crate::score::linear::Linear;
use crate::score::structure::ForestError;
use crate::score::trees::{BLOCK, LANES, Trees};

/// Among more columns than this no dependence is looked for.
pub(crate) const MAX_COLUMNS: usize = 256;
/// Scaled values are cut here; their magnitudes are not.
pub(crate) const CUT: f64 = 8.;
/// Points of a row whose surprise is `RAMP` above the limit, and for each factor e of the surprise up to the third.
pub(crate) const AT_ONCE: f64 = 2.;
pub(crate) const RAMP: f64 = 0.3;
pub(crate) const PER_FACTOR: f64 = 10.;
pub(crate) const FACTORS: f64 = 3.;
/// No column's unit is smaller: its magnitudes stay far from where squares overflow.
const SMALLEST_SCALE: f64 = 1e-60;

/// A column that has a say: what is subtracted, and what a unit is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// Its number among the forest's columns.
    pub(crate) column: u32,
    pub(crate) median: f64,
    pub(crate) unit: f64,
}

/// Where a column is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// Among values in units of their columns, cut.
    Plain,
    /// Among the inverse hyperbolic sines of the uncut ones.
    Magnitudes,
}

/// How likely a residual is: −ln P(one as large) is (|residual| / scale) to the power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Likelihood {
    pub(crate) scale: f64,
    pub(crate) power: f64,
}

/// A column that the others explain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    /// Its position among those that have a say.
    pub(crate) position: u32,
    pub(crate) space: Space,
    /// How many trees explain what is left.
    pub(crate) trees: u32,
    /// What is then the middle.
    pub(crate) center: f64,
    /// How well it is explained, up to 1.
    pub(crate) weight: f64,
    /// Two, of which the one counts that is surprised less.
    pub(crate) likelihoods: [Likelihood; 2],
}

/// The dependence between columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dependence {
    pub(crate) scales: Vec<Scale>,
    pub(crate) plain: Linear,
    /// Where a target is explained there.
    pub(crate) magnitudes: Option<Linear>,
    pub(crate) targets: Vec<Target>,
    /// Those of all targets, in order.
    pub(crate) trees: Option<Trees>,
    /// The surprise above which a row gets points.
    pub(crate) limit: f64,
    /// What follows from the above.
    gauges: Vec<Gauge>,
    pub(crate) log_weights: f64,
}

#[derive(Debug, Clone, PartialEq)]
struct Gauge {
    /// The size of a residual whose surprise is the limit.
    reach: f64,
    trees: Range<usize>,
    /// Columns of the forest that the trees ask for.
    asked: Vec<usize>,
}

/// A value that is not what the others make it, in units of the record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Its column.
    pub column: usize,
    /// The value.
    pub value: f64,
    /// From here
    pub low: f64,
    /// to here it would fit the others.
    pub high: f64,
}

/// What a row gets for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Broken {
    pub(crate) points: f64,
    pub(crate) expected: Expected,
}

/// The values of a row as they are needed, and which are missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    plain: Vec<f64>,
    magnitudes: Vec<f64>,
    /// Positions.
    missing: Vec<usize>,
    /// What the trees of each target add, for each row of a block.
    sums: Vec<[f64; BLOCK]>,
}

/// The largest surprise beyond the limit.
#[derive(Debug, Clone, Copy)]
struct Strongest {
    target: usize,
    residual: f64,
    surprise: f64,
}

impl Dependence {
    /// Checks and takes what was learned or read, of a forest of so many columns.
    pub(crate) fn new(
        columns: usize,
        scales: Vec<Scale>,
        (plain, magnitudes): (Linear, Option<Linear>),
        targets: Vec<Target>,
        trees: Option<Trees>,
        limit: f64,
    ) -> Result<Self, ForestError> {
        let weights: f64 = targets.iter().map(|target| target.weight).sum();
        let mut this = Self {
            scales,
            plain,
            magnitudes,
            targets,
            trees,
            limit,
            gauges: Vec::new(),
            log_weights: weights.max(1.).ln(),
        };
        this.check(columns).map_err(ForestError::Dependence)?;
        let mut end = 0;
        for target in &this.targets {
            let trees = end..end + target.trees as usize;
            end = trees.end;
            let asked = this.trees.as_ref().map_or_else(Vec::new, |all| all.columns_of(trees.clone()));
            let reach = target.reach(limit + this.log_weights);
            this.gauges.push(Gauge { reach, trees, asked });
        }
        Ok(this)
    }

    /// What is added to the score of a row, 0 for most.
    pub(crate) fn points(&self, row: &[f32], places: &[u32], scratch: &mut Scratch) -> f64 {
        self.strongest(row, scratch, |target| self.of_trees(target, places))
            .map_or(0., |it| self.points_of(it.surprise))
    }

    /// What is added to the scores of as many rows as `out` has places, from row `first` on, whose places are in the block.
    pub(crate) fn add_points(
        &self,
        rows: &Matrix,
        first: usize,
        block: &[[u32; LANES]],
        scratch: &mut Scratch,
        out: &mut [f64],
    ) {
        let mut sums = std::mem::take(&mut scratch.sums);
        sums.resize(self.targets.len(), [0.; BLOCK]);
        if let Some(trees) = &self.trees {
            for (gauge, sums) in self.gauges.iter().zip(&mut sums).filter(|(gauge, _)| !gauge.trees.is_empty()) {
                sums.fill(0.);
                trees.sum_block(gauge.trees.clone(), block, rows.columns(), &mut sums[..out.len()]);
            }
        }
        for (number, score) in out.iter_mut().enumerate() {
            let strongest = self.strongest(rows.row(first + number), scratch, |target| sums[target][number]);
            *score += strongest.map_or(0., |it| self.points_of(it.surprise));
        }
        scratch.sums = sums;
    }

    /// The value of a row that fits the others least, if one does not fit.
    pub(crate) fn broken(&self, row: &[f32], places: &[u32]) -> Option<Broken> {
        let mut scratch = Scratch::default();
        let strongest = self.strongest(row, &mut scratch, |target| self.of_trees(target, places))?;
        let Strongest { target, residual, surprise } = strongest;
        let Target { position, space, .. } = self.targets[target];
        let middle = self.values(space, &scratch)[position as usize] - residual;
        let scale = self.scales[position as usize];
        let [low, high] = [-1., 1.].map(|side| scale.value(space, middle + side * self.gauges[target].reach));
        let column = scale.column as usize;
        let expected = Expected { column, value: row[column].into(), low, high };
        Some(Broken { points: self.points_of(surprise), expected })
    }

    /// What the others do not explain of each target.
    pub(crate) fn residuals(&self, row: &[f32], places: &[u32], scratch: &mut Scratch) -> Vec<f64> {
        self.read(row, scratch);
        (0..self.targets.len())
            .map(|target| self.residual(target, row, scratch, self.of_trees(target, places)))
            .collect()
    }

    /// The surprise of the residuals of a row.
    pub(crate) fn surprise(&self, residuals: &[f64]) -> f64 {
        let surprises = self.targets.iter().zip(residuals).map(|(target, residual)| target.surprise(*residual));
        surprises.fold(f64::MIN, f64::max) - self.log_weights
    }

    /// The trees of a target, by their numbers.
    pub(crate) fn trees_of(&self, target: usize) -> Range<usize> {
        self.gauges[target].trees.clone()
    }

    fn points_of(&self, surprise: f64) -> f64 {
        let times = (surprise / self.limit).max(1.);
        AT_ONCE * ((times - 1.) / RAMP).min(1.) + PER_FACTOR * times.ln().min(FACTORS)
    }

    fn of_trees(&self, target: usize, places: &[u32]) -> f64 {
        self.trees.as_ref().map_or(0., |trees| trees.sum(self.gauges[target].trees.clone(), places))
    }

    fn strongest(&self, row: &[f32], scratch: &mut Scratch, of_trees: impl Fn(usize) -> f64) -> Option<Strongest> {
        self.read(row, scratch);
        let mut strongest: Option<Strongest> = None;
        for (target, gauge) in self.gauges.iter().enumerate() {
            let residual = self.residual(target, row, scratch, of_trees(target));
            if residual.abs() > gauge.reach {
                let surprise = self.targets[target].surprise(residual) - self.log_weights;
                if strongest.is_none_or(|strongest| surprise > strongest.surprise) {
                    strongest = Some(Strongest { target, residual, surprise });
                }
            }
        }
        strongest
    }

    /// Takes the values of a row.
    fn read(&self, row: &[f32], scratch: &mut Scratch) {
        let Scratch { plain, magnitudes, missing, sums: _ } = scratch;
        plain.clear();
        magnitudes.clear();
        missing.clear();
        for (position, Scale { column, median, unit }) in self.scales.iter().enumerate() {
            let value = row[*column as usize];
            if value.is_nan() {
                missing.push(position);
            }
            plain.push(if value.is_nan() { 0. } else { (f64::from(value) - median) / unit });
        }
        if let Some(linear) = &self.magnitudes {
            magnitudes.extend(plain.iter().map(|value| magnitude(*value)));
            linear.fill(magnitudes, missing);
        }
        plain.iter_mut().for_each(|value| *value = value.clamp(-CUT, CUT));
        self.plain.fill(plain, missing);
    }

    fn residual(&self, target: usize, row: &[f32], scratch: &Scratch, of_trees: f64) -> f64 {
        let Target { position, space, center, .. } = self.targets[target];
        let (linear, position) = (self.linear(space), position as usize);
        let residual = linear.residual(position, self.values(space, scratch)) - of_trees - center;
        if scratch.missing.is_empty() {
            return residual;
        }
        let unknown = |column: &usize| row[*column].is_nan();
        if scratch.missing.contains(&position) || self.gauges[target].asked.iter().any(unknown) {
            return 0.;
        }
        residual * linear.left(position, &scratch.missing)
    }

    pub(crate) fn linear(&self, space: Space) -> &Linear {
        match (space, &self.magnitudes) {
            (Space::Magnitudes, Some(linear)) => linear,
            (Space::Plain | Space::Magnitudes, _) => &self.plain,
        }
    }

    fn values<'a>(&self, space: Space, scratch: &'a Scratch) -> &'a [f64] {
        match (space, &self.magnitudes) {
            (Space::Magnitudes, Some(_)) => &scratch.magnitudes,
            (Space::Plain | Space::Magnitudes, _) => &scratch.plain,
        }
    }

    fn check(&self, columns: usize) -> Result<(), &'static str> {
        let Self { scales, plain, magnitudes, targets, trees, limit, gauges: _, log_weights } = self;
        let within = |scale: &Scale| (scale.column as usize) < columns;
        let usable = |scale: &Scale| scale.median.is_finite() && (SMALLEST_SCALE..=f64::MAX).contains(&scale.unit);
        let of_targets: u64 = targets.iter().map(|target| u64::from(target.trees)).sum();
        let have = trees.as_ref().map_or(0, |trees| trees.roots.len() as u64);
        let sized = |linear: &Linear| {
            let numbers = linear.weights.iter().chain(&linear.offsets);
            linear.columns() == scales.len()
                && linear.weights.len() == scales.len().pow(2)
                && numbers.into_iter().all(|number| number.is_finite())
        };
        for (holds, what) in [
            (scales.len() <= MAX_COLUMNS, "there are too many columns"),
            (scales.is_sorted_by(|one, other| one.column < other.column), "the columns do not rise"),
            (scales.iter().all(within), "a column is beyond the row"),
            (scales.iter().all(usable), "a column has no scale"),
            (sized(plain) && magnitudes.as_ref().is_none_or(sized), "a weight is no number, or lacking"),
            (targets.iter().all(|target| target.is_valid(scales.len())), "a target is not usable"),
            (targets.iter().all(|it| it.space == Space::Plain || magnitudes.is_some()), "a space is not there"),
            (of_targets == have, "the targets do not have as many trees as there are"),
            (trees.as_ref().is_none_or(|trees| trees.columns as usize == columns), "the trees have other columns"),
            (*limit >= 1. && limit.is_finite() && log_weights.is_finite(), "the limit is no number above 1"),
        ] {
            if !holds {
                return Err(what);
            }
        }
        Ok(())
    }
}

impl Scale {
    /// The value on the scale of the record.
    fn value(&self, space: Space, scaled: f64) -> f64 {
        let scaled = match space {
            Space::Plain => scaled,
            Space::Magnitudes => scaled.sinh(),
        };
        self.median + self.unit * scaled
    }
}

impl Target {
    /// How surprising a residual is, before the number of targets is taken off.
    pub(crate) fn surprise(&self, residual: f64) -> f64 {
        let of = |likelihood: &Likelihood| (residual.abs() / likelihood.scale).powf(likelihood.power);
        self.weight * self.likelihoods.iter().map(of).fold(f64::MAX, f64::min)
    }

    /// The size of the residual that is so surprising.
    fn reach(&self, surprise: f64) -> f64 {
        let of = |likelihood: &Likelihood| likelihood.scale * (surprise / self.weight).powf(1. / likelihood.power);
        self.likelihoods.iter().map(of).fold(0., f64::max)
    }

    fn is_valid(&self, columns: usize) -> bool {
        let Self { position, space: _, trees: _, center, weight, likelihoods } = self;
        let usable = |it: &Likelihood| (1e-9..1e9).contains(&it.scale) && (0.01..=10.).contains(&it.power);
        let weighted = *weight > 0. && *weight <= 1.;
        (*position as usize) < columns && center.is_finite() && weighted && likelihoods.iter().all(usable)
    }
}

/// The inverse hyperbolic sine, as other engines can write it.
pub(crate) fn magnitude(value: f64) -> f64 {
    let size = value.abs();
    (size + (size * size + 1.).sqrt()).ln().copysign(value)
}
