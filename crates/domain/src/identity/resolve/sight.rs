//! What a walk looks at: a graph, and how much of it is there.

use crate::identity::graph::{IdentityGraph, Node};

/// How much is known of the links that touch an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them.
    Whole,
    /// As many as could be read.
    Partial,
    /// They were not read yet.
    Unread,
}

/// A graph of which not everything needs to be known.
pub(super) trait Sight {
    /// The links that are known.
    fn graph(&self) -> &IdentityGraph;

    /// How much is known of an id.
    fn reach(&self, node: Node) -> Reach;
}
