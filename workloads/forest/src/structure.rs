//! What makes tables a forest. It is checked for every forest, learned or read, so that a walk needs no limit.

use crate::forest::Node;

/// No tree is deeper than this many splits.
pub(crate) const MAX_DEPTH: u32 = 64;

/// Why nodes are not a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForestError {
    /// There is no tree, or one without a node.
    #[error("the forest has no trees, or an empty one")]
    Empty,
    /// A number is not finite.
    #[error("node {node} of the forest holds a number that is not finite")]
    NotFinite {
        /// Its position.
        node: usize,
    },
    /// A split reads a column that rows do not have.
    #[error("node {node} of the forest reads column {column} of {columns}")]
    Column {
        /// Its position.
        node: usize,
        /// The column.
        column: u32,
        /// How many there are.
        columns: u32,
    },
    /// A child is outside the tree, before its parent, shared or nobody's.
    #[error("node {node} of the forest is not part of a tree")]
    Structure {
        /// Its position.
        node: usize,
    },
    /// A path is too long.
    #[error("node {node} of the forest is deeper than {MAX_DEPTH}")]
    Depth {
        /// Its position.
        node: usize,
    },
}

/// Checks the tables of a forest: the roots begin its trees, and every walk stays in its tree and ends.
pub(crate) fn check(columns: u32, roots: &[u32], nodes: &[Node]) -> Result<(), ForestError> {
    let end = nodes.len();
    let begins_at_zero = roots.first() == Some(&0);
    if !begins_at_zero || !roots.is_sorted_by(|left, right| left < right) {
        return Err(ForestError::Empty);
    }
    let ends = roots.iter().skip(1).map(|root| *root as usize).chain([end]);
    // Depth of each node plus one; 0 as long as no parent was seen.
    let mut levels = vec![0u32; end];
    for (root, tree_end) in roots.iter().map(|root| *root as usize).zip(ends) {
        if root >= tree_end || tree_end > end {
            return Err(ForestError::Empty);
        }
        levels[root] = 1;
        for (position, node) in nodes.iter().enumerate().take(tree_end).skip(root) {
            check_node(*node, columns, position, tree_end, &mut levels)?;
        }
    }
    Ok(())
}

fn check_node(
    node: Node,
    columns: u32,
    position: usize,
    tree_end: usize,
    levels: &mut [u32],
) -> Result<(), ForestError> {
    let Node { threshold, column, first_child, value } = node;
    if levels[position] == 0 {
        return Err(ForestError::Structure { node: position });
    }
    if levels[position] > MAX_DEPTH + 1 {
        return Err(ForestError::Depth { node: position });
    }
    if !threshold.is_finite() || !value.is_finite() {
        return Err(ForestError::NotFinite { node: position });
    }
    if first_child == 0 {
        return Ok(());
    }
    if column >= columns {
        return Err(ForestError::Column { node: position, column, columns });
    }
    let first_child = first_child as usize;
    if first_child <= position || first_child + 1 >= tree_end {
        return Err(ForestError::Structure { node: position });
    }
    for child in [first_child, first_child + 1] {
        if levels[child] != 0 {
            return Err(ForestError::Structure { node: child });
        }
        levels[child] = levels[position] + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Forest;
    use crate::forest::Link;

    #[test]
    fn tables_that_are_not_trees_are_refused() {
        let leaf = Node::leaf();
        let check = |roots: &[u32], nodes: &[Node]| Forest::new(Link::Mean, 2, roots.to_vec(), nodes.to_vec());
        let split = |first_child| Node::split(0, 1., first_child);
        let structure = |node| Err(ForestError::Structure { node });
        for (case, result, expected) in [
            ("no tree", check(&[], &[]), Err(ForestError::Empty)),
            ("a root beyond the end", check(&[0, 1], &[leaf]), Err(ForestError::Empty)),
            ("two trees of one root", check(&[0, 0], &[leaf]), Err(ForestError::Empty)),
            ("a first root that is not first", check(&[1], &[leaf, leaf]), Err(ForestError::Empty)),
            ("one child only", check(&[0], &[split(1), leaf]), structure(0)),
            ("children in the next tree", check(&[0, 1], &[split(1), leaf, leaf]), structure(0)),
            ("a cycle", check(&[0], &[split(1), split(1), leaf]), structure(1)),
            ("a shared child", check(&[0], &[split(1), split(3), split(3), leaf, leaf]), structure(3)),
            ("a node of nobody", check(&[0], &[leaf, leaf]), structure(1)),
            ("a huge child", check(&[0], &[split(u32::MAX as usize), leaf, leaf]), structure(0)),
            (
                "an unknown column",
                check(&[0], &[Node::split(2, 0., 1), leaf, leaf]),
                Err(ForestError::Column { node: 0, column: 2, columns: 2 }),
            ),
            (
                "a threshold that is not a number",
                check(&[0], &[Node::split(0, f32::NAN, 1), leaf, leaf]),
                Err(ForestError::NotFinite { node: 0 }),
            ),
            (
                "an infinite value",
                check(&[0], &[Node { value: f32::INFINITY, ..leaf }]),
                Err(ForestError::NotFinite { node: 0 }),
            ),
        ] {
            assert_eq!(result, expected, "{case}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let chain = |splits: usize| -> Vec<Node> {
            let mut tree = vec![Node::split(0, 1., 1)];
            for split in 1..splits {
                tree.extend([Node::leaf(), Node::split(0, 1., 2 * split + 1)]);
            }
            tree.extend([Node::leaf(), Node::leaf()]);
            tree
        };
        assert!(Forest::from_trees(Link::Mean, 1, vec![chain(64)]).is_ok());
        let deep = Forest::from_trees(Link::Mean, 1, vec![chain(65)]);
        assert!(matches!(deep, Err(ForestError::Depth { .. })), "{deep:?}");
    }
}
