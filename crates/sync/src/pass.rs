//! One pass: reads a window whole, follows persons and cohorts, recounts what is due, and ends as a recorded
//! run that the next attempt goes on with when this one is stopped.

use std::collections::BTreeSet;

use domain::backfill_way::{BackfillVia, Via, Way};
use domain::identity::are_mappings_due;
use domain::storage::{Deletion, NewRun, OpenRun, RunEnd, RunId, RunRecord, StoreError};
use domain::sync::SyncMode;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::clickmaps::{self, Failure};
use crate::error::SyncError;
use crate::persons::{self, Whole};
use crate::progress::{Step, Update};
use crate::project::Project;
use crate::read::Read;
use crate::recount::{Recount, Recounted};
use crate::session::Session;
use crate::summary::{PersonsSummary, RunSummary};
use crate::{cohorts, definitions, history, plan, read};

/// The least time for which refreshes stay on record, whatever the retention is.
const RUNS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What a pass did.
pub(crate) struct Passed {
    pub(crate) summary: RunSummary,
    /// Days whose counts differ, to be read again.
    pub(crate) repull: BTreeSet<Date>,
    /// Whether it went on with an old window and left the present out: another pass must follow, and
    /// days are counted only then.
    pub(crate) is_behind: bool,
    /// Why the attempt has failed although this run has ended.
    pub(crate) failure: Option<SyncError>,
}

/// Reads one window whole, follows persons and cohorts, recounts what is due, or every day where `all` asks for
/// that, and ends the run.
pub(crate) async fn pass(
    session: &Session<'_>,
    project: &Project,
    mode: SyncMode,
    repull: &BTreeSet<Date>,
    all: bool,
) -> Result<Passed, SyncError> {
    let mut opened = open(session, project, mode, repull).await?;
    begin(session, &opened)?;
    if let Read::ExportsEnded(why) = read::read_slices(session, opened.open.clone()).await? {
        tracing::warn!(
            why,
            "File exports are given up: the backfill goes on by queries."
        );
        let way = Way::instead_of_exports(&why);
        opened = plan_anew(session, project, mode, repull, Some(way)).await?;
        begin(session, &opened)?;
        read::read_slices(session, opened.open.clone()).await?;
    }
    let (run, planned, repulled) = (opened.open.id, opened.open.run, opened.repulled);

    let persons = follow(session, project, &planned).await?;
    let cohorts = cohorts::follow(session, project).await?;
    let recount = Recount {
        covered_from: history::covered_from(session, Some(&planned)).await?,
        read_to: planned.window.to,
        project_months: project.summary.event_retention_months,
        all,
        repulled: &repulled,
    };
    let is_behind = opened.resumed && is_behind(session, planned.window.to);
    let counted = if is_behind {
        // The days of its old window, counted today, would put the newer ones off until tomorrow.
        Recounted::default()
    } else {
        recount.run(session).await?
    };
    expire(session).await?;
    let clickmaps = clickmaps::make(session).await?;
    session.charge(run, counted.removed).await?;
    let ended = end(session, run).await?;
    let completeness = recount.completeness(session).await?;
    let name = session.settings.desired.name.to_string();
    Ok(Passed {
        summary: RunSummary {
            persons,
            cohorts,
            clickmaps_problem: clickmaps.as_ref().map(Failure::problem),
            ..RunSummary::of(name, &ended, opened.resumed, completeness)
        },
        failure: clickmaps.and_then(Failure::of_attempt),
        repull: counted.repull,
        is_behind,
    })
}

/// Whether what was read up to `read_to` leaves a refresh that is due out.
fn is_behind(session: &Session<'_>, read_to: Timestamp) -> bool {
    let age = session.ctx.clock.now().duration_since(read_to);
    age >= session.settings.refresh.interval
}

/// Tells that a run is read from now on.
fn begin(session: &Session<'_>, opened: &Opened) -> Result<(), SyncError> {
    let (mode, run) = (opened.open.run.mode, opened.open.id);
    let span = tracing::Span::current();
    span.record("mode", tracing::field::display(mode));
    span.record("run", tracing::field::display(run.0));
    if let Some(way) = &opened.open.run.way {
        tracing::info!(via = %way.via, why = way.why, "The backfill's way is chosen.");
    }
    session.tell(Update::Began {
        mode,
        resumed: opened.resumed,
    });
    session.begin(Step::Reading)
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
        && is_still_wanted(session, &open)
    {
        return Ok(Opened {
            open,
            resumed: true,
            repulled: BTreeSet::new(),
        });
    }
    plan_anew(session, project, mode, repull, None).await
}

/// Whether an open run reads by a way that is allowed by now.
fn is_still_wanted(session: &Session<'_>, open: &OpenRun) -> bool {
    let by_exports = |way: &Way| way.via == Via::FileExport;
    session.settings.backfill_via != BackfillVia::Query
        || !open.run.way.as_ref().is_some_and(by_exports)
}

/// Plans a run and begins it, in the place of one that is open.
async fn plan_anew(
    session: &Session<'_>,
    project: &Project,
    mode: SyncMode,
    repull: &BTreeSet<Date>,
    way: Option<Way>,
) -> Result<Opened, SyncError> {
    let store = &session.ctx.store;
    session.begin(Step::Counting)?;
    let repull = if mode == SyncMode::Refresh && repull.is_empty() {
        &awaited(session, project).await?
    } else {
        repull
    };
    let plan = plan::plan(session, project, mode, repull, way).await?;
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
    run: &NewRun,
) -> Result<PersonsSummary, SyncError> {
    let now = session.ctx.clock.now();
    let epoch = session.ctx.store.epoch(session.id).await?;
    let read_at = epoch.and_then(|epoch| epoch.persons_read_at);
    let left = session.ctx.store.persons_reading(session.id).await?;
    let whole = Whole::of(run, read_at, left, now);
    let is_daily = are_mappings_due(read_at, now) && whole.begins_a_day(now);
    let persons = persons::follow(session, run, whole).await?;
    session.ctx.store.find_conflicts(session.lease()).await?;
    if is_daily && project.definitions_readable {
        definitions::read(session).await?;
    }
    Ok(persons)
}

/// Removes what is older than the retention, and what the connection has left for good.
async fn expire(session: &Session<'_>) -> Result<(), SyncError> {
    let kept_from = plan::kept_from(session);
    let store = &session.ctx.store;
    let expired = store.expire_events(session.lease(), kept_from).await?;
    store
        .expire_cohort_changes(session.lease(), kept_from)
        .await?;
    if expired > 0 {
        tracing::info!(expired, before = %kept_from, "Events past their retention were removed.");
    }
    // Whoever points the connection back within the grace period finds its rows again, as whoever recreates
    // it does.
    if let Deletion::Delete { grace } = session.settings.desired.deletion
        && let Ok(left_by) = session.ctx.clock.now().checked_sub(grace)
    {
        // They may be millions of rows; what is not removed now is removed by the next run.
        let removal = store.remove_left_epochs(session.lease(), left_by);
        let removed = session.asker.stop.race(removal).await??;
        if removed > 0 {
            tracing::info!(removed, "Rows of the host or project before were removed.");
        }
    }
    let runs_from = session.ctx.clock.now() - RUNS_KEPT;
    store
        .expire_runs(session.lease(), kept_from.min(runs_from))
        .await?;
    Ok(())
}

async fn end(session: &Session<'_>, run: RunId) -> Result<RunRecord, SyncError> {
    session.asker.stop.check()?;
    let now = session.ctx.clock.now();
    let store = &session.ctx.store;
    Ok(store
        .end_run(session.lease(), run, &RunEnd::Complete, now)
        .await?)
}
