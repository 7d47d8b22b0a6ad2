//! Links by number, each in two chains: that of its distinct id, and that of what it leads to. So a link
//! goes without looking at others, however many there are.

use std::iter::successors;

use jiff::Timestamp;

use super::ids::{Ids, Node};
use super::{grow, number};

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
pub(super) struct Links {
    links: Vec<Link>,
    free: Vec<u32>,
}

impl Links {
    pub(super) fn get(&self, edge: Edge) -> &Link {
        &self.links[edge.link as usize]
    }

    pub(super) fn get_mut(&mut self, edge: Edge) -> &mut Link {
        &mut self.links[edge.link as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.links.capacity() * size_of::<Link>() + self.free.capacity() * size_of::<u32>()
    }

    /// The links of a chain, the newest first.
    pub(super) fn chained(
        &self,
        end: End,
        chain: &Chain,
    ) -> impl Iterator<Item = Edge> + Clone + use<'_> {
        let some = |number: u32| (number != NONE).then_some(number);
        let next = move |link: &u32| {
            let between = self.links[*link as usize].between[end as usize];
            some(between.after)
        };
        successors(some(chain.first), next).map(|link| {
            let Link { from, to, .. } = self.links[link as usize];
            Edge { link, from, to }
        })
    }

    /// A new link, whose times are still to be told.
    pub(super) fn insert(&mut self, ids: &mut Ids, from: Node, to: Node, evidence: usize) -> Edge {
        let first = Between {
            before: NONE,
            after: NONE,
        };
        let link = Link {
            from,
            to,
            evidence,
            valid_from: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            between: [first; 2],
        };
        let link = if let Some(free) = self.free.pop() {
            self.links[free as usize] = link;
            free
        } else {
            grow(&mut self.links);
            self.links.push(link);
            number(self.links.len() - 1)
        };
        for (end, node) in [(End::From, from), (End::To, to)] {
            let chain = chain_of(ids, end, node);
            let after = chain.first;
            chain.first = link;
            chain.count += 1;
            self.links[link as usize].between[end as usize].after = after;
            if after != NONE {
                self.links[after as usize].between[end as usize].before = link;
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
                self.links[before as usize].between[end as usize].after = after;
            }
            if after != NONE {
                self.links[after as usize].between[end as usize].before = before;
            }
        }
        grow(&mut self.free);
        self.free.push(edge.link);
    }
}

fn chain_of(ids: &mut Ids, end: End, node: Node) -> &mut Chain {
    let id = ids.get_mut(node);
    match end {
        End::From => &mut id.from,
        End::To => &mut id.to,
    }
}
