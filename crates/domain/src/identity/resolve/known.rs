//! What a batch has read of the graph so far.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::MOST_ASKED;
use super::sight::{Reach, Sight};
use crate::identity::graph::{IdentityGraph, Node};
use crate::identity::{IdentityKey, IdentityLink};

/// What was asked about an id.
#[derive(Debug, Default, Clone)]
struct Read {
    /// Whether all links that touch it were asked for.
    is_asked: bool,
    /// Asked for, but perhaps not answered whole.
    is_partial: bool,
    /// Whether any answer told the person that it has; there is one at most.
    has_person: bool,
}

/// Links read so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    graph: IdentityGraph,
    /// By the number of the id.
    read: Vec<Read>,
}

impl Sight for Known {
    fn graph(&self) -> &IdentityGraph {
        &self.graph
    }

    fn reach(&self, node: Node) -> Reach {
        match self.read.get(node.index()) {
            Some(read) if read.is_asked && read.is_partial => Reach::Partial,
            Some(read) if read.is_asked => Reach::Whole,
            _ => Reach::Unread,
        }
    }
}

impl Known {
    /// The number of an id.
    pub(super) fn node(&mut self, key: IdentityKey<&str>) -> Node {
        self.graph.node(key)
    }

    /// Of `unread`, those of which all links are wanted, and the distinct ids whose person is known.
    pub(super) fn parted(&self, unread: BTreeSet<Node>) -> [BTreeSet<Node>; 2] {
        let has_person = |node: &Node| {
            let read = self.read.get(node.index());
            read.is_some_and(|read| read.has_person)
        };
        let (carried, all) = unread.into_iter().partition(has_person);
        [all, carried]
    }

    /// Of `wanted`, the first [`MOST_ASKED`] in the order of ids, which one call may ask for. The rest
    /// counts as asked for, but not answered whole.
    pub(super) fn asked(&mut self, wanted: BTreeSet<Node>) -> Vec<Node> {
        let mut wanted = Vec::from_iter(wanted);
        if wanted.len() > MOST_ASKED {
            wanted.sort_by_key(|node| self.graph.key(*node));
        }
        for left in wanted.drain(MOST_ASKED.min(wanted.len())..) {
            let read = read_of(&mut self.read, left);
            (read.is_asked, read.is_partial) = (true, true);
        }
        wanted
    }

    /// Takes note of the answer about those that were asked for, of whose links there may be more when it
    /// is partial.
    pub(super) fn learn(&mut self, asked: &[Node], links: &[IdentityLink], is_partial: bool) {
        for node in asked {
            let read = read_of(&mut self.read, *node);
            (read.is_asked, read.is_partial) = (true, is_partial);
        }
        for link in links.iter().filter(|link| link.valid_to.is_none()) {
            let from = self.graph.put(link).from;
            if matches!(link.to, IdentityKey::Person(_)) {
                read_of(&mut self.read, from).has_person = true;
            }
        }
    }

    /// Parts ids, two at least, in those with most links and the others, about half of all links that are
    /// known in each part: an id with more than all others together is parted from them.
    pub(super) fn halves(&self, mut nodes: Vec<Node>) -> [Vec<Node>; 2] {
        let links = |node: &Node| self.graph.degree(*node);
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
}

fn read_of(read: &mut Vec<Read>, node: Node) -> &mut Read {
    if read.len() <= node.index() {
        read.resize(node.index() + 1, Read::default());
    }
    &mut read[node.index()]
}
