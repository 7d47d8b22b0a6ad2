//! What failed, how often in a row, and when it is tried again: told in status, so that a restart of the
//! operator forgets none of it.

use crd::{FailureStatus, PostHogConnection};
use jiff::{SignedDuration, Timestamp};
use sync::backoff::{Class, Setback};

use super::outcome::{Outcome, outcome};
use crate::dereference::{Found, is_new, retry_at};
use crate::jobs::{Phase, RunJob};

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Failures {
    /// Checks and runs in a row.
    pub(crate) count: i64,
    /// The last of them.
    pub(crate) last: Option<FailureStatus>,
    /// When it is tried again.
    pub(crate) retry_at: Option<Timestamp>,
    /// Whether status does not tell of the last one yet.
    pub(crate) is_new: bool,
}

/// What failed.
pub(crate) enum Origin {
    /// A check.
    Check,
    /// The Job of that name.
    Job(String),
}

impl Failures {
    /// One more, at `at`.
    pub(crate) fn add(
        &mut self,
        (reason, message): (&str, String),
        setback: Setback,
        origin: Origin,
        at: Timestamp,
    ) {
        self.count = self.count.saturating_add(1);
        self.is_new = true;
        let pause = setback.pause(u32::try_from(self.count).unwrap_or(u32::MAX));
        self.retry_at = SignedDuration::try_from(pause)
            .ok()
            .and_then(|pause| at.checked_add(pause).ok())
            .map(whole_second);
        self.last = Some(FailureStatus {
            time: whole_second(at),
            reason: reason.to_owned(),
            message,
            job: match origin {
                Origin::Check => None,
                Origin::Job(name) => Some(name),
            },
        });
    }

    /// What kept the connection from being pulled is gone: no more waiting. A run that failed by itself,
    /// or that the API server refuses, is not mended by it.
    fn check_succeeded(&mut self) {
        self.retry_at = None;
        let was_check = self
            .last
            .as_ref()
            .is_some_and(|last| last.job.is_none() && last.reason != crd::reasons::JOB_REFUSED);
        if was_check {
            (self.count, self.last) = (0, None);
        }
    }
}

/// What failed up to now: what status tells, unless it is over, and what is new.
pub(super) fn failures(connection: &PostHogConnection, found: &Found, now: Timestamp) -> Failures {
    let mut failures = earlier(connection, found);
    if let Some(job) = fresh(found, failures.last.as_ref()) {
        let Outcome {
            reason,
            message,
            setback,
        } = outcome(job, found);
        let at = match job.phase {
            Phase::Failed { at, .. } => at.max(job.created_at),
            _ => now,
        };
        failures.add(
            (&reason, message),
            setback,
            Origin::Job(job.name.clone()),
            at,
        );
    }
    match found.key.outcome() {
        Some(Err(error)) => failures.add(
            (error.reason(), error.to_string()),
            Setback::of_check(error),
            Origin::Check,
            now,
        ),
        Some(Ok(_)) => failures.check_succeeded(),
        None => {}
    }
    failures
}

/// What status tells, unless the spec has changed, or a run has succeeded since.
fn earlier(connection: &PostHogConnection, found: &Found) -> Failures {
    let status = connection.status.as_ref();
    let generation = connection.metadata.generation;
    let Some(status) = status.filter(|_| !is_new(status, generation)) else {
        return Failures::default();
    };
    let last_run = found
        .stored
        .as_ref()
        .and_then(|stored| stored.outlook.last.as_ref());
    let is_over = status.last_failure.as_ref().is_some_and(|failure| {
        last_run
            .and_then(|run| run.ended_at)
            .is_some_and(|ended| ended > failure.time)
    });
    if is_over {
        return Failures::default();
    }
    Failures {
        count: status.consecutive_failures,
        last: status.last_failure.clone(),
        retry_at: retry_at(Some(status), generation),
        is_new: false,
    }
}

/// The newest Job that failed by the settings in force and is not told yet.
fn fresh<'a>(found: &'a Found, told: Option<&FailureStatus>) -> Option<&'a RunJob> {
    let asked = found.spec.as_ref().ok()?;
    let job = found
        .jobs
        .iter()
        .filter(|job| matches!(job.phase, Phase::Failed { .. }) && !job.is_recorded)
        .filter(|job| job.fingerprint == asked.fingerprint)
        .max_by_key(|job| job.created_at)?;
    let is_told = told.is_some_and(|told| told.job.as_ref() == Some(&job.name));
    (!is_told).then_some(job)
}

/// Status keeps whole seconds, so that what is read back is what was written.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Whether trying again later may help by itself.
pub(super) fn is_passing(setback: Setback) -> bool {
    setback.class != Class::NeedsPerson
}
