//! What the runs of a connection have covered, and so what the next one must be and when it is due.
//! It only reads the store, so that whoever plans runs and whoever makes them come to the same.

use domain::ConnectionId;
use domain::storage::{EpochRecord, RunEnd, RunRecord, Store, StoreError};
use domain::sync::SyncMode;
use domain::window::{self, LastRun};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::settings::Settings;

/// Backfills looked at: more than one only after `backfill.days` grew.
const BACKFILLS: usize = 50;
/// Runs looked at for one that lies before now.
const RUNS: usize = 50;
/// By so much a clock may be set back without any doubt about the last run.
const TOLERATED: SignedDuration = SignedDuration::from_mins(10);

/// What the runs of a connection have covered.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// The owner of the rows; absent before the connection was first stored.
    pub epoch: Option<EpochRecord>,
    /// The latest backfill, open or ended.
    pub backfill: Option<RunRecord>,
    /// The last run that is complete, of either mode.
    pub last: Option<RunRecord>,
    /// The mode in which the next run must read: a refresh needs a complete backfill of the days that
    /// are wanted and a last run that is not too long ago.
    pub mode: SyncMode,
    /// Whether a run was begun and neither completed nor given up.
    pub is_unfinished: bool,
    /// Whether stored rows are assigned and counted, and clickmaps made, as the settings ask.
    pub is_in_force: bool,
}

impl Outlook {
    /// When the next run is due: at once when one is unfinished or other days, stages, clickmaps or a time
    /// zone are wanted than those in force, else at the tick after the last one's window ended. `owner`
    /// decides where within the interval the ticks lie.
    pub fn due(&self, owner: Uuid, settings: &Settings, now: Timestamp) -> Timestamp {
        if self.is_unfinished || self.mode == SyncMode::Backfill || !self.is_in_force {
            return now;
        }
        self.last.as_ref().map_or(now, |last| {
            window::next_tick(owner, settings.refresh.interval, last.window.to)
        })
    }
}

/// Reads what the runs of the connection have covered.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn outlook(
    store: &dyn Store,
    settings: &Settings,
    now: Timestamp,
) -> Result<Outlook, StoreError> {
    let id = settings.connection_id();
    let epoch = store.epoch(id).await?;
    let backfills = store.runs(id, Some(SyncMode::Backfill), BACKFILLS).await?;
    let refresh = store.runs(id, Some(SyncMode::Refresh), 1).await?;
    let last = last_complete(store, id, now).await?;
    let is_open = |run: Option<&RunRecord>| run.is_some_and(|run| run.end.is_none());
    let is_backfill_open = is_open(backfills.first());
    let covered = backfills
        .iter()
        .any(|run| run.end == Some(RunEnd::Complete) && covers(run, settings));
    let since = last.as_ref().map(last_run);
    let mode = if is_backfill_open || window::is_backfill_due(now, since) || !covered {
        SyncMode::Backfill
    } else {
        SyncMode::Refresh
    };
    Ok(Outlook {
        is_in_force: epoch
            .as_ref()
            .is_some_and(|epoch| in_force(epoch, settings)),
        is_unfinished: is_backfill_open || is_open(refresh.first()),
        backfill: backfills.into_iter().next(),
        epoch,
        last,
        mode,
    })
}

/// The last complete run, of either mode. Runs of a clock that was ahead are passed over: until
/// real time had caught up with them nothing would be pulled.
pub(crate) async fn last_complete(
    store: &dyn Store,
    id: ConnectionId,
    now: Timestamp,
) -> Result<Option<RunRecord>, StoreError> {
    let latest = now + TOLERATED;
    let is_past = |run: &RunRecord| run.window.to <= latest;
    match store.last_complete_run(id).await? {
        Some(run) if !is_past(&run) => {
            let earlier = store.runs(id, None, RUNS).await?;
            let mut complete = earlier
                .into_iter()
                .filter(|run| run.end == Some(RunEnd::Complete));
            Ok(complete.find(is_past))
        }
        last => Ok(last),
    }
}

/// What the next run needs to know of a complete one.
pub(crate) fn last_run(run: &RunRecord) -> LastRun {
    LastRun {
        to: run.window.to,
        started_at: run.started_at,
    }
}

/// The latest backfills that are complete.
pub(crate) async fn complete_backfills(
    store: &dyn Store,
    id: ConnectionId,
) -> Result<Vec<RunRecord>, StoreError> {
    let mut runs = store.runs(id, Some(SyncMode::Backfill), BACKFILLS).await?;
    runs.retain(|run| run.end == Some(RunEnd::Complete));
    Ok(runs)
}

/// Whether a backfill covered as many days as are wanted and kept.
fn covers(run: &RunRecord, settings: &Settings) -> bool {
    let desired = &settings.desired;
    let wanted = desired.backfill_days.min(desired.retention_days);
    // A year of days is exact in hours, but retention may have cut the first by some seconds.
    let length = run.window.to.duration_since(run.window.from) + SignedDuration::from_hours(1);
    length >= SignedDuration::from_hours(24 * i64::from(wanted))
}

fn in_force(epoch: &EpochRecord, settings: &Settings) -> bool {
    let zone = settings
        .time_zone
        .as_ref()
        .is_none_or(|wanted| epoch.time_zone.as_ref() == Some(wanted));
    let mapping = epoch
        .mapping
        .as_ref()
        .is_some_and(|mapping| settings.mapping.accepts(mapping));
    zone && mapping && are_clickmaps_in_force(epoch, settings)
}

/// Whether the clickmaps that there are, or that there are none, are as the settings ask.
pub(crate) fn are_clickmaps_in_force(epoch: &EpochRecord, settings: &Settings) -> bool {
    epoch.clickmap_rules.as_ref() == settings.desired.clickmaps.rules()
}
