//! Event definitions: the names a project has ever seen, derived from its events unless declared.

use jiff::Timestamp;
use uuid::Uuid;

/// What the event_definitions endpoint says about one event name.
#[derive(Debug, Clone)]
pub struct EventDefinition {
    /// Its id.
    pub id: Uuid,
    /// The event's name.
    pub name: String,
    /// When the name was first seen.
    pub created_at: Timestamp,
    /// When the name was last seen.
    pub last_seen_at: Option<Timestamp>,
    /// Hidden by a member of the project.
    pub hidden: bool,
    /// Tags given by members of the project.
    pub tags: Vec<String>,
}

impl EventDefinition {
    /// A definition that nobody touched. Its id follows from the name, so it stays the same.
    #[must_use]
    pub fn new(name: &str, created_at: Timestamp, last_seen_at: Option<Timestamp>) -> Self {
        Self {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
            name: name.to_owned(),
            created_at,
            last_seen_at,
            hidden: false,
            tags: Vec::new(),
        }
    }
}
