//! The seven conditions, from what was decided and applied (`docs/conditions.md`). Pure.

mod backfill;
mod credentials;
mod plan;
mod ready;
mod synced;

use crd::{Condition, ConditionStatus, PostHogConnection, reasons};
use domain::sync::SyncMode;
use jiff::{SignedDuration, Timestamp};
use sync::Outlook;

use crate::apply::Applied;
use crate::dereference::Found;
use crate::jobs::{Phase, RunJob};
use crate::validate::Verdict;

/// A pod that does not run after so long is told.
pub(super) const POD_PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// What a condition says, before it is one.
pub(super) struct Said {
    pub(super) status: ConditionStatus,
    pub(super) reason: String,
    pub(super) message: String,
}

/// What the conditions are made of.
pub(super) struct Situation<'a> {
    pub(super) connection: &'a PostHogConnection,
    pub(super) found: &'a Found,
    pub(super) verdict: &'a Verdict,
    pub(super) applied: &'a Applied,
    pub(super) failure: Option<(&'a str, &'a str)>,
    pub(super) overdue_at: Option<Timestamp>,
    pub(super) places: usize,
    pub(super) now: Timestamp,
}

impl Said {
    fn new(status: ConditionStatus, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}
impl Situation<'_> {
    /// Every condition of ours; `None` for one that is absent now.
    pub(super) fn all(&self) -> Vec<(&'static str, Option<Said>)> {
        let ready = self.ready();
        vec![
            (crd::RECONCILING, self.reconciling(&ready)),
            (crd::STALLED, self.stalled(&ready)),
            (crd::CREDENTIALS_VALID, Some(self.credentials_valid())),
            (
                crd::PLAN_ELIGIBLE,
                Some(plan::eligible(&self.found.workspace.plan)),
            ),
            (crd::BACKFILL_COMPLETE, Some(self.backfill_complete())),
            (crd::SYNCED, Some(self.synced())),
            (crd::READY, Some(ready)),
        ]
    }

    /// That the API server refused the Job, now or at the last attempt.
    fn refused(&self) -> Option<String> {
        let said = match self.applied {
            Applied::Refused { message } => Some(message.as_str()),
            Applied::Started => None,
            Applied::Nothing | Applied::Waiting => self
                .failure
                .filter(|(reason, _)| *reason == reasons::JOB_REFUSED)
                .map(|(_, message)| message),
        }?;
        Some(format!(
            "The Job cannot be created: {said}. Raise the quota or give the right in the operator's namespace; it is tried again."
        ))
    }

    /// What is told of a Job whose pod does not run.
    fn stuck(&self, job: &RunJob) -> Option<(&'static str, String)> {
        let waits = job.phase == Phase::Active { is_running: false }
            && self.now.duration_since(job.created_at) >= POD_PATIENCE;
        waits.then(|| {
            (
                reasons::POD_NOT_RUNNING,
                format!(
                    "The pod of the Job {} does not run: kubectl -n {} describe job {} tells why, such as image, quota or nodes.",
                    job.name, job.namespace, job.name
                ),
            )
        })
    }

    fn is_remapping(&self) -> bool {
        self.outlook().is_some_and(|outlook| {
            outlook.mode == SyncMode::Refresh && !outlook.is_in_force && outlook.last.is_some()
        })
    }

    fn outlook(&self) -> Option<&Outlook> {
        self.found.stored.as_ref().map(|stored| &stored.outlook)
    }

    fn old(&self, kind: &str) -> Option<&Condition> {
        let conditions = &self.connection.status.as_ref()?.conditions;
        conditions.iter().find(|condition| condition.kind == kind)
    }
}

/// The message, led by the merchant's words for the reason where it does not begin with them.
fn titled(reason: &str, message: &str) -> String {
    let title = match reason {
        reasons::INVALID_API_KEY => "Invalid API key",
        reasons::PROJECT_NOT_FOUND | reasons::NO_PROJECT_ACCESS => "Project not found",
        reasons::MISSING_SCOPE => "Missing scope",
        reasons::WRONG_REGION => "Wrong region",
        _ => return message.to_owned(),
    };
    if message.starts_with(title) {
        message.to_owned()
    } else {
        format!("{title}: {message}")
    }
}
