//! What a batch has read of the graph so far. Ids are numbered as they come up, so that a walk compares
//! numbers instead of texts.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use indexmap::IndexSet;

use super::MOST_ASKED;
use crate::identity::{IdentityKey, IdentityLink};

/// An id that has come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node(usize);

/// A link between two ids that have come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    link: usize,
    /// The distinct id.
    pub(super) from: Node,
    /// What it is linked to.
    pub(super) to: Node,
}

/// What is known of an id.
#[derive(Debug, Default)]
struct Read {
    /// The links that touch it, of all answers.
    edges: Vec<Edge>,
    /// Whether all of them were asked for.
    is_asked: bool,
    /// Asked for, but perhaps not answered whole.
    is_partial: bool,
    /// Whether any answer told the person that it has; there is one at most.
    has_person: bool,
}

/// Links read so far, by both of their ends.
#[derive(Debug, Default)]
pub(super) struct Known {
    keys: IndexSet<IdentityKey>,
    links: IndexSet<IdentityLink>,
    read: Vec<Read>,
}

/// What would have to be known too.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// All links of these.
    pub(super) keys: BTreeSet<Node>,
    /// Links of these distinct ids but for their persons, which are known.
    pub(super) carried: BTreeSet<Node>,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.carried.is_empty()
    }
}

/// The links of one id.
pub(super) struct Found<'a> {
    pub(super) edges: &'a [Edge],
    pub(super) is_partial: bool,
}

impl Known {
    /// The number of an id.
    pub(super) fn node(&mut self, key: IdentityKey) -> Node {
        let (index, is_new) = self.keys.insert_full(key);
        if is_new {
            self.read.push(Read::default());
        }
        Node(index)
    }

    /// The id of a number.
    pub(super) fn key(&self, node: Node) -> &IdentityKey {
        &self.keys[node.0]
    }

    /// The ids of numbers.
    pub(super) fn keys_of(&self, nodes: &[Node]) -> impl Iterator<Item = &IdentityKey> {
        nodes.iter().map(|node| self.key(*node))
    }

    /// The link that an edge is.
    pub(super) fn link(&self, edge: Edge) -> &IdentityLink {
        &self.links[edge.link]
    }

    /// Of `wanted`, the first [`MOST_ASKED`] in the order of ids, which one call may ask for. The rest
    /// counts as asked for, but not answered whole.
    pub(super) fn asked(&mut self, wanted: BTreeSet<Node>) -> Vec<Node> {
        let mut wanted = Vec::from_iter(wanted);
        if wanted.len() > MOST_ASKED {
            wanted.sort_by_key(|node| self.key(*node));
        }
        for left in wanted.drain(MOST_ASKED.min(wanted.len())..) {
            let read = &mut self.read[left.0];
            (read.is_asked, read.is_partial) = (true, true);
        }
        wanted
    }

    /// Takes note of the answer about those that were asked for, of whose links there may be more when it
    /// is partial.
    pub(super) fn learn(&mut self, asked: &[Node], links: Vec<IdentityLink>, is_partial: bool) {
        for node in asked {
            let read = &mut self.read[node.0];
            (read.is_asked, read.is_partial) = (true, is_partial);
        }
        for link in links.into_iter().filter(|link| link.valid_to.is_none()) {
            let from = self.node(IdentityKey::DistinctId(link.distinct_id.clone()));
            let to = self.node(link.to.clone());
            let has_person = matches!(link.to, IdentityKey::Person(_));
            let (link, is_new) = self.links.insert_full(link);
            if is_new {
                let edge = Edge { link, from, to };
                self.read[from.0].edges.push(edge);
                self.read[from.0].has_person |= has_person;
                if to != from {
                    self.read[to.0].edges.push(edge);
                }
            }
        }
    }

    /// Parts ids, two at least, in those with most links and the others, about half of all links that are
    /// known in each part: an id with more than all others together is parted from them.
    pub(super) fn halves(&self, mut nodes: Vec<Node>) -> [Vec<Node>; 2] {
        let links = |node: &Node| self.read[node.0].edges.len();
        nodes.sort_by_key(|node| Reverse(links(node)));
        let half = nodes.iter().map(links).sum::<usize>() / 2;
        let mut before = 0;
        let most = nodes.iter().take_while(|node| {
            let is_among_them = before < half;
            before += links(node);
            is_among_them
        });
        let most = most.count().max(1).min(nodes.len() - 1);
        let others = nodes.split_off(most);
        [nodes, others]
    }

    /// Notes that `node` was looked for, and is not known.
    pub(super) fn note_missing(&self, node: Node, missing: &mut Missing) {
        if self.read[node.0].has_person {
            missing.carried.insert(node);
        } else {
            missing.keys.insert(node);
        }
    }

    /// The links that touch an id; `None` when it was not asked for yet.
    pub(super) fn of(&self, node: Node) -> Option<Found<'_>> {
        let read = &self.read[node.0];
        read.is_asked.then_some(Found {
            edges: &read.edges,
            is_partial: read.is_partial,
        })
    }
}
