//! Ready, and what kstatus makes of it: Reconciling and Stalled.

use crd::{ConditionStatus, reasons};

use super::{Said, Situation, plan, titled};
use crate::dereference::Standing;
use crate::validate::Credentials;

impl Situation<'_> {
    pub(super) fn ready(&self) -> Said {
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
            return Said::new(ConditionStatus::False, reasons::JOB_REFUSED, message);
        }
        if self.overdue_at.is_some_and(|at| at <= self.now) {
            let (reason, message) = self
                .failure
                .unwrap_or((reasons::OVERDUE, "No run has succeeded for two intervals: look at the operator and its Jobs, and raise operator.maxConcurrentSyncs of the chart if they wait"));
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
                let said = plan::eligible(plan);
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

    pub(super) fn reconciling(&self, ready: &Said) -> Option<Said> {
        let goes_on = ready.status == ConditionStatus::Unknown
            || matches!(self.verdict.credentials, Credentials::Unknown { .. })
                && self.verdict.standing == Standing::Admitted;
        goes_on.then(|| Said::new(ConditionStatus::True, &ready.reason, ready.message.clone()))
    }

    pub(super) fn stalled(&self, ready: &Said) -> Option<Said> {
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
}
