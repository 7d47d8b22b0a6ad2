//! Who is who: links between PostHog's ids, persons and the shop's customers, with evidence.

mod facts;
mod follow;
mod junk;
mod resolve;
mod standing;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::facts::{ALIASES, Carried, IDENTIFY, IdentityFact, facts_of, folded_email};
pub use self::follow::{LinkBatch, LinkPlace, links_after};
pub use self::junk::{MAX_ID_BYTES, is_junk_id};
pub use self::resolve::{
    AskedMerge, IdentityAnswer, IdentityStatus, MOST_ASKED, MOST_CALLS, MOST_CUSTOMERS, MOST_IDS,
    MOST_LINKS, MergeOutcome, resolve,
};
pub use self::standing::{PersonsStanding, are_mappings_due, persons_standing};

/// A typed node of the identity graph; the same text under two kinds is two nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IdentityKey {
    /// A PostHog distinct id.
    DistinctId(String),
    /// A PostHog person.
    Person(Uuid),
    /// A customer id of the shop, from one of `customerIdProperties`.
    CustomerId(String),
    /// An anonymous id of the shop, from one of `anonymousIdProperties`.
    AnonymousId(String),
    /// An e-mail address, folded to lower case.
    Email(String),
}

impl IdentityKey {
    /// The distinct id, if it is one.
    pub(crate) fn distinct_id(&self) -> Option<&str> {
        match self {
            Self::DistinctId(id) => Some(id),
            _ => None,
        }
    }
}

/// What a link rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// PostHog maps the distinct id to the person.
    PersonMapping,
    /// An event of the distinct id carried the value in this property.
    EventProperty(String),
    /// The distinct id is itself an e-mail address.
    DistinctIdForm,
    /// An `$identify` of the distinct id asked PostHog to merge the other one. That PostHog did so
    /// only the persons of both tell: a refused one is stored alike (POSTHOG.md 7.6).
    Identify,
    /// A `$create_alias` or `$merge_dangerously` of the distinct id asked for it.
    Alias,
}

/// A link from a distinct id to a person, customer id, anonymous id or e-mail, or to another distinct
/// id that PostHog was asked to merge with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdentityLink {
    /// The distinct id.
    pub distinct_id: String,
    /// What it is linked to. A link to another distinct id joins nothing.
    pub to: IdentityKey,
    /// Why.
    pub evidence: Evidence,
    /// Person mappings: when it was first observed here. Others: the first event's timestamp.
    pub valid_from: Timestamp,
    /// Person mappings: when it was observed to have moved. Others: absent.
    pub valid_to: Option<Timestamp>,
    /// The last time it was observed, or the last event's timestamp.
    pub last_seen: Timestamp,
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
