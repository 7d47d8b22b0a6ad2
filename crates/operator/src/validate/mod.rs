//! Decides, without asking anybody: what is wrong, what follows from failures, which run is due, which
//! Jobs must not go on.

mod credentials;
mod failures;
mod outcome;
#[cfg(test)]
mod tests;

use crd::PostHogConnection;
use domain::ApiKey;
use jiff::Timestamp;

pub(crate) use self::credentials::Credentials;
pub(crate) use self::failures::{Failures, Origin};
use crate::dereference::{Found, KeyFound, Standing};
use crate::identity::Identity;
use crate::jobs::{RunJob, RunKind};
use crate::schedule::Due;

/// What was decided about a connection.
pub(crate) struct Verdict {
    /// Whether it may be pulled.
    pub(crate) standing: Standing,
    /// What is known of its key, project and host.
    pub(crate) credentials: Credentials,
    /// What failed, and when it is tried again.
    pub(crate) failures: Failures,
    /// The next run; absent where none can come, or one is under way.
    pub(crate) due: Option<Due>,
    /// The key, where that run may begin at once.
    pub(crate) start_with: Option<ApiKey>,
    /// The run under way, if it may go on.
    pub(crate) active: Option<RunJob>,
    /// Active Jobs that must not go on.
    pub(crate) stop: Vec<String>,
    /// Jobs that are over and whose outcome is told by what is decided here.
    pub(crate) over: Vec<RunJob>,
    /// The refresh request that was acted on without a run.
    pub(crate) refused_request: Option<String>,
}

/// Decides what was found about `connection` as of `now`.
pub(crate) fn validate(
    connection: &PostHogConnection,
    identity: &Identity,
    found: &Found,
    now: Timestamp,
) -> Verdict {
    let standing = found.standing();
    let failures = failures::failures(connection, found, now);
    let credentials = credentials::credentials(connection, found, &failures);
    let (active, stop) = sort_active(found, &standing);
    let due = found.due(connection, identity, failures.retry_at, now);
    let is_due = due.as_ref().is_some_and(|due| due.at <= now);
    let may_start = is_due && stop.is_empty() && credentials.is_accepted();
    Verdict {
        start_with: found
            .key
            .key()
            .filter(|_| may_start)
            .map(|read| read.key.clone()),
        // Acted on: PostHog was asked. With a bad key there is nothing to refresh.
        refused_request: found
            .request
            .clone()
            .filter(|_| matches!(found.key, KeyFound::Checked(_) | KeyFound::Missing(_)))
            .filter(|_| !credentials.is_accepted()),
        over: found
            .jobs
            .iter()
            .filter(|job| !job.is_active() && job.kind != RunKind::Purge)
            .cloned()
            .collect(),
        standing,
        credentials,
        failures,
        due,
        active,
        stop,
    }
}

/// The active Job that goes on, and those that do not: of a connection that may not be pulled, or by
/// settings that are no longer wanted. The page in flight ends; the next Job goes on from there.
fn sort_active(found: &Found, standing: &Standing) -> (Option<RunJob>, Vec<String>) {
    let mut goes_on = None;
    let mut stop = Vec::new();
    let active = found
        .jobs
        .iter()
        .filter(|job| job.is_active() && job.kind != RunKind::Purge);
    for job in active {
        let may_go_on = match (standing, &found.spec) {
            (Standing::NotEligible(_) | Standing::Suspended, _) => false,
            // One without a mark was made by hand: nobody can say that it reads something else.
            (_, Ok(asked)) => job.fingerprint.is_empty() || job.fingerprint == asked.fingerprint,
            // By what the spec was before; nothing better is known.
            (_, Err(_)) => true,
        };
        if may_go_on {
            goes_on = Some(job.clone());
        } else if !job.is_deleting {
            stop.push(job.name.clone());
        }
    }
    (goes_on, stop)
}
