//! One run of a connection, from its lease to its summary: what `sync` does once and the
//! scheduler again and again.

use std::collections::BTreeSet;

use domain::ConnectionId;
use domain::storage::{
    ConnectionFailure, ConnectionRecord, DesiredConnection, EpochRecord, OpenRun, RunEnd, RunId,
    StoreError,
};
use domain::sync::SyncMode;
use jiff::Timestamp;
use jiff::civil::Date;
use tracing::Instrument;

use crate::ask::{Asker, Stop};
use crate::context::Context;
use crate::error::SyncError;
use crate::lease::HeldLease;
use crate::plan;
use crate::progress::{Step, Update};
use crate::project::{Project, project};
use crate::recount::Recount;
use crate::recount::rules::MAX_REPULLS;
use crate::session::Session;
use crate::settings::Settings;
use crate::summary::RunSummary;
use crate::{definitions, history, mapping, persons, read};

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
    let span = tracing::info_span!("sync", connection = %name, %mode, run = tracing::field::Empty);
    let outcome = Box::pin(leased(ctx, settings, mode).instrument(span)).await;
    record(ctx, settings, &outcome).await;
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

async fn record(ctx: &Context, settings: &Settings, outcome: &Result<RunSummary, SyncError>) {
    let failure = match outcome {
        Ok(_) => None,
        // Nothing went wrong with the connection, or another run now speaks for it.
        Err(
            SyncError::Interrupted
            | SyncError::Busy { .. }
            | SyncError::Suspended
            | SyncError::NotEligible { .. }
            | SyncError::Disconnected
            | SyncError::Store(_),
        ) => return,
        Err(error) => Some(ConnectionFailure {
            reason: error.reason().to_owned(),
            message: error.to_string(),
            at: ctx.clock.now(),
        }),
    };
    let name = &settings.desired.name;
    if let Err(error) = ctx.store.record_failure(name, failure.as_ref()).await {
        tracing::warn!(connection = %name, %error, "the run's outcome could not be recorded");
    }
}

async fn leased(
    ctx: &Context,
    settings: &Settings,
    mode: SyncMode,
) -> Result<RunSummary, SyncError> {
    admit(&settings.desired)?;
    let id = settings.connection_id();
    let found = find(ctx, settings, id).await?;
    let held = HeldLease::acquire(&ctx.store, id, &ctx.holder, ctx.patience).await?;
    let asker = Asker {
        ctx: ctx.clone(),
        name: settings.desired.name.clone(),
        stop: Stop {
            cancel: ctx.cancel.clone(),
            lost: held.lost().clone(),
        },
    };
    let outcome = passes(&Session::new(ctx, settings, &held, asker), &found, mode).await;
    held.release().await;
    outcome
}

struct Found {
    record: ConnectionRecord,
    epoch: EpochRecord,
}

async fn find(ctx: &Context, settings: &Settings, id: ConnectionId) -> Result<Found, SyncError> {
    let name = &settings.desired.name;
    let missing = || StoreError::NotFound {
        what: format!("connection {name}"),
    };
    let record = ctx.store.connection(name).await?.ok_or_else(missing)?;
    if record.deleted_at.is_some() {
        return Err(SyncError::Disconnected);
    }
    let epoch = ctx.store.epoch(id).await?.ok_or_else(missing)?;
    Ok(Found { record, epoch })
}

/// The pass that was asked for, and at most two more over days whose counts differ.
async fn passes(
    session: &Session<'_>,
    found: &Found,
    mode: SyncMode,
) -> Result<RunSummary, SyncError> {
    let project = project(session, &found.record).await?;
    mapping::settle(session, &found.epoch, &project).await?;
    let mode = history::mode_due(session.ctx, session.settings, mode).await?;
    let mut first = pass(session, &project, mode, &BTreeSet::new()).await?;
    serve(session, found).await?;
    let mut repulls_left = MAX_REPULLS;
    let mut behind = first.summary.resumed && is_behind(session, first.summary.to);
    loop {
        let differs = repulls_left > 0 && !first.repull.is_empty();
        if !behind && !differs {
            break;
        }
        if differs {
            repulls_left -= 1;
        }
        behind = false;
        let repull = std::mem::take(&mut first.repull);
        let next = pass(session, &project, SyncMode::Refresh, &repull).await?;
        first.summary.absorb(&next.summary);
        first.repull = next.repull;
    }
    session.tell(Update::Finished(Box::new(first.summary.clone())));
    Ok(first.summary)
}

/// Whether a run that went on with an old window has left the present out.
fn is_behind(session: &Session<'_>, read_to: Timestamp) -> bool {
    let age = session.ctx.clock.now().duration_since(read_to);
    age >= session.settings.refresh.interval
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

struct Passed {
    summary: RunSummary,
    repull: BTreeSet<Date>,
}

/// Reads one window whole, follows persons, recounts what is due, and ends the run.
async fn pass(
    session: &Session<'_>,
    project: &Project,
    mode: SyncMode,
    repull: &BTreeSet<Date>,
) -> Result<Passed, SyncError> {
    let opened = open(session, project, mode, repull).await?;
    let (run, planned, repulled) = (opened.open.id, opened.open.run.clone(), opened.repulled);
    tracing::Span::current().record("run", tracing::field::display(run.0));
    session.tell(Update::Began {
        mode,
        resumed: opened.resumed,
    });
    session.begin(Step::Reading)?;
    read::read_slices(session, opened.open).await?;

    follow(session, project, &planned).await?;
    let recount = Recount {
        covered_from: history::covered_from(session, Some(&planned)).await?,
        read_to: planned.window.to,
        project_months: project.summary.event_retention_months,
        all: mode == SyncMode::Backfill,
        repulled: &repulled,
    };
    let counted = recount.run(session).await?;
    expire(session).await?;
    session.charge(run, counted.removed).await?;
    let ended = end(session, run).await?;
    let completeness = recount.completeness(session).await?;
    let name = session.settings.desired.name.to_string();
    Ok(Passed {
        summary: RunSummary::of(name, &ended, opened.resumed, completeness),
        repull: counted.repull,
    })
}

struct Opened {
    open: OpenRun,
    resumed: bool,
    repulled: BTreeSet<Date>,
}

/// Goes on with the open run of this mode, or plans and begins one.
async fn open(
    session: &Session<'_>,
    project: &Project,
    mode: SyncMode,
    repull: &BTreeSet<Date>,
) -> Result<Opened, SyncError> {
    let store = &session.ctx.store;
    if repull.is_empty()
        && let Some(open) = store.open_run(session.id, mode).await?
    {
        return Ok(Opened {
            open,
            resumed: true,
            repulled: BTreeSet::new(),
        });
    }
    session.begin(Step::Counting)?;
    let repull = if mode == SyncMode::Refresh && repull.is_empty() {
        &awaited(session, project).await?
    } else {
        repull
    };
    let plan = plan::plan(session, mode, repull).await?;
    let run = store.begin_run(session.lease(), &plan.run).await?;
    let open = store
        .open_run(session.id, mode)
        .await?
        .filter(|open| open.id == run)
        .ok_or(StoreError::FenceLost)?;
    Ok(Opened {
        open,
        resumed: false,
        repulled: plan.repulled,
    })
}

/// Days that an earlier recount wants read again.
async fn awaited(session: &Session<'_>, project: &Project) -> Result<BTreeSet<Date>, SyncError> {
    let recount = Recount {
        covered_from: history::covered_from(session, None).await?,
        read_to: session.ctx.clock.now(),
        project_months: project.summary.event_retention_months,
        all: false,
        repulled: &BTreeSet::new(),
    };
    recount.awaited(session).await
}

/// Persons and definitions: everything daily and at a backfill, what is new otherwise.
async fn follow(
    session: &Session<'_>,
    project: &Project,
    run: &domain::storage::NewRun,
) -> Result<(), SyncError> {
    let now = session.ctx.clock.now();
    let epoch = session.ctx.store.epoch(session.id).await?;
    let daily = epoch.is_none_or(|epoch| persons::is_whole_read_due(&epoch, now));
    match run.arrivals {
        Some(arrivals) if !daily => persons::read_recent(session, arrivals.since).await?,
        _ => persons::read_all(session).await?,
    }
    if daily && project.definitions_readable {
        definitions::read(session).await?;
    }
    Ok(())
}

/// Removes what is older than the retention.
async fn expire(session: &Session<'_>) -> Result<(), SyncError> {
    let kept_from = plan::kept_from(session);
    let store = &session.ctx.store;
    let expired = store.expire_events(session.lease(), kept_from).await?;
    if expired > 0 {
        tracing::info!(expired, before = %kept_from, "Events past their retention were removed.");
    }
    Ok(())
}

async fn end(session: &Session<'_>, run: RunId) -> Result<domain::storage::RunRecord, SyncError> {
    session.asker.stop.check()?;
    let now = session.ctx.clock.now();
    let store = &session.ctx.store;
    Ok(store
        .end_run(session.lease(), run, &RunEnd::Complete, now)
        .await?)
}
