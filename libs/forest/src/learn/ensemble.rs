//! The default learner: an isolation forest with pooled gain, which ranks what is far out; beside it a random forest of
//! real against synthetic rows, which finds what breaks the dependences between columns; and the tails of the columns.
//! `docs/learning.md` has the study behind every number here. What guards them: `make quality` asserts the goals of that
//! page on the published sets, and `fit/tests.rs` that planted anomalies are found and explained; the tests below only
//! that the parts come together as they are meant to.

use rand::seq::index;
use vedette_contract::learner::Impurity;
use vedette_contract::model::{Column, ColumnKind};

use crate::Matrix;
use crate::learn::bins::{Bins, MAX_BINS, Table};
use crate::learn::dependence;
use crate::learn::error::FitError;
use crate::learn::isolation::{self, IsolationSettings};
use crate::learn::random::random_for;
use crate::learn::random_forest::{self, RandomForestSettings};
use crate::learn::synthetic::{self, Bounds};
use crate::learn::tails::Tails;
use crate::score::forest::{Forest, means};
use crate::score::part::Part;
use crate::score::tree::Tree;

/// Rows, at random, that stand for all.
const REFERENCE_ROWS: usize = 50_000;
const ISOLATION: IsolationSettings =
    IsolationSettings { trees: 112, rows_per_tree: 256, max_depth: 10, thresholds_per_split: 5 };
/// Trees that see few rows and find other anomalies, but fewer of the dense groups that must be trimmed.
const OF_FEW_ROWS: IsolationSettings =
    IsolationSettings { trees: 16, rows_per_tree: 64, max_depth: 6, thresholds_per_split: 20 };
/// Share of the rows that are most anomalous to the isolation forest and that a group of trees does not take for real. It
/// must be without the anomalies that come in numbers; several shares are steadier than one.
const TRIMS: [f64; 4] = [0.04, 0.07, 0.10, 0.13];
const TREES_PER_GROUP: u32 = 15;
/// Deeper trees learn the noise of the synthetic rows.
const MAX_DEPTH: u32 = 8;
/// Real rows of a group; there are as many synthetic ones.
const REAL_ROWS: usize = 20_000;
const ROWS_PER_TREE: usize = 4_096;
/// Shares of the synthetic rows that are uniform in the box of the reference rows, and in that of their magnitudes.
const UNIFORM: f64 = 0.05;
const UNIFORM_IN_MAGNITUDE: f64 = 0.05;
/// Rows over which the second forest is standardised.
const STANDARD_ROWS: usize = 10_000;
/// Above so many standard deviations the isolation forest counts a quarter: it should not drown the others.
const ISOLATION_CAP: f64 = 1.75;
const ISOLATION_SLOPE: f64 = 0.25;
/// Above so many it counts twentyfold, and no other part has a say: they take a dense group that is far out for real.
const ISOLATION_FAR: f64 = 5.;
const ISOLATION_FAR_SLOPE: f64 = 20.;
/// Below so many standard deviations the second forest says nothing more: how very real a row looks is no merit.
const SYNTHETIC_FLOOR: f64 = 0.;
/// Above so many it counts two and a half times: hardly an ordinary row comes so far.
const SYNTHETIC_CAP: f64 = 5.;
const SYNTHETIC_SLOPE: f64 = 2.5;
/// Weight of the second forest where there are many different real rows, and how many make half of it.
const SYNTHETIC_WEIGHT: f64 = 0.25;
const HALF_WEIGHT_ROWS: f64 = 1_000.;
/// Between so many standard deviations the tails of the columns count, and above them a hundredth, which is enough for what
/// is outside.
const TAIL_FLOOR: f64 = 1.;
const TAIL_CAP: f64 = 2.;
const TAIL_SLOPE: f64 = 0.01;
const TAIL_WEIGHT: f64 = 0.16;
/// What a field that is far outside everything learned adds, in standard deviations of the isolation forest.
const OUTSIDE_WEIGHT: f64 = 4.;

/// Learns from rows as they are in the stream, repeated patterns included; in `filled` nothing is missing any more.
pub(crate) fn fit(rows: &Matrix, filled: &Matrix, columns: &[Column], seed: u64) -> Result<Forest, FitError> {
    let mut random = random_for(seed, "reference rows", 0);
    let sampled =
        |rows: &Matrix, count, random: &mut _| rows.select(&index::sample(random, rows.rows(), count).into_vec());
    let chosen =
        (rows.rows() > REFERENCE_ROWS).then(|| index::sample(&mut random, rows.rows(), REFERENCE_ROWS).into_vec());
    let of_all = |all: &'_ Matrix| chosen.as_ref().map(|chosen| all.select(chosen));
    let numeric: Vec<bool> = columns.iter().map(|column| matches!(column.kind, ColumnKind::Numeric { .. })).collect();
    let dependence = dependence::fit(of_all(rows).as_ref().unwrap_or(rows), &numeric, seed)?;
    let (rows, sampled_reference) = (filled, of_all(filled));
    let reference = sampled_reference.as_ref().unwrap_or(rows);
    let bounds = Bounds::new(reference);

    let mut trees = isolation::grow_trees(reference, &ISOLATION, seed);
    let ranks = means(&trees, reference)?;
    trees.extend(isolation::grow_trees(reference, &OF_FEW_ROWS, seed.wrapping_add(1)));
    let part = standardised(trees.len(), &means(&trees, reference)?);
    let isolation =
        Part { cap: ISOLATION_CAP, slope: ISOLATION_SLOPE, far: ISOLATION_FAR, far_slope: ISOLATION_FAR_SLOPE, ..part };

    let (mut against_synthetic, mut real_rows) = (Vec::new(), 0);
    for (group, trim) in (0u32..).zip(TRIMS) {
        let mut random = random_for(seed, "synthetic rows", group);
        let real = isolation::trimmed(reference, &ranks, trim).distinct();
        real_rows = real.rows();
        let real = if real_rows > REAL_ROWS { sampled(&real, REAL_ROWS, &mut random) } else { real };
        against_synthetic.extend(grow_group(&real, &bounds, &mut random, seed.wrapping_add(u64::from(group))));
    }
    let standard = sampled(reference, reference.rows().min(STANDARD_ROWS), &mut random);
    let weight = SYNTHETIC_WEIGHT * real_rows as f64 / (real_rows as f64 + HALF_WEIGHT_ROWS);
    let part = standardised(against_synthetic.len(), &means(&against_synthetic, &standard)?);
    let synthetic = Part { floor: SYNTHETIC_FLOOR, cap: SYNTHETIC_CAP, slope: SYNTHETIC_SLOPE, weight, ..part };
    trees.extend(against_synthetic);

    let tails = Tails::new(rows, reference, columns);
    let part = standardised(columns.len(), &means(&tails.trees(0.), reference)?);
    let outside = OUTSIDE_WEIGHT / (TAIL_WEIGHT * TAIL_SLOPE) * part.scale * columns.len() as f64;
    trees.extend(tails.trees(outside));
    let tails = Part { floor: TAIL_FLOOR, cap: TAIL_CAP, slope: TAIL_SLOPE, weight: TAIL_WEIGHT, ..part };
    let forest = Forest::from_trees(columns.len(), vec![isolation, synthetic, tails], &trees)?;
    Ok(Forest { dependence, ..forest })
}

/// A part of so many trees whose pieces have mean 0 and standard deviation 1 over the rows that have these means.
fn standardised(trees: usize, means: &[f64]) -> Part {
    let center = means.iter().sum::<f64>() / means.len() as f64;
    let variance = means.iter().map(|mean| (mean - center).powi(2)).sum::<f64>() / means.len() as f64;
    Part { center, scale: variance.sqrt() + 1e-12, ..Part::mean(trees) }
}

/// Trees that tell these real rows from as many synthetic ones.
fn grow_group(real: &Matrix, bounds: &Bounds, random: &mut impl rand::Rng, seed: u64) -> Vec<Tree> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of the rows
    let [uniform, in_magnitude] = [UNIFORM, UNIFORM_IN_MAGNITUDE].map(|share| (share * real.rows() as f64) as usize);
    let mut rows = real.clone();
    synthetic::with_swaps(real, real.rows() - uniform - in_magnitude, random, &mut rows);
    bounds.uniform(uniform, random, &mut rows);
    bounds.uniform_in_magnitude(in_magnitude, random, &mut rows);
    let mut table = Table::with_capacity(Bins::new(&rows, MAX_BINS), rows.rows());
    table.push(&rows, |row| row >= real.rows());
    let settings = RandomForestSettings {
        trees: TREES_PER_GROUP,
        rows_per_tree: ROWS_PER_TREE.min((rows.rows() / 4).max(rows.rows().min(32))),
        max_depth: MAX_DEPTH,
        columns_per_split: columns_per_split(rows.columns()),
        impurity: Impurity::Gini,
    };
    random_forest::grow_trees(&table, &settings, seed)
}

/// A third of the columns, at least the square root of their number and at most 64.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the square root of a number of columns
fn columns_per_split(columns: usize) -> usize {
    ((columns as f64).sqrt().ceil() as usize).max(columns / 3).min(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many different rows of two columns that rise together.
    fn fitted(rows: u16) -> Forest {
        let mut matrix = Matrix::new(2);
        (0..rows).for_each(|row| matrix.push_row(&[f32::from(row), f32::from(row) / 2.]));
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
        fit(&matrix, &matrix, &[column("a"), column("b")], 1).unwrap()
    }

    #[test]
    fn a_third_of_the_columns_is_tried() {
        assert_eq!([1, 3, 6, 41, 1_555].map(columns_per_split), [1, 2, 3, 13, 64]);
    }

    #[test]
    fn pieces_are_in_standard_deviations_of_the_rows() {
        let means = [1., 2., 3., 6.];
        let part = standardised(8, &means);
        let pieces = means.map(|mean| part.score(8. * mean));
        let mean = pieces.iter().sum::<f64>() / 4.;
        let variance = pieces.iter().map(|piece| piece * piece).sum::<f64>() / 4.;
        assert!(mean.abs() < 1e-9 && (variance - 1.).abs() < 1e-9, "{pieces:?}");
    }

    #[test]
    fn isolation_synthetic_rows_and_tails_are_parts_in_this_order() {
        let forest = fitted(500);
        let trees: Vec<u32> = forest.trees.parts.iter().map(|part| part.trees).collect();
        assert_eq!(trees, [ISOLATION.trees + OF_FEW_ROWS.trees, TREES_PER_GROUP * 4, 2]);
        let [isolation, synthetic, tails] = &forest.trees.parts[..] else { panic!("{:?}", forest.trees.parts) };
        assert_eq!((isolation.cap, isolation.slope, isolation.weight), (ISOLATION_CAP, ISOLATION_SLOPE, 1.));
        assert_eq!((isolation.far, isolation.far_slope), (ISOLATION_FAR, ISOLATION_FAR_SLOPE));
        assert_eq!((synthetic.far, tails.far), (f64::MAX, f64::MAX));
        assert_eq!(
            (synthetic.floor, synthetic.cap, synthetic.slope),
            (SYNTHETIC_FLOOR, SYNTHETIC_CAP, SYNTHETIC_SLOPE)
        );
        assert_eq!((tails.floor, tails.cap, tails.slope), (TAIL_FLOOR, TAIL_CAP, TAIL_SLOPE));
        assert_eq!(tails.weight, TAIL_WEIGHT);
    }

    #[test]
    fn the_second_forest_weighs_more_with_more_different_real_rows() {
        // The last group takes all but 13 % of the rows for real.
        for (rows, real) in [(100, 87.), (2_000, 1_740.)] {
            let weight = fitted(rows).trees.parts[1].weight;
            let expected = SYNTHETIC_WEIGHT * real / (real + HALF_WEIGHT_ROWS);
            assert!((weight - expected).abs() < 1e-4, "{weight} and not {expected} with {rows} rows");
        }
    }

    #[test]
    fn a_field_outside_everything_learned_adds_so_many_standard_deviations() {
        let forest = fitted(2_000);
        let tails = |row: &[f32]| {
            let score = forest.score(row);
            let mut inner = forest.clone();
            inner.trees.parts.truncate(2);
            score - inner.score(row)
        };
        let (edge, outside) = (tails(&[1_999., 999.5]), tails(&[1e6, 999.5]));
        assert!((outside - edge - OUTSIDE_WEIGHT).abs() < 0.01, "{edge} and {outside}");
    }
}
