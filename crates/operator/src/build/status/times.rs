//! When the next run is due, when none has come for too long, and when to look again.

use crd::{ConditionStatus, PostHogConnectionStatus};
use domain::sync::SyncMode;
use domain::window::next_tick;
use jiff::{SignedDuration, Timestamp};
use sync::Outlook;

use super::whole_second;
use crate::apply::Applied;
use crate::build::conditions::POD_PATIENCE;
use crate::config::Intervals;
use crate::dereference::{Found, Standing};
use crate::identity::Identity;
use crate::jobs::{Phase, RunKind};
use crate::validate::{Failures, Verdict};

/// When the next run is due; nothing where none can come.
pub(super) fn next_sync_time(
    identity: &Identity,
    found: &Found,
    verdict: &Verdict,
    failures: &Failures,
    applied: &Applied,
    now: Timestamp,
) -> Option<Timestamp> {
    let asked = found.spec.as_ref().ok()?;
    if verdict.standing != Standing::Admitted {
        return None;
    }
    let interval = asked.settings.refresh.interval;
    let after = |begun: Timestamp| next_tick(identity.uuid(), interval, begun);
    if let Some(job) = &verdict.active {
        return Some(after(job.created_at));
    }
    if *applied == Applied::Started {
        return Some(after(now));
    }
    // Before the key is accepted nothing is read, however long it has been due.
    let due = verdict
        .due
        .as_ref()
        .filter(|_| verdict.credentials.is_accepted());
    failures.retry_at.or(due.map(|due| whole_second(due.at)))
}

/// When the last due run will not have succeeded for two intervals; `before` is what status has told up
/// to now.
pub(super) fn overdue_at(
    identity: &Identity,
    before: &PostHogConnectionStatus,
    found: &Found,
    verdict: &Verdict,
    applied: &Applied,
    now: Timestamp,
) -> Option<Timestamp> {
    let (Ok(asked), Some(stored)) = (&found.spec, &found.stored) else {
        return None;
    };
    // A run that goes on is late at most, not overdue.
    let goes_on = verdict.active.is_some() || *applied == Applied::Started;
    if verdict.standing != Standing::Admitted || goes_on {
        return None;
    }
    let interval = asked.settings.refresh.interval;
    let (since, intervals) = match &stored.outlook.last {
        Some(last) => (last.ended_at.unwrap_or(last.window.to), 3),
        None => (identity.created_at, 2),
    };
    // Time in which the connection could not be read does not count.
    let readable = readable_since(before, verdict, now);
    let since = readable.map_or(since, |readable| readable.max(since));
    since.checked_add(interval * intervals).ok()
}

/// Since when the key and the plan stand as they do; nothing before they were ever told. A suspended or
/// mistaken spec leaves the key unknown, so that it is accepted anew.
fn readable_since(
    before: &PostHogConnectionStatus,
    verdict: &Verdict,
    now: Timestamp,
) -> Option<Timestamp> {
    before
        .conditions
        .iter()
        .filter(|c| c.kind == crd::CREDENTIALS_VALID || c.kind == crd::PLAN_ELIGIBLE)
        .map(|condition| {
            let was_in_the_way = condition.status != ConditionStatus::True;
            if was_in_the_way && verdict.credentials.is_accepted() {
                now
            } else {
                condition.last_transition_time
            }
        })
        .max()
}

/// When to look again, should nothing happen before.
#[expect(clippy::too_many_arguments, reason = "one for each reason to wake")]
pub(super) fn wake_at(
    status: &PostHogConnectionStatus,
    found: &Found,
    verdict: &Verdict,
    failures: &Failures,
    applied: &Applied,
    overdue_at: Option<Timestamp>,
    intervals: &Intervals,
    now: Timestamp,
) -> Option<Timestamp> {
    if verdict.standing != Standing::Admitted {
        return None;
    }
    let after = |pause| now + SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    let is_backfilling = *applied == Applied::Started
        && backfill_wanted(found.stored.as_ref().map(|stored| &stored.outlook))
        || verdict
            .active
            .as_ref()
            .is_some_and(|job| job.kind == RunKind::Backfill);
    let patience = verdict
        .active
        .as_ref()
        .filter(|job| job.phase == Phase::Active { is_running: false })
        .map(|job| job.created_at + POD_PATIENCE);
    [
        overdue_at,
        patience,
        failures.retry_at,
        status.next_sync_time.filter(|_| verdict.active.is_none()),
        (!verdict.credentials.is_accepted()).then(|| after(intervals.secret_poll)),
        is_backfilling.then(|| after(intervals.progress)),
    ]
    .into_iter()
    .flatten()
    .filter(|at| *at > now)
    .min()
}

fn backfill_wanted(outlook: Option<&Outlook>) -> bool {
    outlook.is_some_and(|outlook| outlook.mode == SyncMode::Backfill)
}
