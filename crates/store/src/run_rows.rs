//! Runs and slices as rows, in every store alike: ids, what the columns of a run say, how far a page
//! moves a slice, and what it adds to its run.

use domain::backfill_way::Way;
use domain::storage::{
    NewRun, OpenRun, Page, PageOutcome, PendingSlice, Result, RunEnd, RunId, RunRecord,
    SliceAdvance,
};
use domain::sync::{Arrivals, RunTotals, SliceCursor, SyncMode, Window};
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

use crate::failures::corrupt;
use crate::values::{from_json, instant, instant_or_none, unsigned};

/// The columns of a run.
#[derive(sqlx::FromRow)]
pub(crate) struct RunRow {
    /// Its number, by which its slices know it.
    pub(crate) number: i64,
    id: Uuid,
    mode: String,
    window_from: i64,
    window_to: i64,
    arrivals_from: Option<i64>,
    arrivals_since: Option<i64>,
    started_at: i64,
    way: Option<String>,
    #[sqlx(flatten)]
    totals: TotalsRow,
}

/// The columns of a run with the state of its slices, as `RECORDS` selects them.
#[derive(sqlx::FromRow)]
pub(crate) struct RecordRow {
    #[sqlx(flatten)]
    run: RunRow,
    ended_at: Option<i64>,
    failure_reason: Option<String>,
    failure_message: Option<String>,
    done_slices: i64,
    planned_slices: i64,
    part: f64,
}

#[derive(sqlx::FromRow)]
struct TotalsRow {
    events_read: i64,
    events_stored: i64,
    events_updated: i64,
    duplicates: i64,
    late_events: i64,
    events_removed: i64,
    requests: i64,
    bytes_received: i64,
    bytes_read: i64,
}

impl RunRow {
    /// The open run with these slices left and so many done.
    pub(crate) fn open(self, pending: Vec<PendingSlice>, done: usize) -> Result<OpenRun> {
        Ok(OpenRun {
            id: RunId(self.id),
            run: NewRun {
                mode: self.mode()?,
                window: self.window()?,
                arrivals: self.arrivals()?,
                started_at: instant(self.started_at)?,
                way: self.way()?,
                slices: Vec::new(),
            },
            pending,
            done,
            totals: self.totals.totals(),
        })
    }

    fn mode(&self) -> Result<SyncMode> {
        self.mode.parse().map_err(corrupt)
    }

    fn way(&self) -> Result<Option<Way>> {
        self.way.as_deref().map(from_json).transpose()
    }

    fn window(&self) -> Result<Window> {
        Ok(Window {
            from: instant(self.window_from)?,
            to: instant(self.window_to)?,
        })
    }

    fn arrivals(&self) -> Result<Option<Arrivals>> {
        let from = instant_or_none(self.arrivals_from)?;
        let since = instant_or_none(self.arrivals_since)?;
        Ok(from
            .zip(since)
            .map(|(from, since)| Arrivals { from, since }))
    }
}

impl RecordRow {
    /// The run as recorded.
    pub(crate) fn record(self) -> Result<RunRecord> {
        let ended_at = instant_or_none(self.ended_at)?;
        let end = end_of(self.failure_reason, self.failure_message);
        let count = |slices| usize::try_from(slices).unwrap_or(0);
        Ok(RunRecord {
            id: RunId(self.run.id),
            mode: self.run.mode()?,
            window: self.run.window()?,
            started_at: instant(self.run.started_at)?,
            way: self.run.way()?,
            ended_at,
            end: ended_at.map(|_| end),
            totals: self.run.totals.totals(),
            slices: (count(self.done_slices), count(self.planned_slices)),
            progress: self.part,
        })
    }
}

impl TotalsRow {
    fn totals(&self) -> RunTotals {
        RunTotals {
            events_read: unsigned(self.events_read),
            events_stored: unsigned(self.events_stored),
            events_updated: unsigned(self.events_updated),
            duplicates: unsigned(self.duplicates),
            late_events: unsigned(self.late_events),
            events_removed: unsigned(self.events_removed),
            requests: unsigned(self.requests),
            bytes_received: unsigned(self.bytes_received),
            bytes_read: unsigned(self.bytes_read),
        }
    }
}

/// A run's id whose order is that of its start.
pub(crate) fn id_at(started_at: Timestamp) -> RunId {
    let seconds = u64::try_from(started_at.as_second()).unwrap_or(0);
    let nanoseconds = started_at.subsec_nanosecond().unsigned_abs();
    let stamp = uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds);
    RunId(Uuid::new_v7(stamp))
}

/// How a run ended that another one took the place of.
pub(crate) fn superseded() -> RunEnd {
    RunEnd::Failed {
        reason: "Superseded".to_owned(),
        message: "Another run took its place before it was complete.".to_owned(),
    }
}

/// A reason is absent in a run that ended complete.
fn end_of(reason: Option<String>, message: Option<String>) -> RunEnd {
    match reason {
        None => RunEnd::Complete,
        Some(reason) => RunEnd::Failed {
            reason,
            message: message.unwrap_or_default(),
        },
    }
}

/// Whether a page moves its slice forward: a cursor never goes back, and what is done stays so.
pub(crate) fn moves(done: bool, cursor: Option<SliceCursor>, advance: SliceAdvance) -> bool {
    !done
        && match (advance, cursor) {
            (SliceAdvance::Done, _) | (SliceAdvance::To(_), None) => true,
            (SliceAdvance::To(to), Some(cursor)) => {
                (to.timestamp, to.uuid) > (cursor.timestamp, cursor.uuid)
            }
        }
}

/// What a page adds to its run's totals.
pub(crate) fn totals_of(page: &Page, outcome: &PageOutcome) -> RunTotals {
    RunTotals {
        events_read: outcome.rows(),
        events_stored: outcome.stored,
        events_updated: outcome.updated,
        duplicates: outcome.duplicates,
        late_events: outcome.late,
        events_removed: 0,
        ..page.cost
    }
}
