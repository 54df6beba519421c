//! Learns which columns are explained by the others, and how surprising it is when one is not: a linear part, trees on what it
//! leaves, the likelihood of what they leave, and the limit beyond which rows stand apart. `docs/learning.md` has the study
//! behind every number here.

mod linear;
mod reference;
mod residual_trees;
mod surprise;

use rayon::prelude::*;

use crate::Matrix;
use crate::learn::dependence::linear::Values;
use crate::learn::dependence::reference::Reference;
use crate::learn::dependence::residual_trees::Explained;
use crate::score::dependence::{CUT, Dependence, Likelihood, Scratch, Space, Target, magnitude};
use crate::score::linear::Linear;
use crate::score::order;
use crate::score::part::Part;
use crate::score::structure::ForestError;
use crate::score::tree::Tree;
use crate::score::trees::Trees;

/// A column is explained among magnitudes where that leaves less than this share of what is left among plain values.
const BETTER_IN_MAGNITUDE: f64 = 0.8;
/// Explained shares from which on a column has a say, and over which its weight rises to 1.
const EXPLAINED: f64 = 0.3;
const EXPLAINED_SPAN: f64 = 0.4;
/// Until it is learned.
const UNKNOWN: [Likelihood; 2] = [Likelihood { scale: 1., power: 1. }; 2];

/// Learns from rows as they are in the stream, in which what is not a number is missing. `None` where no column depends on the
/// others.
pub(crate) fn fit(rows: &Matrix, numeric: &[bool], seed: u64) -> Result<Option<Dependence>, ForestError> {
    let Some(reference) = Reference::new(rows, numeric, seed) else { return Ok(None) };
    let Reference { different, stream, scales, targets } = &reference;
    let (plain, magnitudes) = rayon::join(
        || Values::new(different, scales, |value| value.clamp(-CUT, CUT)),
        || Values::new(different, scales, magnitude),
    );
    let (of_plain, of_magnitudes) = rayon::join(|| linear::robust(&plain), || linear::robust(&magnitudes));
    let spaces = [(Space::Plain, &plain, &of_plain), (Space::Magnitudes, &magnitudes, &of_magnitudes)];
    let left = targets.par_iter().map(|position| in_better_space(*position, spaces)).collect();
    let explained = residual_trees::explain(different, scales, left, seed);
    let (targets, trees) = weighed(explained, |space, position| match space {
        Space::Plain => plain.column(position),
        Space::Magnitudes => magnitudes.column(position),
    });
    if targets.is_empty() {
        return Ok(None);
    }
    let trees = match trees.len() {
        0 => None,
        count => Some(Trees::from_trees(rows.columns(), vec![Part::mean(count)], &trees)?),
    };
    let of_magnitudes = targets.iter().any(|target| target.space == Space::Magnitudes).then_some(of_magnitudes);
    let with = |targets, limit| {
        let linear = (of_plain.clone(), of_magnitudes.clone());
        Dependence::new(rows.columns(), scales.clone(), linear, targets, trees.clone(), limit)
    };
    let unknown = with(targets.clone(), surprise::LOWEST_LIMIT)?;
    let targets = with_likelihoods(targets, &residuals(&unknown, stream));
    let likely = with(targets.clone(), surprise::LOWEST_LIMIT)?;
    let surprises = residuals(&likely, different).iter().map(|residuals| likely.surprise(residuals)).collect();
    with(targets, surprise::valley(surprises)).map(Some)
}

/// What is not explained of a target, column by column.
pub(crate) struct Left {
    position: usize,
    space: Space,
    residuals: Vec<f64>,
}

/// What the space leaves of a column that leaves less, by a margin.
fn in_better_space(position: usize, spaces: [(Space, &Values, &Linear); 2]) -> Left {
    let [plain, magnitudes] = spaces.map(|(space, values, linear)| {
        let residuals: Vec<f64> = values.rows().map(|row| linear.residual(position, row)).collect();
        let share = surprise::spread(&residuals) / surprise::spread(&values.column(position)).max(1e-12);
        (share, Left { position, space, residuals })
    });
    if magnitudes.0 < BETTER_IN_MAGNITUDE * plain.0 { magnitudes.1 } else { plain.1 }
}

/// The targets that are explained well enough, and their trees.
fn weighed(explained: Vec<Explained>, column: impl Fn(Space, usize) -> Vec<f64>) -> (Vec<Target>, Vec<Tree>) {
    let (mut targets, mut trees) = (Vec::new(), Vec::new());
    for Explained { left: Left { position, space, residuals }, trees: of_target } in explained {
        let share = 1. - surprise::spread(&residuals) / surprise::spread(&column(space, position)).max(1e-12);
        let weight = ((share - EXPLAINED) / EXPLAINED_SPAN).clamp(0., 1.);
        if weight > 0. {
            // At most as many as there are columns, or trees.
            #[allow(clippy::cast_possible_truncation)]
            let (position, trees_of_target) = (position as u32, of_target.len() as u32);
            let center = surprise::median(&residuals);
            targets.push(Target { position, space, trees: trees_of_target, center, weight, likelihoods: UNKNOWN });
            trees.extend(of_target);
        }
    }
    (targets, trees)
}

fn with_likelihoods(targets: Vec<Target>, residuals: &[Vec<f64>]) -> Vec<Target> {
    let of = |(number, target): (usize, Target)| {
        let sizes = residuals.iter().map(|row| row[number].abs()).collect();
        Target { likelihoods: surprise::likelihoods(sizes), ..target }
    };
    targets.into_iter().enumerate().map(of).collect()
}

/// Of each row what is not explained of each target.
fn residuals(dependence: &Dependence, rows: &Matrix) -> Vec<Vec<f64>> {
    let of_row = |scratch: &mut Scratch, row: usize| {
        let places: Vec<u32> = rows.row(row).iter().map(|value| order::of_value(*value)).collect();
        dependence.residuals(rows.row(row), &places, scratch)
    };
    (0..rows.rows()).into_par_iter().map_init(Scratch::default, of_row).collect()
}
