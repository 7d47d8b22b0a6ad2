//! One row of PostHog's events table. Two rows with one uuid are legal: ClickHouse merges lazily.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::property::{Name, Properties, Property};

/// One stored event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Identifies the event; not unique by itself.
    pub uuid: Uuid,
    /// The event's name.
    pub event: Name,
    /// Who sent it.
    pub distinct_id: Arc<str>,
    /// The person at ingestion; `Project::capture` fills it. Overrides may move it when it is read.
    pub person_id: Uuid,
    /// When it happened, to the microsecond.
    pub timestamp: Timestamp,
    /// When PostHog's ingestion worker processed it: the arrival clock.
    pub created_at: Timestamp,
    /// Its properties.
    pub properties: Properties,
    /// The clicked element and its ancestors; only autocapture kinds have one.
    pub elements_chain: Arc<str>,
}

impl Event {
    /// An event that arrived two seconds after it happened, with a fresh uuid and no person yet.
    #[must_use]
    pub fn new(event: &str, distinct_id: &str, timestamp: Timestamp) -> Self {
        Self {
            uuid: Uuid::now_v7(),
            event: Name::of(event),
            distinct_id: distinct_id.into(),
            person_id: Uuid::nil(),
            timestamp,
            created_at: timestamp
                .saturating_add(SignedDuration::from_secs(2))
                .unwrap_or(timestamp),
            properties: Properties::new(),
            elements_chain: Arc::default(),
        }
    }

    /// Sets the uuid.
    #[must_use]
    pub fn uuid(mut self, uuid: Uuid) -> Self {
        self.uuid = uuid;
        self
    }

    /// Sets the time of arrival.
    #[must_use]
    pub fn created_at(mut self, at: Timestamp) -> Self {
        self.created_at = at;
        self
    }

    /// Sets the person at ingestion, for events that are inserted rather than captured.
    #[must_use]
    pub fn person_id(mut self, person: Uuid) -> Self {
        self.person_id = person;
        self
    }

    /// Sets one property.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Property>) -> Self {
        self.properties.set(Name::of(name), value);
        self
    }

    /// Sets the elements chain.
    #[must_use]
    pub fn elements_chain(mut self, chain: impl Into<Arc<str>>) -> Self {
        self.elements_chain = chain.into();
        self
    }
}
