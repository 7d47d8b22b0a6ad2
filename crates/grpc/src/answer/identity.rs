//! Identity keys and links.

use domain::identity::{Evidence, IdentityFact, IdentityKey, IdentityLink};
use domain::storage::LinkChange;

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
    v1::IdentityLink {
        valid_from_time: Some(timestamp(link.valid_from)),
        valid_to_time: link.valid_to.map(timestamp),
        last_seen_time: Some(timestamp(link.last_seen)),
        ..timeless(link.into())
    }
}

/// What happened to a link.
pub(crate) fn link_change(change: LinkChange) -> v1::IdentityLinkChange {
    use v1::identity_link_change::Kind;
    let (kind, link) = match change {
        LinkChange::Upsert(now) => (Kind::Upsert, link(now)),
        LinkChange::Ended(ended) => (Kind::Delete, link(ended)),
        LinkChange::Gone(fact) => (Kind::Delete, timeless(fact)),
    };
    v1::IdentityLinkChange {
        kind: kind.into(),
        identity_link: Some(link),
    }
}

/// What a link rests on, and the property that carried it, empty where none did.
pub(super) fn evidence<T: Default>(evidence: Evidence<T>) -> (v1::identity_link::Evidence, T) {
    use v1::identity_link::Evidence as Wire;
    match evidence {
        Evidence::PersonMapping => (Wire::PersonMapping, T::default()),
        Evidence::EventProperty(property) => (Wire::EventProperty, property),
        Evidence::DistinctIdForm => (Wire::DistinctIdForm, T::default()),
        Evidence::Identify => (Wire::Identify, T::default()),
        Evidence::Alias => (Wire::Alias, T::default()),
    }
}

/// Which link it is, without its times.
fn timeless(fact: IdentityFact) -> v1::IdentityLink {
    let (evidence, property) = evidence(fact.evidence);
    v1::IdentityLink {
        distinct_id: fact.distinct_id,
        linked: Some(key(fact.to)),
        evidence: evidence.into(),
        property,
        ..Default::default()
    }
}
