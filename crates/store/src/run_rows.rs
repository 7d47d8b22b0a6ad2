//! Runs and slices as rows, in every store alike: ids, how far a page moves a slice, and what it
//! adds to its run.

use domain::storage::{Page, PageOutcome, RunEnd, RunId, SliceAdvance};
use domain::sync::{RunTotals, SliceCursor};
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

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

/// How a run ended, of its columns; a reason is absent in one that ended complete.
pub(crate) fn end_of(reason: Option<String>, message: Option<String>) -> RunEnd {
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
        events_read: page.events.len() as u64,
        events_stored: outcome.stored,
        events_updated: outcome.updated,
        duplicates: outcome.duplicates,
        late_events: outcome.late,
        events_removed: 0,
        ..page.cost
    }
}
