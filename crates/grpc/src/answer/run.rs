//! Runs: how far a backfill is, and how the latest run ended.

use domain::storage::{RunEnd, RunRecord};
use domain::sync::SyncMode;

use super::time::timestamp;
use crate::proto::v1;
use crate::proto::v1::sync_run::Mode;

/// How far the latest backfill is.
pub(super) fn backfill(run: &RunRecord) -> v1::BackfillProgress {
    let complete = run.end == Some(RunEnd::Complete);
    v1::BackfillProgress {
        start_time: Some(timestamp(run.window.from)),
        end_time: Some(timestamp(run.window.to)),
        percent: if complete {
            100.0
        } else {
            run.progress.clamp(0.0, 1.0) * 100.0
        },
        events_stored: run.totals.events_stored,
        complete_time: run.ended_at.filter(|_| complete).map(timestamp),
    }
}

/// A run that ended.
pub(super) fn run(run: &RunRecord) -> v1::SyncRun {
    let mode = match run.mode {
        SyncMode::Backfill => Mode::Backfill,
        SyncMode::Refresh => Mode::Refresh,
    };
    v1::SyncRun {
        mode: mode.into(),
        window_start_time: Some(timestamp(run.window.from)),
        window_end_time: Some(timestamp(run.window.to)),
        start_time: Some(timestamp(run.started_at)),
        end_time: run.ended_at.map(timestamp),
        failure: match &run.end {
            Some(RunEnd::Failed { reason, message }) => Some(v1::ConnectionFailure {
                reason: reason.clone(),
                message: message.clone(),
                fail_time: run.ended_at.map(timestamp),
            }),
            Some(RunEnd::Complete) | None => None,
        },
        events_read: run.totals.events_read,
        events_stored: run.totals.events_stored,
        duplicates: run.totals.duplicates,
        late_events: run.totals.late_events,
    }
}
