//! What a run learns of the runs before it.

use domain::ConnectionId;
use domain::storage::NewRun;
use domain::sync::SyncMode;
use domain::window::LastRun;
use jiff::Timestamp;

use crate::context::Context;
use crate::error::SyncError;
use crate::outlook::{complete_backfills, last_complete, last_run as summed_up, outlook};
use crate::plan::kept_from;
use crate::session::Session;
use crate::settings::Settings;

/// The mode in which the next run must read, whatever was asked.
pub(crate) async fn mode_due(
    ctx: &Context,
    settings: &Settings,
    asked: SyncMode,
) -> Result<SyncMode, SyncError> {
    if asked == SyncMode::Backfill {
        return Ok(SyncMode::Backfill);
    }
    let found = outlook(&*ctx.store, settings, ctx.clock.now()).await?;
    Ok(found.mode)
}

/// The last complete run, of either mode.
pub(crate) async fn last_run(
    ctx: &Context,
    id: ConnectionId,
) -> Result<Option<LastRun>, SyncError> {
    let last = last_complete(&*ctx.store, id, ctx.clock.now()).await?;
    Ok(last.as_ref().map(summed_up))
}

/// Where the earliest backfill began, the one now running included where that is one.
pub(crate) async fn covered_from(
    session: &Session<'_>,
    running: Option<&NewRun>,
) -> Result<Timestamp, SyncError> {
    let mut from = complete_backfills(&*session.ctx.store, session.id)
        .await?
        .into_iter()
        .map(|run| run.window.from)
        .min();
    if let Some(running) = running.filter(|run| run.mode == SyncMode::Backfill) {
        from = Some(from.map_or(running.window.from, |from| from.min(running.window.from)));
    }
    Ok(from.unwrap_or_else(|| kept_from(session)))
}

/// When the next run of a connection is due; its id decides where within the interval its ticks lie.
pub(crate) async fn next_run(ctx: &Context, settings: &Settings) -> Result<Timestamp, SyncError> {
    let now = ctx.clock.now();
    let found = outlook(&*ctx.store, settings, now).await?;
    Ok(found.due(settings.connection_id().0, settings, now))
}
