//! What earlier runs have covered, and so what the next one must be and when it is due.

use domain::storage::{NewRun, RunEnd, RunRecord};
use domain::sync::SyncMode;
use domain::window::{self, LastRun};
use jiff::{SignedDuration, Timestamp};

use crate::context::Context;
use crate::error::SyncError;
use crate::plan::kept_from;
use crate::session::Session;
use crate::settings::Settings;

/// Backfills looked at: more than one only after `backfill.days` grew.
const BACKFILLS: usize = 50;

/// The mode in which the next run must read, whatever was asked: a refresh needs a complete
/// backfill of the days that are wanted and a last run that is not too long ago.
pub(crate) async fn mode_due(
    session: &Session<'_>,
    asked: SyncMode,
) -> Result<SyncMode, SyncError> {
    let store = &session.ctx.store;
    if asked == SyncMode::Backfill
        || store
            .open_run(session.id, SyncMode::Backfill)
            .await?
            .is_some()
    {
        return Ok(SyncMode::Backfill);
    }
    let now = session.ctx.clock.now();
    let last = last_run(session).await?;
    let is_long_enough = complete_backfills(session)
        .await?
        .iter()
        .any(|run| covers(run, session));
    Ok(if window::is_backfill_due(now, last) || !is_long_enough {
        SyncMode::Backfill
    } else {
        SyncMode::Refresh
    })
}

/// The last complete run, of either mode.
pub(crate) async fn last_run(session: &Session<'_>) -> Result<Option<LastRun>, SyncError> {
    let last = session.ctx.store.last_complete_run(session.id).await?;
    Ok(last.map(|run| LastRun {
        to: run.window.to,
        started_at: run.started_at,
    }))
}

/// Whether a backfill covered as many days as are wanted and kept.
fn covers(run: &RunRecord, session: &Session<'_>) -> bool {
    let desired = &session.settings.desired;
    let wanted = desired.backfill_days.min(desired.retention_days);
    // A year of days is exact in hours, but retention may have cut the first by some seconds.
    let length = run.window.to.duration_since(run.window.from) + SignedDuration::from_hours(1);
    length >= SignedDuration::from_hours(24 * i64::from(wanted))
}

async fn complete_backfills(session: &Session<'_>) -> Result<Vec<RunRecord>, SyncError> {
    let store = &session.ctx.store;
    let mut runs = store
        .runs(session.id, Some(SyncMode::Backfill), BACKFILLS)
        .await?;
    runs.retain(|run| run.end == Some(RunEnd::Complete));
    Ok(runs)
}

/// Where the earliest backfill began, the one now running included where that is one.
pub(crate) async fn covered_from(
    session: &Session<'_>,
    running: Option<&NewRun>,
) -> Result<Timestamp, SyncError> {
    let mut from = complete_backfills(session)
        .await?
        .into_iter()
        .map(|run| run.window.from)
        .min();
    if let Some(running) = running.filter(|run| run.mode == SyncMode::Backfill) {
        from = Some(from.map_or(running.window.from, |from| from.min(running.window.from)));
    }
    Ok(from.unwrap_or_else(|| kept_from(session)))
}

/// When the next run of a connection is due: at once when there is none or one is unfinished,
/// else at the tick after the last one's window ended.
pub(crate) async fn next_run(ctx: &Context, settings: &Settings) -> Result<Timestamp, SyncError> {
    let id = settings.connection_id();
    for mode in [SyncMode::Backfill, SyncMode::Refresh] {
        if ctx.store.open_run(id, mode).await?.is_some() {
            return Ok(ctx.clock.now());
        }
    }
    let last = ctx.store.last_complete_run(id).await?;
    Ok(last.map_or_else(
        || ctx.clock.now(),
        |run| window::next_tick(id.0, settings.refresh.interval, run.window.to),
    ))
}
