//! One PostHog event as it is kept here, and which of several rows with one uuid wins.

mod nul;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::nul::without_nul;

/// A PostHog event name, exactly as stored there: case and whitespace matter. 1 to 400 characters
/// when written in a mapping; what PostHog sends is kept whatever its length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventName(Box<str>);

impl EventName {
    /// The name as PostHog spells it.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether PostHog's autocapture made the event, so that it carries an elements chain
    /// (POSTHOG.md 7.7).
    pub fn is_autocapture(&self) -> bool {
        AUTOCAPTURE_EVENTS.contains(&self.as_str())
    }
}

impl std::fmt::Display for EventName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<EventName> for String {
    fn from(value: EventName) -> Self {
        value.0.into()
    }
}

impl From<&str> for EventName {
    fn from(value: &str) -> Self {
        Self(value.into())
    }
}

/// The events whose `elements_chain` is worth its bytes.
pub const AUTOCAPTURE_EVENTS: [&str; 4] = [
    "$autocapture",
    "$rageclick",
    "$dead_click",
    "$copy_autocapture",
];

/// An event with every column that is kept; nothing else of PostHog's properties is.
/// Text columns hold PostHog's text unchanged, but for NUL ([`without_nul`]); absent and null are
/// `None`. They are a `T`: a `&str` where they only pass by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event<T = String> {
    /// PostHog's event id; client-supplied, so only unique in intent.
    pub uuid: Uuid,
    /// The event's name.
    pub event: EventName,
    /// Who did it, as the sender said: the fact from which persons are derived.
    pub distinct_id: T,
    /// The person PostHog gave when the row was read; may move with later merges.
    pub person_id: Option<Uuid>,
    /// When it happened by the sender's clock; microseconds.
    pub timestamp: Timestamp,
    /// When PostHog took it in; microseconds.
    pub created_at: Timestamp,
    /// `$session_id`: a context key for trails, never counted.
    pub session_id: Option<T>,
    /// `$window_id`.
    pub window_id: Option<T>,
    /// Host of `$current_url`, else `$host`.
    pub host: Option<T>,
    /// Path of `$current_url`, else `$pathname`: without query and fragment, otherwise as sent.
    pub path: Option<T>,
    /// `$referrer`.
    pub referrer: Option<T>,
    /// `utm_source`.
    pub utm_source: Option<T>,
    /// `utm_medium`.
    pub utm_medium: Option<T>,
    /// `utm_campaign`.
    pub utm_campaign: Option<T>,
    /// `utm_content`.
    pub utm_content: Option<T>,
    /// `utm_term`.
    pub utm_term: Option<T>,
    /// `$device_type`.
    pub device_type: Option<T>,
    /// The autocaptured element and its ancestors; only for [`AUTOCAPTURE_EVENTS`].
    pub elements_chain: Option<T>,
    /// `$event_type`, what was done to the element: `click`, `submit` or `change`; only for
    /// [`AUTOCAPTURE_EVENTS`].
    pub event_type: Option<T>,
    /// `$anon_distinct_id` of an `$identify`.
    pub anon_distinct_id: Option<T>,
    /// `alias` of a `$create_alias` or `$merge_dangerously`.
    pub alias: Option<T>,
    /// `product_id`.
    pub product_id: Option<T>,
    /// `sku`.
    pub sku: Option<T>,
    /// `price`, the decimal text as sent.
    pub price: Option<T>,
    /// `currency`.
    pub currency: Option<T>,
    /// `quantity`, the decimal text as sent.
    pub quantity: Option<T>,
    /// `cart_id`.
    pub cart_id: Option<T>,
    /// The connection's configured identity properties that the event carries, by property name.
    pub id_properties: BTreeMap<String, String>,
}

impl Event {
    /// What decides among rows of one uuid: the greatest (created_at, timestamp, event,
    /// distinct_id) wins, in whatever order rows arrive.
    pub fn precedence(&self) -> (Timestamp, Timestamp, &str, &str) {
        (
            self.created_at,
            self.timestamp,
            self.event.as_str(),
            &self.distinct_id,
        )
    }
}

impl<T> Event<T> {
    /// The event with each text as `text` makes it.
    pub fn with_texts<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> Event<U> {
        let some = |given: &'a Option<T>| given.as_ref().map(&text);
        Event {
            uuid: self.uuid,
            event: self.event.clone(),
            distinct_id: text(&self.distinct_id),
            person_id: self.person_id,
            timestamp: self.timestamp,
            created_at: self.created_at,
            session_id: some(&self.session_id),
            window_id: some(&self.window_id),
            host: some(&self.host),
            path: some(&self.path),
            referrer: some(&self.referrer),
            utm_source: some(&self.utm_source),
            utm_medium: some(&self.utm_medium),
            utm_campaign: some(&self.utm_campaign),
            utm_content: some(&self.utm_content),
            utm_term: some(&self.utm_term),
            device_type: some(&self.device_type),
            elements_chain: some(&self.elements_chain),
            event_type: some(&self.event_type),
            anon_distinct_id: some(&self.anon_distinct_id),
            alias: some(&self.alias),
            product_id: some(&self.product_id),
            sku: some(&self.sku),
            price: some(&self.price),
            currency: some(&self.currency),
            quantity: some(&self.quantity),
            cart_id: some(&self.cart_id),
            id_properties: self.id_properties.clone(),
        }
    }
}

/// The winner of each uuid in `rows`, in the order of uuids, and how many rows lost.
pub fn keep_winners(rows: Vec<Event>) -> (impl Iterator<Item = Event>, usize) {
    // Rows are wide: their places are sorted, and each winner is moved once, when it is asked for.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&rows[a], &rows[b]);
        (a.uuid, b.precedence()).cmp(&(b.uuid, a.precedence()))
    });
    order.dedup_by_key(|&mut index| rows[index].uuid);
    let lost = rows.len() - order.len();
    let mut rows: Vec<Option<Event>> = rows.into_iter().map(Some).collect();
    let winners = order
        .into_iter()
        .filter_map(move |index| rows[index].take());
    (winners, lost)
}

#[cfg(test)]
pub(crate) mod tests;
