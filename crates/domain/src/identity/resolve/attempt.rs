//! Answers one id from what is known, noting what would have to be known too. Repeated until
//! nothing is missing, so that a whole batch shares each reading.

use std::borrow::Cow;
use std::collections::BTreeSet;

use uuid::Uuid;

use super::sight::Sight;
use super::walk::{Edges, Nodes, Walk};
use super::{AskedMerge, IdentityAnswer, IdentityStatus, MOST_CUSTOMERS, MOST_IDS, MergeOutcome};
use crate::identity::graph::{Edge, IdentityGraph, Node};
use crate::identity::{IdentityKey, IdentityLink};

/// What was found of an id, as far as is known.
pub(super) struct Attempt {
    /// Whether nothing was missing.
    pub(super) is_whole: bool,
    /// The links of `most` that were not walked.
    pub(super) left: usize,
    status: IdentityStatus,
    primary: Option<Node>,
    customers: Nodes,
    persons: Nodes,
    ids: Nodes,
    shared: Nodes,
    evidence: Edges,
    merges: Vec<(Edge, MergeOutcome)>,
    truncated: bool,
}

/// What belongs to `wanted` as far as can be seen, which is not whole when it takes more than `most` links to
/// walk; ids whose links cannot be seen go to `unread`.
pub(super) fn attempt<S: Sight>(
    wanted: Node,
    sight: &S,
    most: usize,
    unread: &mut BTreeSet<Node>,
) -> Attempt {
    let mut walk = Walk::new(sight, most, unread);
    let key = sight.graph().key(wanted);
    let mut ids = match key {
        IdentityKey::DistinctId(_) => Nodes::from_iter([wanted]),
        _ => walk.ids_of(wanted),
    };
    let mut persons = walk.persons_of(&ids);
    for person in persons.iter() {
        ids.extend(&walk.ids_of(person));
    }
    let customers = walk.customers_of(&ids);
    let is_shared = match key {
        IdentityKey::DistinctId(_) => walk.shared.contains(wanted),
        IdentityKey::AnonymousId(_) | IdentityKey::Email(_) => customers.len() > MOST_CUSTOMERS,
        IdentityKey::Person(_) | IdentityKey::CustomerId(_) => false,
    } || (customers.is_empty() && !walk.shared.is_empty());
    let primary = walk.primary(&ids, &customers);
    // What was cut off might name another customer.
    let primary = primary.filter(|_| !is_shared && !walk.is_cut_off);
    let joins = !matches!(key, IdentityKey::Email(_));
    if let Some(customer) = primary.filter(|_| joins) {
        let sharing = walk.ids_of(customer);
        let joined = walk.persons_of(&sharing);
        for person in joined.iter().filter(|person| !persons.contains(*person)) {
            ids.extend(&walk.ids_of_only(person, customer));
        }
        persons.extend(&joined);
        ids.extend(&sharing);
    }
    let merges = walk.merges_of(&ids);
    let evidence = walk.evidence_of(&ids, &customers);
    let status = match (evidence.is_empty() && merges.is_empty(), customers.len()) {
        _ if is_shared => IdentityStatus::Shared,
        (true, _) => IdentityStatus::Unknown,
        (false, 0 | 1) => IdentityStatus::Resolved,
        (false, _) => IdentityStatus::Conflict,
    };
    if status == IdentityStatus::Unknown {
        ids = Nodes::default();
    }
    Attempt {
        is_whole: walk.is_whole,
        left: walk.left,
        status,
        primary,
        customers,
        persons,
        ids,
        shared: walk.shared,
        evidence,
        merges,
        // Should no more be read, what is not known yet is missing.
        truncated: walk.is_cut_off || !walk.is_whole,
    }
}

impl Attempt {
    /// The answer about `key` that this is, of the links in `graph`.
    pub(super) fn into_answer<'a>(
        self,
        key: IdentityKey<&'a str>,
        graph: &'a IdentityGraph,
    ) -> IdentityAnswer<&'a str> {
        let mut truncated = self.truncated;
        let mut capped = |nodes: &Nodes| {
            truncated |= nodes.len() > MOST_IDS;
            let mut texts = texts(nodes, graph);
            texts.truncate(MOST_IDS);
            texts
        };
        let customer_ids = capped(&self.customers);
        let ends = |of: fn(IdentityKey<&str>) -> bool| -> Nodes {
            let ends = self.evidence.iter().map(|edge| edge.to);
            ends.filter(|node| of(graph.key(*node))).collect()
        };
        let anonymous_ids = capped(&ends(|key| matches!(key, IdentityKey::AnonymousId(_))));
        let emails = ends(|key| matches!(key, IdentityKey::Email(_)));
        let mut persons: Vec<Uuid> = self
            .persons
            .iter()
            .filter_map(|node| match graph.key(node) {
                IdentityKey::Person(person) => Some(person),
                _ => None,
            })
            .collect();
        persons.sort_unstable();
        let ids = self.ids.iter();
        let mut ids: Vec<(IdentityKey<&str>, Node)> = ids.map(|id| (graph.key(id), id)).collect();
        ids.sort_unstable();
        let mut evidence: Vec<IdentityLink<&str>> = Vec::with_capacity(self.evidence.len());
        for (_, id) in &ids {
            // They lie side by side, in the order of the ids' numbers.
            let begin = self.evidence.partition_point(|edge| edge.from < *id);
            let own = self.evidence[begin..].iter().copied();
            let own = own.take_while(|edge| edge.from == *id);
            let before = evidence.len();
            evidence.extend(own.map(|edge| graph.link(edge)));
            evidence[before..].sort_unstable();
        }
        let merges = self.merges.into_iter().map(|(edge, outcome)| AskedMerge {
            link: graph.link(edge),
            outcome,
        });
        IdentityAnswer {
            key,
            status: self.status,
            primary_customer_id: self.primary.and_then(|node| graph.key(node).text()),
            customer_ids,
            persons,
            distinct_ids: ids.into_iter().filter_map(|(id, _)| id.text()).collect(),
            anonymous_ids,
            emails: texts(&emails, graph),
            shared_distinct_ids: texts(&self.shared, graph),
            evidence,
            merges: merges.collect(),
            truncated,
        }
    }
}

/// Ids as they are written, in order.
fn texts<'a>(nodes: &Nodes, graph: &'a IdentityGraph) -> Vec<&'a str> {
    let texts = nodes.iter().filter_map(|node| graph.key(node).text());
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts
}

impl IdentityKey {
    /// The key as links spell it.
    pub(crate) fn folded(&self) -> IdentityKey<Cow<'_, str>> {
        match self {
            Self::CustomerId(id) => IdentityKey::CustomerId(id.trim().into()),
            Self::AnonymousId(id) => IdentityKey::AnonymousId(id.trim().into()),
            Self::Email(address) => IdentityKey::Email(address.trim().to_lowercase().into()),
            Self::DistinctId(id) => IdentityKey::DistinctId(id.into()),
            Self::Person(person) => IdentityKey::Person(*person),
        }
    }
}
