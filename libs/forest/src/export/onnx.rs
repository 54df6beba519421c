//! A forest as an ONNX model: one `TreeEnsemble` for each part, and a few operators that make the score of them; another
//! `TreeEnsemble` looks up the piece of the calibration on which the score lies. The numbers of fields are those of
//! onnx.proto.

use std::ops::Range;

use super::protobuf::Message;
use super::{Node, Summands};
use crate::Forest;
use crate::model::calibration::Calibrator;
use crate::score::part::Part;

const FLOAT: u64 = 1;
const BYTE: u64 = 2;
const DOUBLE: u64 = 11;
const INTEGER_ATTRIBUTE: u64 = 2;
const TENSOR_ATTRIBUTE: u64 = 4;
const INTEGERS_ATTRIBUTE: u64 = 7;
const IR_VERSION: u64 = 9;
const SUM: u64 = 1;
const AT_MOST: u8 = 0;

pub(super) fn model(forest: &Forest, calibrator: Option<&Calibrator>) -> Vec<u8> {
    let cast = node("", "Cast", &["rows"], "values").message(5, integer("to", DOUBLE));
    let mut nodes = vec![cast];
    let mut constants = Vec::new();
    let mut pieces = Vec::new();
    for (number, summands) in Summands::of(forest).iter().enumerate() {
        let name = |what: &str| format!("{what}_{number}");
        nodes.push(Trees::of_part(summands).node("values", 1, &name("z")));
        let Part { trees: _, center: _, scale: _, floor, cap, slope, far, far_slope, weight } = summands.part;
        let numbers = [floor, cap, slope, far, far_slope, weight];
        for (what, value) in ["floor", "cap", "slope", "far", "far slope", "weight"].into_iter().zip(numbers) {
            constants.push(constant(&name(what), value));
        }
        // weight * (min(z, cap) + slope * (within - cap) + far slope * (max(z, far) - far)), with z at least floor, and
        // within between cap and far.
        for (operator, inputs, output) in [
            ("Max", ["z", "floor"], "raised"),
            ("Min", ["raised", "cap"], "below"),
            ("Max", ["raised", "cap"], "capped"),
            ("Min", ["capped", "far"], "within"),
            ("Sub", ["within", "cap"], "above"),
            ("Mul", ["above", "slope"], "flat"),
            ("Max", ["raised", "far"], "opened"),
            ("Sub", ["opened", "far"], "beyond"),
            ("Mul", ["beyond", "far slope"], "steep"),
            ("Add", ["below", "flat"], "bent"),
            ("Add", ["bent", "steep"], "shaped"),
            ("Mul", ["shaped", "weight"], "piece"),
        ] {
            let inputs = inputs.map(name);
            nodes.push(node("", operator, &[&inputs[0], &inputs[1]], &name(output)));
        }
        pieces.push(name("piece"));
    }
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    nodes.push(node("", "Sum", &pieces, "raw"));
    let mut outputs = vec!["raw"];
    if let Some(calibrator) = calibrator {
        rank(calibrator, &mut nodes, &mut constants);
        outputs.push("score");
    }

    let graph = nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node)).text(2, "forest");
    let graph = constants.into_iter().fold(graph, |graph, constant| graph.message(5, constant));
    let graph = graph.message(11, value("rows", FLOAT, forest.columns() as u64));
    let graph = outputs.into_iter().fold(graph, |graph, output| graph.message(12, value(output, DOUBLE, 1)));
    let operators = |domain: &str, version| Message::default().text(1, domain).number(2, version);
    Message::default()
        .number(1, IR_VERSION)
        .text(2, "vedette")
        .message(7, graph)
        .message(8, operators("", 18))
        .message(8, operators("ai.onnx.ml", 5))
        .into_bytes()
}

/// `score` from `raw`: [`Calibrator::score`], where the pieces beyond the table add nothing within it.
fn rank(calibrator: &Calibrator, nodes: &mut Vec<Message>, constants: &mut Vec<Message>) {
    let ((first, first_rank), (last, last_rank)) = calibrator.ends();
    for (name, value) in [
        ("first", first),
        ("last", last),
        ("first rank", first_rank),
        ("lower scale", calibrator.lower_scale),
        ("upper scale", calibrator.upper_scale),
        ("last room", 1. - last_rank),
        ("none", 0.),
    ] {
        constants.push(constant(name, value));
    }
    let mut operator = |name: &str, inputs: [&str; 2], output: &str| nodes.push(node("", name, &inputs, output));
    // low rank + slope * (within - low)
    operator("Max", ["raw", "first"], "not below");
    operator("Min", ["not below", "last"], "within");
    // first rank * (scale / (scale + depth)) - first rank
    operator("Sub", ["first", "raw"], "first less raw");
    operator("Max", ["first less raw", "none"], "depth");
    operator("Add", ["lower scale", "depth"], "lower whole");
    operator("Div", ["lower scale", "lower whole"], "lower share");
    operator("Mul", ["first rank", "lower share"], "lower rank");
    operator("Sub", ["lower rank", "first rank"], "lower");
    // last room - last room * (scale / (scale + height))
    operator("Sub", ["raw", "last"], "raw less last");
    operator("Max", ["raw less last", "none"], "height");
    operator("Add", ["upper scale", "height"], "upper whole");
    operator("Div", ["upper scale", "upper whole"], "upper share");
    operator("Mul", ["last room", "upper share"], "upper room");
    operator("Sub", ["last room", "upper room"], "upper");
    nodes.push(Trees::of_calibration(calibrator).node("within", 3, "piece"));
    let split =
        Message::default().text(1, "piece").text(2, "low").text(2, "low rank").text(2, "slope").text(4, "Split");
    nodes.push(split.message(5, integer("axis", 1)).message(5, integer("num_outputs", 3)));
    let mut operator = |name: &str, inputs: &[&str], output: &str| nodes.push(node("", name, inputs, output));
    operator("Sub", &["within", "low"], "along");
    operator("Mul", &["along", "slope"], "rise");
    operator("Sum", &["low rank", "rise", "lower", "upper"], "score");
}

/// Where a child stands: whether among the leaves, and its number there or among the splits.
type Child = (bool, u64);

/// Trees as the operator wants them: inner nodes and leaves apart.
#[derive(Default)]
struct Trees {
    /// Column, threshold, first and second child.
    splits: Vec<(u64, f64, Child, Child)>,
    /// Target and what is added to it.
    leaves: Vec<(u64, f64)>,
    roots: Vec<u64>,
}

impl Trees {
    fn of_part(summands: &Summands<'_>) -> Self {
        let mut trees = Self::default();
        let nodes = summands.nodes();
        let (mut splits, mut leaves) = (0, 0);
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
                Node::Leaf(value) => trees.leaves.push((0, value)),
                Node::Split { column, threshold, first, second } => {
                    trees.splits.push((column as u64, threshold.into(), place(first), place(second)));
                }
            }
        }
        summands.roots().for_each(|root| trees.root(place(root)));
        trees
    }

    /// From a score within the table to where its piece begins, the rank there, and the slope.
    fn of_calibration(calibrator: &Calibrator) -> Self {
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

    fn node(&self, input: &str, targets: u64, output: &str) -> Message {
        let Self { splits, leaves, roots } = self;
        let doubles = |numbers: Vec<f64>| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            tensor(DOUBLE, &[numbers.len() as u64], &bytes)
        };
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

fn constant(name: &str, value: f64) -> Message {
    tensor(DOUBLE, &[], &value.to_le_bytes()).text(8, name)
}

fn node(domain: &str, operator: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
    node.text(2, output).text(4, operator).text(7, domain)
}

fn attribute(name: &str, kind: u64) -> Message {
    Message::default().text(1, name).number(20, kind)
}

fn integer(name: &str, number: u64) -> Message {
    attribute(name, INTEGER_ATTRIBUTE).number(3, number)
}

fn integers(name: &str, numbers: impl IntoIterator<Item = u64>) -> Message {
    attribute(name, INTEGERS_ATTRIBUTE).numbers(8, numbers)
}

fn tensor(kind: u64, shape: &[u64], little_endian: &[u8]) -> Message {
    Message::default().numbers(1, shape.iter().copied()).number(2, kind).bytes(9, little_endian)
}

/// An input or output of any number of rows.
fn value(name: &str, kind: u64, columns: u64) -> Message {
    let rows = Message::default().text(2, "N");
    let shape = Message::default().message(1, rows).message(1, Message::default().number(1, columns));
    let of_tensor = Message::default().number(1, kind).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, of_tensor))
}
