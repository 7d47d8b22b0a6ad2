//! Persons and the distinct ids that lead to them.

use jiff::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

use super::property::Properties;

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// The person's id.
    pub id: Uuid,
    /// The first time PostHog saw the person; a merge keeps the earliest.
    pub created_at: Timestamp,
    /// Person properties (`$set`).
    pub properties: Arc<Properties>,
    /// Whether an `$identify` named the person.
    pub is_identified: bool,
    /// The distinct ids that lead to the person.
    pub distinct_ids: Vec<Arc<str>>,
}

/// Where a distinct id leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonLink {
    /// The person.
    pub person_id: Uuid,
    /// Counts the moves of this distinct id; PostHog keeps the greatest.
    pub version: u64,
}
