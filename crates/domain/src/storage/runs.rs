//! Runs: one at a time for a connection, page by page, resumable at the last page.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use std::time::Duration;
use uuid::Uuid;

use super::{EventDefinition, Result};
use crate::backfill_way::Way;
use crate::connection::ConnectionId;
use crate::event::Event;
use crate::mapping::Mapping;
use crate::sync::{Arrivals, RunTotals, Slice, SliceCursor, SyncMode, Window};

/// The right to write a connection's rows, until it expires or another takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Whose rows.
    pub connection: ConnectionId,
    /// Goes up with each holder; every write checks it.
    pub fence: i64,
}

/// A run's id: UUIDv7, so that ids sort by start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub Uuid);

/// A run about to begin, with its plan.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Why it reads.
    pub mode: SyncMode,
    /// What it must have read.
    pub window: Window,
    /// What it reads beyond.
    pub arrivals: Option<Arrivals>,
    /// When it began, by our clock.
    pub started_at: Timestamp,
    /// By which way a backfill reads; absent of a refresh, which asks queries.
    pub way: Option<Way>,
    /// Its plan, in the order in which it is read.
    pub slices: Vec<Slice>,
}

/// A run that has begun and not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    /// Its id.
    pub id: RunId,
    /// As it began; `slices` is empty here.
    pub run: NewRun,
    /// What is left of its plan, in order.
    pub pending: Vec<PendingSlice>,
    /// Slices that are done.
    pub done: usize,
    /// What it has done so far.
    pub totals: RunTotals,
}

/// A slice of an open run that is not done.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingSlice {
    /// Its number within the run.
    pub number: i64,
    /// What to read.
    pub slice: Slice,
    /// Where to go on, when part of it is stored.
    pub cursor: Option<SliceCursor>,
}

/// What a page moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SliceAdvance {
    /// The slice is stored up to here.
    To(SliceCursor),
    /// The slice is stored whole.
    Done,
}

/// One page of a slice.
#[derive(Debug, Clone)]
pub struct Page {
    /// The run.
    pub run: RunId,
    /// The slice's number.
    pub slice: i64,
    /// Where it stands after this page.
    pub advance: SliceAdvance,
    /// The rows as PostHog sent them, duplicates included.
    pub events: Vec<Event>,
    /// Events stamped before this count as late.
    pub late_before: Timestamp,
    /// Requests and bytes that this page cost, added to the run's totals; the row counters are
    /// computed by the store and must be zero here.
    pub cost: RunTotals,
}

/// What storing one page did. A page applied twice does nothing the second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageOutcome {
    /// Events that were not there.
    pub stored: u64,
    /// Stored events that a greater row replaced.
    pub updated: u64,
    /// Rows that lost or were there already, or are an erased person's.
    pub duplicates: u64,
    /// Of `stored`: stamped before the window.
    pub late: u64,
}

impl PageOutcome {
    /// The page's rows: each is stored, updates a stored one, or is a duplicate.
    pub fn rows(&self) -> u64 {
        self.stored + self.updated + self.duplicates
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// Everything in its window is stored.
    Complete,
    /// It stopped for this reason and will not be resumed.
    Failed {
        /// The error's variant name.
        reason: String,
        /// One sentence.
        message: String,
    },
}

/// A run as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// Why it read.
    pub mode: SyncMode,
    /// What it had to read.
    pub window: Window,
    /// When it began.
    pub started_at: Timestamp,
    /// By which way a backfill reads; absent of a refresh, and of runs from before this was noted: they
    /// asked queries.
    pub way: Option<Way>,
    /// When it ended; absent while it is open.
    pub ended_at: Option<Timestamp>,
    /// How it ended; absent while it is open.
    pub end: Option<RunEnd>,
    /// What it did.
    pub totals: RunTotals,
    /// Slices done and planned.
    pub slices: (usize, usize),
    /// Share of the planned rows that is stored, 0 to 1; 1 when nothing was planned.
    pub progress: f64,
}

/// Storage of runs and of what they bring.
#[async_trait]
pub trait SyncStore: Send + Sync {
    /// Takes the connection for `ttl`, if nobody holds it or the holder's lease has expired.
    ///
    /// # Errors
    /// [`super::StoreError::LeaseHeld`] when another holds it.
    async fn acquire_lease(
        &self,
        connection: ConnectionId,
        holder: &str,
        ttl: Duration,
    ) -> Result<Lease>;

    /// Extends the lease to `ttl` from now.
    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<()>;

    /// Gives the connection back; a lost lease is no error.
    async fn release_lease(&self, lease: &Lease) -> Result<()>;

    /// Gives back what `holder`, of whom the caller knows that it is dead, has left behind: its
    /// leases, and places in budgets. Whose a place is, is not kept: all are given back, and where
    /// that lets a request too many out, PostHog refuses it without harm. Returns how many leases
    /// there were.
    async fn release_all_of(&self, holder: &str) -> Result<u64>;

    /// Begins a run and keeps its plan. Other open runs of the connection are closed as failed
    /// with reason `Superseded`.
    async fn begin_run(&self, lease: &Lease, run: &NewRun) -> Result<RunId>;

    /// The connection's open run of that mode, with what is left of it.
    async fn open_run(&self, connection: ConnectionId, mode: SyncMode) -> Result<Option<OpenRun>>;

    /// Stores a page, its effect on counts and identities, and the place it reached, in one
    /// transaction that checks and renews the lease (by 60 s). Of several rows of one uuid, stored
    /// or sent, the greatest by [`Event::precedence`] stays: what changes is what
    /// [`crate::merge::merge`] says. Every changed row gets a change sequence number.
    async fn apply_page(&self, lease: &Lease, page: Page) -> Result<PageOutcome>;

    /// Replaces a slice, of which nothing beyond its cursor is stored, by smaller ones.
    async fn split_slice(
        &self,
        lease: &Lease,
        run: RunId,
        number: i64,
        parts: &[Slice],
    ) -> Result<()>;

    /// Adds to an open run's totals what was done outside pages (counts, identities, recounts).
    async fn add_totals(&self, lease: &Lease, run: RunId, more: &RunTotals) -> Result<()>;

    /// Ends a run. A complete backfill also sets the epoch's `backfilled_at`.
    async fn end_run(
        &self,
        lease: &Lease,
        run: RunId,
        end: &RunEnd,
        now: Timestamp,
    ) -> Result<RunRecord>;

    /// The connection's latest run, of either mode, that ended complete.
    async fn last_complete_run(&self, connection: ConnectionId) -> Result<Option<RunRecord>>;

    /// The connection's latest runs, newest first, of one mode or all.
    async fn runs(
        &self,
        connection: ConnectionId,
        mode: Option<SyncMode>,
        limit: usize,
    ) -> Result<Vec<RunRecord>>;

    /// Assigns every stored event by `mapping`, in batches, and makes it the epoch's mapping.
    /// Returns how many events moved. Does nothing when it is in force already; resumes when
    /// an earlier call was interrupted.
    async fn remap(&self, lease: &Lease, mapping: &Mapping) -> Result<u64>;

    /// Rebuilds the daily counts for the days of `time_zone` (IANA) and switches to them at
    /// once. Does nothing when it is in force already.
    async fn set_time_zone(&self, lease: &Lease, time_zone: &str) -> Result<()>;

    /// Replaces what is known of the project's event definitions.
    async fn put_event_definitions(
        &self,
        lease: &Lease,
        definitions: &[EventDefinition],
    ) -> Result<()>;

    /// Removes stored events that PostHog no longer has, each with a change sequence number.
    /// Returns how many there were.
    async fn remove_events(&self, lease: &Lease, uuids: &[Uuid]) -> Result<u64>;

    /// Removes events stamped before `before` (retention), in batches; followers are not told. What was
    /// proven of days that begin before it goes too, for they are no longer whole.
    async fn expire_events(&self, lease: &Lease, before: Timestamp) -> Result<u64>;

    /// Removes, in batches, the epochs that the connection has left for another host or project: those that
    /// it neither asks for nor answers from, once the one that it answers from was complete by `before`.
    /// Returns how many they were. One that is cut short goes on with the next call, or with a purge.
    async fn remove_left_epochs(&self, lease: &Lease, before: Timestamp) -> Result<u64>;

    /// Forgets refreshes that began before `before` and before the latest one that is complete, in
    /// batches: nothing is planned by them. Backfills, of which there are few, say what is covered and
    /// stay. Returns how many there were.
    async fn expire_runs(&self, lease: &Lease, before: Timestamp) -> Result<u64>;

    /// The UTC days of `[from, to)` that have stored events, with the events stored on each, by day.
    async fn count_by_utc_day(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<(Date, u64)>>;

    /// The uuids stored on one UTC day whose row PostHog took in (`created_at`) before this.
    async fn uuids_of_utc_day(
        &self,
        connection: ConnectionId,
        day: Date,
        arrived_before: Timestamp,
    ) -> Result<Vec<Uuid>>;
}
