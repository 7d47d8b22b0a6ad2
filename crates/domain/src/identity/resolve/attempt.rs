//! Answers one id from what is known, noting what would have to be known too. Repeated until
//! nothing is missing, so that a whole batch shares each reading.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::known::Known;
use super::{IdentityAnswer, IdentityStatus, MOST_IDS};
use crate::identity::{IdentityKey, IdentityLink};

/// The answer for `key` as far as `known` goes; ids whose links it lacks go to `missing`.
pub(super) fn attempt(
    key: &IdentityKey,
    known: &Known,
    missing: &mut BTreeSet<IdentityKey>,
) -> IdentityAnswer {
    let mut walk = Walk {
        known,
        missing,
        truncated: false,
    };
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
    let primary = walk.primary(&ids, &customers);
    let joins = matches!(wanted, IdentityKey::DistinctId(_) | IdentityKey::Person(_));
    if let Some(customer) = primary.as_ref().filter(|_| joins) {
        let sharing = walk.ids_of(&IdentityKey::CustomerId(customer.clone()));
        persons.extend(walk.persons_of(&sharing));
        ids.extend(sharing);
    }
    let evidence: BTreeSet<IdentityLink> = ids
        .iter()
        .flat_map(|id| walk.links_from(id))
        .filter(|link| match &link.to {
            IdentityKey::CustomerId(id) => customers.contains(id),
            _ => true,
        })
        .collect();
    let status = match (evidence.is_empty(), customers.len()) {
        (true, _) => IdentityStatus::Unknown,
        (false, 0 | 1) => IdentityStatus::Resolved,
        (false, _) => IdentityStatus::Conflict,
    };
    if status == IdentityStatus::Unknown {
        ids.clear();
    }
    let linked = |pick: fn(&IdentityKey) -> Option<&String>| {
        let picked: BTreeSet<&String> = evidence.iter().filter_map(|link| pick(&link.to)).collect();
        picked.into_iter().cloned().collect()
    };
    IdentityAnswer {
        key: key.clone(),
        status,
        primary_customer_id: primary,
        customer_ids: customers.into_iter().collect(),
        persons: persons.into_iter().collect(),
        distinct_ids: ids.into_iter().collect(),
        anonymous_ids: linked(|key| match key {
            IdentityKey::AnonymousId(id) => Some(id),
            _ => None,
        }),
        emails: linked(|key| match key {
            IdentityKey::Email(address) => Some(address),
            _ => None,
        }),
        evidence: evidence.into_iter().collect(),
        truncated: walk.truncated,
    }
}

struct Walk<'a> {
    known: &'a Known,
    missing: &'a mut BTreeSet<IdentityKey>,
    truncated: bool,
}

impl Walk<'_> {
    fn links(&mut self, key: IdentityKey) -> Vec<IdentityLink> {
        match self.known.of(&key) {
            Some(found) => {
                self.truncated |= found.is_partial;
                found.links.into_iter().flatten().cloned().collect()
            }
            None => {
                // Should no more be read, the answer is not whole.
                self.truncated = true;
                self.missing.insert(key);
                Vec::new()
            }
        }
    }

    fn links_from(&mut self, id: &str) -> Vec<IdentityLink> {
        self.links(IdentityKey::DistinctId(id.to_owned()))
    }

    /// The distinct ids linked to a person, customer id, anonymous id or e-mail.
    fn ids_of(&mut self, key: &IdentityKey) -> BTreeSet<String> {
        let mut ids: BTreeSet<String> = self
            .links(key.clone())
            .into_iter()
            .map(|link| link.distinct_id)
            .collect();
        if let Some(first_beyond) = ids.iter().nth(MOST_IDS).cloned() {
            self.truncated = true;
            ids.split_off(&first_beyond);
        }
        ids
    }

    fn persons_of(&mut self, ids: &BTreeSet<String>) -> BTreeSet<Uuid> {
        ids.iter()
            .flat_map(|id| self.links_from(id))
            .filter_map(|link| match link.to {
                IdentityKey::Person(person) => Some(person),
                _ => None,
            })
            .collect()
    }

    fn customers_of(&mut self, ids: &BTreeSet<String>) -> BTreeSet<String> {
        ids.iter()
            .flat_map(|id| self.links_from(id))
            .filter_map(|link| match link.to {
                IdentityKey::CustomerId(customer) => Some(customer),
                _ => None,
            })
            .collect()
    }

    /// The only customer id, if every person among `ids`, and every id without a person, has it.
    fn primary(&mut self, ids: &BTreeSet<String>, customers: &BTreeSet<String>) -> Option<String> {
        let [customer] = &customers.iter().collect::<Vec<_>>()[..] else {
            return None;
        };
        let mut has_it: BTreeMap<IdentityKey, bool> = BTreeMap::new();
        for id in ids {
            let links = self.links_from(id);
            let carries = links
                .iter()
                .any(|link| matches!(&link.to, IdentityKey::CustomerId(id) if id == *customer));
            let mut owners: Vec<IdentityKey> = links
                .into_iter()
                .map(|link| link.to)
                .filter(|to| matches!(to, IdentityKey::Person(_)))
                .collect();
            if owners.is_empty() {
                owners.push(IdentityKey::DistinctId(id.clone()));
            }
            for owner in owners {
                *has_it.entry(owner).or_default() |= carries;
            }
        }
        has_it
            .values()
            .all(|has_it| *has_it)
            .then(|| (*customer).clone())
    }
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
