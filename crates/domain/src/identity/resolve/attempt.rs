//! Answers one id from what is known, noting what would have to be known too. Repeated until
//! nothing is missing, so that a whole batch shares each reading.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::known::{Edge, Known, Missing, Node};
use super::walk::Walk;
use super::{AskedMerge, IdentityAnswer, IdentityStatus, MOST_CUSTOMERS, MOST_IDS, MergeOutcome};
use crate::identity::{IdentityKey, IdentityLink};

/// What was found of an id, as far as is known.
pub(super) struct Attempt {
    /// Whether nothing was missing.
    pub(super) is_whole: bool,
    status: IdentityStatus,
    primary: Option<Node>,
    customers: BTreeSet<Node>,
    persons: BTreeSet<Node>,
    ids: BTreeSet<Node>,
    shared: BTreeSet<Node>,
    evidence: Vec<Edge>,
    merges: Vec<(Edge, MergeOutcome)>,
    truncated: bool,
}

/// What belongs to `wanted` as far as `known` goes; ids whose links it lacks go to `missing`.
pub(super) fn attempt(wanted: Node, known: &Known, missing: &mut Missing) -> Attempt {
    let mut walk = Walk::new(known, missing);
    let key = known.key(wanted);
    let mut ids = match key {
        IdentityKey::DistinctId(_) => BTreeSet::from([wanted]),
        _ => walk.ids_of(wanted),
    };
    let mut persons = walk.persons_of(&ids);
    for person in &persons {
        ids.extend(walk.ids_of(*person));
    }
    let customers = walk.customers_of(&ids);
    let is_shared = match key {
        IdentityKey::DistinctId(_) => walk.shared.contains(&wanted),
        IdentityKey::AnonymousId(_) | IdentityKey::Email(_) => customers.len() > MOST_CUSTOMERS,
        IdentityKey::Person(_) | IdentityKey::CustomerId(_) => false,
    } || (customers.is_empty() && !walk.shared.is_empty());
    let primary = walk.primary(&ids, &customers);
    // What was cut off might name another customer.
    let primary = primary.filter(|_| !is_shared && !walk.is_cut_off);
    let joins = matches!(key, IdentityKey::DistinctId(_) | IdentityKey::Person(_));
    if let Some(customer) = primary.filter(|_| joins) {
        let sharing = walk.ids_of(customer);
        persons.extend(walk.persons_of(&sharing));
        ids.extend(sharing);
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
        ids.clear();
    }
    Attempt {
        is_whole: walk.is_whole,
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
    /// The answer about `key` that this is.
    pub(super) fn into_answer(self, key: &IdentityKey, known: &Known) -> IdentityAnswer {
        let mut truncated = self.truncated;
        let mut capped = |nodes: &BTreeSet<Node>| {
            truncated |= nodes.len() > MOST_IDS;
            let mut texts = texts(nodes, known);
            texts.truncate(MOST_IDS);
            texts
        };
        let customer_ids = capped(&self.customers);
        let ends = |of: fn(&IdentityKey) -> bool| -> BTreeSet<Node> {
            let ends = self.evidence.iter().map(|edge| edge.to);
            ends.filter(|node| of(known.key(*node))).collect()
        };
        let anonymous_ids = capped(&ends(|key| matches!(key, IdentityKey::AnonymousId(_))));
        let emails = ends(|key| matches!(key, IdentityKey::Email(_)));
        let mut persons: Vec<Uuid> = self
            .persons
            .iter()
            .filter_map(|node| match known.key(*node) {
                IdentityKey::Person(person) => Some(*person),
                _ => None,
            })
            .collect();
        persons.sort();
        let evidence = self.evidence.iter().map(|edge| known.link(*edge));
        let mut evidence: Vec<IdentityLink> = evidence.cloned().collect();
        evidence.sort();
        let merges = self.merges.into_iter().map(|(edge, outcome)| AskedMerge {
            link: known.link(edge).clone(),
            outcome,
        });
        IdentityAnswer {
            key: key.clone(),
            status: self.status,
            primary_customer_id: self.primary.map(|node| text(node, known)),
            customer_ids,
            persons,
            distinct_ids: texts(&self.ids, known),
            anonymous_ids,
            emails: texts(&emails, known),
            shared_distinct_ids: texts(&self.shared, known),
            evidence,
            merges: merges.collect(),
            truncated,
        }
    }
}

/// Ids as they are written, in order.
fn texts(nodes: &BTreeSet<Node>, known: &Known) -> Vec<String> {
    let mut texts: Vec<String> = nodes.iter().map(|node| text(*node, known)).collect();
    texts.sort();
    texts
}

fn text(node: Node, known: &Known) -> String {
    match known.key(node) {
        IdentityKey::DistinctId(id)
        | IdentityKey::CustomerId(id)
        | IdentityKey::AnonymousId(id)
        | IdentityKey::Email(id) => id.clone(),
        IdentityKey::Person(person) => person.to_string(),
    }
}

impl IdentityKey {
    /// The key as links spell it.
    pub(crate) fn folded(&self) -> Self {
        match self {
            Self::CustomerId(id) => Self::CustomerId(id.trim().to_owned()),
            Self::AnonymousId(id) => Self::AnonymousId(id.trim().to_owned()),
            Self::Email(address) => Self::Email(address.trim().to_lowercase()),
            other => other.clone(),
        }
    }
}
