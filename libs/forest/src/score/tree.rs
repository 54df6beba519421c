//! A tree while it is learned: nodes level by level, siblings side by side, so that the upper ones lie together.

use std::collections::VecDeque;

/// A node of a tree that is being learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) threshold: f32,
    pub(crate) column: usize,
    /// Number of the first child in the tree, the second stands behind it; 0, the root, in a leaf.
    pub(crate) first_child: usize,
    /// Higher is more anomalous.
    pub(crate) value: f64,
    /// Training rows that came here, each as often as it was drawn.
    pub(crate) rows: usize,
}

/// A tree does not grow beyond so many nodes, so that the way to a child fits into a split.
const MAX_NODES: usize = 1 << 20;

/// A learned tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree(Vec<Node>);

/// What becomes of a node.
#[derive(Debug, Clone)]
pub(crate) enum Grown<T> {
    /// A leaf of this value, for so many rows.
    Leaf { value: f64, rows: usize },
    /// A split of what came here into that of the first child and that of the second.
    Split { column: usize, threshold: f32, children: [T; 2] },
}

impl Tree {
    /// Grows a tree level by level out of what comes to its root. `grow` is given what comes to a node, the splits above it
    /// and whether there may be one more.
    pub(crate) fn grow<T>(root: T, max_depth: u32, mut grow: impl FnMut(T, u32, bool) -> Grown<T>) -> Self {
        const UNKNOWN: Node = Node { threshold: 0., column: 0, first_child: 0, value: 0., rows: 0 };
        let mut nodes = vec![UNKNOWN];
        let mut open = VecDeque::from([(0, root, 0)]);
        while let Some((node, here, depth)) = open.pop_front() {
            let may_split = depth < max_depth && nodes.len() + 2 <= MAX_NODES;
            match grow(here, depth, may_split) {
                Grown::Leaf { value, rows } => nodes[node] = Node { value, rows, ..UNKNOWN },
                Grown::Split { column, threshold, children } => {
                    nodes[node] = Node { threshold, column, first_child: nodes.len(), ..UNKNOWN };
                    for child in children {
                        open.push_back((nodes.len(), child, depth + 1));
                        nodes.push(UNKNOWN);
                    }
                }
            }
        }
        Self::from_nodes(nodes)
    }

    /// Takes nodes whose leaves have their values and rows, and gives inner nodes theirs: the rows below, and the mean of
    /// the leaves, each weighted by its rows.
    pub(crate) fn from_nodes(mut nodes: Vec<Node>) -> Self {
        for node in (0..nodes.len()).rev() {
            let first = nodes[node].first_child;
            if first != 0 {
                let children = &nodes[first..first + 2];
                let rows: usize = children.iter().map(|child| child.rows).sum();
                let sum: f64 = children.iter().map(|child| child.value * child.rows as f64).sum();
                nodes[node] = Node { value: sum / rows.max(1) as f64, rows, ..nodes[node] };
            }
        }
        Self(nodes)
    }

    /// The tree on the columns that have these numbers elsewhere.
    pub(crate) fn with_columns(mut self, number: impl Fn(usize) -> usize) -> Self {
        self.0.iter_mut().filter(|node| node.first_child != 0).for_each(|node| node.column = number(node.column));
        self
    }

    /// What a row is worth.
    pub(crate) fn value(&self, row: &[f32]) -> f64 {
        let mut node = &self.0[0];
        while node.first_child != 0 {
            node = &self.0[node.first_child + usize::from(row[node.column] > node.threshold)];
        }
        node.value
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.0
    }
}

/// One split on column 0 at 1, one on column 1 at 2 below its second child; of 8 rows 6, 1 and 1 come to the leaves.
#[cfg(test)]
pub(crate) fn small_tree() -> Tree {
    Tree::grow(0..8, 2, |rows, depth, _| match (rows.start, depth) {
        (0, 0) => Grown::Split { column: 0, threshold: 1., children: [0..6, 6..8] },
        (6, 1) => Grown::Split { column: 1, threshold: 2., children: [6..7, 7..8] },
        (start, _) => Grown::Leaf { value: if start == 7 { 1. } else { 0. }, rows: rows.len() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_node_is_worth_the_mean_of_its_rows() {
        let values: Vec<f64> = small_tree().nodes().iter().map(|node| node.value).collect();
        assert_eq!(values, [0.125, 0., 0.5, 0., 1.]);
    }
}
