//! Identity keys and links.

use domain::identity::{Evidence, IdentityKey, IdentityLink};

use super::time::timestamp;
use crate::proto::v1;
use crate::proto::v1::identity_key::Key;

/// A key.
pub(crate) fn key(key: IdentityKey) -> v1::IdentityKey {
    let key = match key {
        IdentityKey::DistinctId(id) => Key::DistinctId(id),
        IdentityKey::Person(id) => Key::PersonId(id.to_string()),
        IdentityKey::CustomerId(id) => Key::CustomerId(id),
        IdentityKey::AnonymousId(id) => Key::AnonymousId(id),
        IdentityKey::Email(address) => Key::Email(address),
    };
    v1::IdentityKey { key: Some(key) }
}

/// A link.
pub(crate) fn link(link: IdentityLink) -> v1::IdentityLink {
    use v1::identity_link::Evidence as Wire;
    let (evidence, property) = match link.evidence {
        Evidence::PersonMapping => (Wire::PersonMapping, String::new()),
        Evidence::EventProperty(property) => (Wire::EventProperty, property),
        Evidence::DistinctIdForm => (Wire::DistinctIdForm, String::new()),
    };
    v1::IdentityLink {
        distinct_id: link.distinct_id,
        linked: Some(key(link.to)),
        evidence: evidence.into(),
        property,
        valid_from_time: Some(timestamp(link.valid_from)),
        valid_to_time: link.valid_to.map(timestamp),
        last_seen_time: Some(timestamp(link.last_seen)),
    }
}
