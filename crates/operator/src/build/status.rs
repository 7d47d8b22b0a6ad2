//! The status of a connection, and when to look at it again. Pure.

use crd::{
    BackfillStatus, BackfillVia, CompletenessStatus, Condition, KeyStatus, LatestEventStatus,
    PostHogConnection, PostHogConnectionStatus, ProjectStatus, StageEventStatus, StageSource,
    StageStatus, SyncStatus, set_condition,
};
use domain::check::CheckSummary;
use domain::funnel::Feed;
use domain::mapping;
use domain::stage::PostHogStage;
use domain::storage::{RunEnd, RunRecord};
use domain::sync::SyncMode;
use domain::window::next_tick;
use jiff::{SignedDuration, Timestamp};
use sync::Outlook;
use sync::backoff::{Class, Setback};

use super::conditions::{POD_PATIENCE, Situation};
use crate::apply::Applied;
use crate::config::Intervals;
use crate::dereference::{Details, Found, KeyFound, Standing};
use crate::identity::Identity;
use crate::jobs::{Phase, RunKind};
use crate::validate::{Failures, Verdict};

/// What a reconciliation comes to.
pub(crate) struct Report {
    /// The status.
    pub(crate) status: PostHogConnectionStatus,
    /// When to look again, should nothing happen before.
    pub(crate) wake_at: Option<Timestamp>,
}

/// The status of what was found, decided and applied.
#[expect(clippy::too_many_arguments, reason = "one for each step before it")]
pub(crate) fn report(
    identity: &Identity,
    connection: &PostHogConnection,
    found: &Found,
    verdict: &Verdict,
    applied: &Applied,
    places: usize,
    intervals: &Intervals,
    now: Timestamp,
) -> Report {
    let failures = &verdict.failures;
    let mut status = connection.status.clone().unwrap_or_default();
    status.observed_generation = connection.metadata.generation;
    let overdue_at = overdue_at(identity, &status, found, verdict);
    describe_check(&mut status, found);
    describe_runs(&mut status, found);
    describe_failures(&mut status, failures);
    status.next_sync_time = next_sync_time(identity, found, verdict, failures, applied, now);
    if let Some(request) = handled_request(found, verdict, applied) {
        status.last_handled_refresh_request = Some(request);
    }
    let has_job = verdict.active.is_some() || *applied == Applied::Started;
    let situation = Situation {
        connection,
        found,
        verdict,
        applied,
        failure: failures
            .last
            .as_ref()
            .map(|failure| (failure.reason.as_str(), failure.message.as_str()))
            // A Job that is there was not refused, whatever was said of an earlier one.
            .filter(|(reason, _)| !(has_job && *reason == crd::reasons::JOB_REFUSED)),
        overdue_at,
        places,
        now,
    };
    for (kind, said) in situation.all() {
        match said {
            Some(said) => {
                set_condition(
                    &mut status.conditions,
                    Condition {
                        kind: kind.to_owned(),
                        status: said.status,
                        observed_generation: connection.metadata.generation,
                        last_transition_time: whole_second(now),
                        reason: said.reason,
                        message: said.message,
                    },
                );
            }
            None => status.conditions.retain(|condition| condition.kind != kind),
        }
    }
    Report {
        wake_at: wake_at(
            &status, found, verdict, failures, applied, overdue_at, intervals, now,
        ),
        status,
    }
}

fn describe_check(status: &mut PostHogConnectionStatus, found: &Found) {
    let checked = match &found.key {
        KeyFound::Checked(checked) => checked,
        KeyFound::Missing(_) => {
            status.key = None;
            return;
        }
        KeyFound::NotRead | KeyFound::Unchecked(_) => return,
    };
    let old = status.key.take();
    // What another key could see says nothing of this one.
    status.key = Some(KeyStatus {
        secret_resource_version: Some(checked.key.version.clone()),
        ..KeyStatus::default()
    });
    match &checked.outcome {
        Ok(report) => describe_project(status, &report.summary),
        Err(error) if Setback::of_check(error).class == Class::NeedsPerson => {}
        // Of the same key nothing else is known than before.
        Err(_) => {
            if let (Some(key), Some(old)) = (&mut status.key, old)
                && old.secret_resource_version == key.secret_resource_version
            {
                *key = old;
            }
        }
    }
}

fn describe_project(status: &mut PostHogConnectionStatus, summary: &CheckSummary) {
    status.project = Some(ProjectStatus {
        id: summary.project.id,
        name: summary.project.name.clone(),
        time_zone: summary.project.time_zone.clone(),
    });
    let key = status.key.get_or_insert_default();
    key.masked_value = Some(summary.key.masked_value.clone());
    key.scopes = summary.key.scopes.clone();
    key.missing_scopes = summary
        .key
        .missing_scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect();
    key.too_broad = summary.key.too_broad.clone();
    status.latest_event = summary
        .latest_event
        .as_ref()
        .map(|event| LatestEventStatus {
            name: event.name.clone(),
            timestamp: event.timestamp,
        });
}

fn describe_runs(status: &mut PostHogConnectionStatus, found: &Found) {
    let (Ok(asked), Some(stored)) = (&found.spec, &found.stored) else {
        return;
    };
    let outlook = &stored.outlook;
    status.backfill = outlook
        .backfill
        .as_ref()
        .map(|run| backfill(run, asked.valid.backfill.via));
    status.last_sync = outlook.last.as_ref().map(last_sync);
    if let Some(details) = &stored.details {
        status.mapping = stages(details);
        status.completeness = Some(completeness(details));
        status.events_last_24h = details.last_day.map(signed);
    }
}

fn backfill(run: &RunRecord, via: BackfillVia) -> BackfillStatus {
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
        via,
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

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn stages(details: &Details) -> Vec<StageStatus> {
    let one = |stage: PostHogStage| {
        let mapped = details.mapping.stage(stage);
        let is_shopifys =
            stage == PostHogStage::CheckoutStarted && details.checkout == Feed::Shopify;
        let source = match mapped.map(|mapped| mapped.source) {
            _ if is_shopifys => StageSource::Shopify,
            Some(mapping::StageSource::Override) => StageSource::Override,
            Some(mapping::StageSource::Shopify) => StageSource::Shopify,
            Some(mapping::StageSource::Default) | None => StageSource::Default,
        };
        let rules = mapped.into_iter().flat_map(|mapped| &mapped.rules);
        StageStatus {
            stage: stage.field().to_owned(),
            source,
            events: rules
                .map(|rule| StageEventStatus {
                    name: rule.name.as_str().to_owned(),
                    url_path: rule.url_path.as_ref().map(|path| path.as_str().to_owned()),
                })
                .collect(),
            seen_last7_days: (!is_shopifys)
                .then(|| signed(details.seen.get(&stage).copied().unwrap_or_default())),
            flags: details
                .double_tracked
                .contains(&stage)
                .then(|| "DoubleTracked".to_owned())
                .into_iter()
                .collect(),
            suggestions: details
                .suggestions
                .iter()
                .filter(|(suggested, _)| *suggested == stage)
                .map(|(_, name)| name.as_str().to_owned())
                .collect(),
        }
    };
    PostHogStage::ALL.into_iter().map(one).collect()
}

fn completeness(details: &Details) -> CompletenessStatus {
    let sum = sync::Completeness::of(&details.verdicts);
    let count = |days: usize| i64::try_from(days).unwrap_or(i64::MAX);
    CompletenessStatus {
        verified_days: count(sum.verified),
        pending_days: count(sum.pending),
        mismatched_days: count(sum.mismatch),
        worst_day: sum.worst.map(|worst| worst.day.to_string()),
    }
}

fn describe_failures(status: &mut PostHogConnectionStatus, failures: &Failures) {
    status.consecutive_failures = failures.count;
    status.last_failure.clone_from(&failures.last);
}

/// A request is handled by the run that begins after it, or by the check that refuses it.
fn handled_request(found: &Found, verdict: &Verdict, applied: &Applied) -> Option<String> {
    let pulls = verdict
        .due
        .as_ref()
        .is_some_and(|due| matches!(due.kind, RunKind::Backfill | RunKind::Refresh));
    if *applied == Applied::Started && pulls {
        return found.request.clone();
    }
    verdict.refused_request.clone()
}

fn next_sync_time(
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
    let due = verdict.due.as_ref().map(|due| whole_second(due.at));
    failures.retry_at.or(due)
}

/// When the last due run will not have succeeded for two intervals.
fn overdue_at(
    identity: &Identity,
    status: &PostHogConnectionStatus,
    found: &Found,
    verdict: &Verdict,
) -> Option<Timestamp> {
    let (Ok(asked), Some(stored)) = (&found.spec, &found.stored) else {
        return None;
    };
    // A run that goes on is late at most, not overdue.
    if verdict.standing != Standing::Admitted || verdict.active.is_some() {
        return None;
    }
    let interval = asked.settings.refresh.interval;
    let (since, intervals) = match &stored.outlook.last {
        Some(last) => (last.ended_at.unwrap_or(last.window.to), 3),
        None => (identity.created_at, 2),
    };
    // Time in which the connection could not be read does not count.
    let accepted = status
        .conditions
        .iter()
        .filter(|c| c.kind == crd::CREDENTIALS_VALID || c.kind == crd::PLAN_ELIGIBLE)
        .map(|condition| condition.last_transition_time)
        .max();
    let since = accepted.map_or(since, |accepted| accepted.max(since));
    since.checked_add(interval * intervals).ok()
}

#[expect(clippy::too_many_arguments, reason = "one for each reason to wake")]
fn wake_at(
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

/// Kubernetes' instants are of whole seconds: what is read back is then what was written.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
