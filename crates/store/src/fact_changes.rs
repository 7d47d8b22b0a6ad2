//! Which links that events carry have changed, in every store alike: events say it themselves by
//! their change numbers, and rows of their own say it of facts that an event says no more.

use std::collections::BTreeMap;

use domain::storage::{FactChange, FactChanges, LinkChange, Result};

use crate::fact_rows::{Group, Key};
use crate::link_rows::{Placed, fact};

/// Facts that may have changed, with the number of the last change that named each.
#[derive(Default)]
pub(crate) struct Suspects {
    facts: BTreeMap<Key, Suspect>,
    /// All changes up to here are among them.
    reached: i64,
    is_last: bool,
    known_from: i64,
}

struct Suspect {
    seq: i64,
    /// Whether it may have gone: events that are there cannot tell that.
    may_be_gone: bool,
}

/// A changed event, as far as it carries ids.
pub(crate) struct ChangedEvent {
    pub(crate) seq: i64,
    pub(crate) carries: Group,
}

impl Suspects {
    /// Puts together what was read: at most `limit` rows each of events and of facts said no more,
    /// when the last number given was `now`, and what had gone was known from `known_from` on.
    pub(crate) fn of(
        events: Vec<ChangedEvent>,
        unsaid: Vec<(i64, Key)>,
        now: i64,
        known_from: i64,
        limit: usize,
    ) -> Result<Self> {
        // A list that was cut off knows nothing of what comes after its end.
        let ends = [
            events
                .last()
                .filter(|_| events.len() >= limit)
                .map(|it| it.seq),
            unsaid
                .last()
                .filter(|_| unsaid.len() >= limit)
                .map(|it| it.0),
        ];
        let end = ends.into_iter().flatten().min();
        let mut suspects = Self {
            reached: end.unwrap_or(now),
            is_last: end.is_none(),
            known_from,
            ..Self::default()
        };
        for event in events {
            for key in event.carries.keys()? {
                suspects.add(key, event.seq, false);
            }
        }
        for (seq, key) in unsaid {
            suspects.add(key, seq, true);
        }
        Ok(suspects)
    }

    fn add(&mut self, key: Key, seq: i64, may_be_gone: bool) {
        if seq > self.reached {
            return;
        }
        let suspect = self.facts.entry(key).or_insert(Suspect {
            seq,
            may_be_gone: false,
        });
        suspect.seq = suspect.seq.max(seq);
        suspect.may_be_gone |= may_be_gone;
    }

    /// The facts to look up.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.facts.keys()
    }

    /// What is to be told, given those that were `found` and what each property names.
    pub(crate) fn tell(self, found: Vec<Placed>, kinds: &[(String, i64)]) -> FactChanges {
        let mut there: BTreeMap<Key, Vec<LinkChange>> = BTreeMap::new();
        for (place, link) in found {
            there
                .entry((place.distinct_id, place.property, place.value))
                .or_default()
                .push(LinkChange::Upsert(link));
        }
        let mut changes = Vec::new();
        for (key, suspect) in self.facts {
            let told = match there.remove(&key) {
                Some(links) => links,
                None if suspect.may_be_gone => gone(&key, kinds),
                None => continue,
            };
            changes.extend(told.into_iter().map(|change| FactChange {
                seq: suspect.seq,
                change,
            }));
        }
        changes.sort_by_key(|change| change.seq);
        FactChanges {
            changes,
            reached: self.reached,
            is_last: self.is_last,
            known_from: self.known_from,
        }
    }
}

fn gone((distinct_id, property, value): &Key, kinds: &[(String, i64)]) -> Vec<LinkChange> {
    kinds
        .iter()
        .filter(|(name, _)| name == property)
        .map(|(_, kind)| LinkChange::Gone(fact(distinct_id, *kind, property, value)))
        .collect()
}
