//! A forest as one flat table of nodes, whoever learned it: scores and the columns behind them come from the same walk.
//! A walk goes to the first child where the value is at most the threshold, else (also for what is not a number) to the
//! second, and it always ends, because children stand behind their parent.

use crate::Matrix;
use crate::structure::{self, ForestError};

/// Rows that are walked through one tree before the next: their accumulators and values stay in the first-level cache.
const BLOCK: usize = 64;

/// One node. A leaf has `first_child` 0, which is a root and so never a child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) threshold: f32,
    pub(crate) column: u32,
    pub(crate) first_child: u32,
    /// What a row that gets here is worth: of a leaf by itself, of an inner node the mean of the leaves below, weighted
    /// by the training rows that they hold. Higher is more anomalous.
    pub(crate) value: f32,
}

impl Node {
    /// A leaf; [`weigh`] gives it its value.
    pub(crate) fn leaf() -> Self {
        Self { threshold: 0., column: 0, first_child: 0, value: 0. }
    }

    /// An inner node whose children stand at `first_child` and behind it; [`weigh`] gives it its value.
    pub(crate) fn split(column: usize, threshold: f32, first_child: usize) -> Self {
        // What does not fit becomes a column or a child that `Forest::new` refuses.
        let fit = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { threshold, column: fit(column), first_child: fit(first_child), value: 0. }
    }

    fn child(&self, row: &[f32]) -> usize {
        // NaN is not below any threshold: it goes to the second child.
        #[allow(clippy::neg_cmp_op_on_partial_ord)]
        let second = usize::from(!(row[self.column as usize] <= self.threshold));
        self.first_child as usize + second
    }
}

/// Gives the leaves of a tree their values, and inner nodes the mean of the leaves below, each weighted by its rows.
pub(crate) fn weigh(nodes: &mut [Node], rows: &[usize], mut values: Vec<f64>) {
    for node in (0..nodes.len()).rev() {
        if nodes[node].first_child != 0 {
            let first = nodes[node].first_child as usize;
            let sum: f64 = (first..first + 2).map(|child| values[child] * rows[child] as f64).sum();
            values[node] = sum / (rows[first] + rows[first + 1]).max(1) as f64;
        }
        #[allow(clippy::cast_possible_truncation)] // the digits of f32 are plenty for a mean of path lengths or votes
        let value = values[node] as f32;
        nodes[node].value = value;
    }
}

/// How the mean of the leaves' values becomes the raw score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// 2 to the power of the mean: the leaves hold negative relative path lengths (Liu, Ting, Zhou 2008).
    PowerOfTwo,
    /// The mean itself: the leaves hold votes.
    Mean,
}

/// A learned forest. Built by [`crate::fit`] or read from its bytes; in both cases checked, so that every walk ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    pub(crate) link: Link,
    pub(crate) columns: u32,
    /// Position of each tree's root, rising, the first of them 0.
    pub(crate) roots: Vec<u32>,
    pub(crate) nodes: Vec<Node>,
}

impl Forest {
    /// Checks and takes the tables.
    pub(crate) fn new(link: Link, columns: u32, roots: Vec<u32>, nodes: Vec<Node>) -> Result<Self, ForestError> {
        structure::check(columns, &roots, &nodes)?;
        Ok(Self { link, columns, roots, nodes })
    }

    /// Joins trees whose children are numbered from the tree's own root.
    pub(crate) fn from_trees(link: Link, columns: u32, trees: Vec<Vec<Node>>) -> Result<Self, ForestError> {
        let mut roots = Vec::with_capacity(trees.len());
        let mut nodes = Vec::with_capacity(trees.iter().map(Vec::len).sum());
        for tree in trees {
            let root = u32::try_from(nodes.len()).map_err(|_| ForestError::Structure { node: nodes.len() })?;
            roots.push(root);
            nodes.extend(tree.into_iter().map(|node| match node.first_child {
                0 => node,
                child => Node { first_child: child.saturating_add(root), ..node },
            }));
        }
        Self::new(link, columns, roots, nodes)
    }

    /// How many values a row has.
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// How many trees vote.
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// How many nodes all trees have.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Raw score of a row; higher is more anomalous. Any value is allowed, infinite and not-a-number ones too.
    ///
    /// # Panics
    /// When the row is shorter than the forest has columns.
    pub fn score(&self, row: &[f32]) -> f64 {
        let sum = self.roots.iter().map(|root| f64::from(self.leaf(*root, row).value)).sum();
        self.raw(sum)
    }

    /// Raw scores of all rows, instead of what `out` held; the same numbers as [`Self::score`] gives, faster.
    ///
    /// # Panics
    /// When the rows are shorter than the forest has columns.
    pub fn score_batch(&self, rows: &Matrix, out: &mut Vec<f64>) {
        out.clear();
        out.resize(rows.rows(), 0.);
        for (block, sums) in out.chunks_mut(BLOCK).enumerate() {
            for root in &self.roots {
                for (position, sum) in sums.iter_mut().enumerate() {
                    *sum += f64::from(self.leaf(*root, rows.row(block * BLOCK + position)).value);
                }
            }
            sums.iter_mut().for_each(|sum| *sum = self.raw(*sum));
        }
    }

    /// The share that each column has in what makes the row more anomalous than the training rows, into `out`.
    ///
    /// A column's contribution is the sum, over its splits on the row's paths, of the change of the nodes' values
    /// (Saabas 2014, "Interpreting random forests"). Negative sums count as none; the others are scaled to sum to one.
    /// Where no column has a positive sum, all shares are 0: there is nothing strange to explain.
    ///
    /// # Panics
    /// When the row or `out` is shorter than the forest has columns.
    pub fn contributions(&self, row: &[f32], out: &mut [f64]) {
        out.fill(0.);
        for root in &self.roots {
            let mut node = self.nodes[*root as usize];
            while node.first_child != 0 {
                let child = self.nodes[node.child(row)];
                out[node.column as usize] += f64::from(child.value) - f64::from(node.value);
                node = child;
            }
        }
        out.iter_mut().for_each(|share| *share = share.max(0.));
        let total: f64 = out.iter().sum();
        if total > 0. {
            out.iter_mut().for_each(|share| *share /= total);
        }
    }

    fn leaf(&self, root: u32, row: &[f32]) -> &Node {
        let mut node = &self.nodes[root as usize];
        while node.first_child != 0 {
            node = &self.nodes[node.child(row)];
        }
        node
    }

    fn raw(&self, sum: f64) -> f64 {
        let mean = sum / self.roots.len() as f64;
        match self.link {
            Link::PowerOfTwo => mean.exp2(),
            Link::Mean => mean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One split on column 0 at 1, one on column 1 at 2 below its second child.
    fn small(link: Link) -> Forest {
        let mut tree = vec![Node::split(0, 1., 1), Node::leaf(), Node::split(1, 2., 3), Node::leaf(), Node::leaf()];
        weigh(&mut tree, &[8, 6, 2, 1, 1], vec![0., 0., 0., 0., 1.]);
        Forest::from_trees(link, 2, vec![tree.clone(), vec![Node::leaf()], tree]).unwrap()
    }

    #[test]
    fn an_inner_node_is_worth_the_mean_of_its_rows() {
        let values: Vec<f32> = small(Link::Mean).nodes.iter().take(5).map(|node| node.value).collect();
        assert_eq!(values, [0.125, 0., 0.5, 0., 1.]);
    }

    #[test]
    fn the_score_is_the_linked_mean_of_the_leaves() {
        let third = 2. / 3.;
        for (row, mean) in [([1., 9.], 0.), ([2., 2.], 0.), ([2., 3.], third)] {
            assert!((small(Link::Mean).score(&row) - mean).abs() < 1e-12);
            assert!((small(Link::PowerOfTwo).score(&row) - mean.exp2()).abs() < 1e-12);
        }
    }

    #[test]
    fn every_value_has_a_score() {
        let forest = small(Link::PowerOfTwo);
        let mut shares = [0.; 2];
        for row in [[f32::NAN, f32::NAN], [f32::INFINITY, f32::NAN], [f32::NEG_INFINITY, f32::INFINITY]] {
            assert!(forest.score(&row).is_finite());
            forest.contributions(&row, &mut shares);
            assert!(shares.iter().all(|share| (0. ..=1.).contains(share)), "{shares:?}");
        }
        assert_eq!(forest.score(&[f32::NAN; 2]).to_bits(), forest.score(&[f32::INFINITY; 2]).to_bits());
    }

    #[test]
    fn shares_follow_the_changes_on_the_path() {
        let mut shares = [9.; 2];
        small(Link::Mean).contributions(&[2., 3.], &mut shares);
        // From .125 to .5 by column 0, from there to 1 by column 1, in two of three trees.
        assert!((shares[0] - 0.375 / 0.875).abs() < 1e-6 && (shares[1] - 0.5 / 0.875).abs() < 1e-6, "{shares:?}");
    }

    #[test]
    fn where_nothing_is_strange_no_column_has_a_share() {
        let mut shares = [9.; 2];
        small(Link::Mean).contributions(&[0., 0.], &mut shares);
        assert_eq!(shares, [0., 0.]);
    }

    #[test]
    fn a_batch_gives_the_same_scores_as_single_rows() {
        let forest = small(Link::PowerOfTwo);
        let mut rows = Matrix::new(2);
        (0..3 * BLOCK + 5).for_each(|row| rows.push_row(&[(row % 3) as f32, (row % 5) as f32]));
        let mut scores = vec![9.];
        forest.score_batch(&rows, &mut scores);
        let single: Vec<f64> = rows.iter().map(|row| forest.score(row)).collect();
        assert_eq!(scores, single);
    }
}
