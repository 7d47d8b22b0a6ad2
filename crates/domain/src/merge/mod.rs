//! The heart of storing a page: which rows win, and by how much the counts and identity facts
//! move. Pure, and the same for every store.

mod deltas;
mod fact_deltas;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

pub use self::deltas::{Deltas, EventDelta, StageDelta};
pub use self::fact_deltas::FactDelta;
use crate::day::DayEdges;
use crate::event::{Event, EventName, keep_winners};
use crate::identity::{Carried, IdProperty};
use crate::mapping::Mapping;
use crate::stage::PostHogStage;
use crate::storage::PageOutcome;

/// What must be known of a stored event to decide against it and to take its effects back.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// The event's id.
    pub uuid: Uuid,
    /// As stored.
    pub created_at: Timestamp,
    /// As stored.
    pub timestamp: Timestamp,
    /// As stored.
    pub event: EventName,
    /// As stored.
    pub distinct_id: String,
    /// The stage by which it is counted now.
    pub stage: Option<PostHogStage>,
    /// As stored; of no more properties than the identity facts rest on.
    pub id_properties: BTreeMap<String, String>,
    /// As stored.
    pub anon_distinct_id: Option<String>,
    /// As stored.
    pub alias: Option<String>,
}

impl StoredRow {
    /// The same order as [`Event::precedence`].
    pub fn precedence(&self) -> (Timestamp, Timestamp, &str, &str) {
        (
            self.created_at,
            self.timestamp,
            self.event.as_str(),
            &self.distinct_id,
        )
    }

    /// What of it says who is who.
    pub fn carried(&self) -> Carried<'_> {
        Carried {
            event: self.event.as_str(),
            distinct_id: &self.distinct_id,
            anon_distinct_id: self.anon_distinct_id.as_deref(),
            alias: self.alias.as_deref(),
            values: &self.id_properties,
        }
    }
}

/// By what an event's stage, day and identity facts are decided: the epoch's own, the same for
/// rows taken out as for rows put in.
#[derive(Debug, Clone, Copy)]
pub struct Placement<'a> {
    /// The epoch's mapping.
    pub mapping: &'a Mapping,
    /// The days of the epoch's time zone, best covering the page.
    pub days: &'a DayEdges,
    /// The connection's identity properties.
    pub id_properties: &'a [IdProperty],
}

/// An event to write, with what is derived of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedEvent {
    /// The event.
    pub event: Event,
    /// The day it counts on.
    pub day: Date,
    /// The stage it counts for.
    pub stage: Option<PostHogStage>,
}

/// What a page changes. All lists are empty when the page was stored before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merged {
    /// Events that were not there, by uuid.
    pub inserts: Vec<PlacedEvent>,
    /// Events whose stored row they replace whole, by uuid.
    pub replacements: Vec<PlacedEvent>,
    /// Replaced rows that were stamped later than what replaces them. A follower who has not heard of
    /// that holds the later one still when retention takes the earlier, of which nothing is told: it
    /// must hear for as long as it may hold the row.
    pub moved_back: Vec<StoredRow>,
    /// How the counts and facts move.
    pub deltas: Deltas,
    /// The row counters.
    pub outcome: PageOutcome,
}

/// Merges a page's `events` into `stored`, the rows stored under their uuids (others are allowed
/// and ignored). Of several rows of one uuid the greatest by [`Event::precedence`] stays; of equal
/// ones the stored one. Events stamped before `late_before` that were not there count as late.
/// A NUL in a text becomes U+FFFD before anything is compared.
pub fn merge(
    stored: &[StoredRow],
    mut events: Vec<Event>,
    placement: &Placement<'_>,
    late_before: Timestamp,
) -> Merged {
    events.iter_mut().for_each(Event::replace_nul);
    let by_uuid: HashMap<Uuid, &StoredRow> = stored.iter().map(|row| (row.uuid, row)).collect();
    let (winners, lost) = keep_winners(events);
    let mut outcome = PageOutcome {
        duplicates: lost as u64,
        ..PageOutcome::default()
    };
    let mut inserts = Vec::new();
    let mut replacements = Vec::new();
    let mut replaced = Vec::new();
    let mut moved_back = Vec::new();
    for event in winners {
        match by_uuid.get(&event.uuid) {
            None => {
                outcome.stored += 1;
                outcome.late += u64::from(event.timestamp < late_before);
                inserts.push(placement.place(event));
            }
            Some(row) if event.precedence() > row.precedence() => {
                outcome.updated += 1;
                if event.timestamp < row.timestamp {
                    moved_back.push((*row).clone());
                }
                replaced.push(*row);
                replacements.push(placement.place(event));
            }
            Some(_) => outcome.duplicates += 1,
        }
    }
    let deltas = Deltas::between(
        replaced,
        inserts.iter().chain(&replacements),
        placement.days,
        placement.id_properties,
    );
    Merged {
        inserts,
        replacements,
        moved_back,
        deltas,
        outcome,
    }
}

impl Placement<'_> {
    /// Decides an event's day and stage.
    pub fn place(&self, event: Event) -> PlacedEvent {
        PlacedEvent {
            day: self.days.day_of(event.timestamp),
            stage: self
                .mapping
                .stage_of(event.event.as_str(), event.path.as_deref()),
            event,
        }
    }
}

#[cfg(test)]
mod tests;
