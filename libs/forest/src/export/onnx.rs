//! A forest as an ONNX model: one `TreeEnsemble` for each part, and operators that make the score of them; another
//! `TreeEnsemble` looks up the piece of the calibration on which the score lies.

mod dependence;
mod graph;
mod trees;

use self::graph::{DOUBLE, FLOAT, cast, constant, integer, node, value, vector};
use self::trees::Trees;
use super::Summands;
use super::protobuf::Message;
use crate::Forest;
use crate::model::calibration::Calibrator;
use crate::score::order;
use crate::score::part::Part;

const IR_VERSION: u64 = 9;

pub(super) fn model(forest: &Forest, calibrator: Option<&Calibrator>) -> Vec<u8> {
    let mut nodes = vec![cast("rows", "given")];
    let mut constants = Vec::new();
    nodes.push(node("", "IsNaN", &["given"], "is missing"));
    constants.push(vector("typical", &forest.typical.iter().map(|it| order::number(*it).into()).collect::<Vec<_>>()));
    nodes.push(node("", "Where", &["is missing", "typical", "given"], "values"));
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
    if let Some(dependence) = &forest.dependence {
        dependence::points(dependence, &mut nodes, &mut constants);
        pieces.push("points".to_owned());
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
