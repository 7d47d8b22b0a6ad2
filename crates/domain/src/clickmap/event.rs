//! Stored events as far as clickmaps look at them.

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::{Event, EventName};

/// The events that may tell of a click: some of [`crate::event::AUTOCAPTURE_EVENTS`].
pub const CLICK_EVENTS: [&str; 3] = ["$autocapture", "$rageclick", "$dead_click"];

/// Whether an event of that name may tell of a click.
pub fn is_click_event(event: &EventName) -> bool {
    CLICK_EVENTS.contains(&event.as_str())
}

/// One of [`CLICK_EVENTS`], with the columns of [`Event`] of the same names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickEvent {
    /// The event's id.
    pub uuid: Uuid,
    /// When, by the sender's clock.
    pub timestamp: Timestamp,
    /// Its name.
    pub event: EventName,
    /// `$event_type`.
    pub event_type: Option<String>,
    /// Who clicked.
    pub distinct_id: String,
    /// `$session_id`.
    pub session_id: Option<String>,
    /// `$window_id`.
    pub window_id: Option<String>,
    /// The page's path.
    pub path: Option<String>,
    /// `$device_type`.
    pub device_type: Option<String>,
    /// What was clicked.
    pub elements_chain: Option<String>,
}

impl From<&Event> for ClickEvent {
    fn from(event: &Event) -> Self {
        Self {
            uuid: event.uuid,
            timestamp: event.timestamp,
            event: event.event.clone(),
            event_type: event.event_type.clone(),
            distinct_id: event.distinct_id.clone(),
            session_id: event.session_id.clone(),
            window_id: event.window_id.clone(),
            path: event.path.clone(),
            device_type: event.device_type.clone(),
            elements_chain: event.elements_chain.clone(),
        }
    }
}
