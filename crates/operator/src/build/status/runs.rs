//! What status tells of runs: the backfill and the last one of all.

use crd::{
    BackfillStatus, BackfillVia, CohortsStatus, PersonsStatus, PostHogConnectionStatus, SyncStatus,
};
use domain::cohorts::CohortsStanding;
use domain::identity::{PersonsStanding, persons_standing};
use domain::storage::{RunEnd, RunRecord};
use sync::Outlook;

use super::signed;
use super::stages::{completeness, stages};
use crate::dereference::Found;

/// Writes down what the store knows of runs and of what they stored.
pub(super) fn describe_runs(status: &mut PostHogConnectionStatus, found: &Found) {
    let (Ok(_), Some(stored)) = (&found.spec, &found.stored) else {
        return;
    };
    let outlook = &stored.outlook;
    status.backfill = outlook.backfill.as_ref().map(backfill);
    status.last_sync = outlook.last.as_ref().map(last_sync);
    status.persons = persons(outlook);
    if let Some(details) = &stored.details {
        status.mapping = stages(details);
        status.completeness = Some(completeness(details));
        status.cohorts = cohorts(&details.cohorts);
        status.events_last_24h = details.last_day.map(signed);
    }
}

fn persons(outlook: &Outlook) -> Option<PersonsStatus> {
    let (epoch, run) = (outlook.epoch.as_ref()?, outlook.last.as_ref()?);
    let PersonsStanding { read_at, problem } =
        persons_standing(epoch.persons_read_at, run.started_at);
    Some(PersonsStatus {
        last_read_time: read_at,
        problem,
    })
}

fn cohorts(standing: &CohortsStanding) -> Option<CohortsStatus> {
    (standing.listed > 0).then(|| CohortsStatus {
        listed: signed(standing.listed),
        failing: signed(standing.failing),
        behind: signed(standing.behind),
        problem: standing.problem.clone(),
    })
}

fn backfill(run: &RunRecord) -> BackfillStatus {
    let is_complete = run.end == Some(RunEnd::Complete);
    BackfillStatus {
        from: run.window.from,
        to: run.window.to,
        completed_through: is_complete.then_some(run.window.to),
        events: signed(run.totals.events_stored),
        percent: if is_complete {
            100
        } else {
            percent(run.progress)
        },
        via: run
            .way
            .as_ref()
            .map_or(BackfillVia::Query, |way| way.via.into()),
        via_reason: run.way.as_ref().map(|way| way.why.clone()),
    }
}

/// 100 only of a run that is complete.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a share of 0 to 1 is clamped to 0 to 99 before"
)]
fn percent(share: f64) -> i64 {
    (share * 100.0).clamp(0.0, 99.0) as i64
}

fn last_sync(run: &RunRecord) -> SyncStatus {
    SyncStatus {
        start_time: run.started_at,
        completion_time: run.ended_at.unwrap_or(run.started_at),
        events: signed(run.totals.events_stored),
        duplicates: signed(run.totals.duplicates),
        late_events: signed(run.totals.late_events),
    }
}
