//! A forest as an ONNX model: one `TreeEnsemble` for each part, and a few operators that make the score of them.
//! The numbers of fields are those of onnx.proto.

use super::protobuf::Message;
use super::{Node, Summands};
use crate::Forest;
use crate::part::Part;

const FLOAT: u64 = 1;
const BYTE: u64 = 2;
const DOUBLE: u64 = 11;
const INTEGER_ATTRIBUTE: u64 = 2;
const TENSOR_ATTRIBUTE: u64 = 4;
const INTEGERS_ATTRIBUTE: u64 = 7;
const IR_VERSION: u64 = 9;
const SUM: u64 = 1;
const AT_MOST: u8 = 0;

pub(super) fn model(forest: &Forest) -> Vec<u8> {
    let cast = node("", "Cast", &["rows"], "values").message(5, integer("to", DOUBLE));
    let mut nodes = vec![cast];
    let mut constants = Vec::new();
    let mut pieces = Vec::new();
    for (number, summands) in Summands::of(forest).iter().enumerate() {
        let name = |what: &str| format!("{what}_{number}");
        nodes.push(tree_ensemble(summands, &name("z")));
        let Part { trees: _, center: _, scale: _, floor, cap, slope, weight } = summands.part;
        for (what, value) in [("floor", floor), ("cap", cap), ("slope", slope), ("weight", weight)] {
            constants.push(tensor(DOUBLE, &[], &value.to_le_bytes()).text(8, &name(what)));
        }
        // weight * (min(z, cap) + slope * (max(z, cap) - cap)), with z at least floor.
        for (operator, inputs, output) in [
            ("Max", ["z", "floor"], "raised"),
            ("Min", ["raised", "cap"], "below"),
            ("Max", ["raised", "cap"], "capped"),
            ("Sub", ["capped", "cap"], "above"),
            ("Mul", ["above", "slope"], "flat"),
            ("Add", ["below", "flat"], "shaped"),
            ("Mul", ["shaped", "weight"], "piece"),
        ] {
            let inputs = inputs.map(name);
            nodes.push(node("", operator, &[&inputs[0], &inputs[1]], &name(output)));
        }
        pieces.push(name("piece"));
    }
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    nodes.push(node("", "Sum", &pieces, "score"));

    let graph = nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node)).text(2, "forest");
    let graph = constants.into_iter().fold(graph, |graph, constant| graph.message(5, constant));
    let graph = graph.message(11, value("rows", FLOAT, forest.columns() as u64)).message(12, value("score", DOUBLE, 1));
    let operators = |domain: &str, version| Message::default().text(1, domain).number(2, version);
    Message::default()
        .number(1, IR_VERSION)
        .text(2, "vedette")
        .message(7, graph)
        .message(8, operators("", 18))
        .message(8, operators("ai.onnx.ml", 5))
        .into_bytes()
}

fn tree_ensemble(summands: &Summands<'_>, output: &str) -> Message {
    // Where a node stands among the inner nodes, or a leaf among the leaves. A tree that is a leaf gets an inner node with
    // that leaf on both sides.
    let (mut splits, mut leaves) = (Vec::new(), Vec::new());
    let nodes = summands.nodes();
    let mut places = Vec::with_capacity(nodes.len());
    let place = |position: usize| position - nodes.start;
    for position in nodes.clone() {
        match summands.node(position) {
            Node::Leaf(value) => {
                places.push((true, leaves.len() as u64));
                leaves.push(value);
            }
            Node::Split { column, threshold, first, second } => {
                places.push((false, splits.len() as u64));
                splits.push((column, threshold, place(first), place(second)));
            }
        }
    }
    let mut roots = Vec::new();
    for root in summands.roots() {
        let (is_leaf, at) = places[place(root)];
        roots.push(if is_leaf { splits.len() as u64 } else { at });
        if is_leaf {
            splits.push((0, 0., place(root), place(root)));
        }
    }
    let children = |child: fn(&(usize, f32, usize, usize)) -> usize| -> Vec<(bool, u64)> {
        splits.iter().map(|split| places[child(split)]).collect()
    };
    let (first, second) = (children(|split| split.2), children(|split| split.3));
    let positions = |children: &[(bool, u64)]| children.iter().map(|(_, at)| *at).collect::<Vec<_>>();
    let are_leaves = |children: &[(bool, u64)]| children.iter().map(|(leaf, _)| u64::from(*leaf)).collect::<Vec<_>>();
    let thresholds: Vec<u8> = splits.iter().flat_map(|split| f64::from(split.1).to_le_bytes()).collect();
    let weights: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.to_le_bytes()).collect();
    let count = |length: usize| [length as u64];
    node("ai.onnx.ml", "TreeEnsemble", &["values"], output)
        .message(5, integer("aggregate_function", SUM))
        .message(5, integer("n_targets", 1))
        .message(5, integers("tree_roots", roots))
        .message(5, integers("nodes_featureids", splits.iter().map(|split| split.0 as u64)))
        .message(
            5,
            attribute("nodes_splits", TENSOR_ATTRIBUTE).message(5, tensor(DOUBLE, &count(splits.len()), &thresholds)),
        )
        .message(
            5,
            attribute("nodes_modes", TENSOR_ATTRIBUTE)
                .message(5, tensor(BYTE, &count(splits.len()), &vec![AT_MOST; splits.len()])),
        )
        .message(5, integers("nodes_truenodeids", positions(&first)))
        .message(5, integers("nodes_falsenodeids", positions(&second)))
        .message(5, integers("nodes_trueleafs", are_leaves(&first)))
        .message(5, integers("nodes_falseleafs", are_leaves(&second)))
        .message(5, integers("nodes_missing_value_tracks_true", splits.iter().map(|_| 1)))
        .message(5, integers("leaf_targetids", leaves.iter().map(|_| 0)))
        .message(
            5,
            attribute("leaf_weights", TENSOR_ATTRIBUTE).message(5, tensor(DOUBLE, &count(leaves.len()), &weights)),
        )
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
