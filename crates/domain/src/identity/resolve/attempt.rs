//! Answers one id from what is known, noting what would have to be known too. Repeated until
//! nothing is missing, so that a whole batch shares each reading.

use std::collections::BTreeSet;

use super::known::{Known, Missing};
use super::walk::Walk;
use super::{IdentityAnswer, IdentityStatus, MOST_CUSTOMERS};
use crate::identity::{IdentityKey, IdentityLink};

/// An answer as far as is known.
pub(super) struct Attempt {
    pub(super) answer: IdentityAnswer,
    /// Whether nothing was missing.
    pub(super) is_whole: bool,
}

/// The answer for `key` as far as `known` goes; ids whose links it lacks go to `missing`.
pub(super) fn attempt(key: &IdentityKey, known: &Known, missing: &mut Missing) -> Attempt {
    let mut walk = Walk::new(known, missing);
    let wanted = folded(key);
    let start = match &wanted {
        IdentityKey::DistinctId(id) => BTreeSet::from([id.clone()]),
        other => walk.ids_of(other),
    };
    let mut persons = walk.persons_of(&start);
    let mut ids = start.clone();
    for person in &persons {
        ids.extend(walk.ids_of(&IdentityKey::Person(*person)));
    }
    let customers = walk.customers_of(&ids);
    let is_shared = match &wanted {
        IdentityKey::DistinctId(id) => walk.shared.contains(id),
        IdentityKey::AnonymousId(_) | IdentityKey::Email(_) => customers.len() > MOST_CUSTOMERS,
        IdentityKey::Person(_) | IdentityKey::CustomerId(_) => false,
    } || (customers.is_empty() && !walk.shared.is_empty());
    let primary = walk.primary(&ids, &customers).filter(|_| !is_shared);
    let joins = matches!(wanted, IdentityKey::DistinctId(_) | IdentityKey::Person(_));
    if let Some(customer) = primary.as_ref().filter(|_| joins) {
        let sharing = walk.ids_of(&IdentityKey::CustomerId(customer.clone()));
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
    let anonymous_ids = linked(&evidence, |key| match key {
        IdentityKey::AnonymousId(id) => Some(id),
        _ => None,
    });
    let emails = linked(&evidence, |key| match key {
        IdentityKey::Email(address) => Some(address),
        _ => None,
    });
    let anonymous_ids = walk.capped(anonymous_ids);
    let customers = walk.capped(customers);
    let answer = IdentityAnswer {
        key: key.clone(),
        status,
        primary_customer_id: primary,
        customer_ids: customers,
        persons: persons.into_iter().collect(),
        distinct_ids: ids.into_iter().collect(),
        anonymous_ids,
        emails: emails.into_iter().collect(),
        shared_distinct_ids: walk.shared.into_iter().collect(),
        evidence: evidence.into_iter().collect(),
        merges,
        truncated: walk.truncated,
    };
    Attempt {
        answer,
        is_whole: walk.is_whole,
    }
}

/// What the links lead to of one kind.
fn linked(
    links: &BTreeSet<IdentityLink>,
    pick: fn(&IdentityKey) -> Option<&String>,
) -> BTreeSet<String> {
    links
        .iter()
        .filter_map(|link| pick(&link.to).cloned())
        .collect()
}

/// The key as links spell it.
fn folded(key: &IdentityKey) -> IdentityKey {
    match key {
        IdentityKey::CustomerId(id) => IdentityKey::CustomerId(id.trim().to_owned()),
        IdentityKey::AnonymousId(id) => IdentityKey::AnonymousId(id.trim().to_owned()),
        IdentityKey::Email(address) => IdentityKey::Email(address.trim().to_lowercase()),
        other => other.clone(),
    }
}

impl IdentityKey {
    /// The key as links spell it.
    pub(crate) fn folded(&self) -> Self {
        folded(self)
    }
}
