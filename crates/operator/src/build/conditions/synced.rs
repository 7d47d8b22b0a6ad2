//! Synced.

use crd::{ConditionStatus, reasons};

use super::{Said, Situation, titled};
use crate::dereference::Standing;

impl Situation<'_> {
    pub(super) fn synced(&self) -> Said {
        if self.verdict.standing == Standing::Suspended {
            let message = "spec.suspend is set: nothing is read.";
            return Said::new(ConditionStatus::False, reasons::SUSPENDED, message);
        }
        if let Some(message) = self.refused() {
            return Said::new(ConditionStatus::False, reasons::JOB_REFUSED, message);
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
}
