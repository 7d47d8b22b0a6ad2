//! The status of a connection, and when to look at it again. Pure.

mod check;
mod runs;
mod stages;
mod times;

use crd::{Condition, PostHogConnection, PostHogConnectionStatus, set_condition};
use jiff::Timestamp;

use super::conditions::Situation;
use crate::apply::Applied;
use crate::config::Intervals;
use crate::dereference::Found;
use crate::identity::Identity;
use crate::jobs::RunKind;
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
    let overdue_at = times::overdue_at(identity, &status, found, verdict, applied, now);
    check::describe_check(&mut status, found);
    runs::describe_runs(&mut status, found);
    describe_failures(&mut status, failures);
    status.next_sync_time = times::next_sync_time(identity, found, verdict, failures, applied, now);
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
        wake_at: times::wake_at(
            &status, found, verdict, failures, applied, overdue_at, intervals, now,
        ),
        status,
    }
}

fn describe_failures(status: &mut PostHogConnectionStatus, failures: &Failures) {
    status.consecutive_failures = failures.count;
    status.last_failure.clone_from(&failures.last);
}

/// A request is handled by the run that begins after it, or by the check that refuses it.
fn handled_request(found: &Found, verdict: &Verdict, applied: &Applied) -> Option<String> {
    if found.begun_request.is_some() {
        return found.begun_request.clone();
    }
    let pulls = verdict
        .due
        .as_ref()
        .is_some_and(|due| matches!(due.kind, RunKind::Backfill | RunKind::Refresh));
    if *applied == Applied::Started && pulls {
        return found.request.clone();
    }
    verdict.refused_request.clone()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Kubernetes' instants are of whole seconds: what is read back is then what was written.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
