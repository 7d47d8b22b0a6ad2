//! Links in memory, found from both of their ends. Ids and evidence are numbered, so that each text is
//! kept once and a walk compares numbers; a link is some 70 bytes, and an id some 50 and its text.

mod ids;
mod links;
mod slots;

use indexmap::IndexSet;

use self::ids::Ids;
pub(super) use self::ids::Node;
pub(super) use self::links::Edge;
use self::links::{End, Links};
use super::{Evidence, IdentityFact, IdentityKey, IdentityLink};
use crate::storage::LinkChange;

/// Current links: one of each distinct id, what it is linked to, and evidence.
#[derive(Debug, Default)]
pub struct IdentityGraph {
    ids: Ids,
    links: Links,
    evidence: IndexSet<Evidence>,
}

impl IdentityGraph {
    /// Does what happened to a link, so that whoever is told all changes, in their order and perhaps more
    /// than once, holds the links that hold.
    pub fn apply(&mut self, change: LinkChange) {
        match change {
            LinkChange::Upsert(link) => {
                self.put(&link);
            }
            LinkChange::Ended(link) => self.remove(&link.into()),
            LinkChange::Gone(fact) => self.remove(&fact),
        }
    }

    /// Bytes of memory that it takes, but for what the allocator adds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ids.bytes() + self.links.bytes()
    }

    /// The number of an id.
    pub(super) fn node(&mut self, key: IdentityKey<&str>) -> Node {
        self.ids.put(key)
    }

    /// The number of an id that is there.
    pub(super) fn find(&self, key: IdentityKey<&str>) -> Option<Node> {
        self.ids.find(key)
    }

    /// The id of a number.
    pub(super) fn key(&self, node: Node) -> IdentityKey<&str> {
        self.ids.key(node)
    }

    /// How many links touch an id.
    pub(super) fn degree(&self, node: Node) -> usize {
        let id = self.ids.get(node);
        id.from.count() + id.to.count()
    }

    /// The links of a distinct id.
    pub(super) fn links_from(&self, node: Node) -> impl Iterator<Item = Edge> + Clone + use<'_> {
        self.links.chained(End::From, &self.ids.get(node).from)
    }

    /// The links to any id. Those to a distinct id are merges that PostHog was asked for.
    pub(super) fn links_to(&self, node: Node) -> impl Iterator<Item = Edge> + Clone + use<'_> {
        self.links.chained(End::To, &self.ids.get(node).to)
    }

    /// The link that an edge is.
    pub(super) fn link(&self, edge: Edge) -> IdentityLink<&str> {
        let link = self.links.get(edge);
        let IdentityKey::DistinctId(distinct_id) = self.key(edge.from) else {
            unreachable!("links begin at distinct ids");
        };
        IdentityLink {
            distinct_id,
            to: self.key(edge.to),
            evidence: self.evidence[link.evidence].borrowed(),
            valid_from: link.valid_from,
            valid_to: None,
            last_seen: link.last_seen,
        }
    }

    /// Holds this link, in place of an earlier one of the same ids and evidence.
    pub(super) fn put(&mut self, link: &IdentityLink) -> Edge {
        let from = self.node(IdentityKey::DistinctId(&link.distinct_id));
        let to = self.node(link.to.borrowed());
        let evidence = match self.evidence.get_index_of(&link.evidence) {
            Some(number) => number,
            None => self.evidence.insert_full(link.evidence.clone()).0,
        };
        let edge = match self.edge(from, to, evidence) {
            Some(edge) => edge,
            None => self.links.insert(&mut self.ids, from, to, evidence),
        };
        let slot = self.links.get_mut(edge);
        (slot.valid_from, slot.last_seen) = (link.valid_from, link.last_seen);
        edge
    }

    /// Forgets a link, and the ids that no other touches.
    fn remove(&mut self, fact: &IdentityFact) {
        let from = self.find(IdentityKey::DistinctId(&fact.distinct_id));
        let to = self.find(fact.to.borrowed());
        let evidence = self.evidence.get_index_of(&fact.evidence);
        let (Some(from), Some(to), Some(evidence)) = (from, to, evidence) else {
            return;
        };
        let Some(edge) = self.edge(from, to, evidence) else {
            return;
        };
        self.links.remove(&mut self.ids, edge);
        for node in [from, to] {
            if self.degree(node) == 0 {
                self.ids.forget(node);
            }
        }
    }

    fn edge(&self, from: Node, to: Node, evidence: usize) -> Option<Edge> {
        let is_it = |edge: &Edge| {
            (edge.from, edge.to) == (from, to) && self.links.get(*edge).evidence == evidence
        };
        // A till has been a hundred thousand customers, and each of them few distinct ids.
        let (own, others) = (self.ids.get(from), self.ids.get(to));
        if own.from.count() <= others.to.count() {
            self.links_from(from).find(is_it)
        } else {
            self.links_to(to).find(is_it)
        }
    }
}

#[cfg(test)]
mod tests;
