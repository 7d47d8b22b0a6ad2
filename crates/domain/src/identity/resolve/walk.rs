//! One way through what is known, from an id to all that belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use super::known::{Edge, Known, Missing, Node};
use super::{MOST_CUSTOMERS, MOST_IDS, MergeOutcome};
use crate::identity::IdentityKey;

/// A walk, and what came to light on it.
pub(super) struct Walk<'a> {
    known: &'a Known,
    missing: &'a mut Missing,
    /// Whether there was more than was followed or answered.
    pub(super) is_cut_off: bool,
    /// Whether all that was looked for was asked for.
    pub(super) is_whole: bool,
    /// Distinct ids seen with too many customer ids.
    pub(super) shared: BTreeSet<Node>,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub(super) fn new(known: &'a Known, missing: &'a mut Missing) -> Self {
        Self {
            known,
            missing,
            is_cut_off: false,
            is_whole: true,
            shared: BTreeSet::new(),
        }
    }

    /// The links at either end of which `node` is.
    fn links(&mut self, node: Node) -> &'a [Edge] {
        match self.known.of(node) {
            Some(found) => {
                self.is_cut_off |= found.is_partial;
                found.edges
            }
            None => {
                self.is_whole = false;
                self.known.note_missing(node, self.missing);
                &[]
            }
        }
    }

    /// The links of a distinct id to what `is_wanted`, but for those by which others name it.
    fn links_from(
        &mut self,
        id: Node,
        is_wanted: fn(&IdentityKey) -> bool,
    ) -> impl Iterator<Item = Edge> + use<'a> {
        let known = self.known;
        let links = self.links(id).iter().copied();
        links.filter(move |edge| edge.from == id && is_wanted(known.key(edge.to)))
    }

    /// The distinct ids linked to a person, customer id, anonymous id or e-mail. No shared one is a
    /// customer's.
    pub(super) fn ids_of(&mut self, of: Node) -> BTreeSet<Node> {
        let links = self.links(of).iter();
        let mut ids: BTreeSet<Node> = links.map(|edge| edge.from).collect();
        if ids.len() > MOST_IDS {
            self.is_cut_off = true;
            let mut sorted = Vec::from_iter(ids);
            sorted.sort_by_key(|id| self.known.key(*id));
            ids = sorted.into_iter().take(MOST_IDS).collect();
        }
        if matches!(self.known.key(of), IdentityKey::CustomerId(_)) {
            ids.retain(|id| {
                self.customers_from(*id);
                !self.shared.contains(id)
            });
        }
        ids
    }

    /// The persons of these distinct ids.
    pub(super) fn persons_of(&mut self, ids: &BTreeSet<Node>) -> BTreeSet<Node> {
        ids.iter().flat_map(|id| self.persons_from(*id)).collect()
    }

    fn persons_from(&mut self, id: Node) -> impl Iterator<Item = Node> + use<'a> {
        self.links_from(id, |to| matches!(to, IdentityKey::Person(_)))
            .map(|edge| edge.to)
    }

    /// The customer ids that these distinct ids carry, but for shared ones.
    pub(super) fn customers_of(&mut self, ids: &BTreeSet<Node>) -> BTreeSet<Node> {
        ids.iter().flat_map(|id| self.customers_from(*id)).collect()
    }

    /// What a distinct id carries; nothing if it is shared, which is noted.
    fn customers_from(&mut self, id: Node) -> BTreeSet<Node> {
        let mut customers: BTreeSet<Node> = self
            .links_from(id, |to| matches!(to, IdentityKey::CustomerId(_)))
            .map(|edge| edge.to)
            .collect();
        if customers.len() > MOST_CUSTOMERS {
            self.shared.insert(id);
            customers.clear();
        }
        customers
    }

    /// The only customer id, if every person among `ids`, and every id without a person, has it.
    pub(super) fn primary(
        &mut self,
        ids: &BTreeSet<Node>,
        customers: &BTreeSet<Node>,
    ) -> Option<Node> {
        let mut only = customers.iter();
        let (Some(customer), None) = (only.next(), only.next()) else {
            return None;
        };
        let mut has_it: BTreeMap<Node, bool> = BTreeMap::new();
        for id in ids {
            let carries = self.customers_from(*id).contains(customer);
            let mut owners: Vec<Node> = self.persons_from(*id).collect();
            if owners.is_empty() {
                owners.push(*id);
            }
            for owner in owners {
                *has_it.entry(owner).or_default() |= carries;
            }
        }
        has_it.values().all(|has_it| *has_it).then_some(*customer)
    }

    /// The links from `ids` on which an answer with these customer ids rests, in no order.
    pub(super) fn evidence_of(
        &mut self,
        ids: &BTreeSet<Node>,
        customers: &BTreeSet<Node>,
    ) -> Vec<Edge> {
        let mut evidence = Vec::new();
        for id in ids {
            let is_shared = self.shared.contains(id);
            let known = self.known;
            evidence.extend(
                self.links_from(*id, |to| !matches!(to, IdentityKey::DistinctId(_)))
                    .filter(|edge| match known.key(edge.to) {
                        IdentityKey::CustomerId(_) => !is_shared && customers.contains(&edge.to),
                        _ => true,
                    }),
            );
        }
        evidence
    }

    /// The merges that were asked for of one of `ids` with any other, and what became of them.
    pub(super) fn merges_of(&mut self, ids: &BTreeSet<Node>) -> Vec<(Edge, MergeOutcome)> {
        let known = self.known;
        let mut asked: BTreeSet<Edge> = BTreeSet::new();
        for id in ids {
            let links = self.links(*id).iter();
            asked.extend(
                links.filter(|edge| matches!(known.key(edge.to), IdentityKey::DistinctId(_))),
            );
        }
        self.is_cut_off |= asked.len() > MOST_IDS;
        let mut asked = Vec::from_iter(asked);
        asked.sort_by_key(|edge| known.link(*edge));
        asked.truncate(MOST_IDS);
        let merges = asked.into_iter();
        merges.map(|edge| (edge, self.outcome_of(edge))).collect()
    }

    fn outcome_of(&mut self, asked: Edge) -> MergeOutcome {
        let ours: BTreeSet<Node> = self.persons_from(asked.from).collect();
        let theirs: BTreeSet<Node> = self.persons_from(asked.to).collect();
        if ours.is_empty() || theirs.is_empty() {
            MergeOutcome::Unknown
        } else if ours == theirs {
            MergeOutcome::Accepted
        } else {
            MergeOutcome::Refused
        }
    }
}
