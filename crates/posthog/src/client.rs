//! The client of one PostHog project.

mod cohorts;
mod connect;
mod counts;
mod definitions;
mod exports;
mod pages;
mod persons;

use std::sync::Arc;

pub use self::cohorts::{CohortList, MemberPage};
pub use self::exports::{ExportFile, ExportState};
use domain::event::{Event, EventName};
use domain::identity::IdProperty;
use domain::storage::PersonMapping;
use domain::sync::{RunTotals, SliceCursor};
use domain::{ApiHost, ApiKey, ProjectId};
use jiff::SignedDuration;
use jiff::civil::Date;
use uuid::Uuid;

use crate::gate::Gate;
use crate::http::Http;
use crate::transport::Transport;

/// The most rows PostHog returns for one query; larger limits are clamped without notice
/// (POSTHOG.md 5.4).
pub const MAX_ROWS: usize = 50_000;

/// Whom to ask, as whom, and through which gate.
#[derive(Clone)]
pub struct ClientConfig {
    /// The host, after mapping ingestion hosts.
    pub host: ApiHost,
    /// The project.
    pub project: ProjectId,
    /// The personal API key.
    pub key: ApiKey,
    /// The shared HTTP client.
    pub http: Http,
    /// The shared budget.
    pub gate: Arc<dyn Gate>,
    /// Whether autocapture's events are read with what was clicked.
    pub reads_elements: bool,
    /// The properties whose values are read as identities, in the order of [`Event::id_properties`].
    pub id_properties: Vec<IdProperty>,
}

/// What PostHog says of the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// The label its owner gave it.
    pub label: String,
    /// PostHog's own masked form, such as `phx_...abcd`.
    pub masked_value: String,
    /// Scopes as PostHog lists them; `*` alone for a key without a list. Empty means nothing allowed.
    pub scopes: Vec<String>,
    /// The projects it is confined to; none when it is not confined.
    pub scoped_teams: Option<Vec<i64>>,
}

/// Rows of one event on one UTC day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The UTC day of the rows' timestamps.
    pub day: Date,
    /// The event.
    pub event: EventName,
    /// Rows, duplicates included.
    pub rows: u64,
}

/// Some rows of a slice, which follow each other there.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// The rows, ordered by (timestamp, text of uuid).
    pub events: Vec<Event>,
    /// The place after which to go on; none when the slice ends with these rows.
    pub more: Option<SliceCursor>,
}

/// One answer of person mappings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingPage {
    /// The mappings, ordered by distinct id in byte order.
    pub mappings: Vec<PersonMapping>,
    /// The distinct id after which to go on; none at the end.
    pub next: Option<String>,
}

/// One answer of uuids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UuidPage {
    /// The uuids, ordered by their text.
    pub uuids: Vec<Uuid>,
    /// The uuid after which to go on; none at the end.
    pub next: Option<Uuid>,
}

/// The client of one PostHog project; cheap to clone, clones share the cost counters.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
    page_rows: usize,
}

impl Client {
    /// A client; nothing is asked yet.
    pub fn new(config: ClientConfig) -> Self {
        Self {
            transport: Arc::new(Transport::new(config)),
            page_rows: MAX_ROWS,
        }
    }

    /// The same client with smaller answers: at most so many rows in each, from 2 (less cannot tell
    /// where a page of events ends) to [`MAX_ROWS`]. A recount's days always come in one answer.
    #[must_use]
    pub fn with_page_rows(mut self, rows: usize) -> Self {
        self.page_rows = rows.clamp(2, MAX_ROWS);
        self
    }

    /// The most rows of one answer to a query that can be read on from.
    pub fn page_rows(&self) -> usize {
        self.page_rows
    }

    /// The host that is asked.
    pub fn host(&self) -> &ApiHost {
        &self.transport.config.host
    }

    /// The project that is read.
    pub fn project_id(&self) -> ProjectId {
        self.transport.config.project
    }

    /// Requests, bytes received and bytes read since the client was made; the other fields are 0.
    pub fn cost(&self) -> RunTotals {
        self.transport.cost.totals()
    }

    /// Bytes that queries of this project may still read, as PostHog last said (POSTHOG.md 5.7).
    pub fn budget_left(&self) -> Option<u64> {
        self.transport.cost.budget_left()
    }

    /// Waits, but not for long, until the gate has back every place that requests of this client held:
    /// those that were dropped midway leave theirs a moment later.
    pub async fn settled(&self) {
        self.transport.config.gate.settled().await;
    }

    /// How far this machine's clock is ahead of PostHog's (negative: behind), to the second, by the
    /// latest answer.
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        self.transport.skew.get()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("host", self.host())
            .field("project", &self.project_id())
            .finish_non_exhaustive()
    }
}
