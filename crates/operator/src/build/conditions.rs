//! The seven conditions, from what was decided and applied (`docs/conditions.md`). Pure.

use crd::{Condition, ConditionStatus, PostHogConnection, reasons};
use domain::plan::{PLAN_LABEL, PlanStanding};
use domain::sync::SyncMode;
use jiff::{SignedDuration, Timestamp};
use sync::Outlook;

use crate::apply::Applied;
use crate::dereference::{Found, Standing};
use crate::jobs::{Phase, RunJob, RunKind};
use crate::validate::{Credentials, Verdict};

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
            (crd::PLAN_ELIGIBLE, Some(self.plan_eligible())),
            (crd::BACKFILL_COMPLETE, Some(self.backfill_complete())),
            (crd::SYNCED, Some(self.synced())),
            (crd::READY, Some(ready)),
        ]
    }

    fn ready(&self) -> Said {
        if let Some(said) = self.not_admitted() {
            return said;
        }
        match &self.verdict.credentials {
            Credentials::Refused { reason, message } => {
                return Said::new(ConditionStatus::False, reason, titled(reason, message));
            }
            Credentials::Unknown { reason, message } => {
                let status = if reason == reasons::CHECKING {
                    ConditionStatus::Unknown
                } else {
                    ConditionStatus::False
                };
                return Said::new(status, reason, titled(reason, message));
            }
            Credentials::Accepted { .. } => {}
        }
        if let Some(message) = self.refused() {
            return Said::new(
                ConditionStatus::False,
                reasons::JOB_REFUSED,
                refused(message),
            );
        }
        if self.overdue_at.is_some_and(|at| at <= self.now) {
            let (reason, message) = self
                .failure
                .unwrap_or((reasons::OVERDUE, "No run has succeeded for two intervals: look at the operator and its Jobs, and raise maxConcurrentSyncs if they wait"));
            return Said::new(ConditionStatus::False, reason, titled(reason, message));
        }
        if self.is_remapping() {
            return Said::new(
                ConditionStatus::Unknown,
                reasons::REMAPPING,
                "Stored events are being assigned by the changed mapping or time zone.",
            );
        }
        Said::new(ConditionStatus::True, reasons::AS_DESIRED, self.connected())
    }

    /// What Kubernetes alone tells against pulling.
    fn not_admitted(&self) -> Option<Said> {
        let (reason, message) = match &self.verdict.standing {
            Standing::Admitted => return None,
            Standing::NamespaceTerminating => (
                reasons::NAMESPACE_TERMINATING,
                "The namespace is being deleted, and the connection with it.".to_owned(),
            ),
            Standing::InvalidSpec => (reasons::INVALID_SPEC, self.problems()),
            Standing::NotEligible(plan) => {
                let said = plan_of(plan);
                return Some(Said::new(
                    ConditionStatus::False,
                    &said.reason,
                    said.message,
                ));
            }
            Standing::Suspended => (
                reasons::SUSPENDED,
                "spec.suspend is set: nothing is read; what is stored stays readable.".to_owned(),
            ),
        };
        Some(Said::new(ConditionStatus::False, reason, message))
    }

    fn problems(&self) -> String {
        let problems = self.found.spec.as_ref().err();
        let told: Vec<String> = problems
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        told.join("; ")
    }

    fn connected(&self) -> String {
        let mut text = "PostHog is connected.".to_owned();
        if let Ok(asked) = &self.found.spec {
            for note in &asked.valid.notes {
                text.push_str(&format!(" Note: {note}."));
            }
        }
        text
    }

    /// What the API server said when it refused the Job, now or at the last attempt.
    fn refused(&self) -> Option<&str> {
        match self.applied {
            Applied::Refused { message } => Some(message),
            Applied::Started => None,
            Applied::Nothing | Applied::Waiting => self
                .failure
                .filter(|(reason, _)| *reason == reasons::JOB_REFUSED)
                .map(|(_, message)| message),
        }
    }

    fn reconciling(&self, ready: &Said) -> Option<Said> {
        let goes_on = ready.status == ConditionStatus::Unknown
            || matches!(self.verdict.credentials, Credentials::Unknown { .. })
                && self.verdict.standing == Standing::Admitted;
        goes_on.then(|| Said::new(ConditionStatus::True, &ready.reason, ready.message.clone()))
    }

    fn stalled(&self, ready: &Said) -> Option<Said> {
        let is_stalled = match &self.verdict.standing {
            Standing::InvalidSpec | Standing::NotEligible(_) => true,
            Standing::NamespaceTerminating | Standing::Suspended => false,
            Standing::Admitted => {
                matches!(self.verdict.credentials, Credentials::Refused { .. })
                    || self.refused().is_some()
            }
        };
        is_stalled.then(|| Said::new(ConditionStatus::True, &ready.reason, ready.message.clone()))
    }

    fn credentials_valid(&self) -> Said {
        match &self.verdict.credentials {
            Credentials::Accepted { was_trimmed } => {
                let message = match (was_trimmed, self.old(crd::CREDENTIALS_VALID)) {
                    (None, Some(old)) => old.message.clone(),
                    (Some(true), _) => "PostHog accepts the API key. The Secret's value has white space or a line break around the key, which was left out.".to_owned(),
                    _ => "PostHog accepts the API key.".to_owned(),
                };
                Said::new(ConditionStatus::True, reasons::KEY_ACCEPTED, message)
            }
            Credentials::Refused { reason, message } => {
                Said::new(ConditionStatus::False, reason, titled(reason, message))
            }
            Credentials::Unknown { reason, message } => {
                Said::new(ConditionStatus::Unknown, reason, titled(reason, message))
            }
        }
    }

    fn plan_eligible(&self) -> Said {
        plan_of(&self.found.workspace.plan)
    }

    fn backfill_complete(&self) -> Said {
        if self
            .outlook()
            .is_some_and(|outlook| outlook.mode == SyncMode::Refresh)
        {
            let message = "All configured days are read.";
            return Said::new(ConditionStatus::True, reasons::BACKFILL_DONE, message);
        }
        let (reason, message) = self.why_not_yet();
        Said::new(ConditionStatus::False, reason, message)
    }

    /// Why a backfill that is needed is not complete.
    fn why_not_yet(&self) -> (&str, String) {
        if let Some(job) = self.running(RunKind::Backfill) {
            return self.stuck(job).unwrap_or((
                reasons::BACKFILL_RUNNING,
                "The configured days are being read; status.backfill tells how far.".to_owned(),
            ));
        }
        match self.applied {
            Applied::Started => {
                return (
                    reasons::BACKFILL_RUNNING,
                    "The configured days are being read; status.backfill tells how far.".to_owned(),
                );
            }
            Applied::Waiting => return (reasons::BACKFILL_WAITING, self.waits()),
            Applied::Refused { .. } | Applied::Nothing => {}
        }
        if let Some(message) = self.refused() {
            return (reasons::JOB_REFUSED, refused(message));
        }
        if self.verdict.standing != Standing::Admitted || !self.verdict.credentials.is_accepted() {
            return (
                reasons::BACKFILL_BLOCKED,
                "The backfill begins once the connection may be read: see Ready.".to_owned(),
            );
        }
        match self.failure {
            Some((_, message)) => (reasons::BACKFILL_FAILED, message.to_owned()),
            None => (
                reasons::BACKFILL_WAITING,
                "The backfill is about to begin.".to_owned(),
            ),
        }
    }

    fn synced(&self) -> Said {
        if self.verdict.standing == Standing::Suspended {
            let message = "spec.suspend is set: nothing is read.";
            return Said::new(ConditionStatus::False, reasons::SUSPENDED, message);
        }
        if let Some(message) = self.refused() {
            return Said::new(
                ConditionStatus::False,
                reasons::JOB_REFUSED,
                refused(message),
            );
        }
        if let Some((reason, message)) = self.failure {
            return Said::new(ConditionStatus::False, reason, titled(reason, message));
        }
        if let Some(job) = &self.verdict.active
            && let Some((reason, message)) = self.stuck(job)
        {
            return Said::new(ConditionStatus::False, reason, message);
        }
        if self.overdue_at.is_some_and(|at| at <= self.now) {
            let message = "No run has succeeded for two intervals.";
            return Said::new(ConditionStatus::False, reasons::OVERDUE, message);
        }
        if self.outlook().is_none_or(|outlook| outlook.last.is_none()) {
            let (reason, message) = self.why_not_yet();
            return Said::new(ConditionStatus::Unknown, reason, message);
        }
        if self.has_no_events() {
            let message = "No events yet: PostHog shows none for this project; check that its snippet runs in the shop.";
            return Said::new(ConditionStatus::True, reasons::NO_EVENTS_YET, message);
        }
        let message = "The last due run succeeded.";
        Said::new(ConditionStatus::True, reasons::UP_TO_DATE, message)
    }

    /// The last check saw none, and no run stored any since.
    fn has_no_events(&self) -> bool {
        let stored = || {
            let record = self.found.stored.as_ref()?.record.as_ref()?;
            Some(record.check.as_ref()?.latest_event.is_none())
        };
        let checked = match self.found.key.outcome() {
            Some(Ok(report)) => Some(report.summary.latest_event.is_none()),
            _ => stored(),
        };
        let last = self.outlook().and_then(|outlook| outlook.last.as_ref());
        checked.unwrap_or_default() && last.is_none_or(|run| run.totals.events_read == 0)
    }

    fn waits(&self) -> String {
        format!(
            "It waits for one of the {} places for Jobs (maxConcurrentSyncs).",
            self.places
        )
    }

    /// What is told of a Job whose pod does not run.
    fn stuck(&self, job: &RunJob) -> Option<(&'static str, String)> {
        let waits = job.phase == Phase::Active { is_running: false }
            && self.now.duration_since(job.created_at) >= POD_PATIENCE;
        waits.then(|| {
            (
                reasons::POD_NOT_RUNNING,
                format!(
                    "The pod of the Job {} does not run: kubectl describe job {} in the operator's namespace tells why, such as image, quota or nodes.",
                    job.name, job.name
                ),
            )
        })
    }

    fn running(&self, kind: RunKind) -> Option<&RunJob> {
        self.verdict.active.as_ref().filter(|job| job.kind == kind)
    }

    pub(super) fn is_remapping(&self) -> bool {
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

fn plan_of(plan: &PlanStanding) -> Said {
    match plan {
        PlanStanding::Eligible { plan } => Said::new(
            ConditionStatus::True,
            reasons::PLAN_SUFFICIENT,
            format!("The workspace is on {plan}."),
        ),
        PlanStanding::TooLow { plan } => Said::new(
            ConditionStatus::False,
            reasons::PLAN_TOO_LOW,
            format!(
                "The workspace is on {plan}, and PostHog needs Starter or higher: nothing is read until it is upgraded, what is stored stays."
            ),
        ),
        PlanStanding::Unknown { label: None } => Said::new(
            ConditionStatus::False,
            reasons::PLAN_UNKNOWN,
            format!(
                "The namespace has no label {PLAN_LABEL}: an administrator sets it to starter, growth or scale."
            ),
        ),
        PlanStanding::Unknown { label: Some(label) } => Said::new(
            ConditionStatus::False,
            reasons::PLAN_UNKNOWN,
            format!(
                "The namespace's label {PLAN_LABEL} is {}, which is no plan: an administrator sets it to starter, growth or scale.",
                crd::quoted(label)
            ),
        ),
    }
}

fn refused(said: &str) -> String {
    format!(
        "The Job cannot be created: {said}. Raise the quota or give the right in the operator's namespace; it is tried again."
    )
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
