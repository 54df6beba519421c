//! Forests for other engines. A row is the numbers that the feature specification makes of a record. The results are the
//! forest's own score, `raw`, and with a calibration the one that the detector writes, `score`. A row in which a value is
//! missing gets no points for broken dependence there: other engines do not fill it by what the others make of it.

mod onnx;
mod pmml;
mod protobuf;

use vedette_contract::model::Column;

use crate::Forest;
use crate::model::calibration::Calibrator;
use crate::score::dependence::Dependence;
use crate::score::part::Part;
use crate::score::trees::Trees;

/// The forest as an ONNX model (operator sets ai.onnx 18 and ai.onnx.ml 5, `TreeEnsemble` in double precision): input
/// `rows`, `float[N, columns]`; outputs `raw` and, with a calibrator, `score`, each `double[N, 1]`.
pub fn onnx(forest: &Forest, calibrator: Option<&Calibrator>) -> Vec<u8> {
    onnx::model(forest, calibrator)
}

/// The forest as a PMML 4.4 document. Its input fields are the columns, as numbers; its results are the fields `raw` and, with
/// a calibrator, `score`.
///
/// # Panics
/// When there are fewer columns than the forest reads.
pub fn pmml(forest: &Forest, columns: &[Column], calibrator: Option<&Calibrator>) -> String {
    pmml::document(forest, columns, calibrator)
}

/// One part of a forest, in the form in which engines add up trees.
struct Summands<'a> {
    all: &'a Trees,
    part: Part,
    trees: std::ops::Range<usize>,
}

/// A node as an engine wants it.
enum Node {
    /// What a row adds to its part's z.
    Leaf(f64),
    /// A row goes to `first` where the column is at most the threshold, else to `second`.
    Split { column: usize, threshold: f32, first: usize, second: usize },
}

impl<'a> Summands<'a> {
    fn of(forest: &'a Forest) -> Vec<Self> {
        forest.trees.parts_and_trees().map(|(part, trees)| Self { all: &forest.trees, part: *part, trees }).collect()
    }

    /// The trees of each target of a dependence that has some, and the target's number.
    fn of_targets(dependence: &'a Dependence) -> Vec<(usize, Self)> {
        let Some(all) = &dependence.trees else { return Vec::new() };
        let of_target = |target: usize| {
            let trees = dependence.trees_of(target);
            // The leaves themselves, added up.
            let part = Part { scale: 1. / trees.len() as f64, ..Part::mean(trees.len()) };
            (target, Self { all, part, trees })
        };
        (0..dependence.targets.len()).map(of_target).filter(|(_, summands)| !summands.trees.is_empty()).collect()
    }

    /// Positions of the roots.
    fn roots(&self) -> impl Iterator<Item = usize> {
        self.all.roots[self.trees.clone()].iter().map(|root| *root as usize)
    }

    /// Positions of all nodes of the part.
    fn nodes(&self) -> std::ops::Range<usize> {
        let at = |tree: usize| self.all.roots.get(tree).map_or(self.all.splits.len(), |root| *root as usize);
        at(self.trees.start)..at(self.trees.end)
    }

    /// The node at this position. The sum over a part's trees is its z: center and scale are shared out to the leaves.
    fn node(&self, position: usize) -> Node {
        let split = self.all.splits[position];
        if split.distance() == 0 {
            let Part { trees, center, scale, .. } = self.part;
            return Node::Leaf((f64::from(self.all.values[position]) - center) / (scale * f64::from(trees)));
        }
        let first = position + split.distance();
        Node::Split { column: split.column(), threshold: split.threshold(), first, second: first + 1 }
    }
}

/// Names of the columns; engines that name their inputs want one each.
fn names(columns: &[Column]) -> impl Iterator<Item = &str> {
    columns.iter().map(|column| column.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::tree::small_tree;

    #[test]
    fn leaves_add_up_to_what_the_part_says() {
        let part = Part { center: 0.25, scale: 0.5, ..Part::mean(2) };
        let forest = Forest::from_trees(2, vec![Part::mean(1), part], &vec![small_tree(); 3]).unwrap();
        let parts = Summands::of(&forest);
        assert_eq!((parts[1].roots().collect::<Vec<_>>(), parts[1].nodes()), (vec![5, 10], 5..15));
        // The leaf of value 1 in each of the two trees: (1 - .25) / .5 in total.
        let leaves = [9, 14].map(|position| match parts[1].node(position) {
            Node::Leaf(value) => value,
            Node::Split { .. } => f64::NAN,
        });
        assert!((leaves.iter().sum::<f64>() - 1.5).abs() < 1e-12);
    }
}
