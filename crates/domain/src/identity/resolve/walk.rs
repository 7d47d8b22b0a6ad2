//! One way through what is known, from an id to all that belongs to it.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::sight::{Reach, Sight};
use super::{MOST_CUSTOMERS, MOST_IDS, MergeOutcome};
use crate::identity::IdentityKey;
use crate::identity::graph::{Edge, IdentityGraph, Node};

/// A walk, and what came to light on it.
pub(super) struct Walk<'a, S> {
    sight: &'a S,
    graph: &'a IdentityGraph,
    unread: &'a mut BTreeSet<Node>,
    /// Links that may still be walked.
    pub(super) left: usize,
    /// Whether there was more than was followed or answered.
    pub(super) is_cut_off: bool,
    /// Whether all that was looked for was there.
    pub(super) is_whole: bool,
    /// Distinct ids seen with too many customer ids.
    pub(super) shared: Nodes,
}

/// Ids in the order of their numbers, each once. Mostly there are few, which need no memory of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Nodes(SmallVec<[Node; 8]>);

/// Links of few ids.
pub(super) type Edges = SmallVec<[Edge; 8]>;

impl FromIterator<Node> for Nodes {
    fn from_iter<I: IntoIterator<Item = Node>>(nodes: I) -> Self {
        let mut nodes = SmallVec::from_iter(nodes);
        nodes.sort_unstable();
        nodes.dedup();
        Self(nodes)
    }
}

impl Nodes {
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Node> {
        self.0.iter().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, node: Node) -> bool {
        self.0.binary_search(&node).is_ok()
    }

    pub(super) fn insert(&mut self, node: Node) {
        if let Err(place) = self.0.binary_search(&node) {
            self.0.insert(place, node);
        }
    }

    pub(super) fn extend(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// The one that it is, if it is one.
    fn only(&self) -> Option<Node> {
        match self.0[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}

impl<'a, S: Sight> Walk<'a, S> {
    /// A walk that has not begun, of at most `left` links, however often it comes by each. What it looks for
    /// in vain goes to `unread`.
    pub(super) fn new(sight: &'a S, left: usize, unread: &'a mut BTreeSet<Node>) -> Self {
        Self {
            sight,
            graph: sight.graph(),
            left,
            unread,
            is_cut_off: false,
            is_whole: true,
            shared: Nodes::default(),
        }
    }

    /// Whether there is anything to be seen of an id; what is not is noted.
    fn sees(&mut self, node: Node) -> bool {
        let links = self.graph.degree(node);
        let reach = match self.left.checked_sub(links) {
            Some(left) => {
                self.left = left;
                self.sight.reach(node)
            }
            None => Reach::Unread,
        };
        match reach {
            Reach::Whole => {}
            Reach::Partial => self.is_cut_off = true,
            Reach::Unread => {
                self.is_whole = false;
                self.unread.insert(node);
                return false;
            }
        }
        true
    }

    /// The links of a distinct id, but for those by which others name it.
    fn links_from(&mut self, id: Node) -> impl Iterator<Item = Edge> + use<'a, S> {
        let links = self.sees(id).then(|| self.graph.links_from(id));
        links.into_iter().flatten()
    }

    /// The distinct ids linked to a person, customer id, anonymous id or e-mail. No shared one is a
    /// customer's.
    pub(super) fn ids_of(&mut self, of: Node) -> Nodes {
        if !self.sees(of) {
            return Nodes::default();
        }
        let graph = self.graph;
        let mut ids: Nodes = graph.links_to(of).map(|edge| edge.from).collect();
        if ids.len() > MOST_IDS {
            self.is_cut_off = true;
            let by_key = |id: &Node| graph.key(*id);
            ids.0.select_nth_unstable_by_key(MOST_IDS, by_key);
            ids.0.truncate(MOST_IDS);
            ids.0.sort_unstable();
        }
        if matches!(graph.key(of), IdentityKey::CustomerId(_)) {
            ids.0.retain(|id| {
                self.customers_from(*id);
                !self.shared.contains(*id)
            });
        }
        ids
    }

    /// The distinct ids of a person that is this customer and, as far as can be known, no other: of one that
    /// is another too, nobody knows whose they are.
    pub(super) fn ids_of_only(&mut self, person: Node, customer: Node) -> Nodes {
        let was_cut_off = std::mem::take(&mut self.is_cut_off);
        let ids = self.ids_of(person);
        let customers = self.customers_of(&ids);
        let is_only = customers.only() == Some(customer) && !self.is_cut_off;
        self.is_cut_off |= was_cut_off;
        if is_only { ids } else { Nodes::default() }
    }

    /// The persons of these distinct ids.
    pub(super) fn persons_of(&mut self, ids: &Nodes) -> Nodes {
        ids.iter().flat_map(|id| self.persons_from(id)).collect()
    }

    fn persons_from(&mut self, id: Node) -> impl Iterator<Item = Node> + use<'a, S> {
        let graph = self.graph;
        self.links_from(id)
            .map(|edge| edge.to)
            .filter(|to| matches!(graph.key(*to), IdentityKey::Person(_)))
    }

    /// The customer ids that these distinct ids carry, but for shared ones.
    pub(super) fn customers_of(&mut self, ids: &Nodes) -> Nodes {
        ids.iter()
            .flat_map(|id| self.customers_from(id).0)
            .collect()
    }

    /// What a distinct id carries; nothing if it is shared, which is noted.
    fn customers_from(&mut self, id: Node) -> Nodes {
        let graph = self.graph;
        let ends = self.links_from(id).map(|edge| edge.to);
        let customers = ends.filter(|to| matches!(graph.key(*to), IdentityKey::CustomerId(_)));
        let customers: Nodes = customers.collect();
        if customers.len() > MOST_CUSTOMERS {
            self.shared.insert(id);
            return Nodes::default();
        }
        customers
    }

    /// The only customer id, if every person among `ids`, and every id without a person, has it.
    pub(super) fn primary(&mut self, ids: &Nodes, customers: &Nodes) -> Option<Node> {
        let customer = customers.only()?;
        let (mut owners, mut having) = (Nodes::default(), Nodes::default());
        for id in ids.iter() {
            let carries = self.customers_from(id).contains(customer);
            let mut persons: Nodes = self.persons_from(id).collect();
            if persons.is_empty() {
                persons.insert(id);
            }
            owners.extend(&persons);
            if carries {
                having.extend(&persons);
            }
        }
        (owners == having).then_some(customer)
    }

    /// The links from `ids` on which an answer with these customer ids rests, in no order.
    pub(super) fn evidence_of(&mut self, ids: &Nodes, customers: &Nodes) -> Edges {
        let graph = self.graph;
        let mut evidence = Edges::new();
        for id in ids.iter() {
            let is_shared = self.shared.contains(id);
            let links = self.links_from(id);
            evidence.extend(links.filter(|edge| match graph.key(edge.to) {
                IdentityKey::DistinctId(_) => false,
                IdentityKey::CustomerId(_) => !is_shared && customers.contains(edge.to),
                _ => true,
            }));
        }
        evidence
    }

    /// The merges that were asked for of one of `ids` with any other, and what became of them.
    pub(super) fn merges_of(&mut self, ids: &Nodes) -> Vec<(Edge, MergeOutcome)> {
        let graph = self.graph;
        let mut asked = Edges::new();
        for id in ids.iter() {
            let own = self.links_from(id);
            asked.extend(
                own.filter(|edge| matches!(graph.key(edge.to), IdentityKey::DistinctId(_))),
            );
            if self.sees(id) {
                asked.extend(graph.links_to(id));
            }
        }
        asked.sort_unstable();
        asked.dedup();
        if asked.len() > MOST_IDS {
            self.is_cut_off = true;
            asked.select_nth_unstable_by_key(MOST_IDS, |edge| graph.link(*edge));
            asked.truncate(MOST_IDS);
        }
        asked.sort_unstable_by_key(|edge| graph.link(*edge));
        let merges = asked.into_iter();
        merges.map(|edge| (edge, self.outcome_of(edge))).collect()
    }

    fn outcome_of(&mut self, asked: Edge) -> MergeOutcome {
        let ours: Nodes = self.persons_from(asked.from).collect();
        let theirs: Nodes = self.persons_from(asked.to).collect();
        if ours.is_empty() || theirs.is_empty() {
            MergeOutcome::Unknown
        } else if ours == theirs {
            MergeOutcome::Accepted
        } else {
            MergeOutcome::Refused
        }
    }
}
