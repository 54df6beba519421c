//! A forest as tables of nodes: its structure, its walks and its bytes.

pub(crate) mod codec;
pub(crate) mod dependence;
pub(crate) mod forest;
pub(crate) mod linear;
pub(crate) mod order;
pub(crate) mod part;
pub(crate) mod split;
pub(crate) mod structure;
pub(crate) mod tree;
pub(crate) mod trees;
