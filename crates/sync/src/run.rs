//! One run of a connection, from its lease to its summary: what `sync` does once and the
//! scheduler again and again.

use std::collections::BTreeSet;

use domain::storage::{
    ConnectionFailure, ConnectionRecord, DesiredConnection, EpochRecord, StoreError,
};
use domain::sync::SyncMode;
use tracing::Instrument;

use crate::ask::{Asker, Stop};
use crate::context::Context;
use crate::error::SyncError;
use crate::lease::HeldLease;
use crate::pass::pass;
use crate::progress::Update;
use crate::project::project;
use crate::recount::rules::MAX_REPULLS;
use crate::session::Session;
use crate::settings::Settings;
use crate::summary::RunSummary;
use crate::{history, mapping};

/// Pulls a connection once. A refresh of a connection that has no complete backfill, or whose
/// last run is too long ago, is a backfill. The connection must be in the store.
///
/// The outcome is recorded with the connection: a failure's reason, or that there is none.
///
/// # Errors
/// [`SyncError`]; what was stored before stays, and the next run goes on from there.
pub async fn run(
    ctx: &Context,
    settings: &Settings,
    mode: SyncMode,
) -> Result<RunSummary, SyncError> {
    let name = &settings.desired.name;
    // A root of its own: it names the connection itself, so that no line names it twice.
    let span = tracing::info_span!(parent: None, "sync", connection = %name, mode = tracing::field::Empty, run = tracing::field::Empty);
    let outcome = Box::pin(leased(ctx, settings, mode).instrument(span)).await;
    match &outcome {
        Ok(_) => record(ctx, settings, None).await,
        Err(error) => record_failure(ctx, settings, error).await,
    }
    // The process may end now, and with it whoever would give back the places of dropped requests.
    ctx.client.settled().await;
    outcome
}

/// Whether a connection may be pulled at all.
///
/// # Errors
/// [`SyncError::Suspended`] or [`SyncError::NotEligible`].
pub fn admit(desired: &DesiredConnection) -> Result<(), SyncError> {
    if !desired.plan.is_eligible() {
        return Err(SyncError::NotEligible {
            standing: desired.plan.clone(),
        });
    }
    if desired.suspended {
        return Err(SyncError::Suspended);
    }
    Ok(())
}

/// Records with the connection why it could not be pulled, if it is the connection that failed.
pub(crate) async fn record_failure(ctx: &Context, settings: &Settings, error: &SyncError) {
    match error {
        // Nothing went wrong with the connection, or another run now speaks for it.
        SyncError::Interrupted
        | SyncError::Busy { .. }
        | SyncError::Suspended
        | SyncError::NotEligible { .. }
        | SyncError::Disconnected
        | SyncError::NotRegistered
        | SyncError::Moved { .. }
        | SyncError::Store(_) => {}
        error => {
            let failure = ConnectionFailure {
                reason: error.reason().to_owned(),
                message: error.to_string(),
                at: ctx.clock.now(),
            };
            record(ctx, settings, Some(&failure)).await;
        }
    }
}

async fn record(ctx: &Context, settings: &Settings, failure: Option<&ConnectionFailure>) {
    let name = &settings.desired.name;
    if let Err(error) = ctx.store.record_failure(name, failure).await {
        tracing::warn!(connection = %name, %error, "the run's outcome could not be recorded");
    }
}

async fn leased(
    ctx: &Context,
    settings: &Settings,
    mode: SyncMode,
) -> Result<RunSummary, SyncError> {
    let held = take(ctx, settings).await?;
    let session = session(ctx, settings, &held);
    let outcome = passes(&session, mode).await;
    if let Err(error) = &outcome {
        charge_failed(&session, error).await;
    }
    held.release().await;
    outcome
}

/// Adds what a failed attempt has asked to the run that it leaves open, for a run's totals are those of
/// all its attempts. Best effort: the attempt's own error is what counts.
async fn charge_failed(session: &Session<'_>, error: &SyncError) {
    // Then another run has the connection, or the store that failed would fail again.
    if matches!(error, SyncError::Store(_)) {
        return;
    }
    if let Err(error) = session.charge_open_run().await {
        tracing::warn!(%error, "what the failed attempt asked is missing from its run's totals");
    }
}

/// Takes the connection, so that nobody else can change its rows.
pub(crate) async fn take(ctx: &Context, settings: &Settings) -> Result<HeldLease, SyncError> {
    admit(&settings.desired)?;
    let id = settings.connection_id();
    tokio::select! {
        () = ctx.cancel.cancelled() => Err(SyncError::Interrupted),
        held = HeldLease::acquire(&ctx.store, id, &ctx.holder, ctx.patience) => Ok(held?),
    }
}

/// A session of whoever has taken the connection.
pub(crate) fn session<'a>(
    ctx: &'a Context,
    settings: &'a Settings,
    held: &'a HeldLease,
) -> Session<'a> {
    let asker = Asker {
        ctx: ctx.clone(),
        name: settings.desired.name.clone(),
        stop: Stop {
            cancel: ctx.cancel.clone(),
            lost: held.lost().clone(),
        },
    };
    Session::new(ctx, settings, held, asker)
}

/// A connection as the store has it.
pub(crate) struct Found {
    pub(crate) record: ConnectionRecord,
    pub(crate) epoch: EpochRecord,
}

/// The connection as it is now that nobody else can change its rows. It may have been disconnected,
/// suspended or come to another plan while this run waited for it.
pub(crate) async fn find(session: &Session<'_>) -> Result<Found, SyncError> {
    let (store, name) = (&session.ctx.store, &session.settings.desired.name);
    let missing = || StoreError::NotFound {
        what: format!("connection {name}"),
    };
    let record = store.connection(name).await?.ok_or_else(missing)?;
    if record.deleted_at.is_some() {
        return Err(SyncError::Disconnected);
    }
    admit(&record.desired)?;
    let epoch = store.epoch(session.id).await?.ok_or_else(missing)?;
    Ok(Found { record, epoch })
}

/// The pass that was asked for, and at most two more over days whose counts differ.
async fn passes(session: &Session<'_>, mode: SyncMode) -> Result<RunSummary, SyncError> {
    let found = find(session).await?;
    // An erasure that was interrupted is not left to whoever asked for it.
    session.ctx.store.finish_erasures(session.id).await?;
    let project = project(session, &found.record).await?;
    mapping::settle(session, &found.epoch, &project).await?;
    let mode = history::mode_due(session.ctx, session.settings, mode).await?;
    let all = mode == SyncMode::Backfill;
    let mut first = pass(session, &project, mode, &BTreeSet::new(), all).await?;
    serve(session, &found).await?;
    let mut repulls_left = MAX_REPULLS;
    loop {
        let differs = repulls_left > 0 && !first.repull.is_empty();
        if !first.is_behind && !differs {
            break;
        }
        if differs {
            repulls_left -= 1;
            first.summary.repull_passes += 1;
        }
        let repull = std::mem::take(&mut first.repull);
        let all = all && first.is_behind;
        let next = pass(session, &project, SyncMode::Refresh, &repull, all).await?;
        first.summary.absorb(&next.summary);
        (first.repull, first.is_behind) = (next.repull, next.is_behind);
        first.failure = next.failure;
    }
    if let Some(error) = first.failure {
        return Err(error);
    }
    session.tell(Update::Finished(Box::new(first.summary.clone())));
    Ok(first.summary)
}

/// Moves reads here once a backfill is complete, also when an earlier run died just before that.
async fn serve(session: &Session<'_>, found: &Found) -> Result<(), SyncError> {
    if found.record.serving != session.id {
        let (store, name) = (&session.ctx.store, &session.settings.desired.name);
        let now = session.ctx.clock.now();
        store.serve_epoch(name, session.id, now).await?;
    }
    Ok(())
}
