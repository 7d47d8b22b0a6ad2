//! When the key is needed and when PostHog is asked about it: as often as the answer can have changed,
//! so that a bad key never eats the budget of queries. Pure.

use crd::{ConditionStatus, PostHogConnection, PostHogConnectionStatus};
use jiff::{SignedDuration, Timestamp};

use super::{Found, Standing};
use crate::context::Context;
use crate::identity::Identity;
use crate::jobs::Phase;

/// What is to be read.
pub(crate) struct When<'a> {
    /// Whether anybody needs the key.
    pub(crate) is_key_needed: bool,
    is_check_due: bool,
    known_version: Option<&'a str>,
}

impl<'a> When<'a> {
    pub(crate) fn of(
        ctx: &Context,
        connection: &'a PostHogConnection,
        identity: &Identity,
        found: &Found,
        now: Timestamp,
    ) -> Self {
        let status = connection.status.as_ref();
        let known_version =
            status.and_then(|status| status.key.as_ref()?.secret_resource_version.as_deref());
        let nothing = Self {
            is_key_needed: false,
            is_check_due: false,
            known_version,
        };
        if found.standing() != Standing::Admitted {
            return nothing;
        }
        let generation = connection.metadata.generation;
        let retry_at = retry_at(status, generation);
        let is_retry_due = retry_at.is_none_or(|at| at <= now);
        let is_accepted = status.is_some_and(|status| is_accepted(status, generation));
        let due = found.due(connection, identity, retry_at, now);
        // One that waits for its turn is no reason to ask again.
        let is_check_asked_for = found
            .request
            .as_ref()
            .is_some_and(|request| !ctx.requests.has_checked(&identity.uid, request));
        let is_run_due = due.is_some_and(|due| due.at <= now);
        let check_every = SignedDuration::try_from(ctx.config.intervals.check)
            .unwrap_or(SignedDuration::from_hours(24));
        let is_stale = found.stored.as_ref().is_some_and(|stored| {
            let check = stored
                .record
                .as_ref()
                .and_then(|record| record.check.as_ref());
            check.is_none_or(|check| now.duration_since(check.checked_at) >= check_every)
        });
        Self {
            // While it is bad, a changed Secret is to be noticed; a failed Job may have met a bad one.
            is_key_needed: !is_accepted
                || is_run_due
                || is_check_asked_for
                || has_news(found)
                || lacks_secret(ctx, found),
            is_check_due: is_check_asked_for
                || (!is_accepted && (is_retry_due || is_new(status, generation)))
                || (is_accepted && is_run_due && is_stale),
            known_version,
        }
    }

    /// Whether PostHog is to be asked about the key that was read from this version of the Secret.
    pub(crate) fn is_check_due(&self, version: &str) -> bool {
        self.is_check_due || self.known_version != Some(version)
    }
}

/// Whether this generation was not looked at yet.
pub(crate) fn is_new(status: Option<&PostHogConnectionStatus>, generation: Option<i64>) -> bool {
    status.is_none_or(|status| status.observed_generation != generation)
}

/// When to try again after the failures that status tells of; those of another generation count no more.
pub(crate) fn retry_at(
    status: Option<&PostHogConnectionStatus>,
    generation: Option<i64>,
) -> Option<Timestamp> {
    status
        .filter(|status| !is_new(Some(status), generation) && status.consecutive_failures > 0)
        .and_then(|status| status.next_sync_time)
}

/// Whether PostHog has accepted the key for this generation.
pub(crate) fn is_accepted(status: &PostHogConnectionStatus, generation: Option<i64>) -> bool {
    status.conditions.iter().any(|condition| {
        condition.kind == crd::CREDENTIALS_VALID
            && condition.status == ConditionStatus::True
            && condition.observed_generation == generation
    })
}

/// Whether a Job has failed of which status does not tell yet.
fn has_news(found: &Found) -> bool {
    found
        .jobs
        .iter()
        .any(|job| matches!(job.phase, Phase::Failed { .. }) && !job.is_recorded)
}

/// Whether a Job may wait for a Secret that was never written: the operator may have died in between.
fn lacks_secret(ctx: &Context, found: &Found) -> bool {
    found
        .jobs
        .iter()
        .any(|job| job.waits_for_secret() && !ctx.provisioned.contains(&job.name))
}
