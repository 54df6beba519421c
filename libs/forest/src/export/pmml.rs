//! A forest as PMML 4.4: a chain of one sum of trees for each part, and a regression that makes the score of them.

mod dependence;
mod expressions;

use std::fmt::{self, Write};

use vedette_contract::model::Column;

use self::expressions::{apply, derived, field, number};
use super::{Node, Summands, names};
use crate::Forest;
use crate::model::calibration::Calibrator;
use crate::score::part::Part;

pub(super) fn document(forest: &Forest, columns: &[Column], calibrator: Option<&Calibrator>) -> String {
    let names: Vec<String> = names(columns).map(escaped).collect();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_document(forest, &names, calibrator, &mut text);
    text
}

fn write_document(forest: &Forest, names: &[String], calibrator: Option<&Calibrator>, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        r#"<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header><Application name="Vedette"/></Header>"#
    )?;
    writeln!(out, "<DataDictionary>")?;
    for name in names {
        writeln!(out, r#"<DataField name="{name}" optype="continuous" dataType="float"/>"#)?;
    }
    writeln!(out, "</DataDictionary>")?;
    writeln!(out, r#"<MiningModel functionName="regression">"#)?;
    schema(names, out)?;
    writeln!(out, r#"<Segmentation multipleModelMethod="modelChain">"#)?;
    let parts = Summands::of(forest);
    for (number, summands) in parts.iter().enumerate() {
        sum_of_trees(summands, &format!("vedette z {number}"), names, out)?;
    }
    let of_targets = forest.dependence.as_ref().map(Summands::of_targets).unwrap_or_default();
    for (target, summands) in &of_targets {
        sum_of_trees(summands, &dependence::trees(*target), names, out)?;
    }
    score(forest, &parts, names, calibrator, out)?;
    writeln!(out, "</Segmentation></MiningModel></PMML>")
}

/// A segment that gives the sum of some trees.
fn sum_of_trees(summands: &Summands<'_>, result: &str, names: &[String], out: &mut String) -> fmt::Result {
    writeln!(out, r#"<Segment id="{result}"><True/><MiningModel functionName="regression">"#)?;
    schema(names, out)?;
    writeln!(
        out,
        r#"<Output><OutputField name="{result}" optype="continuous" dataType="double" feature="predictedValue"/></Output>"#
    )?;
    writeln!(out, r#"<Segmentation multipleModelMethod="sum">"#)?;
    for root in summands.roots() {
        writeln!(out, r#"<Segment><True/><TreeModel functionName="regression" splitCharacteristic="binarySplit">"#)?;
        schema(names, out)?;
        write!(out, "<Node><True/>")?;
        below(summands, root, names, out)?;
        writeln!(out, "</Node></TreeModel></Segment>")?;
    }
    writeln!(out, "</Segmentation></MiningModel></Segment>")
}

fn schema(names: &[String], out: &mut String) -> fmt::Result {
    write!(out, "<MiningSchema>")?;
    names.iter().try_for_each(|name| write!(out, r#"<MiningField name="{name}"/>"#))?;
    writeln!(out, "</MiningSchema>")
}

/// What stands inside the element of a node: its children, each with its predicate; for a leaf, the only child.
fn below(summands: &Summands<'_>, position: usize, names: &[String], out: &mut String) -> fmt::Result {
    match summands.node(position) {
        Node::Leaf(value) => write!(out, r#"<Node score="{value:?}"><True/></Node>"#),
        Node::Split { column, threshold, first, second } => {
            for (child, operator) in [(first, "lessOrEqual"), (second, "greaterThan")] {
                let predicate = format!(
                    r#"<SimplePredicate field="{}" operator="{operator}" value="{threshold:?}"/>"#,
                    names[column]
                );
                match summands.node(child) {
                    Node::Leaf(value) => write!(out, r#"<Node score="{value:?}">{predicate}</Node>"#)?,
                    Node::Split { .. } => {
                        write!(out, "<Node>{predicate}")?;
                        below(summands, child, names, out)?;
                        write!(out, "</Node>")?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// The sum of the parts and of what broken dependence adds, and its rank.
fn score(
    forest: &Forest,
    parts: &[Summands<'_>],
    names: &[String],
    calibrator: Option<&Calibrator>,
    out: &mut String,
) -> fmt::Result {
    writeln!(out, r#"<Segment id="score"><True/><RegressionModel functionName="regression"><MiningSchema>"#)?;
    for number in 0..parts.len() {
        writeln!(out, r#"<MiningField name="vedette z {number}"/>"#)?;
    }
    if let Some(dependence) = &forest.dependence {
        dependence::inputs(dependence, names, out)?;
    }
    writeln!(out, "</MiningSchema>")?;
    writeln!(
        out,
        r#"<Output><OutputField name="raw" optype="continuous" dataType="double" feature="predictedValue"/>"#
    )?;
    if let Some(calibrator) = calibrator {
        rank(calibrator, out)?;
    }
    writeln!(out, "</Output><LocalTransformations>")?;
    for (number, summands) in parts.iter().enumerate() {
        writeln!(out, "{}", derived(&format!("vedette piece {number}"), &shaped(&summands.part, number)))?;
    }
    if let Some(dependence) = &forest.dependence {
        dependence::points(dependence, names, out)?;
    }
    writeln!(out, r#"</LocalTransformations><RegressionTable intercept="0">"#)?;
    for (number, summands) in parts.iter().enumerate() {
        let weight = summands.part.weight;
        writeln!(out, r#"<NumericPredictor name="vedette piece {number}" coefficient="{weight:?}"/>"#)?;
    }
    if forest.dependence.is_some() {
        writeln!(out, r#"<NumericPredictor name="{}" coefficient="1"/>"#, dependence::POINTS)?;
    }
    writeln!(out, "</RegressionTable></RegressionModel></Segment>")
}

/// min(z, cap) + slope * (within - cap) + far slope * (max(z, far) - far), with z at least floor and within between cap and
/// far.
fn shaped(part: &Part, of: usize) -> String {
    let Part { trees: _, center: _, scale: _, floor, cap, slope, far, far_slope, weight: _ } = *part;
    let z = apply("max", &field(&format!("vedette z {of}")), &number(floor));
    let [cap, far] = [cap, far].map(number);
    let within = apply("min", &apply("max", &z, &cap), &far);
    let flat = apply("*", &number(slope), &apply("-", &within, &cap));
    let steep = apply("*", &number(far_slope), &apply("-", &apply("max", &z, &far), &far));
    apply("+", &apply("+", &apply("min", &z, &cap), &flat), &steep)
}

/// [`Calibrator::score`] of `raw`, where the pieces beyond the table add nothing within it.
fn rank(calibrator: &Calibrator, out: &mut String) -> fmt::Result {
    let ((first, first_rank), (last, last_rank)) = calibrator.ends();
    let Calibrator { quantiles, lower_scale, upper_scale } = calibrator;
    let raw = r#"<FieldRef field="raw"/>"#;
    // room * (scale / (scale + how far outside)) - room
    let beyond = |room: f64, scale: f64, outside: String| {
        let whole = apply("+", &number(scale), &apply("max", &outside, &number(0.)));
        let inside = apply("*", &number(room), &apply("/", &number(scale), &whole));
        apply("-", &inside, &number(room))
    };
    let lower = beyond(first_rank, *lower_scale, apply("-", &number(first), raw));
    let upper = beyond(1. - last_rank, *upper_scale, apply("-", raw, &number(last)));
    writeln!(out, r#"<OutputField name="score" optype="continuous" dataType="double" feature="transformedValue">"#)?;
    write!(out, r#"<Apply function="+"><Apply function="-">"#)?;
    if quantiles.len() > 1 {
        write!(out, r#"<NormContinuous field="raw" outliers="asExtremeValues">"#)?;
        for (score, rank) in quantiles {
            write!(out, r#"<LinearNorm orig="{score:?}" norm="{rank:?}"/>"#)?;
        }
        write!(out, "</NormContinuous>")?;
    } else {
        write!(out, "{}", number(first_rank))?;
    }
    writeln!(out, "{upper}</Apply>{lower}</Apply></OutputField>")
}

fn escaped(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::calibration::calibrate;
    use crate::score::tree::small_tree;
    use vedette_contract::model::ColumnKind;

    #[test]
    fn a_document_names_every_column_and_has_every_leaf() {
        let forest = Forest::from_trees(2, vec![Part::mean(2), Part::mean(1)], &vec![small_tree(); 3]).unwrap();
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
        let columns = [column("a"), column("b < \"c\"")];
        let text = document(&forest, &columns, None);
        assert_eq!(text.matches("<Node score=").count(), 9);
        assert_eq!(text.matches(r#"<DataField name="b &lt; &quot;c&quot;""#).count(), 1);
        assert_eq!(text.matches("<TreeModel ").count(), 3);
        assert!(!text.contains(r#"name="score""#));
        let calibrator = Calibrator::new(&calibrate(vec![1., 2., 2., 4.]).unwrap()).unwrap();
        let text = document(&forest, &columns, Some(&calibrator));
        assert!(text.contains(r#"<LinearNorm orig="2.0" norm="0.5"/>"#) && text.contains(r#"name="score""#));
    }
}
