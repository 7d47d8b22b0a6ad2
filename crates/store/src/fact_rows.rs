//! Identity facts as rows, in every store alike: what a page adds to them, and what the events
//! of a distinct id say when they are read anew.

use std::collections::{BTreeMap, BTreeSet};

use domain::identity::{Evidence, IdProperty, IdentityFact, IdentityKey, facts_of};
use domain::merge::FactDelta;
use domain::storage::Result;

use crate::columns::any_kind;
use crate::failures::corrupt;
use crate::values::micros;

/// What stands for the distinct id's own form in the column of properties: no property has an
/// empty name.
pub(crate) const OWN_FORM: &str = "";

/// A fact as stored: (distinct id, property, value).
pub(crate) type Key = (String, String, String);

/// How often a fact is said, and the microseconds of the first and last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) events: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// What facts gain, by key.
pub(crate) type Gains = BTreeMap<Key, Said>;

/// Parts moves of facts: what is only added, and the distinct ids of which an event no longer
/// says something, whose facts must be read anew from the events that remain.
pub(crate) fn part(deltas: &[FactDelta]) -> Result<(Gains, Vec<&str>)> {
    let unsure: BTreeSet<&str> = deltas
        .iter()
        .filter(|delta| delta.unsaid.is_some())
        .map(|delta| delta.fact.distinct_id.as_str())
        .collect();
    let mut gains = Gains::new();
    for delta in deltas {
        if let Some((first, last)) = delta.said
            && !unsure.contains(delta.fact.distinct_id.as_str())
        {
            let said = Said {
                events: delta.delta,
                first: micros(first),
                last: micros(last),
            };
            gains.insert(key(&delta.fact)?, said);
        }
    }
    Ok((gains, unsure.into_iter().collect()))
}

/// Adds what a group of events of one distinct id says that all carry the same ids.
pub(crate) fn add_group(
    gains: &mut Gains,
    distinct_id: &str,
    carried: &BTreeMap<String, String>,
    group: Said,
) -> Result<()> {
    let properties: Vec<IdProperty> = carried.keys().map(|name| any_kind(name)).collect();
    for fact in facts_of(distinct_id, carried, &properties) {
        gains
            .entry(key(&fact)?)
            .and_modify(|sum| {
                sum.events += group.events;
                sum.first = sum.first.min(group.first);
                sum.last = sum.last.max(group.last);
            })
            .or_insert(group);
    }
    Ok(())
}

fn key(fact: &IdentityFact) -> Result<Key> {
    let value = match &fact.to {
        IdentityKey::CustomerId(value)
        | IdentityKey::AnonymousId(value)
        | IdentityKey::Email(value) => value,
        IdentityKey::DistinctId(_) | IdentityKey::Person(_) => {
            return Err(corrupt(
                "an event linked a distinct id to another or to a person",
            ));
        }
    };
    let property = match &fact.evidence {
        Evidence::EventProperty(property) => property,
        Evidence::DistinctIdForm | Evidence::PersonMapping => OWN_FORM,
    };
    Ok((fact.distinct_id.clone(), property.to_owned(), value.clone()))
}
