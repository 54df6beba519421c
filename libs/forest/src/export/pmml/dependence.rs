//! What broken dependence adds to the score, as derived fields.

use std::fmt::{self, Write};

use super::expressions::{apply, apply_to, derived, field, number};
use crate::score::dependence::{AT_ONCE, CUT, Dependence, FACTORS, Likelihood, PER_FACTOR, RAMP, Scale, Space, Target};

pub(super) const POINTS: &str = "vedette points";

/// The result of the trees of a target.
pub(super) fn trees(target: usize) -> String {
    format!("vedette trees {target}")
}

/// The fields that are asked for.
pub(super) fn inputs(dependence: &Dependence, names: &[String], out: &mut String) -> fmt::Result {
    for Scale { column, .. } in &dependence.scales {
        writeln!(out, r#"<MiningField name="{}"/>"#, names[*column as usize])?;
    }
    let targets = (0..dependence.targets.len()).filter(|target| !dependence.trees_of(*target).is_empty());
    targets.map(trees).try_for_each(|name| writeln!(out, r#"<MiningField name="{name}"/>"#))
}

/// [`Dependence::points`].
pub(super) fn points(dependence: &Dependence, names: &[String], out: &mut String) -> fmt::Result {
    let Dependence { scales, targets, limit, log_weights, .. } = dependence;
    for (position, Scale { column, median, unit }) in scales.iter().enumerate() {
        let distance = apply("-", &field(&names[*column as usize]), &number(*median));
        let scaled = apply("/", &distance, &number(*unit));
        writeln!(out, "{}", derived(&format!("vedette scaled {position}"), &scaled))?;
        let scaled = field(&format!("vedette scaled {position}"));
        let cut = apply("max", &apply("min", &scaled, &number(CUT)), &number(-CUT));
        writeln!(out, "{}", derived(&name_of(Space::Plain, position), &cut))?;
        if dependence.magnitudes.is_some() {
            writeln!(out, "{}", derived(&name_of(Space::Magnitudes, position), &magnitude(&scaled)))?;
        }
    }
    for (number, target) in targets.iter().enumerate() {
        writeln!(out, "{}", derived(&format!("vedette surprise {number}"), &surprise(dependence, number, target)))?;
    }
    let surprises: String = (0..targets.len()).map(|target| field(&format!("vedette surprise {target}"))).collect();
    let above = apply("-", &apply_to("max", &surprises), &number(*log_weights));
    let times = apply("max", &apply("/", &above, &number(*limit)), &number(1.));
    writeln!(out, "{}", derived("vedette times", &times))?;
    let times = field("vedette times");
    let begun = apply("min", &apply("/", &apply("-", &times, &number(1.)), &number(RAMP)), &number(1.));
    let further = apply("min", &apply_to("ln", &times), &number(FACTORS));
    let points = apply("+", &apply("*", &begun, &number(AT_ONCE)), &apply("*", &further, &number(PER_FACTOR)));
    writeln!(out, "{}", derived(POINTS, &points))
}

fn name_of(space: Space, position: usize) -> String {
    match space {
        Space::Plain => format!("vedette plain {position}"),
        Space::Magnitudes => format!("vedette magnitude {position}"),
    }
}

/// The sign times ln(size + sqrt(size * size + 1)).
fn magnitude(scaled: &str) -> String {
    let size = apply_to("abs", scaled);
    let root = apply_to("sqrt", &apply("+", &apply("*", &size, &size), &number(1.)));
    let logarithm = apply_to("ln", &apply("+", &size, &root));
    let sign = format!(
        r#"<Apply function="if">{}{}{}</Apply>"#,
        apply("lessThan", scaled, &number(0.)),
        number(-1.),
        number(1.)
    );
    apply("*", &sign, &logarithm)
}

/// How surprising what is left of a target is: the lesser of two powers of its size.
fn surprise(dependence: &Dependence, of: usize, target: &Target) -> String {
    let Target { position, space, center, weight, likelihoods, trees: of_trees } = target;
    let linear = dependence.linear(*space);
    let terms: String = linear
        .row(*position as usize)
        .iter()
        .enumerate()
        .map(|(column, weight)| apply("*", &number(*weight), &field(&name_of(*space, column))))
        .collect();
    let middle = linear.offsets[*position as usize] + center;
    let mut left = apply("-", &apply_to("sum", &terms), &number(middle));
    if *of_trees > 0 {
        left = apply("-", &left, &field(&trees(of)));
    }
    let size = apply_to("abs", &left);
    let power = |it: &Likelihood| apply("pow", &apply("/", &size, &number(it.scale)), &number(it.power));
    let [one, other] = likelihoods.each_ref().map(power);
    apply("*", &apply("min", &one, &other), &number(*weight))
}
