//! The recipe of 2016, kept as a baseline: smartcore's random forest tells real rows from synthetic ones, whose values
//! are drawn column by column from the real rows. A row's score is the share of trees that take it for synthetic.
//! Numeric columns only. Its trees become our nodes, so an artifact can carry them and they are scored like any other.

use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;
use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::tree::decision_tree_classifier::SplitCriterion;
use vedette_contract::model::{Column, ColumnKind};

use crate::Matrix;
use crate::learn::error::FitError;
use crate::learn::parameters::SeedParameters;
use crate::score::forest::Forest;
use crate::score::part::Part;
use crate::score::tree::{Node, Tree};

/// More rows than this are sampled: smartcore keeps a counter per row for every open node, so its memory grows nearly
/// with the square of the rows.
const MAX_ROWS: usize = 50_000;
const REAL: u32 = 0;
const SYNTHETIC: u32 = 1;

/// Learns from the rows as they are, repeated patterns included.
pub(crate) fn fit(
    rows: &Matrix,
    columns: &[Column],
    parameters: &SeedParameters,
    seed: u64,
) -> Result<Forest, FitError> {
    let SeedParameters { trees, max_depth, synthetic_fraction } = *parameters;
    let is_numeric = |column: &usize| matches!(columns[*column].kind, ColumnKind::Numeric { .. });
    let numeric: Vec<usize> = (0..columns.len()).filter(is_numeric).collect();
    if numeric.is_empty() {
        return Err(FitError::NoNumericColumn);
    }
    if rows.rows() < 2 {
        return Err(FitError::TooFewRows { distinct: rows.rows() });
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let sampled = (rows.rows() > MAX_ROWS).then(|| index::sample(&mut random, rows.rows(), MAX_ROWS).into_vec());
    let sampled = sampled.map(|chosen| rows.select(&chosen));
    let (values, labels) =
        real_and_synthetic(sampled.as_ref().unwrap_or(rows), &numeric, synthetic_fraction, &mut random);
    let values = DenseMatrix::new(labels.len(), numeric.len(), values, true).map_err(FitError::Smartcore)?;
    let parameters = RandomForestClassifierParameters::default()
        .with_criterion(SplitCriterion::Gini)
        // Both were checked and are far smaller. smartcore counts levels of nodes, we count splits.
        .with_n_trees(u16::try_from(trees).unwrap_or(u16::MAX))
        .with_max_depth(u16::try_from(max_depth + 1).unwrap_or(u16::MAX))
        .with_seed(seed);
    let forest = RandomForestClassifier::fit(&values, &labels, parameters).map_err(FitError::Smartcore)?;
    let SmartcoreForest { trees, classes } =
        serde_json::to_value(&forest).and_then(serde_json::from_value).map_err(FitError::Trees)?;
    let trees: Vec<Tree> = trees.iter().map(|tree| to_tree(&tree.nodes, &classes, &numeric)).collect();
    Ok(Forest::from_trees(columns.len(), vec![Part::mean(trees.len())], &trees)?)
}

/// The numeric columns of the real rows and, below them, of the synthetic ones, column by column; and the labels.
fn real_and_synthetic(rows: &Matrix, numeric: &[usize], fraction: f64, random: &mut impl Rng) -> (Vec<f64>, Vec<u32>) {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the fraction was checked
    let synthetic = ((rows.rows() as f64 * fraction).round() as usize).max(1);
    let mut values = Vec::with_capacity((rows.rows() + synthetic) * numeric.len());
    for column in numeric {
        values.extend(rows.iter().map(|row| f64::from(row[*column])));
        values.extend((0..synthetic).map(|_| f64::from(rows.row(random.random_range(0..rows.rows()))[*column])));
    }
    let labels = [vec![REAL; rows.rows()], vec![SYNTHETIC; synthetic]].concat();
    (values, labels)
}

/// What smartcore serialises of a forest; its fields are private, its serialised form is not.
#[derive(Deserialize)]
struct SmartcoreForest {
    trees: Vec<SmartcoreTree>,
    classes: Vec<u32>,
}

#[derive(Deserialize)]
struct SmartcoreTree {
    nodes: Vec<SmartcoreNode>,
}

#[derive(Deserialize)]
struct SmartcoreNode {
    output: usize,
    n_node_samples: usize,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

/// Orders the nodes level by level with siblings side by side, as our walk wants them. A leaf is worth the vote.
fn to_tree(tree: &[SmartcoreNode], classes: &[u32], numeric: &[usize]) -> Tree {
    let mut nodes = Vec::with_capacity(tree.len());
    let mut order = vec![0];
    while let Some(source) = order.get(nodes.len()).and_then(|source| tree.get(*source)) {
        let vote = f64::from(u8::from(classes.get(source.output) == Some(&SYNTHETIC)));
        let leaf = Node { threshold: 0., column: 0, first_child: 0, value: vote, rows: source.n_node_samples };
        nodes.push(match (source.split_value, source.true_child, source.false_child) {
            (Some(split), Some(first), Some(second)) => {
                let first_child = order.len();
                order.extend([first, second]);
                Node { threshold: round_down(split), column: numeric[source.split_feature], first_child, ..leaf }
            }
            _ => leaf,
        });
    }
    Tree::from_nodes(nodes)
}

/// The largest `f32` that is not greater: the same `f32` values are at most this as are at most the given number.
fn round_down(threshold: f64) -> f32 {
    #[allow(clippy::cast_possible_truncation)]
    let near = threshold as f32;
    if f64::from(near) > threshold { near.next_down() } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prop_assert_eq, proptest, test_runner::Config};

    fn columns(kinds: &str) -> Vec<Column> {
        let kind = |letter| match letter {
            'n' => ColumnKind::numeric(0.),
            _ => ColumnKind::categorical(vec![]),
        };
        kinds.chars().enumerate().map(|(at, letter)| Column { name: format!("c{at}"), kind: kind(letter) }).collect()
    }

    /// Two numeric columns that are equal, with a categorical one between them.
    fn correlated() -> Matrix {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut rows = Matrix::new(3);
        (0..2_000).for_each(|_| {
            let value = random.random::<f32>();
            rows.push_row(&[value, random.random::<f32>(), value]);
        });
        rows
    }

    #[test]
    fn our_walk_votes_as_smartcore_does() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let rows = correlated();
        let numeric = [0, 2];
        let (values, labels) = real_and_synthetic(&rows, &numeric, 0.5, &mut random);
        let values = DenseMatrix::new(labels.len(), 2, values, true).unwrap();
        let parameters = RandomForestClassifierParameters::default().with_n_trees(9).with_max_depth(8).with_seed(4);
        let forest = RandomForestClassifier::fit(&values, &labels, parameters).unwrap();
        let predicted: Vec<u32> = forest.predict(&values).unwrap();
        let SmartcoreForest { trees, classes } =
            serde_json::from_value(serde_json::to_value(&forest).unwrap()).unwrap();
        let trees: Vec<Tree> = trees.iter().map(|tree| to_tree(&tree.nodes, &classes, &numeric)).collect();
        let ours = Forest::from_trees(3, vec![Part::mean(trees.len())], &trees).unwrap();
        let mut synthetic = 0;
        for (row, predicted) in rows.iter().zip(&predicted) {
            assert_eq!(ours.score(row) > 0.5, *predicted == SYNTHETIC, "{row:?}");
            synthetic += predicted;
        }
        assert!(predicted.contains(&SYNTHETIC) && (synthetic as usize) < rows.rows());
    }

    #[test]
    fn it_finds_what_breaks_a_dependence_and_ignores_categorical_columns() {
        let rows = correlated();
        let parameters = SeedParameters { trees: 10, max_depth: 15, synthetic_fraction: 0.1 };
        let forest = fit(&rows, &columns("ncn"), &parameters, 1).unwrap();
        assert!(forest.trees.splits.iter().all(|split| split.distance() == 0 || split.column() != 1));
        let mean = |rows: &[[f32; 3]]| rows.iter().map(|row| forest.score(row)).sum::<f64>() / rows.len() as f64;
        let broken: Vec<[f32; 3]> = (0..50u8).map(|at| [f32::from(at) / 50., 0.5, 1. - f32::from(at) / 50.]).collect();
        let whole: Vec<[f32; 3]> = broken.iter().map(|row| [row[0], 0.5, row[0]]).collect();
        assert!(mean(&broken) > mean(&whole) + 0.3, "{} and {}", mean(&broken), mean(&whole));
    }

    #[test]
    fn without_a_numeric_column_there_is_nothing_to_learn() {
        let parameters = SeedParameters { trees: 10, max_depth: 15, synthetic_fraction: 0.1 };
        let error = fit(&correlated(), &columns("ccc"), &parameters, 1).unwrap_err();
        assert!(matches!(error, FitError::NoNumericColumn));
    }

    proptest! {
        #![proptest_config(Config::with_cases(256))]
        #[test]
        fn a_rounded_threshold_parts_the_same_values(threshold in -1e6..1e6f64, value in -1e6..1e6f32, steps in 0u8..3) {
            let near = (0..steps).fold(round_down(threshold), |near, _| near.next_up());
            for value in [value, near] {
                prop_assert_eq!(f64::from(value) <= threshold, value <= round_down(threshold));
            }
        }
    }
}
