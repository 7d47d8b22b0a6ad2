//! Reading stored events, their changes and their daily counts.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Result;
use crate::connection::ConnectionId;
use crate::event::{Event, EventName};
use crate::mapping::{Candidate, OrderEvidence, StageRule};
use crate::stage::PostHogStage;

/// A stored event with what is derived of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow<T = String> {
    /// The event. `person_id` is the current mapping of its distinct id where there is one,
    /// else what PostHog gave with the row.
    pub event: Event<T>,
    /// The stage it belongs to under the mapping in force.
    pub stage: Option<PostHogStage>,
}

impl<T> EventRow<T> {
    /// Its place in the order of events.
    pub fn key(&self) -> EventKey {
        EventKey {
            timestamp: self.event.timestamp,
            uuid: self.event.uuid,
        }
    }
}

impl EventRow {
    /// The row with texts that are this one's.
    pub fn borrowed(&self) -> EventRow<&str> {
        EventRow {
            event: self.event.with_texts(String::as_str),
            stage: self.stage,
        }
    }
}

impl EventRow<&str> {
    /// The row with texts of its own.
    pub fn to_owned(&self) -> EventRow {
        EventRow {
            event: self.event.with_texts(|text| (*text).to_owned()),
            stage: self.stage,
        }
    }
}

/// A place in the order (timestamp, uuid), ascending by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventKey {
    /// Event timestamp.
    pub timestamp: Timestamp,
    /// Event uuid.
    pub uuid: Uuid,
}

/// Which events to list; all conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventFilter {
    /// First event timestamp within.
    pub from: Option<Timestamp>,
    /// First event timestamp after.
    pub to: Option<Timestamp>,
    /// Any of these names; all when empty.
    pub names: Vec<EventName>,
    /// Any of these stages; mapped or not when empty.
    pub stages: Vec<PostHogStage>,
    /// Of any of these distinct ids, of which there should be few; of all when empty.
    pub distinct_ids: Vec<String>,
    /// Of this PostHog session.
    pub session_id: Option<String>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
}

/// A change of one event, in the order in which followers must apply them.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The change's number: strictly ascending within an epoch, gaps allowed.
    pub seq: i64,
    /// What happened.
    pub kind: ChangeKind,
}

/// What happened to an event.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    /// It is now this.
    Upsert(Box<EventRow>),
    /// It is gone.
    Delete {
        /// Which.
        uuid: Uuid,
    },
}

/// Events of one name on one day of the epoch's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyEventCount {
    /// The day.
    pub day: Date,
    /// The name.
    pub name: EventName,
    /// Distinct events.
    pub events: u64,
}

/// Events of one stage and name on one day of the epoch's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyStageCount {
    /// The day.
    pub day: Date,
    /// The stage.
    pub stage: PostHogStage,
    /// The name.
    pub name: EventName,
    /// Distinct events.
    pub events: u64,
}

/// An event name that the project has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDefinition {
    /// The name.
    pub name: EventName,
    /// When PostHog first saw it, where known.
    pub created_at: Option<Timestamp>,
    /// When PostHog last saw it, where known.
    pub last_seen_at: Option<Timestamp>,
}

/// Reading events.
#[async_trait]
pub trait EventReader: Send + Sync {
    /// Events that pass `filter` in its order, strictly after `after`, `limit` at most, each given to
    /// `take` as it comes in, with the texts as the database sent them: what is done with an event then
    /// costs no time of its own while the database is at the next. On an error some may have been given.
    async fn each_event(
        &self,
        connection: ConnectionId,
        filter: &EventFilter,
        after: Option<EventKey>,
        limit: usize,
        take: &mut (dyn for<'r> FnMut(EventRow<&'r str>) + Send),
    ) -> Result<()>;

    /// [`EventReader::each_event`], all of them at once.
    async fn events(
        &self,
        connection: ConnectionId,
        filter: &EventFilter,
        after: Option<EventKey>,
        limit: usize,
    ) -> Result<Vec<EventRow>> {
        let mut found = Vec::new();
        let mut take = |row: EventRow<&str>| found.push(row.to_owned());
        self.each_event(connection, filter, after, limit, &mut take)
            .await?;
        Ok(found)
    }

    /// Changes after `seq` in ascending order, `limit` at most. Each event is told once: as it is
    /// now, or as gone, at the number of its last change.
    async fn changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Change>>;

    /// Counts of the days `[from, to)` by (day, name); of these names, all when empty.
    async fn daily_event_counts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
        names: &[EventName],
    ) -> Result<Vec<DailyEventCount>>;

    /// Counts of the days `[from, to)` by (day, stage, name).
    async fn daily_stage_counts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<DailyStageCount>>;

    /// How many events have a timestamp in `[from, to)`. The cost grows with their number alone,
    /// however many are stored.
    async fn count_events(
        &self,
        connection: ConnectionId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64>;

    /// Of the `newest` events of the rule's name that have a timestamp of `since` or later, in the order
    /// of events: how many the rule takes, whatever the mapping in force. The cost grows with `newest`
    /// alone.
    async fn count_taken(
        &self,
        connection: ConnectionId,
        rule: &StageRule,
        since: Timestamp,
        newest: usize,
    ) -> Result<u64>;

    /// Definitions by name, strictly after `after`, `limit` at most: those PostHog lists and
    /// those of stored events.
    async fn event_definitions(
        &self,
        connection: ConnectionId,
        after: Option<&EventName>,
        limit: usize,
    ) -> Result<Vec<EventDefinition>>;

    /// What the events since `since` (by timestamp) say for each of `candidates`, in their order
    /// ([`OrderEvidence`]). The cost is bounded whatever is stored.
    async fn order_evidence(
        &self,
        connection: ConnectionId,
        candidates: &[Candidate],
        since: Timestamp,
    ) -> Result<Vec<OrderEvidence>>;

    /// Distinct ids stored with events since (by `created_at`) `since`, strictly after `after`
    /// in byte order, `limit` at most: those whose persons a run re-reads.
    async fn distinct_ids_since(
        &self,
        connection: ConnectionId,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>>;
}
