//! What broken dependence adds to the score, as operators.

use super::super::Summands;
use super::super::protobuf::Message;
use super::graph::{cast, constant, doubles, integer, node, numbers, vector};
use super::trees::Trees;
use crate::score::dependence::{AT_ONCE, CUT, Dependence, FACTORS, Likelihood, PER_FACTOR, RAMP, Space, Target};

/// `points` from `given`: [`Dependence::points`], which is 0 where a value is missing.
pub(super) fn points(dependence: &Dependence, nodes: &mut Vec<Message>, constants: &mut Vec<Message>) {
    let targets = &dependence.targets;
    constants.extend(constants_of(dependence));
    let gathered = node("", "Gather", &["given", "columns"], "chosen").message(5, integer("axis", 1));
    nodes.push(gathered);
    nodes.push(node("", "IsNaN", &["chosen"], "is unknown"));
    nodes.push(cast("is unknown", "unknown"));
    let trees = dependence.trees.as_ref().map(|_| Trees::of_targets(&Summands::of_targets(dependence)));
    nodes.extend(trees.iter().map(|trees| trees.node("values", targets.len() as u64, "of trees")));
    let mut operator = |name: &str, inputs: &[&str], output: &str| nodes.push(node("", name, inputs, output));
    operator("ReduceMax", &["unknown", "across"], "any unknown");
    operator("Sub", &["one", "any unknown"], "all known");
    operator("Sub", &["chosen", "medians"], "distances");
    operator("Div", &["distances", "units"], "scaled or unknown");
    operator("Where", &["is unknown", "zero", "scaled or unknown"], "scaled");
    operator("Max", &["scaled", "negative cut"], "cut below");
    operator("Min", &["cut below", "cut"], "plain");
    // The sign times ln(size + sqrt(size * size + 1)).
    operator("Abs", &["scaled"], "sizes");
    operator("Mul", &["sizes", "sizes"], "squares");
    operator("Add", &["squares", "one"], "squares and one");
    operator("Sqrt", &["squares and one"], "roots");
    operator("Add", &["sizes", "roots"], "sums");
    operator("Log", &["sums"], "logarithms");
    operator("Sign", &["scaled"], "signs");
    operator("Mul", &["signs", "logarithms"], "magnitudes");
    operator("MatMul", &["plain", "plain weights"], "of plain");
    operator("MatMul", &["magnitudes", "magnitude weights"], "of magnitudes");
    operator("Add", &["of plain", "of magnitudes"], "of both");
    operator("Sub", &["of both", "middles"], "left by weights");
    let left = if trees.is_some() { "left" } else { "left by weights" };
    if trees.is_some() {
        operator("Sub", &["left by weights", "of trees"], "left");
    }
    operator("Abs", &[left], "residuals");
    for (name, surprises) in [("likelihood", "surprises"), ("other likelihood", "other surprises")] {
        operator("Div", &["residuals", &format!("{name} scale")], &format!("{name} size"));
        operator("Pow", &[&format!("{name} size"), &format!("{name} power")], surprises);
    }
    operator("Min", &["surprises", "other surprises"], "least surprises");
    operator("Mul", &["least surprises", "target weights"], "weighed surprises");
    operator("ReduceMax", &["weighed surprises", "across"], "largest surprise");
    operator("Sub", &["largest surprise", "log weights"], "surprise");
    operator("Div", &["surprise", "limit"], "share of limit");
    operator("Max", &["share of limit", "one"], "times");
    operator("Sub", &["times", "one"], "times above");
    operator("Div", &["times above", "ramp"], "ramp share");
    operator("Min", &["ramp share", "one"], "begun");
    operator("Mul", &["begun", "at once"], "begun points");
    operator("Log", &["times"], "times logarithm");
    operator("Min", &["times logarithm", "factors"], "within factors");
    operator("Mul", &["within factors", "per factor"], "further points");
    operator("Add", &["begun points", "further points"], "points if known");
    operator("Mul", &["points if known", "all known"], "points");
}

fn constants_of(dependence: &Dependence) -> Vec<Message> {
    let Dependence { scales, targets, limit, log_weights, .. } = dependence;
    let middle = |target: &Target| dependence.linear(target.space).offsets[target.position as usize] + target.center;
    let mut constants = vec![
        numbers("columns", scales.iter().map(|scale| scale.column.into())),
        vector("medians", &scales.iter().map(|scale| scale.median).collect::<Vec<_>>()),
        vector("units", &scales.iter().map(|scale| scale.unit).collect::<Vec<_>>()),
        vector("target weights", &targets.iter().map(|target| target.weight).collect::<Vec<_>>()),
        vector("middles", &targets.iter().map(middle).collect::<Vec<_>>()),
    ];
    for (space, name) in [(Space::Plain, "plain weights"), (Space::Magnitudes, "magnitude weights")] {
        constants.push(weights(dependence, space, name));
    }
    for (name, of) in [("likelihood", 0), ("other likelihood", 1)] {
        let of = |number: &dyn Fn(&Likelihood) -> f64| {
            targets.iter().map(|it| number(&it.likelihoods[of])).collect::<Vec<_>>()
        };
        constants.push(vector(&format!("{name} scale"), &of(&|it| it.scale)));
        constants.push(vector(&format!("{name} power"), &of(&|it| it.power)));
    }
    for (name, value) in [
        ("cut", CUT),
        ("negative cut", -CUT),
        ("zero", 0.),
        ("one", 1.),
        ("log weights", *log_weights),
        ("limit", *limit),
        ("ramp", RAMP),
        ("at once", AT_ONCE),
        ("per factor", PER_FACTOR),
        ("factors", FACTORS),
    ] {
        constants.push(constant(name, value));
    }
    constants.push(numbers("across", [1]));
    constants
}

/// A row for each column and a column for each target, zero where the target is explained in the other space.
fn weights(dependence: &Dependence, space: Space, name: &str) -> Message {
    let Dependence { scales, targets, .. } = dependence;
    let weight = |column: usize, target: &Target| {
        if target.space == space { dependence.linear(space).row(target.position as usize)[column] } else { 0. }
    };
    let values: Vec<f64> =
        (0..scales.len()).flat_map(|column| targets.iter().map(move |target| weight(column, target))).collect();
    doubles(name, &[scales.len(), targets.len()], &values)
}
