//! BackfillComplete.

use crd::{ConditionStatus, reasons};
use domain::sync::SyncMode;

use super::{Said, Situation};
use crate::apply::Applied;
use crate::dereference::Standing;
use crate::jobs::{RunJob, RunKind};

impl Situation<'_> {
    pub(super) fn backfill_complete(&self) -> Said {
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
    pub(super) fn why_not_yet(&self) -> (&str, String) {
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
            return (reasons::JOB_REFUSED, message);
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

    fn waits(&self) -> String {
        format!(
            "It waits for one of the {} places for Jobs (operator.maxConcurrentSyncs of the chart).",
            self.places
        )
    }

    fn running(&self, kind: RunKind) -> Option<&RunJob> {
        self.verdict.active.as_ref().filter(|job| job.kind == kind)
    }
}
