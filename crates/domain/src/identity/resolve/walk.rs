//! One way through what is known, from an id to all that belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::known::{Known, Missing};
use super::{AskedMerge, MOST_CUSTOMERS, MOST_IDS, MergeOutcome};
use crate::identity::{IdentityKey, IdentityLink};

/// A walk, and what came to light on it.
pub(super) struct Walk<'a> {
    known: &'a Known,
    missing: &'a mut Missing,
    /// Whether there was more than was followed, or than is known yet.
    pub(super) truncated: bool,
    /// Whether all that was looked for is known.
    pub(super) is_whole: bool,
    /// Distinct ids seen with too many customer ids.
    pub(super) shared: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub(super) fn new(known: &'a Known, missing: &'a mut Missing) -> Self {
        Self {
            known,
            missing,
            truncated: false,
            is_whole: true,
            shared: BTreeSet::new(),
        }
    }

    /// The links at either end of which `key` is.
    fn links(&mut self, key: IdentityKey) -> Vec<&'a IdentityLink> {
        match self.known.of(&key) {
            Some(found) => {
                self.truncated |= found.is_partial;
                found.links.into_iter().flatten().collect()
            }
            None => {
                // Should no more be read, the answer is not whole.
                self.truncated = true;
                self.is_whole = false;
                self.known.note_missing(key, self.missing);
                Vec::new()
            }
        }
    }

    /// The links of a distinct id, but for those by which others name it.
    fn links_from(&mut self, id: &str) -> impl Iterator<Item = &'a IdentityLink> + use<'a> {
        let of = id.to_owned();
        self.links(IdentityKey::DistinctId(id.to_owned()))
            .into_iter()
            .filter(move |link| link.distinct_id == of)
    }

    /// The distinct ids linked to a person, customer id, anonymous id or e-mail. No shared one is a
    /// customer's.
    pub(super) fn ids_of(&mut self, key: &IdentityKey) -> BTreeSet<String> {
        let links = self.links(key.clone());
        let mut ids: BTreeSet<String> = links
            .into_iter()
            .map(|link| link.distinct_id.clone())
            .collect();
        if let Some(first_beyond) = ids.iter().nth(MOST_IDS).cloned() {
            self.truncated = true;
            ids.split_off(&first_beyond);
        }
        if matches!(key, IdentityKey::CustomerId(_)) {
            ids.retain(|id| {
                self.customers_from(id);
                !self.shared.contains(id)
            });
        }
        ids
    }

    /// The persons of these distinct ids.
    pub(super) fn persons_of(&mut self, ids: &BTreeSet<String>) -> BTreeSet<Uuid> {
        ids.iter().flat_map(|id| self.persons_from(id)).collect()
    }

    fn persons_from(&mut self, id: &str) -> Vec<Uuid> {
        self.links_from(id)
            .filter_map(|link| match link.to {
                IdentityKey::Person(person) => Some(person),
                _ => None,
            })
            .collect()
    }

    /// The customer ids that these distinct ids carry, but for shared ones.
    pub(super) fn customers_of(&mut self, ids: &BTreeSet<String>) -> BTreeSet<String> {
        ids.iter().flat_map(|id| self.customers_from(id)).collect()
    }

    /// What a distinct id carries; nothing if it is shared, which is noted.
    fn customers_from(&mut self, id: &str) -> BTreeSet<String> {
        let mut customers: BTreeSet<String> = self
            .links_from(id)
            .filter_map(|link| match &link.to {
                IdentityKey::CustomerId(customer) => Some(customer.clone()),
                _ => None,
            })
            .collect();
        if customers.len() > MOST_CUSTOMERS {
            self.shared.insert(id.to_owned());
            customers.clear();
        }
        customers
    }

    /// The only customer id, if every person among `ids`, and every id without a person, has it.
    pub(super) fn primary(
        &mut self,
        ids: &BTreeSet<String>,
        customers: &BTreeSet<String>,
    ) -> Option<String> {
        let mut only = customers.iter();
        let (Some(customer), None) = (only.next(), only.next()) else {
            return None;
        };
        let mut has_it: BTreeMap<IdentityKey, bool> = BTreeMap::new();
        for id in ids {
            let carries = self.customers_from(id).contains(customer);
            let mut owners: Vec<IdentityKey> = self
                .persons_from(id)
                .into_iter()
                .map(IdentityKey::Person)
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
            .then(|| customer.clone())
    }

    /// The links from `ids` on which an answer with these customer ids rests.
    pub(super) fn evidence_of(
        &mut self,
        ids: &BTreeSet<String>,
        customers: &BTreeSet<String>,
    ) -> BTreeSet<IdentityLink> {
        let mut evidence = BTreeSet::new();
        for id in ids {
            let is_shared = self.shared.contains(id);
            evidence.extend(
                self.links_from(id)
                    .filter(|link| match &link.to {
                        IdentityKey::CustomerId(id) => !is_shared && customers.contains(id),
                        IdentityKey::DistinctId(_) => false,
                        _ => true,
                    })
                    .cloned(),
            );
        }
        evidence
    }

    /// The first [`MOST_IDS`] ids of a list, which is marked if there are more.
    pub(super) fn capped(&mut self, ids: BTreeSet<String>) -> Vec<String> {
        self.truncated |= ids.len() > MOST_IDS;
        ids.into_iter().take(MOST_IDS).collect()
    }

    /// The merges that were asked for of one of `ids` with any other, and what became of them.
    pub(super) fn merges_of(&mut self, ids: &BTreeSet<String>) -> Vec<AskedMerge> {
        let mut asked: BTreeSet<&'a IdentityLink> = BTreeSet::new();
        for id in ids {
            let links = self.links(IdentityKey::DistinctId(id.clone()));
            asked.extend(
                links
                    .into_iter()
                    .filter(|link| matches!(link.to, IdentityKey::DistinctId(_))),
            );
        }
        self.truncated |= asked.len() > MOST_IDS;
        asked
            .into_iter()
            .take(MOST_IDS)
            .map(|link| AskedMerge {
                outcome: self.outcome_of(link),
                link: link.clone(),
            })
            .collect()
    }

    fn outcome_of(&mut self, link: &IdentityLink) -> MergeOutcome {
        let IdentityKey::DistinctId(other) = &link.to else {
            return MergeOutcome::Unknown;
        };
        let (ours, theirs) = (
            self.persons_from(&link.distinct_id),
            self.persons_from(other),
        );
        if ours.is_empty() || theirs.is_empty() {
            MergeOutcome::Unknown
        } else if ours == theirs {
            MergeOutcome::Accepted
        } else {
            MergeOutcome::Refused
        }
    }
}
