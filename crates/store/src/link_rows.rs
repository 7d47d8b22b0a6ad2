//! Identity links as rows, in every store alike: their order, their places in it, and what a
//! row of either table says.

use domain::event::without_nul;
use domain::identity::{
    Evidence, IdProperty, IdPropertyKind, IdentityFact, IdentityKey, IdentityLink, MAX_ID_BYTES,
};
use domain::storage::{LinkKey, Result, StoreError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fact_rows::{ALIASED, IDENTIFIED, OWN_FORM};
use crate::failures::not_found;
use crate::values::{from_json, instant, instant_or_none, to_json};

/// What a link leads to, as a number: the order of [`IdentityKey`]'s variants.
pub(crate) mod kind {
    pub(crate) const DISTINCT_ID: i64 = 0;
    pub(crate) const PERSON: i64 = 1;
    pub(crate) const CUSTOMER: i64 = 2;
    pub(crate) const ANONYMOUS: i64 = 3;
    pub(crate) const EMAIL: i64 = 4;
}

/// Where a link stands in the order of all; what a [`LinkKey`] holds as JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) distinct_id: String,
    pub(crate) kind: i64,
    /// The value linked to; a person as 32 hexadecimal digits, which sort as its bytes do.
    pub(crate) value: String,
    pub(crate) property: String,
    /// Tells person links of one person apart: they are numbered as they began.
    pub(crate) link: i64,
}

/// A link with its place.
pub(crate) type Placed = (Place, IdentityLink);

/// The first links of those found, in their order; what was found twice is told once.
pub(crate) fn first_links(mut found: Vec<Placed>, limit: usize) -> Vec<IdentityLink> {
    // Found in a few lists that are sorted, which a stable sort merges.
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found.dedup_by(|(one, _), (other, _)| one == other);
    let first = found.into_iter().take(limit);
    first.map(|(_, link)| link).collect()
}

impl Place {
    /// The key that names this place to the outside. Keys travel in tokens, which are short: where a
    /// distinct id is too long for one, the number of its person link stands for it. Facts of such an
    /// id there are none.
    pub(crate) fn key(&self) -> Result<LinkKey> {
        if self.distinct_id.len() <= MAX_ID_BYTES {
            return to_json(self).map(LinkKey);
        }
        to_json(&Self {
            distinct_id: String::new(),
            ..self.clone()
        })
        .map(LinkKey)
    }

    /// The place that a key names, but for the distinct id where [`Place::lacks_id`].
    pub(crate) fn of(key: &LinkKey) -> Result<Self> {
        serde_json::from_str(&key.0).map_err(|_| no_such_place())
    }

    /// Whether its distinct id is that of its person link, and must be looked up.
    pub(crate) fn lacks_id(&self) -> bool {
        self.distinct_id.is_empty() && self.link > 0
    }
}

/// The error of a key that names no place.
pub(crate) fn no_such_place() -> StoreError {
    not_found("that place in the list of links")
}

/// What each property names, by name; among them what stands for the distinct id's own form and for
/// merges asked for. One property may name both a customer and an anonymous visitor.
pub(crate) fn kinds_of(properties: Vec<IdProperty>) -> Vec<(String, i64)> {
    let mut kinds: Vec<(String, i64)> = properties
        .into_iter()
        .map(|IdProperty { kind, property }| match kind {
            IdPropertyKind::Customer => (property, kind::CUSTOMER),
            IdPropertyKind::Anonymous => (property, kind::ANONYMOUS),
        })
        .collect();
    kinds.push((OWN_FORM.to_owned(), kind::EMAIL));
    kinds.push((IDENTIFIED.to_owned(), kind::DISTINCT_ID));
    kinds.push((ALIASED.to_owned(), kind::DISTINCT_ID));
    kinds.sort();
    kinds.dedup();
    kinds
}

/// The properties that name customers.
pub(crate) fn customer_properties(kinds: &[(String, i64)]) -> Vec<&str> {
    let customers = kinds.iter().filter(|(_, kind)| *kind == kind::CUSTOMER);
    customers.map(|(property, _)| property.as_str()).collect()
}

/// The properties that name customers, of an epoch's properties as JSON.
pub(crate) fn customers_of(id_properties: &str) -> Result<Vec<String>> {
    let kinds = kinds_of(from_json(id_properties)?);
    let customers = customer_properties(&kinds).into_iter();
    Ok(customers.map(|it| without_nul(it).into_owned()).collect())
}

/// A row of person links.
pub(crate) struct PersonRow {
    pub(crate) link: i64,
    pub(crate) distinct_id: String,
    pub(crate) person_id: Uuid,
    pub(crate) valid_from: i64,
    pub(crate) valid_to: Option<i64>,
    pub(crate) last_seen: i64,
}

impl PersonRow {
    /// The link it is. A current one was last seen when all mappings were last read.
    pub(crate) fn placed(self, persons_read_at: Option<i64>) -> Result<Placed> {
        let last_seen = match self.valid_to {
            None => self
                .last_seen
                .max(persons_read_at.unwrap_or(self.last_seen)),
            Some(_) => self.last_seen,
        };
        let place = Place {
            distinct_id: self.distinct_id.clone(),
            kind: kind::PERSON,
            value: self.person_id.simple().to_string(),
            property: String::new(),
            link: self.link,
        };
        let link = IdentityLink {
            distinct_id: self.distinct_id,
            to: IdentityKey::Person(self.person_id),
            evidence: Evidence::PersonMapping,
            valid_from: instant(self.valid_from)?,
            valid_to: instant_or_none(self.valid_to)?,
            last_seen: instant(last_seen)?,
        };
        Ok((place, link))
    }
}

/// What the columns of a fact say.
pub(crate) fn fact(distinct_id: &str, kind: i64, property: &str, value: &str) -> IdentityFact {
    let value = value.to_owned();
    IdentityFact {
        distinct_id: distinct_id.to_owned(),
        to: match kind {
            kind::DISTINCT_ID => IdentityKey::DistinctId(value),
            kind::CUSTOMER => IdentityKey::CustomerId(value),
            kind::ANONYMOUS => IdentityKey::AnonymousId(value),
            _ => IdentityKey::Email(value),
        },
        evidence: match property {
            OWN_FORM => Evidence::DistinctIdForm,
            IDENTIFIED => Evidence::Identify,
            ALIASED => Evidence::Alias,
            property => Evidence::EventProperty(property.to_owned()),
        },
    }
}

/// A row of identity facts, joined with what its property names.
pub(crate) struct FactRow {
    pub(crate) distinct_id: String,
    pub(crate) kind: i64,
    pub(crate) value: String,
    pub(crate) property: String,
    pub(crate) first_seen: i64,
    pub(crate) last_seen: i64,
}

impl FactRow {
    /// The link it is.
    pub(crate) fn placed(self) -> Result<Placed> {
        let fact = fact(&self.distinct_id, self.kind, &self.property, &self.value);
        let link = IdentityLink {
            distinct_id: fact.distinct_id,
            to: fact.to,
            evidence: fact.evidence,
            valid_from: instant(self.first_seen)?,
            valid_to: None,
            last_seen: instant(self.last_seen)?,
        };
        let place = Place {
            distinct_id: self.distinct_id,
            kind: self.kind,
            value: self.value,
            property: self.property,
            link: 0,
        };
        Ok((place, link))
    }
}
