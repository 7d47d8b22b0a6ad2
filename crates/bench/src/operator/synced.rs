//! What a complete backfill of a project without events leaves behind in the store.

use crd::PostHogConnection;
use domain::ConnectionId;
use domain::mapping::resolve;
use domain::plan::{Plan, PlanStanding};
use domain::storage::{NewRun, RunEnd, Store};
use domain::sync::{SyncMode, Window};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

use super::cluster::workspace;
use crate::Outcome;

/// For how long the connection is held meanwhile.
const LEASE: Duration = Duration::from_secs(60);

/// Registers a connection, unless it is, and records a backfill of it that ended at `to`.
pub(super) async fn record(
    store: &dyn Store,
    connection: &PostHogConnection,
    number: usize,
    to: Timestamp,
) -> Outcome<()> {
    let valid = crd::validate(connection, &workspace(number))
        .map_err(|problems| format!("the connection is refused: {problems:?}"))?;
    let mapping = resolve(&valid.mapping, &[], false).mapping;
    let plan = Plan::Starter;
    let desired = valid.into_desired(PlanStanding::Eligible { plan });
    let id = ConnectionId::of(&desired.name, &desired.epoch);
    store.put_connection(&desired, to).await?;
    let lease = store.acquire_lease(id, "bench", LEASE).await?;
    store.set_time_zone(&lease, "UTC").await?;
    store.remap(&lease, &mapping).await?;
    store.make_clickmaps(&lease, &desired.clickmaps).await?;
    let days = SignedDuration::from_hours(24 * i64::from(desired.backfill_days));
    let run = NewRun {
        mode: SyncMode::Backfill,
        window: Window {
            from: to - days,
            to,
        },
        arrivals: None,
        started_at: to,
        way: None,
        slices: Vec::new(),
    };
    let run = store.begin_run(&lease, &run).await?;
    store.end_run(&lease, run, &RunEnd::Complete, to).await?;
    store.release_lease(&lease).await?;
    Ok(())
}
