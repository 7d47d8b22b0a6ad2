//! What a batch has read of the graph so far.

use std::collections::{BTreeMap, BTreeSet};

use super::{MOST_ASKED, MOST_LINKS};
use crate::identity::{IdentityKey, IdentityLink};

/// Links read so far, by both of their ends. Nothing is known of ids that were not asked for.
#[derive(Debug, Default)]
pub(super) struct Known {
    links: BTreeMap<IdentityKey, BTreeSet<IdentityLink>>,
    asked: BTreeSet<IdentityKey>,
    /// Asked for, but perhaps not answered whole.
    partial: BTreeSet<IdentityKey>,
    /// The link to its person of each distinct id that any answer told; there is one at most.
    persons: BTreeMap<String, IdentityLink>,
}

/// What would have to be known too.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// All links of these.
    pub(super) keys: BTreeSet<IdentityKey>,
    /// Links of these distinct ids but for their persons, which are known.
    pub(super) carried: BTreeSet<String>,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.carried.is_empty()
    }
}

/// The links of one id.
pub(super) struct Found<'a> {
    pub(super) links: Option<&'a BTreeSet<IdentityLink>>,
    pub(super) is_partial: bool,
}

impl Known {
    /// Takes note of the answer about the first [`MOST_ASKED`] of `wanted`.
    pub(super) fn learn(&mut self, wanted: BTreeSet<IdentityKey>, links: Vec<IdentityLink>) {
        // The reader cuts an answer off without saying where each id's links end.
        let is_full = links.len() >= MOST_LINKS;
        for (index, key) in wanted.into_iter().enumerate() {
            if is_full || index >= MOST_ASKED {
                self.partial.insert(key.clone());
            }
            self.asked.insert(key);
        }
        for link in links.into_iter().filter(|link| link.valid_to.is_none()) {
            if matches!(link.to, IdentityKey::Person(_)) {
                self.persons.insert(link.distinct_id.clone(), link.clone());
            }
            let from = IdentityKey::DistinctId(link.distinct_id.clone());
            for end in [from, link.to.clone()] {
                if self.asked.contains(&end) {
                    self.links.entry(end).or_default().insert(link.clone());
                }
            }
        }
    }

    /// As [`Known::learn`], of distinct ids whose persons are known.
    pub(super) fn learn_carried(&mut self, wanted: BTreeSet<String>, links: Vec<IdentityLink>) {
        for id in &wanted {
            if let Some(link) = self.persons.get(id) {
                self.links
                    .entry(IdentityKey::DistinctId(id.clone()))
                    .or_default()
                    .insert(link.clone());
            }
        }
        let wanted = wanted.into_iter().map(IdentityKey::DistinctId).collect();
        self.learn(wanted, links);
    }

    /// Notes that `key` was looked for, and is not known.
    pub(super) fn note_missing(&self, key: IdentityKey, missing: &mut Missing) {
        match key {
            IdentityKey::DistinctId(id) if self.persons.contains_key(&id) => {
                missing.carried.insert(id);
            }
            key => {
                missing.keys.insert(key);
            }
        }
    }

    /// The links that touch `key`; `None` when it was not asked for yet.
    pub(super) fn of(&self, key: &IdentityKey) -> Option<Found<'_>> {
        self.asked.contains(key).then(|| Found {
            links: self.links.get(key),
            is_partial: self.partial.contains(key),
        })
    }
}
