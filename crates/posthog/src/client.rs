//! The client of one PostHog project.

use std::sync::Arc;

use domain::check::{LatestEvent, ProjectSummary};
use domain::event::{Event, EventName};
use domain::identity::IdProperty;
use domain::mapping::KnownEvent;
use domain::storage::EventDefinition;
use domain::storage::PersonMapping;
use domain::sync::{Arrivals, RunTotals, Slice, SliceCursor, Window};
use domain::{ApiHost, ApiKey, ProjectId};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::error::Error;
use crate::gate::Gate;
use crate::http::Http;

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

/// One answer within a slice.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// The rows, ordered by (timestamp, text of uuid).
    pub events: Vec<Event>,
    /// Where to go on; none when the slice is read to its end.
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
    config: Arc<ClientConfig>,
}

impl Client {
    /// A client; nothing is asked yet.
    pub fn new(config: ClientConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }

    /// The host that is asked.
    pub fn host(&self) -> &ApiHost {
        &self.config.host
    }

    /// The project that is read.
    pub fn project_id(&self) -> ProjectId {
        self.config.project
    }

    /// Requests, bytes received and bytes read since the client was made; the other fields are 0.
    pub fn cost(&self) -> RunTotals {
        RunTotals::default()
    }

    /// What PostHog says of the key; works with every valid key, whatever its scopes.
    ///
    /// # Errors
    /// [`Error::InvalidApiKey`] first of all.
    pub async fn key_info(&self) -> Result<KeyInfo, Error> {
        Err(unfinished())
    }

    /// The project behind the connection; needs `project:read`.
    ///
    /// # Errors
    /// [`Error::ProjectNotFound`], [`Error::NoProjectAccess`], [`Error::MissingScope`] among others.
    pub async fn project(&self) -> Result<ProjectSummary, Error> {
        Err(unfinished())
    }

    /// The newest event not after `now`; none when there is none at all.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn latest_event(&self, now: Timestamp) -> Result<Option<LatestEvent>, Error> {
        let _ = now;
        Err(unfinished())
    }

    /// The names of the events in `[from, to)` and how many rows carry each.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn known_events(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<KnownEvent>, Error> {
        let _ = (from, to);
        Err(unfinished())
    }

    /// Every event definition of the project; needs `event_definition:read`.
    ///
    /// # Errors
    /// [`Error::MissingScope`] among others.
    pub async fn event_definitions(&self) -> Result<Vec<EventDefinition>, Error> {
        Err(unfinished())
    }

    /// Up to 100 paths of `$pageview`s in `[from, to)` whose URL contains `/products/`, most viewed
    /// first, for the caller to test by its own pattern.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn product_page_paths(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, Error> {
        let _ = (from, to);
        Err(unfinished())
    }

    /// Rows by UTC day and event, of the window and, in the same query, of what arrived late:
    /// timestamp in `[min(window.from, arrivals.from), window.to)` and (timestamp not before
    /// `window.from` or `created_at` not before `arrivals.since`).
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn count_cells(
        &self,
        window: Window,
        arrivals: Option<Arrivals>,
    ) -> Result<Vec<Cell>, Error> {
        let _ = (window, arrivals);
        Err(unfinished())
    }

    /// The rows of a slice after a place in it, at most one answer's worth.
    ///
    /// # Errors
    /// Any of a query's; [`Error::Malformed`] names the row's problem when a row cannot be kept
    /// whole, and nothing of the page is used.
    pub async fn page(
        &self,
        slice: &Slice,
        after: Option<SliceCursor>,
    ) -> Result<EventPage, Error> {
        let _ = (slice, after);
        Err(unfinished())
    }

    /// The persons of these distinct ids; ids without a person are not among the answers.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn persons_of(&self, distinct_ids: &[String]) -> Result<Vec<PersonMapping>, Error> {
        let _ = distinct_ids;
        Err(unfinished())
    }

    /// Moved distinct ids with their present persons, after a distinct id in byte order.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn person_overrides(&self, after: Option<&str>) -> Result<MappingPage, Error> {
        let _ = after;
        Err(unfinished())
    }

    /// All distinct ids with their persons, after a distinct id in byte order.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn person_mappings(&self, after: Option<&str>) -> Result<MappingPage, Error> {
        let _ = after;
        Err(unfinished())
    }

    /// Distinct events of each UTC day of `[from, to)` by the winner rule; days without events are
    /// not among the answers.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn recount(&self, from: Date, to: Date) -> Result<Vec<(Date, u64)>, Error> {
        let _ = (from, to);
        Err(unfinished())
    }

    /// The uuids whose winning row lies on a UTC day, after a uuid in text order.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn uuids_of_day(&self, day: Date, after: Option<Uuid>) -> Result<UuidPage, Error> {
        let _ = (day, after);
        Err(unfinished())
    }
}

fn unfinished() -> Error {
    Error::Setup {
        reason: "the client is being written".to_owned(),
    }
}
