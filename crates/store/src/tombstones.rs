//! Tombstones of erased persons, in every store alike: keyed hashes of distinct ids, and what of a
//! page or an identity read they refuse.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use domain::Event;
use domain::event::without_nul;
use domain::storage::{PersonMapping, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::failures::corrupt;

/// Bytes of a key.
pub(crate) const KEY: usize = 32;

/// The hash of a distinct id.
pub(crate) type IdHash = Vec<u8>;

/// Hashes the distinct ids of one epoch. The epoch goes in too, so that nobody can tell whether a
/// person was erased from two connections.
pub(crate) struct Hasher(Hmac<Sha256>);

impl Hasher {
    /// The hasher of an epoch, with the database's key.
    pub(crate) fn new(key: &[u8], epoch: i64) -> Result<Self> {
        let mut mac = Hmac::new_from_slice(key).map_err(corrupt)?;
        mac.update(&epoch.to_be_bytes());
        Ok(Self(mac))
    }

    /// The hash of a distinct id, spelled as events are stored.
    pub(crate) fn hash(&self, distinct_id: &str) -> IdHash {
        let mut mac = self.0.clone();
        mac.update(distinct_id.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

/// The ids that a page or an identity read names, each once.
#[derive(Default)]
pub(crate) struct Named {
    /// Hashes of distinct ids.
    pub(crate) hashes: Vec<IdHash>,
    /// Persons.
    pub(crate) persons: Vec<Uuid>,
}

impl Named {
    /// Those of distinct ids with the persons that PostHog gives them.
    pub(crate) fn of<'a>(
        hasher: &Hasher,
        ids: impl IntoIterator<Item = (&'a str, Option<Uuid>)>,
    ) -> Self {
        let (mut distinct_ids, mut persons) = (BTreeSet::new(), BTreeSet::new());
        for (distinct_id, person) in ids {
            distinct_ids.insert(without_nul(distinct_id));
            persons.extend(person);
        }
        Self {
            hashes: distinct_ids.iter().map(|id| hasher.hash(id)).collect(),
            persons: persons.into_iter().collect(),
        }
    }
}

/// The tombstones among the ids that were asked about.
pub(crate) struct Refusals {
    pub(crate) hasher: Hasher,
    pub(crate) hashes: HashSet<IdHash>,
    pub(crate) persons: HashSet<Uuid>,
}

impl Refusals {
    /// Whether nothing that was asked about is erased.
    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty() && self.persons.is_empty()
    }

    /// Whether an event, spelled as it is stored, is an erased person's.
    pub(crate) fn refuses(&self, event: &Event) -> bool {
        event
            .person_id
            .is_some_and(|person| self.persons.contains(&person))
            || self.refuses_id(&event.distinct_id)
    }

    fn refuses_id(&self, distinct_id: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&self.hasher.hash(distinct_id))
    }

    /// Parts mappings: those that may be stored, and the distinct ids that have come to an erased
    /// person and are not erased themselves yet.
    pub(crate) fn part<'a>(
        &self,
        mappings: &'a [PersonMapping],
    ) -> (Cow<'a, [PersonMapping]>, BTreeSet<String>) {
        if self.is_empty() {
            return (Cow::Borrowed(mappings), BTreeSet::new());
        }
        let mut kept = Vec::new();
        let mut found = BTreeSet::new();
        for mapping in mappings {
            let distinct_id = without_nul(&mapping.distinct_id);
            if self.refuses_id(&distinct_id) {
                continue;
            }
            if self.persons.contains(&mapping.person_id) {
                found.insert(distinct_id.into_owned());
            } else {
                kept.push(mapping.clone());
            }
        }
        (Cow::Owned(kept), found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_the_key_the_epoch_and_the_whole_id() {
        let hash = |key: u8, epoch, id: &str| Hasher::new(&[key; KEY], epoch).unwrap().hash(id);
        let one = hash(1, 1, "ada@shop.example");
        assert_eq!(one, hash(1, 1, "ada@shop.example"));
        assert_eq!(one.len(), 32);
        for other in [
            hash(2, 1, "ada@shop.example"),
            hash(1, 2, "ada@shop.example"),
            hash(1, 1, "Ada@shop.example"),
            hash(1, 1, ""),
        ] {
            assert_ne!(one, other);
        }
    }
}
