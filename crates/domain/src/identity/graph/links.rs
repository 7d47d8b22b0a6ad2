//! Links by number, each in two chains: that of its distinct id, and that of what it leads to. So a link
//! goes without looking at others, however many there are.

use std::iter::successors;

use jiff::Timestamp;

use super::ids::{Ids, Node};
use super::slots::Slots;

/// No link.
const NONE: u32 = u32::MAX;

/// A link between two ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Edge {
    link: u32,
    /// The distinct id.
    pub(in super::super) from: Node,
    /// What it is linked to.
    pub(in super::super) to: Node,
}

/// Which end of a link.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    From,
    To,
}

/// The links of one id at one end.
#[derive(Debug)]
pub(super) struct Chain {
    first: u32,
    count: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            first: NONE,
            count: 0,
        }
    }
}

impl Chain {
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }
}

/// Between which links of a chain one stands.
#[derive(Debug, Clone, Copy)]
struct Between {
    before: u32,
    after: u32,
}

/// What is kept of a link.
#[derive(Debug)]
pub(super) struct Link {
    from: Node,
    to: Node,
    /// The number of its evidence.
    pub(super) evidence: usize,
    pub(super) valid_from: Timestamp,
    pub(super) last_seen: Timestamp,
    /// In the chains of both ends.
    between: [Between; 2],
}

/// All links.
#[derive(Debug, Default)]
pub(super) struct Links(Slots<Link>);

impl Links {
    pub(super) fn get(&self, edge: Edge) -> &Link {
        &self.0[edge.link]
    }

    pub(super) fn get_mut(&mut self, edge: Edge) -> &mut Link {
        &mut self.0[edge.link]
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The links of a chain, the newest first.
    pub(super) fn chained(
        &self,
        end: End,
        chain: &Chain,
    ) -> impl Iterator<Item = Edge> + Clone + use<'_> {
        let some = |number: u32| (number != NONE).then_some(number);
        let next = move |link: &u32| {
            let between = self.0[*link].between[end as usize];
            some(between.after)
        };
        successors(some(chain.first), next).map(|link| {
            let Link { from, to, .. } = self.0[link];
            Edge { link, from, to }
        })
    }

    /// A new link, whose times are still to be told.
    pub(super) fn insert(&mut self, ids: &mut Ids, from: Node, to: Node, evidence: usize) -> Edge {
        let first = Between {
            before: NONE,
            after: NONE,
        };
        let link = self.0.put(Link {
            from,
            to,
            evidence,
            valid_from: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            between: [first; 2],
        });
        for (end, node) in [(End::From, from), (End::To, to)] {
            let chain = chain_of(ids, end, node);
            let after = chain.first;
            chain.first = link;
            chain.count += 1;
            self.0[link].between[end as usize].after = after;
            if after != NONE {
                self.0[after].between[end as usize].before = link;
            }
        }
        Edge { link, from, to }
    }

    /// Takes a link out of both chains.
    pub(super) fn remove(&mut self, ids: &mut Ids, edge: Edge) {
        for (end, node) in [(End::From, edge.from), (End::To, edge.to)] {
            let Between { before, after } = self.get(edge).between[end as usize];
            let chain = chain_of(ids, end, node);
            chain.count -= 1;
            if before == NONE {
                chain.first = after;
            } else {
                self.0[before].between[end as usize].after = after;
            }
            if after != NONE {
                self.0[after].between[end as usize].before = before;
            }
        }
        self.0.free(edge.link);
    }
}

fn chain_of(ids: &mut Ids, end: End, node: Node) -> &mut Chain {
    let id = ids.get_mut(node);
    match end {
        End::From => &mut id.from,
        End::To => &mut id.to,
    }
}
