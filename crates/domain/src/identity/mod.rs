//! Who is who: links between PostHog's ids, persons and the shop's customers, with evidence.

mod facts;
mod follow;
mod graph;
mod junk;
mod resolve;
mod standing;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::facts::{ALIASES, Carried, IDENTIFY, IdentityFact, facts_of, folded_email};
pub use self::follow::{LinkBatch, LinkPlace, links_after};
pub use self::graph::IdentityGraph;
pub use self::junk::{MAX_ID_BYTES, is_junk_id};
pub use self::resolve::{
    AskedMerge, IdentityAnswer, IdentityStatus, MOST_ASKED, MOST_CALLS, MOST_CUSTOMERS, MOST_IDS,
    MOST_LINKS, MergeOutcome, resolve,
};
pub use self::standing::{PersonsStanding, are_mappings_due, persons_standing};

/// A typed node of the identity graph; the same text under two kinds is two nodes. `T` is how its text is
/// held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IdentityKey<T = String> {
    /// A PostHog distinct id.
    DistinctId(T),
    /// A PostHog person.
    Person(Uuid),
    /// A customer id of the shop, from one of `customerIdProperties`.
    CustomerId(T),
    /// An anonymous id of the shop, from one of `anonymousIdProperties`.
    AnonymousId(T),
    /// An e-mail address, folded to lower case.
    Email(T),
}

impl<T> IdentityKey<T> {
    /// The same id with its text held in another way.
    pub fn map<U>(self, hold: impl FnOnce(T) -> U) -> IdentityKey<U> {
        match self {
            Self::DistinctId(id) => IdentityKey::DistinctId(hold(id)),
            Self::Person(id) => IdentityKey::Person(id),
            Self::CustomerId(id) => IdentityKey::CustomerId(hold(id)),
            Self::AnonymousId(id) => IdentityKey::AnonymousId(hold(id)),
            Self::Email(address) => IdentityKey::Email(hold(address)),
        }
    }

    /// Its text; a person has none.
    pub fn text(self) -> Option<T> {
        match self {
            Self::Person(_) => None,
            Self::DistinctId(text)
            | Self::CustomerId(text)
            | Self::AnonymousId(text)
            | Self::Email(text) => Some(text),
        }
    }
}

impl<T: AsRef<str>> IdentityKey<T> {
    /// The same id, its text borrowed.
    pub fn borrowed(&self) -> IdentityKey<&str> {
        match self {
            Self::DistinctId(id) => IdentityKey::DistinctId(id.as_ref()),
            Self::Person(id) => IdentityKey::Person(*id),
            Self::CustomerId(id) => IdentityKey::CustomerId(id.as_ref()),
            Self::AnonymousId(id) => IdentityKey::AnonymousId(id.as_ref()),
            Self::Email(address) => IdentityKey::Email(address.as_ref()),
        }
    }
}

/// What a link rests on. `T` is how a property's name is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence<T = String> {
    /// PostHog maps the distinct id to the person.
    PersonMapping,
    /// An event of the distinct id carried the value in this property.
    EventProperty(T),
    /// The distinct id is itself an e-mail address.
    DistinctIdForm,
    /// An `$identify` of the distinct id asked PostHog to merge the other one. That PostHog did so
    /// only the persons of both tell: a refused one is stored alike (POSTHOG.md 7.6).
    Identify,
    /// A `$create_alias` or `$merge_dangerously` of the distinct id asked for it.
    Alias,
}

impl<T> Evidence<T> {
    /// The same evidence with its property's name held in another way.
    pub fn map<U>(self, hold: impl FnOnce(T) -> U) -> Evidence<U> {
        match self {
            Self::PersonMapping => Evidence::PersonMapping,
            Self::EventProperty(property) => Evidence::EventProperty(hold(property)),
            Self::DistinctIdForm => Evidence::DistinctIdForm,
            Self::Identify => Evidence::Identify,
            Self::Alias => Evidence::Alias,
        }
    }
}

impl<T: AsRef<str>> Evidence<T> {
    /// The same evidence, its property's name borrowed.
    pub fn borrowed(&self) -> Evidence<&str> {
        match self {
            Self::PersonMapping => Evidence::PersonMapping,
            Self::EventProperty(property) => Evidence::EventProperty(property.as_ref()),
            Self::DistinctIdForm => Evidence::DistinctIdForm,
            Self::Identify => Evidence::Identify,
            Self::Alias => Evidence::Alias,
        }
    }
}

/// A link from a distinct id to a person, customer id, anonymous id or e-mail, or to another distinct
/// id that PostHog was asked to merge with it. `T` is how its texts are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdentityLink<T = String> {
    /// The distinct id.
    pub distinct_id: T,
    /// What it is linked to. A link to another distinct id joins nothing.
    pub to: IdentityKey<T>,
    /// Why.
    pub evidence: Evidence<T>,
    /// Person mappings: when it was first observed here. Others: the first event's timestamp.
    pub valid_from: Timestamp,
    /// Person mappings: when it was observed to have moved. Others: absent.
    pub valid_to: Option<Timestamp>,
    /// The last time it was observed, or the last event's timestamp.
    pub last_seen: Timestamp,
}

impl IdentityLink<&str> {
    /// The link by itself.
    #[must_use]
    pub fn into_owned(self) -> IdentityLink {
        IdentityLink {
            distinct_id: self.distinct_id.to_owned(),
            to: self.to.map(str::to_owned),
            evidence: self.evidence.map(str::to_owned),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            last_seen: self.last_seen,
        }
    }
}

impl From<IdentityLink> for IdentityFact {
    /// Which link it is, without its times.
    fn from(link: IdentityLink) -> Self {
        Self {
            distinct_id: link.distinct_id,
            to: link.to,
            evidence: link.evidence,
        }
    }
}

/// Which kind of shop id a property carries.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum IdPropertyKind {
    /// Names a customer.
    Customer,
    /// Names an anonymous visitor.
    Anonymous,
}

/// An event property whose value is an id of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdProperty {
    /// What it names.
    pub kind: IdPropertyKind,
    /// The property's name in PostHog.
    pub property: String,
}
