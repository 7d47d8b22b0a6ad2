//! Cohorts: dynamic ones fill the table `cohort_people`, static ones only `static_cohort_people`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A cohort and its members.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// Its id within the project.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Static cohorts are uploaded lists and are missing from `cohort_people`.
    pub is_static: bool,
    /// Deleted cohorts are listed by no endpoint and no table.
    pub deleted: bool,
    /// Computed versions so far: a dynamic cohort without one has no rows yet.
    pub version: Option<u64>,
    /// Member persons.
    pub people: BTreeSet<Uuid>,
    /// When it was last computed.
    pub last_calculation: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is being computed at the moment.
    pub is_calculating: bool,
    /// How often in a row it could not be computed.
    pub errors_calculating: u32,
    /// Its definition, as the list tells it.
    pub filters: Json,
}

impl Cohort {
    /// A computed dynamic cohort.
    #[must_use]
    pub fn new(id: u64, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            description: String::new(),
            is_static: false,
            deleted: false,
            version: Some(1),
            people: BTreeSet::new(),
            last_calculation: None,
            created_at: Timestamp::UNIX_EPOCH,
            is_calculating: false,
            errors_calculating: 0,
            filters: json!({"properties": {"type": "OR", "values": []}}),
        }
    }

    /// Makes the cohort a static one.
    #[must_use]
    pub fn fixed(mut self) -> Self {
        self.is_static = true;
        self.version = None;
        self
    }

    /// Adds members.
    #[must_use]
    pub fn people(mut self, people: impl IntoIterator<Item = Uuid>) -> Self {
        self.people.extend(people);
        self
    }

    /// Sets the definition.
    #[must_use]
    pub fn filters(mut self, filters: Json) -> Self {
        self.filters = filters;
        self
    }

    /// Computes a dynamic cohort anew, or replaces what was uploaded of a static one.
    pub fn recalculate(&mut self, people: impl IntoIterator<Item = Uuid>, at: Timestamp) {
        self.people = people.into_iter().collect();
        self.last_calculation = Some(at);
        if !self.is_static {
            self.version = Some(self.version.unwrap_or_default() + 1);
        }
    }

    /// Whether the table of this kind of cohort holds its rows.
    pub(crate) fn is_listed(&self) -> bool {
        !self.deleted && (self.is_static || self.version.is_some())
    }
}
