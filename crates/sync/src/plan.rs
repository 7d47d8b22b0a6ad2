//! Plans a run: its window, what arrived late, and the slices that read both.

use std::collections::{BTreeMap, BTreeSet};

use domain::backfill_way::{Via, Way};
use domain::event::EventName;
use domain::slices::{self, Cell, RowBytes};
use domain::storage::NewRun;
use domain::sync::{Arrivals, Slice, SyncMode, Window};
use domain::window;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::error::SyncError;
use crate::halves::Asked;
use crate::history;
use crate::project::Project;
use crate::session::Session;
use crate::way;

/// A run to begin.
pub(crate) struct Plan {
    pub(crate) run: NewRun,
    /// The days that it reads again whole.
    pub(crate) repulled: BTreeSet<Date>,
}

/// The instant before which nothing is kept.
pub(crate) fn kept_from(session: &Session<'_>) -> Timestamp {
    let days = i64::from(session.settings.desired.retention_days);
    session.ctx.clock.now() - SignedDuration::from_hours(24 * days)
}

/// Counts what PostHog has and plans slices over it: of the window, of what arrived late, and of
/// the `repull` days. A backfill takes the way that is chosen for it, unless it is given one.
pub(crate) async fn plan(
    session: &Session<'_>,
    project: &Project,
    mode: SyncMode,
    repull: &BTreeSet<Date>,
    given: Option<Way>,
) -> Result<Plan, SyncError> {
    let now = session.ctx.clock.now();
    let (window, arrivals) = bounds(session, mode, now).await?;
    let cells = count(session, window, arrivals).await?;
    let events = cells.iter().map(|cell| cell.rows).sum();
    let way = match (mode, given) {
        (SyncMode::Refresh, _) => None,
        (SyncMode::Backfill, Some(way)) => Some(way),
        (SyncMode::Backfill, None) => Some(way::choose(session, project, events).await?),
    };
    let mut slices = if way.as_ref().is_some_and(|way| way.via == Via::FileExport) {
        way::plan_exports(session, window, now, events)
    } else {
        slices::plan_slices(window, arrivals, &cells, RowBytes::TYPICAL)
    };
    for day in repull {
        slices.extend(whole_day(session, *day, window).await?);
    }
    Ok(Plan {
        run: NewRun {
            mode,
            window,
            arrivals,
            started_at: now,
            way,
            slices,
        },
        repulled: repull.clone(),
    })
}

/// What a run that starts `now` reads, cut at the retention.
async fn bounds(session: &Session<'_>, mode: SyncMode, now: Timestamp) -> Result<Asked, SyncError> {
    let days = session.settings.desired.backfill_days;
    let (mut window, arrivals) = match mode {
        SyncMode::Backfill => (window::backfill(now, days), None),
        SyncMode::Refresh => {
            let last = history::last_run(session.ctx, session.id).await?;
            window::refresh(now, session.settings.refresh.lookback, days, last)
        }
    };
    let kept_from = kept_from(session);
    window.from = window.from.max(kept_from);
    let arrivals = arrivals
        .map(|arrivals| Arrivals {
            from: arrivals.from.max(kept_from),
            ..arrivals
        })
        .filter(|arrivals| arrivals.from < window.from);
    Ok((window, arrivals))
}

/// The slices of a whole UTC day; none of what the window holds anyway.
async fn whole_day(
    session: &Session<'_>,
    day: Date,
    window: Window,
) -> Result<Vec<Slice>, SyncError> {
    let (from, to) = domain::day::day_bounds(day, &TimeZone::UTC);
    if from >= window.from {
        return Ok(Vec::new());
    }
    let day = Window { from, to };
    let cells = count(session, day, None).await?;
    Ok(slices::plan_slices(day, None, &cells, RowBytes::TYPICAL))
}

/// Rows by day and event, asked in smaller ranges where PostHog cannot answer the whole.
async fn count(
    session: &Session<'_>,
    window: Window,
    arrivals: Option<Arrivals>,
) -> Result<Vec<Cell>, SyncError> {
    let client = &session.ctx.client;
    let answers = session
        .asker
        .ask_in_parts((window, arrivals), |window, arrivals| {
            client.count_cells(window, arrivals)
        })
        .await?;
    let mut rows: BTreeMap<(Date, EventName), u64> = BTreeMap::new();
    for cell in answers.into_iter().flatten() {
        *rows.entry((cell.day, cell.event)).or_default() += cell.rows;
    }
    Ok(rows
        .into_iter()
        .map(|((day, event), rows)| Cell { day, event, rows })
        .collect())
}
