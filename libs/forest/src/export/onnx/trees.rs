//! Trees as the operator `TreeEnsemble` wants them.

use std::ops::Range;

use super::super::protobuf::Message;
use super::super::{Node, Summands};
use super::graph::{BYTE, DOUBLE, TENSOR_ATTRIBUTE, attribute, bytes_of, integer, integers, node, tensor};
use crate::model::calibration::Calibrator;

const SUM: u64 = 1;
const AT_MOST: u8 = 0;

/// Where a child stands: whether among the leaves, and its number there or among the splits.
type Child = (bool, u64);

/// Trees as the operator wants them: inner nodes and leaves apart.
#[derive(Default)]
pub(super) struct Trees {
    /// Column, threshold, first and second child.
    splits: Vec<(u64, f64, Child, Child)>,
    /// Target and what is added to it.
    leaves: Vec<(u64, f64)>,
    roots: Vec<u64>,
}

impl Trees {
    pub(super) fn of_part(summands: &Summands<'_>) -> Self {
        let mut trees = Self::default();
        trees.add(summands, 0);
        trees
    }

    /// The trees of targets that have some, each with its number.
    pub(super) fn of_targets(targets: &[(usize, Summands<'_>)]) -> Self {
        let mut trees = Self::default();
        targets.iter().for_each(|(target, summands)| trees.add(summands, *target as u64));
        trees
    }

    fn add(&mut self, summands: &Summands<'_>, target: u64) {
        let nodes = summands.nodes();
        let (mut splits, mut leaves) = (self.splits.len() as u64, self.leaves.len() as u64);
        let next = |number: &mut u64| std::mem::replace(number, *number + 1);
        let places: Vec<Child> = nodes
            .clone()
            .map(|position| match summands.node(position) {
                Node::Leaf(_) => (true, next(&mut leaves)),
                Node::Split { .. } => (false, next(&mut splits)),
            })
            .collect();
        let place = |position: usize| places[position - nodes.start];
        for position in nodes.clone() {
            match summands.node(position) {
                Node::Leaf(value) => self.leaves.push((target, value)),
                Node::Split { column, threshold, first, second } => {
                    self.splits.push((column as u64, threshold.into(), place(first), place(second)));
                }
            }
        }
        // Behind all inner nodes, as a root that is a leaf gets one of its own.
        summands.roots().for_each(|root| self.root(place(root)));
    }

    /// From a score within the table to where its piece begins, the rank there, and the slope.
    pub(super) fn of_calibration(calibrator: &Calibrator) -> Self {
        let mut trees = Self::default();
        let quantiles = &calibrator.quantiles;
        let last = quantiles.len() - 1;
        let slope = |piece: usize| {
            let ((low, low_rank), (high, high_rank)) = (quantiles[piece], quantiles[(piece + 1).min(last)]);
            if high > low { (high_rank - low_rank) / (high - low) } else { 0. }
        };
        let values: [&dyn Fn(usize) -> f64; 3] = [&|piece| quantiles[piece].0, &|piece| quantiles[piece].1, &slope];
        for (target, value) in (0..).zip(values) {
            let root = trees.search(0..last.max(1), &|piece| quantiles[piece].0, target, value);
            trees.root(root);
        }
        trees
    }

    /// A balanced tree over these pieces; each holds what is greater than its beginning.
    fn search(
        &mut self,
        pieces: Range<usize>,
        begin: &dyn Fn(usize) -> f64,
        target: u64,
        value: &dyn Fn(usize) -> f64,
    ) -> Child {
        if pieces.len() == 1 {
            self.leaves.push((target, value(pieces.start)));
            return (true, self.leaves.len() as u64 - 1);
        }
        let middle = pieces.start + pieces.len() / 2;
        let first = self.search(pieces.start..middle, begin, target, value);
        let second = self.search(middle..pieces.end, begin, target, value);
        self.splits.push((0, begin(middle), first, second));
        (false, self.splits.len() as u64 - 1)
    }

    /// A tree that is a leaf gets an inner node with that leaf on both sides.
    fn root(&mut self, (is_leaf, at): Child) {
        if is_leaf {
            self.roots.push(self.splits.len() as u64);
            self.splits.push((0, 0., (is_leaf, at), (is_leaf, at)));
        } else {
            self.roots.push(at);
        }
    }

    pub(super) fn node(&self, input: &str, targets: u64, output: &str) -> Message {
        let Self { splits, leaves, roots } = self;
        let doubles = |numbers: Vec<f64>| tensor(DOUBLE, &[numbers.len() as u64], &bytes_of(&numbers));
        let modes = tensor(BYTE, &[splits.len() as u64], &vec![AT_MOST; splits.len()]);
        let thresholds = doubles(splits.iter().map(|split| split.1).collect());
        let weights = doubles(leaves.iter().map(|leaf| leaf.1).collect());
        node("ai.onnx.ml", "TreeEnsemble", &[input], output)
            .message(5, integer("aggregate_function", SUM))
            .message(5, integer("n_targets", targets))
            .message(5, integers("tree_roots", roots.iter().copied()))
            .message(5, integers("nodes_featureids", splits.iter().map(|split| split.0)))
            .message(5, attribute("nodes_splits", TENSOR_ATTRIBUTE).message(5, thresholds))
            .message(5, attribute("nodes_modes", TENSOR_ATTRIBUTE).message(5, modes))
            .message(5, integers("nodes_truenodeids", splits.iter().map(|split| split.2.1)))
            .message(5, integers("nodes_falsenodeids", splits.iter().map(|split| split.3.1)))
            .message(5, integers("nodes_trueleafs", splits.iter().map(|split| split.2.0.into())))
            .message(5, integers("nodes_falseleafs", splits.iter().map(|split| split.3.0.into())))
            .message(5, integers("nodes_missing_value_tracks_true", splits.iter().map(|_| 1)))
            .message(5, integers("leaf_targetids", leaves.iter().map(|leaf| leaf.0)))
            .message(5, attribute("leaf_weights", TENSOR_ATTRIBUTE).message(5, weights))
    }
}
