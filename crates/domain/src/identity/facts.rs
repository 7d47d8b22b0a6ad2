//! What a single event says about who is who, before anything is put together.

use std::collections::BTreeMap;

use super::{Evidence, IdProperty, IdPropertyKind, IdentityKey, is_junk_id};
use crate::event::Event;

/// What of an event says who is who.
#[derive(Debug, Clone, Copy)]
pub struct Carried<'a> {
    /// The event's name.
    pub event: &'a str,
    /// Its distinct id.
    pub distinct_id: &'a str,
    /// `$anon_distinct_id`; looked at on an [`IDENTIFY`] alone.
    pub anon_distinct_id: Option<&'a str>,
    /// `alias`; looked at on [`ALIASES`] alone.
    pub alias: Option<&'a str>,
    /// The connection's identity properties that it carries, by name.
    pub values: &'a BTreeMap<String, String>,
}

/// The event by which PostHog is asked to merge the person of its `$anon_distinct_id`
/// (POSTHOG.md 7.6).
pub const IDENTIFY: &str = "$identify";
/// The events by which PostHog is asked to merge the person of their `alias` (POSTHOG.md 7.6).
pub const ALIASES: [&str; 2] = ["$create_alias", "$merge_dangerously"];

impl<'a> From<&'a Event> for Carried<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            event: event.event.as_str(),
            distinct_id: &event.distinct_id,
            anon_distinct_id: event.anon_distinct_id.as_deref(),
            alias: event.alias.as_deref(),
            values: &event.id_properties,
        }
    }
}

impl<'a> Carried<'a> {
    /// The other distinct id that PostHog is asked to merge. Both are compared as they are sent, as
    /// PostHog does: case, white space and the form of Unicode matter.
    fn other_id(&self) -> Option<(&'a str, Evidence)> {
        let asked = if self.event == IDENTIFY {
            (self.anon_distinct_id?, Evidence::Identify)
        } else if ALIASES.contains(&self.event) {
            (self.alias?, Evidence::Alias)
        } else {
            return None;
        };
        (asked.0 != self.distinct_id && !is_junk_id(asked.0)).then_some(asked)
    }
}

/// One event's word that its distinct id goes with another id. It holds as long as some stored
/// event says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityFact {
    /// The distinct id of the event.
    pub distinct_id: String,
    /// A customer id, anonymous id or e-mail, or another distinct id; never a person.
    pub to: IdentityKey,
    /// What the event carried, or the form of the distinct id.
    pub evidence: Evidence,
}

/// What an event says, by the connection's `properties`: ids of the shop are trimmed, e-mails folded,
/// junk on either side says nothing.
pub fn facts_of(carried: Carried<'_>, properties: &[IdProperty]) -> Vec<IdentityFact> {
    let mut facts = Vec::new();
    // Most events carry no id at all, and this runs for every event.
    let email = folded_email(carried.distinct_id);
    let other = carried.other_id();
    if (carried.values.is_empty() && email.is_none() && other.is_none())
        || is_junk_id(carried.distinct_id)
    {
        return facts;
    }
    let mut say = |to, evidence| {
        facts.push(IdentityFact {
            distinct_id: carried.distinct_id.to_owned(),
            to,
            evidence,
        });
    };
    if let Some(email) = email {
        say(IdentityKey::Email(email), Evidence::DistinctIdForm);
    }
    if let Some((other, evidence)) = other {
        say(IdentityKey::DistinctId(other.to_owned()), evidence);
    }
    for IdProperty { kind, property } in properties {
        let Some(value) = carried.values.get(property).map(|value| value.trim()) else {
            continue;
        };
        if is_junk_id(value) {
            continue;
        }
        let to = match kind {
            IdPropertyKind::Customer => IdentityKey::CustomerId(value.to_owned()),
            IdPropertyKind::Anonymous => IdentityKey::AnonymousId(value.to_owned()),
        };
        say(to, Evidence::EventProperty(property.clone()));
    }
    facts
}

/// The e-mail address that a text is, trimmed and in lower case: one `@`, something before it and
/// a dotted name after it, no white space within.
pub fn folded_email(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let (name, top) = domain.rsplit_once('.')?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control())
    };
    (plain(local) && plain(name) && plain(top) && !name.starts_with('.'))
        .then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties() -> Vec<IdProperty> {
        [
            (IdPropertyKind::Customer, "shopify_customer_id"),
            (IdPropertyKind::Customer, "customer_id"),
            (IdPropertyKind::Anonymous, "clientId"),
        ]
        .map(|(kind, property)| IdProperty {
            kind,
            property: property.to_owned(),
        })
        .to_vec()
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn said(distinct_id: &str, pairs: &[(&str, &str)]) -> Vec<(IdentityKey, Evidence)> {
        let carried = Carried {
            event: "$pageview",
            distinct_id,
            anon_distinct_id: Some("not looked at"),
            alias: Some("not looked at"),
            values: &values(pairs),
        };
        facts_of(carried, &properties())
            .into_iter()
            .map(|fact| (fact.to, fact.evidence))
            .collect()
    }

    #[test]
    fn each_configured_property_speaks_for_itself() {
        assert_eq!(
            said(
                "d1",
                &[("customer_id", " 77 "), ("clientId", "c-1"), ("other", "x")]
            ),
            vec![
                (
                    IdentityKey::CustomerId("77".into()),
                    Evidence::EventProperty("customer_id".into())
                ),
                (
                    IdentityKey::AnonymousId("c-1".into()),
                    Evidence::EventProperty("clientId".into())
                ),
            ]
        );
    }

    #[test]
    fn a_distinct_id_that_is_an_email_is_linked_to_it_folded() {
        assert_eq!(
            said("Ada@Shop.Example", &[]),
            vec![(
                IdentityKey::Email("ada@shop.example".into()),
                Evidence::DistinctIdForm
            )]
        );
    }

    #[test]
    fn junk_on_either_side_says_nothing() {
        assert_eq!(said("d1", &[("customer_id", "undefined")]), vec![]);
        assert_eq!(said("anonymous", &[("customer_id", "77")]), vec![]);
        assert_eq!(said("d1", &[("clientId", "")]), vec![]);
    }

    fn asked(
        event: &str,
        distinct_id: &str,
        anon: &str,
        alias: &str,
    ) -> Vec<(IdentityKey, Evidence)> {
        let carried = Carried {
            event,
            distinct_id,
            anon_distinct_id: Some(anon),
            alias: Some(alias),
            values: &BTreeMap::new(),
        };
        facts_of(carried, &properties())
            .into_iter()
            .map(|fact| (fact.to, fact.evidence))
            .collect()
    }

    #[test]
    fn a_merge_that_posthog_is_asked_for_links_two_distinct_ids_as_they_are_spelled() {
        let to = |id: &str, evidence| vec![(IdentityKey::DistinctId(id.to_owned()), evidence)];
        assert_eq!(
            asked("$identify", "ada", " Anon-1", "b"),
            to(" Anon-1", Evidence::Identify)
        );
        for event in ALIASES {
            assert_eq!(asked(event, "ada", "a", "b"), to("b", Evidence::Alias));
        }
        assert_eq!(asked("$pageview", "ada", "a", "b"), vec![]);
        assert_eq!(asked("$identify", "ada", "ADA", "b").len(), 1);
        assert_eq!(asked("$identify", "ada", "ada", "b"), vec![]);
        assert_eq!(asked("$identify", "ada", "null", "b"), vec![]);
        assert_eq!(asked("$identify", "guest", "a", "b"), vec![]);
    }

    #[test]
    fn what_only_resembles_an_email_is_none() {
        for text in [
            "",
            "ada",
            "@shop.example",
            "ada@",
            "ada@shop",
            "a@b@c.de",
            "ada @x.de",
            "ada@.de",
            "ada@x.",
        ] {
            assert_eq!(folded_email(text), None, "{text:?}");
        }
    }
}
