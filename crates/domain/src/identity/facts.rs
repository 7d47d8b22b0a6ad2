//! What a single event says about who is who, before anything is put together.

use std::collections::BTreeMap;

use super::{Evidence, IdProperty, IdPropertyKind, IdentityKey, is_junk_id};

/// One event's word that its distinct id goes with another id. It holds as long as some stored
/// event says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityFact {
    /// The distinct id of the event.
    pub distinct_id: String,
    /// A customer id, anonymous id or e-mail; never a person or another distinct id.
    pub to: IdentityKey,
    /// A property of the event, or the form of the distinct id.
    pub evidence: Evidence,
}

/// What an event of `distinct_id` that carries `values` (by property name) says, by the
/// connection's `properties`: ids are trimmed, e-mails folded, junk on either side says nothing.
pub fn facts_of(
    distinct_id: &str,
    values: &BTreeMap<String, String>,
    properties: &[IdProperty],
) -> Vec<IdentityFact> {
    let mut facts = Vec::new();
    // Most events carry no id at all, and this runs for every event.
    let email = folded_email(distinct_id);
    if (values.is_empty() && email.is_none()) || is_junk_id(distinct_id) {
        return facts;
    }
    let mut say = |to, evidence| {
        facts.push(IdentityFact {
            distinct_id: distinct_id.to_owned(),
            to,
            evidence,
        });
    };
    if let Some(email) = email {
        say(IdentityKey::Email(email), Evidence::DistinctIdForm);
    }
    for IdProperty { kind, property } in properties {
        let Some(value) = values.get(property).map(|value| value.trim()) else {
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
        facts_of(distinct_id, &values(pairs), &properties())
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
