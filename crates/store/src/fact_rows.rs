//! Identity facts as rows, in every store alike: what writes add to them and take from them, and what
//! an event says.

use std::collections::BTreeMap;

use domain::identity::{Carried, Evidence, IdProperty, IdentityFact, IdentityKey, facts_of};
use domain::merge::FactDelta;
use domain::storage::Result;

use crate::columns::any_kind;
use crate::fact_losses::{Loss, Losses};
use crate::failures::corrupt;
use crate::values::micros;

/// What stands for the distinct id's own form in the column of properties: no property has an
/// empty name.
pub(crate) const OWN_FORM: &str = "";

/// What stands for an `$identify` there, and for a `$create_alias` or `$merge_dangerously`. No
/// property that a spec may name begins with a control character. The statements that find links to
/// a distinct id and their index hold them too.
pub(crate) const IDENTIFIED: &str = "\u{1}$identify";
pub(crate) const ALIASED: &str = "\u{1}alias";

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

/// Parts moves of facts: what is only added, and what an event no longer says.
pub(crate) fn part(deltas: &[FactDelta]) -> Result<(Gains, Losses)> {
    let (mut gains, mut losses) = (Gains::new(), Losses::new());
    for delta in deltas {
        let key = key(&delta.fact)?;
        let said = delta
            .said
            .map(|(first, last)| (micros(first), micros(last)));
        if let Some((first, last)) = delta.unsaid {
            let unsaid = (micros(first), micros(last));
            losses.insert(
                key,
                Loss {
                    delta: delta.delta,
                    said,
                    unsaid,
                },
            );
        } else if let Some((first, last)) = said {
            let events = delta.delta;
            gains.insert(
                key,
                Said {
                    events,
                    first,
                    last,
                },
            );
        }
    }
    Ok((gains, losses))
}

/// What an event carries of ids.
pub(crate) struct Group {
    pub(crate) distinct_id: String,
    pub(crate) id_properties: BTreeMap<String, String>,
    /// The name of the event, if it asks PostHog for a merge.
    pub(crate) asks: Option<String>,
    /// The id that PostHog is then asked to merge.
    pub(crate) other_id: Option<String>,
}

impl Group {
    /// What it says.
    pub(crate) fn keys(&self) -> Result<Vec<Key>> {
        let properties: Vec<IdProperty> = self
            .id_properties
            .keys()
            .map(|name| any_kind(name))
            .collect();
        let carried = Carried {
            event: self.asks.as_deref().unwrap_or_default(),
            distinct_id: &self.distinct_id,
            anon_distinct_id: self.other_id.as_deref(),
            alias: self.other_id.as_deref(),
            values: &self.id_properties,
        };
        facts_of(carried, &properties).iter().map(key).collect()
    }
}

/// The columns of a [`Group`], in its order, of `events AS e`; text for both databases.
pub(crate) const GROUPED: &str = "e.distinct_id, e.id_properties,
    CASE WHEN e.event IN ('$identify', '$create_alias', '$merge_dangerously') THEN e.event END AS asks,
    CASE WHEN e.event = '$identify' THEN e.anon_distinct_id
        WHEN e.event IN ('$create_alias', '$merge_dangerously') THEN e.alias END AS other_id";

fn key(fact: &IdentityFact) -> Result<Key> {
    let value = match &fact.to {
        IdentityKey::DistinctId(value)
        | IdentityKey::CustomerId(value)
        | IdentityKey::AnonymousId(value)
        | IdentityKey::Email(value) => value,
        IdentityKey::Person(_) => {
            return Err(corrupt("an event linked a distinct id to a person"));
        }
    };
    let property = match &fact.evidence {
        Evidence::EventProperty(property) => property,
        Evidence::DistinctIdForm | Evidence::PersonMapping => OWN_FORM,
        Evidence::Identify => IDENTIFIED,
        Evidence::Alias => ALIASED,
    };
    Ok((fact.distinct_id.clone(), property.to_owned(), value.clone()))
}

#[cfg(test)]
mod tests {
    use domain::identity::{ALIASES, IDENTIFY};

    use super::GROUPED;

    #[test]
    fn groups_know_every_event_that_asks_for_a_merge() {
        for name in ALIASES.into_iter().chain([IDENTIFY]) {
            assert!(GROUPED.contains(&format!("'{name}'")), "{name}");
        }
    }
}
