//! What earlier runs have covered, and so what the next one must be and when it is due.

use domain::ConnectionId;
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
/// Runs looked at for one that lies before now.
const RUNS: usize = 50;
/// By so much a clock may be set back without any doubt about the last run.
const TOLERATED: SignedDuration = SignedDuration::from_mins(10);

/// The mode in which the next run must read, whatever was asked: a refresh needs a complete
/// backfill of the days that are wanted and a last run that is not too long ago.
pub(crate) async fn mode_due(
    ctx: &Context,
    settings: &Settings,
    asked: SyncMode,
) -> Result<SyncMode, SyncError> {
    let id = settings.connection_id();
    let open = ctx.store.open_run(id, SyncMode::Backfill).await?;
    if asked == SyncMode::Backfill || open.is_some() {
        return Ok(SyncMode::Backfill);
    }
    let last = last_run(ctx, id).await?;
    let is_long_enough = complete_backfills(ctx, id)
        .await?
        .iter()
        .any(|run| covers(run, settings));
    Ok(
        if window::is_backfill_due(ctx.clock.now(), last) || !is_long_enough {
            SyncMode::Backfill
        } else {
            SyncMode::Refresh
        },
    )
}

/// The last complete run, of either mode. Runs of a clock that was ahead are passed over: until
/// real time had caught up with them nothing would be pulled.
pub(crate) async fn last_run(
    ctx: &Context,
    id: ConnectionId,
) -> Result<Option<LastRun>, SyncError> {
    let latest = ctx.clock.now() + TOLERATED;
    let is_past = |run: &RunRecord| run.window.to <= latest;
    let last = match ctx.store.last_complete_run(id).await? {
        Some(run) if !is_past(&run) => {
            let earlier = ctx.store.runs(id, None, RUNS).await?;
            let mut complete = earlier
                .into_iter()
                .filter(|run| run.end == Some(RunEnd::Complete));
            complete.find(is_past)
        }
        last => last,
    };
    Ok(last.map(|run| LastRun {
        to: run.window.to,
        started_at: run.started_at,
    }))
}

/// Whether a backfill covered as many days as are wanted and kept.
fn covers(run: &RunRecord, settings: &Settings) -> bool {
    let desired = &settings.desired;
    let wanted = desired.backfill_days.min(desired.retention_days);
    // A year of days is exact in hours, but retention may have cut the first by some seconds.
    let length = run.window.to.duration_since(run.window.from) + SignedDuration::from_hours(1);
    length >= SignedDuration::from_hours(24 * i64::from(wanted))
}

async fn complete_backfills(ctx: &Context, id: ConnectionId) -> Result<Vec<RunRecord>, SyncError> {
    let mut runs = ctx
        .store
        .runs(id, Some(SyncMode::Backfill), BACKFILLS)
        .await?;
    runs.retain(|run| run.end == Some(RunEnd::Complete));
    Ok(runs)
}

/// Where the earliest backfill began, the one now running included where that is one.
pub(crate) async fn covered_from(
    session: &Session<'_>,
    running: Option<&NewRun>,
) -> Result<Timestamp, SyncError> {
    let mut from = complete_backfills(session.ctx, session.id)
        .await?
        .into_iter()
        .map(|run| run.window.from)
        .min();
    if let Some(running) = running.filter(|run| run.mode == SyncMode::Backfill) {
        from = Some(from.map_or(running.window.from, |from| from.min(running.window.from)));
    }
    Ok(from.unwrap_or_else(|| kept_from(session)))
}

/// When the next run of a connection is due: at once when one is unfinished or other days, stages
/// or a time zone are wanted than those in force, else at the tick after the last one's window ended.
pub(crate) async fn next_run(ctx: &Context, settings: &Settings) -> Result<Timestamp, SyncError> {
    let id = settings.connection_id();
    let now = ctx.clock.now();
    let is_unfinished = mode_due(ctx, settings, SyncMode::Refresh).await? == SyncMode::Backfill
        || ctx.store.open_run(id, SyncMode::Refresh).await?.is_some();
    if is_unfinished || !is_in_force(ctx, settings).await? {
        return Ok(now);
    }
    let last = last_run(ctx, id).await?;
    Ok(last.map_or(now, |last| {
        window::next_tick(id.0, settings.refresh.interval, last.to)
    }))
}

/// Whether stored rows are assigned and counted as the settings ask.
async fn is_in_force(ctx: &Context, settings: &Settings) -> Result<bool, SyncError> {
    let Some(epoch) = ctx.store.epoch(settings.connection_id()).await? else {
        return Ok(false);
    };
    let zone = settings
        .time_zone
        .as_ref()
        .is_none_or(|wanted| epoch.time_zone.as_ref() == Some(wanted));
    let mapping = epoch
        .mapping
        .is_some_and(|mapping| settings.mapping.accepts(&mapping));
    Ok(zone && mapping)
}
