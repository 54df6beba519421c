//! The part of a forest that looks at each column by itself: how rare it is among the rows that were learned from to be so
//! far out, as in ECOD (Li et al. 2022), and whether a value lies beyond everything that was learned. Other trees cannot
//! see the latter: to their splits such a value counts like the outermost one.

use std::ops::Range;

use rayon::prelude::*;
use vedette_contract::model::{Column, ColumnKind};

use crate::Matrix;
use crate::learn::bins::middle;
use crate::learn::limits::limits;
use crate::learn::quantiles::sorted;
use crate::score::tree::{Grown, Tree};

/// Share of the width of a numeric column, measured in magnitudes, by which its limits lie beyond what was learned.
pub(crate) const MARGIN: f64 = 0.1;
/// A tail that holds a quarter of the rows or more is not rare.
const COMMON: f64 = 0.25;
/// A step of rareness is a tail that holds a quarter of the rows of the step before.
const STEP: f64 = 0.25;
/// So many steps on either side, the last without end: with two limits they fit into a tree of four levels.
const STEPS: f64 = 6.;
const MAX_DEPTH: u32 = 4;
/// Where fewer records than this share have a category that never was, such a record is as good as never seen. The more there are,
/// the less one says, in magnitudes, down to nothing where they are common.
const NEW_IS_SELDOM: f64 = 0.0005;

/// What is known of all columns.
pub(crate) struct Tails(Vec<Tail>);

struct Tail {
    limits: Range<f32>,
    /// What there is beyond the limits.
    beyond: Beyond,
    /// From the smallest values to the largest.
    steps: Vec<Step>,
}

/// What is known of values that were never seen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Beyond {
    /// How much one of them says, 0 to 1.
    says: f64,
    /// Its rareness at most.
    rareness: f64,
}

/// Neighbouring values that are equally rare.
struct Step {
    /// Negative below the middle of the column; 0 is common.
    number: i32,
    first: f32,
    last: f32,
    rows: usize,
    /// Sum over the rows.
    rareness: f64,
}

impl Tails {
    /// Limits are those of all rows but a few that stand far apart. A category is outside when it was not seen, which says the less
    /// the more often a new one comes.
    pub(crate) fn new(rows: &Matrix, reference: &Matrix, columns: &[Column]) -> Self {
        let tail = |(column, Column { name: _, kind }): (usize, &Column)| {
            let margin = match kind {
                ColumnKind::Numeric { .. } => MARGIN,
                ColumnKind::Categorical { .. } => 0.,
            };
            let all = sorted(rows.iter().map(|row| f64::from(row[column])).collect());
            let mut values: Vec<f32> = reference.iter().map(|row| row[column]).collect();
            values.sort_unstable_by(f32::total_cmp);
            let beyond = match kind {
                ColumnKind::Numeric { .. } => Beyond::NEVER,
                ColumnKind::Categorical { values, shares: _ } => Beyond::of_share(share_of_new(&all, values.len())),
            };
            Tail { limits: limits(&all, margin), beyond, steps: steps(&values) }
        };
        Self(columns.par_iter().enumerate().map(tail).collect())
    }

    /// One tree for each column. A leaf is worth the mean of −ln(p / `COMMON`) over its rows, where p is the share of rows
    /// that are at least as far out, and `outside` more beyond the limits.
    pub(crate) fn trees(&self, outside: f64) -> Vec<Tree> {
        self.0.iter().enumerate().map(|(column, tail)| tail.tree(column, outside)).collect()
    }
}

impl Tail {
    fn tree(&self, column: usize, outside: f64) -> Tree {
        let mean = |step: &Step| step.rareness / step.rows as f64;
        let Beyond { says, rareness } = self.beyond;
        let beyond = |step: Option<&Step>| {
            let value = says * outside + step.map_or(0., mean).min(rareness);
            Grown::Leaf { value, rows: 0 }
        };
        let leaves: Vec<Grown<_>> = std::iter::once(beyond(self.steps.first()))
            .chain(self.steps.iter().map(|step| Grown::Leaf { value: mean(step), rows: step.rows }))
            .chain([beyond(self.steps.last())])
            .collect();
        let between = self.steps.windows(2).map(|steps| middle(steps[0].last, steps[1].first));
        let thresholds: Vec<f32> = std::iter::once(self.limits.start).chain(between).chain([self.limits.end]).collect();
        Tree::grow(0..leaves.len(), MAX_DEPTH, |range, _, _| match range.len() {
            1 => leaves[range.start].clone(),
            length => {
                let middle = range.start + length / 2;
                let children = [range.start..middle, middle..range.end];
                Grown::Split { column, threshold: thresholds[middle - 1], children }
            }
        })
    }
}

impl Beyond {
    const NEVER: Self = Self { says: 1., rareness: f64::INFINITY };

    /// Where such a share of the records has a value that was never seen.
    fn of_share(share: f64) -> Self {
        let rareness = (COMMON / share).ln().max(0.);
        Self { says: (rareness / (COMMON / NEW_IS_SELDOM).ln()).min(1.), rareness }
    }
}

/// The share of records that will have a category which none of these rows has: that of the rows whose category no other has (Good
/// 1953, "The population frequencies of species"). The codes are sorted; that of what is missing is the number of categories.
fn share_of_new(codes: &[f64], categories: usize) -> f64 {
    let once = codes.chunk_by(|one, other| one == other).filter(|same| same.len() == 1 && same[0] < categories as f64);
    once.count() as f64 / codes.len() as f64
}

/// The steps of sorted values.
fn steps(sorted: &[f32]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut before = 0;
    for equal in sorted.chunk_by(|one, other| one == other) {
        let (below, above) = (before + equal.len(), sorted.len() - before);
        before = below;
        let tail = (below.min(above) as f64 + 0.5) / (sorted.len() + 1) as f64;
        let rareness = -(tail / COMMON).min(1.).ln();
        #[allow(clippy::cast_possible_truncation)] // at most the number of steps
        let number = (rareness / -STEP.ln()).ceil().min(STEPS) as i32;
        let number = if below < above { -number } else { number };
        let (rows, rareness) = (equal.len(), rareness * equal.len() as f64);
        match steps.last_mut().filter(|last| last.number == number) {
            Some(last) => {
                *last = Step { last: equal[0], rows: last.rows + rows, rareness: last.rareness + rareness, ..*last };
            }
            None => steps.push(Step { number, first: equal[0], last: equal[0], rows, rareness }),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Forest;
    use crate::score::part::Part;

    /// 0 to 9,999 and two categories, of which the second is rare.
    fn tails() -> (Matrix, Tails) {
        let mut rows = Matrix::new(2);
        (0..10_000u16).for_each(|row| rows.push_row(&[row.into(), (row % 100 == 0).into()]));
        let column = |kind| Column { name: String::new(), kind };
        let values = ["tcp", "udp"].map(str::to_owned).to_vec();
        let columns = [column(ColumnKind::numeric(0.)), column(ColumnKind::categorical(values))];
        let tails = Tails::new(&rows, &rows, &columns);
        (rows, tails)
    }

    fn forest(outside: f64) -> Forest {
        let trees = tails().1.trees(outside);
        Forest::from_trees(2, vec![Part { scale: 0.5, ..Part::mean(2) }], &trees).unwrap()
    }

    #[test]
    fn the_rarer_the_tail_the_higher_the_score() {
        let forest = forest(0.);
        let score = |first: f32, second: f32| forest.score(&[first, second]);
        assert!(score(5_000., 0.).abs() < 1e-6 && score(2_600., 0.).abs() < 1e-6);
        for (value, share) in [(1_000., 0.1), (9_000., 0.1), (100., 0.01), (9_900., 0.01), (9_990., 0.001)] {
            let rareness = (COMMON / share).ln();
            assert!((score(value, 0.) - rareness).abs() < 1., "{value}: {} instead of {rareness}", score(value, 0.));
        }
        assert!((score(5_000., 1.) - 25f64.ln()).abs() < 0.1, "{}", score(5_000., 1.));
        let rising: Vec<f64> = [5_000., 7_600., 9_500., 9_900., 9_980., 9_996.].map(|value| score(value, 0.)).into();
        assert!(rising.is_sorted_by(|one, other| one < other), "{rising:?}");
    }

    #[test]
    fn what_was_never_seen_counts_field_by_field() {
        let forest = forest(1e3);
        for (row, outside) in
            [([0., 0.], 0.), ([9_999., 1.], 0.), ([1e6, 1.], 1.), ([-1e6, 0.], 1.), ([50., 2.], 1.), ([1e6, 2.], 2.)]
        {
            assert!((forest.score(&row) / 1e3 - outside).abs() < 0.02, "{row:?} {}", forest.score(&row));
        }
    }

    #[test]
    fn the_more_often_a_new_category_comes_the_less_one_says() {
        // So many of 10,000 rows have a category of their own, the others one of five.
        let beyond = |own: u16| {
            let mut rows = Matrix::new(1);
            (0..10_000u16).for_each(|row| rows.push_row(&[f32::from(if row < own { 5 + row } else { row % 5 })]));
            let values = (0..5 + own).map(|value| value.to_string()).collect();
            let column = Column { name: String::new(), kind: ColumnKind::categorical(values) };
            let trees = Tails::new(&rows, &rows, &[column]).trees(1e3);
            let forest = Forest::from_trees(1, vec![Part::mean(1)], &trees).unwrap();
            forest.score(&[f32::from(5 + own)]) / 1e3
        };
        let beyond = [0, 1, 5, 10, 100, 1_000, 2_500, 6_000].map(beyond);
        assert!(beyond[..3].iter().all(|says| *says > 0.99), "{beyond:?}");
        // Their rareness is in it, a thousandth of what it is.
        assert!(beyond.is_sorted_by(|one, other| one + 0.01 >= *other), "{beyond:?}");
        assert!((0.4..0.6).contains(&beyond[4]) && beyond[6] < 0.01 && beyond[7] < 0.01, "{beyond:?}");
    }

    #[test]
    fn missing_categories_are_not_new_ones() {
        assert!((share_of_new(&[0., 0., 1., 3., 3.], 3) - 0.2).abs() < 1e-12);
        assert!(share_of_new(&[0., 0., 1., 1., 3.], 3).abs() < 1e-12);
    }

    #[test]
    fn every_step_has_a_leaf() {
        let (rows, tails) = tails();
        for tree in tails.trees(0.) {
            let leaves = tree.nodes().iter().filter(|node| node.first_child == 0);
            assert!(leaves.clone().count() <= 1 << MAX_DEPTH);
            assert_eq!(leaves.map(|leaf| leaf.rows).sum::<usize>(), rows.rows());
        }
    }
}
